// Package parallel spreads loops over the cores: a pool of goroutines that take
// the tasks of one call at a time, and memory for those tasks.
//
// It knows nothing of what it runs. Results must not depend on the number of
// workers: each task writes to a place of its own, and the caller adds up what they
// wrote in the order of the tasks.
package parallel

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sync/atomic"
)

// maxWorkers bounds the number of workers: the pool counts them in 12 bits.
const maxWorkers = 1<<12 - 1

// Workers are the goroutines, the caller's included, that compute for their holder.
// The workers of two holders do not wait for each other. A nil *Workers stands for
// the process's own, which everyone shares who did not choose.
type Workers struct{ pool *pool }

// New returns a set of n workers, of GOMAXPROCS if n < 1. Its goroutines start
// when they are needed and end when the set is out of reach.
func New(n int) *Workers {
	w := &Workers{newPool(number(n))}
	runtime.AddCleanup(w, (*pool).stop, w.pool)
	return w
}

// number returns how many workers n stands for.
func number(n int) int {
	if n < 1 {
		n = runtime.GOMAXPROCS(0)
	}
	return min(n, maxWorkers)
}

// Shared are the process's own workers.
var Shared *Workers

// shared is the pool of the process's own workers.
var shared atomic.Pointer[pool]

func init() { SetWorkers(0) }

// SetWorkers sets the number of the process's own workers; n < 1 means
// GOMAXPROCS. It must not be called while they run tasks or keep awake.
func SetWorkers(n int) {
	if old := shared.Swap(newPool(number(n))); old != nil {
		old.stop()
	}
}

// get returns the pool of w.
func (w *Workers) get() *pool {
	if w == nil {
		return shared.Load()
	}
	return w.pool
}

// Size returns the number of workers.
func (w *Workers) Size() int { return w.get().size }

// Hot keeps the workers awake, ready within a microsecond, until the returned
// function is called. Otherwise they park between calls of Run and take some 50 to
// 90 µs to wake, longer than many operations of a step take. Regions nest and may
// be opened by several goroutines; calling the returned function again does nothing.
// Workers that wait long without work park even in a Hot region, so that an idle
// program does not use the cores.
func (w *Workers) Hot() (cool func()) {
	p := w.get()
	p.hot.Add(1)
	p.start()
	p.wake(p.size - 1)
	var done atomic.Bool
	return func() {
		if done.CompareAndSwap(false, true) {
			p.hot.Add(-1)
		}
		runtime.KeepAlive(w)
	}
}

// WhileHot calls f in a Hot region. Unlike Hot it allocates nothing, which is
// for work that comes in small steps.
func (w *Workers) WhileHot(f func()) {
	p := w.get()
	p.hot.Add(1)
	defer p.hot.Add(-1)
	p.start()
	p.wake(p.size - 1)
	f()
	runtime.KeepAlive(w)
}

// Run calls f(worker, i) once for each i in [0, n), spread over the
// workers, and returns when all calls have. Indices are handed out in order,
// from an atomic counter, to the next free worker: small tasks balance best.
//
// worker in [0, w.Size()) is unique among the goroutines that run this call's
// tasks, and 0 is the caller's. It is for picking scratch memory that belongs
// to this call (see Borrow); two calls at the same time both use worker 0.
//
// Any number of goroutines may call Run at once: one has the workers, the
// others run their tasks themselves, as does a task that calls Run.
// A panic in a task stops the handing out of further ones and reaches the
// caller once all running tasks have returned: as it is if the caller ran the
// task, else as a *TaskPanic. Run does not allocate.
func (w *Workers) Run(n int, f func(worker, i int)) {
	p := w.get()
	if n <= 1 || p.size == 1 || !p.owner.TryLock() {
		for i := range n {
			f(0, i)
		}
		return
	}
	p.run(n, f)
	runtime.KeepAlive(w)
}

// A TaskPanic is what Run panics with after a task panicked on another
// goroutine than the caller's.
type TaskPanic struct {
	Value any    // what the task panicked with
	Stack []byte // where, as debug.Stack formats it
}

// Error gives the value and the stack of the goroutine that panicked.
func (p *TaskPanic) Error() string {
	return fmt.Sprintf("panic in a parallel task: %v\n\n%s", p.Value, p.Stack)
}

// Unwrap returns the value that the task panicked with if that is an error.
func (p *TaskPanic) Unwrap() error {
	err, _ := p.Value.(error)
	return err
}

// newTaskPanic describes the panic of value on the current goroutine.
func newTaskPanic(value any) *TaskPanic {
	return &TaskPanic{Value: value, Stack: debug.Stack()}
}
