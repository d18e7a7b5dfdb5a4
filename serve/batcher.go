package serve

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync/atomic"
)

// A batcher answers inputs of many requests side by side, on one goroutine: while it
// computes, those that come wait, and become the next batch.
type batcher[In, Out any] struct {
	compute func(ctx context.Context, in []In) ([]Out, error)
	alike   func(a, b In) bool // whether two may be in one batch
	size    func(In) int       // of an input; what a batch takes is that of the largest, times their number
	room    int                // most that a batch takes, if it is of more than one
	most    int                // most inputs in a batch
	log     *slog.Logger

	*queue[*work[In, Out]]
	busy atomic.Int64 // inputs in the batch
}

// work is an input and its answer.
type work[In, Out any] struct {
	ctx  context.Context
	in   In
	out  Out
	err  error
	done chan struct{}
}

// start makes a batcher work, for which so many inputs may wait.
func (b *batcher[In, Out]) start(limit int) *batcher[In, Out] {
	b.queue = newQueue(limit, func(w *work[In, Out]) bool { return w.ctx.Err() != nil })
	go b.run(b.next)
	return b
}

// do answers inputs, in their order.
func (b *batcher[In, Out]) do(ctx context.Context, in []In) ([]Out, error) {
	all := make([]*work[In, Out], len(in))
	for i := range in {
		all[i] = &work[In, Out]{ctx: ctx, in: in[i], done: make(chan struct{})}
	}
	if err := b.submit(all...); err != nil {
		return nil, err
	}
	out := make([]Out, len(in))
	for i, w := range all {
		select {
		case <-w.done:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		if w.err != nil {
			return nil, w.err
		}
		out[i] = w.out
	}
	return out, nil
}

// next answers the next batch of those that wait: the first, and others that may be
// beside it.
func (b *batcher[In, Out]) next() {
	largest := 0
	var batch []*work[In, Out]
	b.take(func(w *work[In, Out]) bool {
		size := max(largest, b.size(w.in))
		fits := len(batch) == 0 || len(batch) < b.most && size*(len(batch)+1) <= b.room && b.alike(batch[0].in, w.in)
		if fits {
			batch, largest = append(batch, w), size
		}
		return fits
	})
	b.busy.Store(int64(len(batch)))
	if len(batch) > 0 {
		b.answer(batch)
	}
	b.busy.Store(0)
}

// answer computes a batch. If that fails, each is answered by itself, so that none
// suffers from those beside it.
func (b *batcher[In, Out]) answer(batch []*work[In, Out]) {
	ctx, stop := whileWanted(batch)
	defer stop()
	in := make([]In, len(batch))
	for i, w := range batch {
		in[i] = w.in
	}
	out, err := b.try(ctx, in)
	if err != nil && len(batch) > 1 {
		for _, w := range batch {
			b.answer([]*work[In, Out]{w})
		}
		return
	}
	for i, w := range batch {
		if w.err = err; err == nil {
			w.out = out[i]
		}
		close(w.done)
	}
}

// try computes, and makes an error of a panic.
func (b *batcher[In, Out]) try(ctx context.Context, in []In) (out []Out, err error) {
	defer func() {
		if broken := recover(); broken != nil {
			b.log.Error("a model panicked", "panic", broken, "stack", string(debug.Stack()))
			err = errBroken
		}
	}()
	out, err = b.compute(ctx, in)
	if err == nil && len(out) != len(in) {
		err = fmt.Errorf("%d answers to %d inputs", len(out), len(in))
	}
	return out, err
}

// whileWanted returns a context that ends when nobody waits for the batch any more.
func whileWanted[In, Out any](batch []*work[In, Out]) (context.Context, func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var left atomic.Int64
	left.Store(int64(len(batch)))
	var stops []func() bool
	for _, w := range batch {
		stops = append(stops, context.AfterFunc(w.ctx, func() {
			if left.Add(-1) == 0 {
				cancel()
			}
		}))
	}
	return ctx, func() {
		for _, stop := range stops {
			stop()
		}
		cancel()
	}
}
