package train

import (
	"bytes"
	"context"
	"encoding/gob"
	"fmt"

	"github.com/mega-go/mega/autograd"
)

// An Evaluator runs a model over held-out batches.
type Evaluator struct {
	tape *autograd.Tape
	comm Communicator
	tick func(done, total int) // shows progress; may be nil
}

// NewEvaluator returns an Evaluator of processes that share the batches. tick, if not
// nil, is called after each batch of this one.
func NewEvaluator(c Communicator, tick func(done, total int)) *Evaluator {
	return &Evaluator{tape: autograd.NewTape(), comm: c, tick: tick}
}

// Communicator returns the processes that share the evaluation.
func (e *Evaluator) Communicator() Communicator { return e.comm }

// Tick shows how far an evaluation is.
func (e *Evaluator) Tick(done, total int) {
	if e.tick != nil {
		e.tick(done, total)
	}
}

// Run sums the losses of all batches, of which each process computes a share. When ctx ends it
// returns the context's error.
func (e *Evaluator) Run(ctx context.Context, b Batches) (Stats, error) {
	rank, size := e.comm.Rank(), e.comm.Size()
	l := NewLoader(b, rank, size)
	defer l.Close()
	defer e.tape.Workers().Hot()()
	var mine []Stats
	last := func() {} // read once the next batch is under way
	for i := rank; i < b.Len(); i += size {
		if err := ctx.Err(); err != nil {
			return Stats{}, err
		}
		batch, err := l.Next()
		if err != nil {
			return Stats{}, err
		}
		result, err := batch.Loss(e.tape)
		if err != nil {
			return Stats{}, fmt.Errorf("batch %d: %w", i, err)
		}
		last()
		last = func() { mine = append(mine, result.Host()) }
		e.tape.Reset()
		e.Tick(i+1, b.Len())
	}
	last()
	all, err := Collect(e.comm, "statistics of an evaluation", mine, b.Len())
	var sum Stats
	for _, s := range all { // in the order of batches, so that the number of processes makes no difference
		sum.Add(s)
	}
	return sum, err
}

// Collect returns what n pieces of work have given, in their order, to all processes.
// The pieces go round the processes: mine is what this one has made of those with the
// numbers Rank, Rank+Size and so on. Results travel as package gob writes them. what
// names them in errors.
func Collect[T any](c Communicator, what string, mine []T, n int) ([]T, error) {
	if c.Size() == 1 {
		return mine, nil
	}
	var own bytes.Buffer
	err := gob.NewEncoder(&own).Encode(mine)
	if err = agree(c, what, err); err != nil {
		return nil, err
	}
	texts, err := c.AllGather(what, own.Bytes())
	if err != nil {
		return nil, err
	}
	parts := make([][]T, len(texts))
	for rank, text := range texts {
		if err := gob.NewDecoder(bytes.NewReader(text)).Decode(&parts[rank]); err != nil {
			return nil, fmt.Errorf("%s of rank %d: %w", what, rank, err)
		}
		if want := (n - rank + c.Size() - 1) / c.Size(); len(parts[rank]) != want {
			return nil, fmt.Errorf("rank %d has %s of %d pieces, want %d: its data differs", rank, what, len(parts[rank]), want)
		}
	}
	all := make([]T, n)
	for i := range all {
		all[i] = parts[i%c.Size()][i/c.Size()]
	}
	return all, nil
}
