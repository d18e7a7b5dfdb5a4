package train

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/format/dtype"
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
	var mine []float64
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
		last = func() {
			v := result.Host().vector()
			mine = append(mine, v[:]...)
		}
		e.tape.Reset()
		e.Tick(i+1, b.Len())
	}
	last()
	return e.sum(mine, b.Len())
}

// sum adds up the statistics of n batches, which go round the processes, in the order of
// the batches, so that the result does not depend on how many processes there are.
func (e *Evaluator) sum(mine []float64, n int) (sum Stats, err error) {
	all, err := e.comm.AllGather("statistics of an evaluation", dtype.Bytes(mine))
	if err != nil {
		return sum, err
	}
	for i := range n {
		row := all[i%e.comm.Size()][i/e.comm.Size()*statsLen*8:]
		var v [statsLen]float64
		for j := range v {
			v[j] = math.Float64frombits(binary.LittleEndian.Uint64(row[8*j:]))
		}
		var s Stats
		s.setVector(v)
		sum.Add(s)
	}
	return sum, nil
}
