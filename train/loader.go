package train

import (
	"fmt"
	"iter"
	"sync"
	"sync/atomic"
	"time"
)

// ahead is how many batches are prepared before they are asked for.
const ahead = 4

// A Loader prepares batches in a goroutine of its own while others are being computed
// on, so that a step does not wait for reading and padding. It prepares only a few
// ahead: a batch is a pure function of its number, so those that an interrupted run
// drops are made again.
type Loader struct {
	ready chan loaded
	stop  chan struct{}
	done  sync.WaitGroup

	waited  time.Duration // until a batch was ready, by the one who asks
	reading atomic.Int64  // nanoseconds of preparing batches
}

type loaded struct {
	batch Batch
	err   error
}

// NewLoader prepares batches first, first+stride, ... of an epoch. Close it when
// done.
func NewLoader(b Batches, first, stride int) *Loader {
	return newLoader(b, func(yield func(int) bool) {
		for i := first; i < b.Len() && yield(i); i += stride {
		}
	})
}

// newLoader prepares the batches of the given numbers.
func newLoader(b Batches, numbers iter.Seq[int]) *Loader {
	l := &Loader{ready: make(chan loaded, ahead), stop: make(chan struct{})}
	l.done.Go(func() { l.run(b, numbers) })
	return l
}

func (l *Loader) run(b Batches, numbers iter.Seq[int]) {
	for i := range numbers {
		started := time.Now()
		batch, err := b.Batch(i)
		l.reading.Add(int64(time.Since(started)))
		if err != nil {
			err = fmt.Errorf("batch %d: %w", i, err)
		}
		select {
		case l.ready <- loaded{batch, err}:
		case <-l.stop:
			return
		}
		if err != nil {
			return
		}
	}
}

// Next returns the next batch. It must not be called once all have been read,
// nor after an error.
func (l *Loader) Next() (Batch, error) {
	started := time.Now()
	next := <-l.ready
	l.waited += time.Since(started)
	return next.batch, next.err
}

// Close ends the goroutine and waits for it.
func (l *Loader) Close() {
	close(l.stop)
	l.done.Wait()
}

// loadTime is what loaders took.
type loadTime struct{ reading, waiting time.Duration }

// add ends a loader and adds what it took.
func (t *loadTime) add(l *Loader) {
	l.Close()
	t.reading += time.Duration(l.reading.Load())
	t.waiting += l.waited
}
