package data

import (
	"io"
	"sync"
)

// Loader collates batches in a goroutine of its own, ahead of the one who
// reads them, so that reading data costs a training step nothing. To start in
// the middle of an epoch give it the batches from there on.
type Loader struct {
	ready chan loaded
	stop  chan struct{}
	once  sync.Once // closes stop
}

type loaded struct {
	batch *Batch
	err   error
}

// NewLoader starts to collate the given batches of a data set, up to ahead of
// them (1 at least) before they are asked for. Close it when done.
func NewLoader(ds Dataset, batches [][]int, ahead int) *Loader {
	l := &Loader{ready: make(chan loaded, max(ahead, 1)), stop: make(chan struct{})}
	go l.run(ds, batches)
	return l
}

func (l *Loader) run(ds Dataset, batches [][]int) {
	defer close(l.ready)
	for _, indices := range batches {
		b, err := ds.Collate(indices)
		select {
		case l.ready <- loaded{b, err}:
		case <-l.stop:
			return
		}
		if err != nil {
			return
		}
	}
}

// Next returns the next batch. After the last one, after an error and after
// Close it returns io.EOF.
func (l *Loader) Next() (*Batch, error) {
	select {
	case <-l.stop:
		return nil, io.EOF
	default:
	}
	next, ok := <-l.ready
	if !ok {
		return nil, io.EOF
	}
	return next.batch, next.err
}

// Close ends the loader's goroutine. It may be called more than once, and
// before the last batch was read.
func (l *Loader) Close() { l.once.Do(func() { close(l.stop) }) }
