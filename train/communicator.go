package train

// A Communicator joins the processes that train one model. Every process calls
// the same methods in the same order; a method returns when its work is done
// everywhere, and its result is the same bits everywhere.
type Communicator interface {
	// Rank is this process's number in [0, Size()). Rank 0 writes the files.
	Rank() int
	// Size is the number of processes.
	Size() int
	// AllReduceSum replaces x by its elementwise sum over all processes.
	AllReduceSum(x []float32) error
	// AllReduceSum64 is AllReduceSum for statistics.
	AllReduceSum64(x []float64) error
	// Broadcast replaces x by what process root has.
	Broadcast(x []float32, root int) error
	// Barrier waits until all processes have called it.
	Barrier() error
}

// Alone is the Communicator of a single process: it has nothing to do.
type Alone struct{}

// Rank returns 0.
func (Alone) Rank() int { return 0 }

// Size returns 1.
func (Alone) Size() int { return 1 }

// AllReduceSum leaves x as it is.
func (Alone) AllReduceSum([]float32) error { return nil }

// AllReduceSum64 leaves x as it is.
func (Alone) AllReduceSum64([]float64) error { return nil }

// Broadcast leaves x as it is.
func (Alone) Broadcast([]float32, int) error { return nil }

// Barrier returns at once.
func (Alone) Barrier() error { return nil }
