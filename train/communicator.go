package train

import (
	"cmp"
	"fmt"
	"slices"
)

// A Communicator joins the processes that train one model, each with a share of every
// batch. Every process calls the same methods in the same order, and gets the same
// bits. What an operation is called says in errors what a process was waiting for.
type Communicator interface {
	// Rank is this process's number in [0, Size()). Rank 0 writes the files, and its
	// clock counts.
	Rank() int
	// Size is the number of processes.
	Size() int

	// Memory returns at least n zeros that are exchanged without being copied, a
	// multiple of Size.
	Memory(n int) []float32
	// Part returns the part of x, one of Size equal ones, that this process adds up.
	Part(x []float32) []float32
	// StartReduceScatter begins to add up x, whose length is a multiple of Size, over
	// all processes in the order of ranks. Once wait returns, Part(x) holds its sum and
	// the rest of x is undefined. With bf16 the terms travel in bfloat16.
	StartReduceScatter(what string, x []float32, bf16 bool) (wait func() error)
	// StartAllGather begins to replace each part of x by what the process has to which
	// it belongs. Operations that were started come one after another.
	StartAllGather(what string, x []float32, bf16 bool) (wait func() error)

	// Sum64 replaces x by its elementwise sum over all processes in the order of ranks.
	Sum64(what string, x []float64) error
	// Broadcast replaces x by what process root has.
	Broadcast(what string, x []byte, root int) error
	// AllGather returns what each process gives, which may differ in length.
	AllGather(what string, x []byte) ([][]byte, error)

	// Abort ends the work of all processes because of err, so that none waits for one
	// that has failed: their operations fail, or they are ended.
	Abort(err error)
}

// Alone is the Communicator of a single process: it has nothing to do.
type Alone struct{}

// Rank returns 0.
func (Alone) Rank() int { return 0 }

// Size returns 1.
func (Alone) Size() int { return 1 }

// Memory returns n zeros.
func (Alone) Memory(n int) []float32 { return make([]float32, n) }

// Part returns x.
func (Alone) Part(x []float32) []float32 { return x }

// StartReduceScatter leaves x as it is.
func (Alone) StartReduceScatter(string, []float32, bool) func() error { return done }

// StartAllGather leaves x as it is.
func (Alone) StartAllGather(string, []float32, bool) func() error { return done }

func done() error { return nil }

// Sum64 leaves x as it is.
func (Alone) Sum64(string, []float64) error { return nil }

// Broadcast leaves x as it is.
func (Alone) Broadcast(string, []byte, int) error { return nil }

// AllGather returns x.
func (Alone) AllGather(_ string, x []byte) ([][]byte, error) { return [][]byte{x}, nil }

// Abort does nothing.
func (Alone) Abort(error) {}

// agree is called by all processes with what has become of their parts of something,
// and fails everywhere if it has failed anywhere.
func agree(c Communicator, what string, err error) error {
	if c.Size() == 1 {
		return err
	}
	var text []byte
	if err != nil {
		text = []byte(err.Error())
	}
	all, lost := c.AllGather(what, text)
	if err != nil || lost != nil {
		return cmp.Or(err, lost)
	}
	if rank := slices.IndexFunc(all, func(text []byte) bool { return len(text) > 0 }); rank >= 0 {
		return fmt.Errorf("rank %d: %s", rank, all[rank])
	}
	return nil
}
