package collective

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/mega-go/mega/format/dtype"
)

// A Transport moves bytes between the processes of a job. All methods but Abort are
// called by one goroutine, which is locked to its thread.
type Transport interface {
	// Rank is this process's number in [0, Size()).
	Rank() int
	Size() int
	// Memory returns n zeros that the transport moves without copying them.
	Memory(n int) []byte
	// AllToAll sends part i of send to process i, and receives its part for this
	// process as part i of recv. All parts have the same length.
	AllToAll(recv, send []byte) error
	// AllGather receives what process i sends as part i of recv.
	AllGather(recv, send []byte) error
	// Broadcast replaces x by what process root has.
	Broadcast(x []byte, root int) error
	// Rendezvous waits until all processes have called it, without computing
	// meanwhile.
	Rendezvous() error
	// Close ends the use of the transport. All processes call it.
	Close() error
	// Abort ends the job because of err: all processes, if need be at once. Any
	// goroutine may call it. It may return.
	Abort(err error)
}

// Options shape a Group.
type Options struct {
	// Timeout is how long a process waits for the others in the middle of an update
	// before it ends the job; 0 for ever. Operations at which one process may well be
	// late, such as after it has saved a checkpoint, wait ten times as long.
	Timeout time.Duration
	// Slow is told once in a wait when half of its time has passed, since the
	// launcher may notice first that a machine is gone; nil for nobody.
	Slow func(error)
}

// How often Options.Timeout passes before a wait ends the job.
const (
	hasty   = 1
	patient = 10 // a process may be late for good reason
	endless = 0
)

// A Group is the processes of a job as seen by one of them.
type Group struct {
	transport Transport
	timeout   atomic.Int64
	slow      func(error)
	jobs      chan job
	failed    error // after which nothing is exchanged; the queue's goroutine's own

	scratch []byte // of the queue's goroutine
	profile profile
}

// A job is one operation in the queue.
type job struct {
	what     string
	patience int // times Options.Timeout, 0 for ever
	run      func() error
	done     chan error
}

// New returns the group of the processes that open joins. It calls open, and all
// methods of the transport, on a thread of their own.
func New(open func() (Transport, error), o Options) (*Group, error) {
	g := &Group{jobs: make(chan job, 64), slow: o.Slow}
	g.SetTimeout(o.Timeout)
	opened := make(chan error)
	go func() {
		runtime.LockOSThread() // for life: MPI knows threads, and the thread ends with the goroutine
		var err error
		g.transport, err = open()
		opened <- err
		if err != nil {
			return
		}
		for j := range g.jobs {
			j.done <- g.perform(j)
		}
	}()
	if err := <-opened; err != nil {
		return nil, err
	}
	return g, nil
}

// SetTimeout sets Options.Timeout.
func (g *Group) SetTimeout(d time.Duration) { g.timeout.Store(int64(d)) }

// perform runs a job and ends the process if it takes too long.
func (g *Group) perform(j job) error {
	if g.failed != nil {
		return g.failed
	}
	limit := time.Duration(g.timeout.Load()) * time.Duration(j.patience)
	if limit > 0 {
		watchdog := time.AfterFunc(limit, func() { g.Abort(g.late(j.what, limit)) })
		defer watchdog.Stop()
	}
	if limit > 0 && g.slow != nil {
		half := time.AfterFunc(limit/2, func() { g.slow(waiting(j.what, limit)) })
		defer half.Stop()
	}
	if err := j.run(); err != nil {
		g.failed = fmt.Errorf("%s: %w", j.what, err)
	}
	return g.failed
}

func (g *Group) late(what string, limit time.Duration) error {
	return fmt.Errorf("%s: waited %v (collective_timeout) for the other processes: one of them, or the network, is gone or slow", what, limit)
}

func waiting(what string, limit time.Duration) error {
	return fmt.Errorf("%s: has waited %v for the other processes, and ends the job after %v (collective_timeout)", what, limit/2, limit)
}

// Rank is this process's number in [0, Size()).
func (g *Group) Rank() int { return g.transport.Rank() }

// Size is the number of processes.
func (g *Group) Size() int { return g.transport.Size() }

// Abort ends the job because of err.
func (g *Group) Abort(err error) { g.transport.Abort(err) }

// Close waits for the other processes and leaves the group.
func (g *Group) Close() error {
	err := g.start("the end", endless, func() error {
		if err := g.transport.Rendezvous(); err != nil {
			return err
		}
		return g.transport.Close()
	})()
	close(g.jobs)
	return err
}

// start puts a job into the queue and returns what waits for its end.
func (g *Group) start(what string, patience int, run func() error) (wait func() error) {
	done := make(chan error, 1)
	g.jobs <- job{what, patience, run, done}
	return func() error { return <-done }
}

// Memory returns at least n zeros, a multiple of the number of processes.
func (g *Group) Memory(n int) []float32 {
	var x []float32
	size := g.Size()
	n = (n + size - 1) / size * size
	g.start("memory", endless, func() error {
		x = view[float32](g.transport.Memory(4 * n))
		return nil
	})()
	return x
}

// Part returns the part of x that this process adds up.
func (g *Group) Part(x []float32) []float32 { return part(x, g.Rank(), g.Size()) }

// part returns part i of n equal ones.
func part[T any](x []T, i, n int) []T {
	each := len(x) / n
	return x[i*each : (i+1)*each]
}

