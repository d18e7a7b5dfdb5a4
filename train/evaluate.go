package train

import (
	"context"
	"fmt"

	"github.com/mega-go/mega/autograd"
)

// An Evaluator runs a model over held-out batches.
type Evaluator struct {
	tape *autograd.Tape
	comm Communicator
	tick func(done, total int) // shows progress; may be nil
}

// NewEvaluator returns an Evaluator of a single process. tick, if not nil, is
// called after each batch.
func NewEvaluator(tick func(done, total int)) *Evaluator {
	return &Evaluator{tape: autograd.NewTape(), comm: Alone{}, tick: tick}
}

// Communicator returns the processes that share the evaluation.
func (e *Evaluator) Communicator() Communicator { return e.comm }

// Tick shows how far an evaluation is.
func (e *Evaluator) Tick(done, total int) {
	if e.tick != nil {
		e.tick(done, total)
	}
}

// Run sums the losses of all batches over all processes. When ctx ends it
// returns the context's error.
func (e *Evaluator) Run(ctx context.Context, b Batches) (Stats, error) {
	rank, size := e.comm.Rank(), e.comm.Size()
	l := NewLoader(b, rank, size)
	defer l.Close()
	defer e.tape.Workers().Hot()()
	var sum Stats
	last := func() Stats { return Stats{} } // read once the next batch is under way
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
		sum.Add(last())
		last = result.Host
		e.tape.Reset()
		e.Tick(i+1, b.Len())
	}
	sum.Add(last())
	total := sum.vector()
	if err := e.comm.AllReduceSum64(total[:]); err != nil {
		return Stats{}, fmt.Errorf("sum of statistics over processes: %w", err)
	}
	sum.setVector(total)
	return sum, nil
}
