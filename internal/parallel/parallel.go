// Package parallel spreads loops over the cores: a pool of goroutines that take
// the tasks of one call at a time, and memory for those tasks.
//
// It knows nothing of what it runs. Results must not depend on the number of
// workers: tasks write to places of their own, and whoever adds up what they
// wrote does so in the order of the tasks.
package parallel

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sync/atomic"
)

// maxWorkers bounds the number of workers: the pool counts them in 12 bits.
const maxWorkers = 1<<12 - 1

// current pool; SetWorkers replaces it.
var workers atomic.Pointer[pool]

func init() { SetWorkers(0) }

// Workers returns the number of goroutines that Run uses, the caller's
// included.
func Workers() int { return workers.Load().size }

// SetWorkers sets the number of workers; n < 1 means GOMAXPROCS. It must not
// be called while tasks run or a Hot region is open.
func SetWorkers(n int) {
	if n < 1 {
		n = runtime.GOMAXPROCS(0)
	}
	old := workers.Swap(newPool(min(n, maxWorkers)))
	if old != nil {
		old.stop()
	}
}

// Hot keeps the workers awake, ready within a microsecond, until the returned
// function is called; otherwise they park between calls of Run and take
// some 50 to 90 µs to wake. Regions nest and may be opened by several
// goroutines; calling the returned function again does nothing. Workers that
// wait long without work park even in a Hot region.
func Hot() (cool func()) {
	p := workers.Load()
	p.hot.Add(1)
	p.start()
	p.wake(p.size - 1)
	var done atomic.Bool
	return func() {
		if done.CompareAndSwap(false, true) {
			p.hot.Add(-1)
		}
	}
}

// WhileHot calls f in a Hot region. Unlike Hot it allocates nothing, which is
// for work that comes in small steps.
func WhileHot(f func()) {
	p := workers.Load()
	p.hot.Add(1)
	defer p.hot.Add(-1)
	p.start()
	p.wake(p.size - 1)
	f()
}

// Run calls f(worker, i) once for each i in [0, n), spread over the
// workers, and returns when all calls have. Indices are handed out in order,
// from an atomic counter, to whoever is free: small tasks balance best.
//
// worker in [0, Workers()) is unique among the goroutines that run this call's
// tasks, and 0 is the caller's. It is for picking scratch memory that belongs
// to this call (see Borrow); two calls at the same time both use worker 0.
//
// Any number of goroutines may call Run at once: one has the workers, the
// others run their tasks themselves, as does a task that calls Run.
// A panic in a task stops the handing out of further ones and reaches the
// caller once all running tasks have returned: as it is if the caller ran the
// task, else as a *TaskPanic. Run does not allocate.
func Run(n int, f func(worker, i int)) {
	p := workers.Load()
	if n <= 1 || p.size == 1 || !p.owner.TryLock() {
		for i := range n {
			f(0, i)
		}
		return
	}
	p.run(n, f)
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