// StartReduceScatter begins to add up x, whose length is a multiple of the number
// of processes: once wait returns, this process's [Group.Part] of x holds the sum
// over all, in the order of ranks, and the rest of x is undefined. With bf16 the
// terms are rounded to bfloat16 and added in float32. what names it in errors.
func (g *Group) StartReduceScatter(what string, x []float32, bf16 bool) (wait func() error) {
	return g.start(what, hasty, func() error {
		if err := g.profile.waiting(g.transport.Rendezvous); err != nil {
			return err
		}
		defer g.profile.moving(time.Now())
		if bf16 {
			return g.reduceBF16(x)
		}
		return reduce(g, x)
	})
}

// StartAllGather begins to replace x by the parts of all processes. With bf16 they
// are rounded, this process's own among them.
func (g *Group) StartAllGather(what string, x []float32, bf16 bool) (wait func() error) {
	return g.start(what, hasty, func() error {
		defer g.profile.moving(time.Now())
		if bf16 {
			return g.gatherBF16(x)
		}
		return g.transport.AllGather(bytes(x), bytes(g.Part(x)))
	})
}

// number is what is added up.
type number interface{ float32 | float64 }

// reduce makes this process's part of x the sum over all.
func reduce[T number](g *Group, x []T) error {
	terms := scratch[T](g, len(x))
	if err := g.transport.AllToAll(bytes(terms), bytes(x)); err != nil {
		return err
	}
	sum := part(x, g.Rank(), g.Size())
	copy(sum, part(terms, 0, g.Size()))
	for r := 1; r < g.Size(); r++ {
		for i, v := range part(terms, r, g.Size()) {
			sum[i] += v
		}
	}
	return nil
}

// reduceBF16 is reduce of terms in bfloat16.
func (g *Group) reduceBF16(x []float32) error {
	both := scratch[uint16](g, 2*len(x))
	send, recv := both[:len(x)], both[len(x):]
	dtype.RoundBF16(send, x)
	if err := g.transport.AllToAll(bytes(recv), bytes(send)); err != nil {
		return err
	}
	sum := g.Part(x)
	clear(sum)
	for r := range g.Size() {
		dtype.AddBF16(sum, part(recv, r, g.Size()))
	}
	return nil
}

// gatherBF16 is AllGather in bfloat16.
func (g *Group) gatherBF16(x []float32) error {
	each := len(x) / g.Size()
	both := scratch[uint16](g, each+len(x))
	send, recv := both[:each], both[each:]
	dtype.RoundBF16(send, g.Part(x))
	if err := g.transport.AllGather(bytes(recv), bytes(send)); err != nil {
		return err
	}
	clear(x)
	dtype.AddBF16(x, recv)
	return nil
}

// Sum64 replaces x by its elementwise sum over all processes, in the order of
// ranks.
func (g *Group) Sum64(what string, x []float64) error {
	return g.start(what, hasty, func() error {
		defer g.profile.moving(time.Now())
		all := scratch[float64](g, (1+g.Size())*len(x))
		mine, all := all[:len(x)], all[len(x):]
		copy(mine, x)
		if err := g.transport.AllGather(bytes(all), bytes(mine)); err != nil {
			return err
		}
		clear(x)
		for r := range g.Size() {
			for i, v := range part(all, r, g.Size()) {
				x[i] += v
			}
		}
		return nil
	})()
}

// Broadcast replaces x by what process root has.
func (g *Group) Broadcast(what string, x []byte, root int) error {
	return g.start(what, patient, func() error {
		if err := g.transport.Rendezvous(); err != nil { // who waits in it sleeps
			return err
		}
		return g.transport.Broadcast(x, root)
	})()
}

// AllGather returns what each process gives, which may differ in length. It waits
// with patience.
func (g *Group) AllGather(what string, x []byte) (all [][]byte, err error) {
	err = g.start(what, patient, func() error {
		all, err = g.gather(x)
		return err
	})()
	return all, err
}

func (g *Group) gather(x []byte) ([][]byte, error) {
	if err := g.transport.Rendezvous(); err != nil {
		return nil, err
	}
	lengths := make([]byte, 8*g.Size())
	if err := g.transport.AllGather(lengths, binary.LittleEndian.AppendUint64(nil, uint64(len(x)))); err != nil {
		return nil, err
	}
	longest := uint64(0)
	for r := range g.Size() {
		longest = max(longest, binary.LittleEndian.Uint64(part(lengths, r, g.Size())))
	}
	padded := append(make([]byte, 0, longest), x...)[:longest]
	together := make([]byte, longest*uint64(g.Size()))
	if err := g.transport.AllGather(together, padded); err != nil {
		return nil, err
	}
	all := make([][]byte, g.Size())
	for r := range all {
		all[r] = part(together, r, g.Size())[:binary.LittleEndian.Uint64(part(lengths, r, g.Size()))]
	}
	return all, nil
}

// scratch returns n numbers of the transport's memory, which the next call gives
// away again. Memory that became too small is kept by the transport: what it has
// once registered with the network is never unmapped.
func scratch[T any](g *Group, n int) []T {
	var zero T
	need := n * int(unsafe.Sizeof(zero))
	if len(g.scratch) < need {
		g.scratch = g.transport.Memory(max(need, 2*len(g.scratch)))
	}
	return view[T](g.scratch[:need])
}

// view returns memory as numbers.
func view[T any](b []byte) []T {
	var zero T
	if len(b) == 0 {
		return nil
	}
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/int(unsafe.Sizeof(zero)))
}

// bytes returns numbers as memory.
func bytes[T any](x []T) []byte {
	var zero T
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), len(x)*int(unsafe.Sizeof(zero)))
}
