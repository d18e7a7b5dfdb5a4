package kernel

import (
	"runtime"
	"sync"
	"sync/atomic"
)

var workers = runtime.GOMAXPROCS(0)

// Workers returns the number of goroutines that Parallel uses.
func Workers() int { return workers }

// SetWorkers sets the number of workers; n < 1 means GOMAXPROCS. It must not
// be called while kernels run.
func SetWorkers(n int) {
	if n < 1 {
		n = runtime.GOMAXPROCS(0)
	}
	workers = n
}

// Hot keeps the workers spinning, ready within a microsecond, until the
// returned function is called; otherwise they park between calls of Parallel.
// Calls nest.
func Hot() (cool func()) { return func() {} }

// Parallel calls f(worker, i) once for each i in [0, n), spread over the
// workers, and returns when all calls have. Indices are handed out in order,
// from an atomic counter; worker in [0, Workers()) says who runs the call and
// is for scratch memory only. f must not call Parallel.
func Parallel(n int, f func(worker, i int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for w := range min(workers, n) {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				f(w, i)
			}
		})
	}
	wg.Wait()
}
