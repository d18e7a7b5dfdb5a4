package parallel

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"
)

// withWorkers runs f with each of several numbers of workers.
func withWorkers(t *testing.T, f func(t *testing.T)) {
	defer SetWorkers(0)
	for _, n := range []int{1, 2, 3, 5} {
		SetWorkers(n)
		t.Run(fmt.Sprintf("workers=%d", n), f)
	}
}

func TestParallelRunsEachTaskOnce(t *testing.T) {
	withWorkers(t, func(t *testing.T) {
		for _, hot := range []bool{false, true} {
			if hot {
				defer Shared.Hot()()
			}
			for n := range 40 {
				counts := make([]atomic.Int32, n)
				Shared.Run(n, func(worker, i int) {
					if worker < 0 || worker >= Shared.Size() {
						t.Errorf("worker %d of %d", worker, Shared.Size())
					}
					counts[i].Add(1)
				})
				for i := range counts {
					if c := counts[i].Load(); c != 1 {
						t.Fatalf("n=%d: task %d ran %d times", n, i, c)
					}
				}
			}
		}
	})
}

// Two goroutines that had the same worker number in one call would be seen by
// the race detector, and here.
func TestParallelWorkersAreUnique(t *testing.T) {
	withWorkers(t, func(t *testing.T) {
		defer Shared.Hot()()
		var callers sync.WaitGroup
		for range 4 {
			callers.Go(func() {
				for range 50 {
					busy := make([]atomic.Bool, Shared.Size())
					plain := make([]int, Shared.Size())
					Shared.Run(20, func(worker, i int) {
						if !busy[worker].CompareAndSwap(false, true) {
							t.Error("two tasks at once under one worker number")
						}
						plain[worker]++
						busy[worker].Store(false)
					})
				}
			})
		}
		callers.Wait()
	})
}

func TestParallelNests(t *testing.T) {
	withWorkers(t, func(t *testing.T) {
		var ran atomic.Int32
		Shared.Run(6, func(_, _ int) {
			Shared.Run(5, func(_, _ int) { ran.Add(1) })
		})
		if ran.Load() != 30 {
			t.Fatalf("%d of 30 tasks ran", ran.Load())
		}
	})
}

// panicOf returns what f panics with, the original value of a TaskPanic.
func panicOf(f func()) (value any) {
	defer func() {
		value = recover()
		if p, ok := value.(*TaskPanic); ok {
			value = p.Value
		}
	}()
	f()
	return nil
}

func TestParallelPanics(t *testing.T) {
	withWorkers(t, func(t *testing.T) {
		for i := range 20 {
			got := panicOf(func() {
				Shared.Run(30, func(_, j int) {
					if j == i {
						panic("task")
					}
				})
			})
			if got != "task" {
				t.Fatalf("Run panicked with %v", got)
			}
			var ran atomic.Int32
			Shared.Run(30, func(_, _ int) { ran.Add(1) })
			if ran.Load() != 30 {
				t.Fatalf("%d of 30 tasks ran after a panic", ran.Load())
			}
		}
	})
}

func TestTaskPanicFromAnotherWorker(t *testing.T) {
	SetWorkers(2)
	defer SetWorkers(0)
	defer Shared.Hot()()
	boom := errors.New("boom")
	defer func() {
		err, _ := recover().(error)
		var p *TaskPanic
		if !errors.As(err, &p) || !errors.Is(err, boom) || len(p.Stack) == 0 {
			t.Errorf("recovered %v", err)
		}
	}()
	helped := make(chan struct{})
	Shared.Run(2, func(worker, _ int) {
		if worker == 0 {
			<-helped
			return
		}
		defer close(helped)
		panic(boom)
	})
	t.Error("Run returned")
}

func TestHotNests(t *testing.T) {
	SetWorkers(2)
	defer SetWorkers(0)
	a, b := Shared.Hot(), Shared.Hot()
	a()
	a()
	if n := shared.Load().hot.Load(); n != 1 {
		t.Errorf("%d regions open, want 1", n)
	}
	b()
	p := shared.Load()
	for deadline := time.Now().Add(5 * time.Second); p.parked.Load() != 1; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatal("the worker does not park after the last Hot region")
		}
	}
}

// A worker without work parks in an open region too.
func TestHotWorkersLosePatience(t *testing.T) {
	SetWorkers(2)
	defer SetWorkers(0)
	defer Shared.Hot()()
	p := shared.Load()
	for deadline := time.Now().Add(5 * time.Second); p.parked.Load() != 1; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the worker spins for ever")
		}
	}
}

func TestHotLetsTheCollectorRun(t *testing.T) {
	SetWorkers(2)
	defer SetWorkers(0)
	defer Shared.Hot()()
	for range 20 {
		Shared.Run(4, func(_, _ int) {})
		runtime.GC()
	}
}

func TestSetWorkersEndsTheOldOnes(t *testing.T) {
	defer SetWorkers(0)
	before := runtime.NumGoroutine()
	for range 10 {
		SetWorkers(4)
		Shared.Run(8, func(_, _ int) {})
	}
	SetWorkers(1)
	for deadline := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
	}
}

func TestParallelDoesNotAllocate(t *testing.T) {
	SetWorkers(2)
	defer SetWorkers(0)
	defer Shared.Hot()()
	f := func(_, _ int) {}
	if a := testing.AllocsPerRun(100, func() { Shared.Run(8, f) }); a > 0 {
		t.Errorf("%v allocations a call", a)
	}
}

func TestBorrow(t *testing.T) {
	for _, n := range []int{0, 1, 2, 3, 16, 17, 1000, 1024} {
		s := Borrow(n)
		if len(s.Data) != n {
			t.Errorf("Borrow(%d) gave %d", n, len(s.Data))
		}
		s.Return()
	}
}

func TestAligned(t *testing.T) {
	for _, n := range []int{0, 1, 15, 16, 17, 1000, 1<<20 + 1} {
		x := Aligned(n)
		if len(x) != n || cap(x) != n {
			t.Errorf("Aligned(%d) has length %d and capacity %d", n, len(x), cap(x))
		}
		if n > 0 && uintptr(unsafe.Pointer(&x[0]))%64 != 0 {
			t.Errorf("Aligned(%d) starts at %p", n, &x[0])
		}
	}
}

func BenchmarkParallel(b *testing.B) {
	f := func(_, _ int) {}
	b.Run("cold", func(b *testing.B) {
		for b.Loop() {
			Shared.Run(2, f)
		}
	})
	b.Run("hot", func(b *testing.B) {
		defer Shared.Hot()()
		for b.Loop() {
			Shared.Run(2, f)
		}
	})
}

// TestWorkersOfTheirOwn: two sets run side by side, and the goroutines of one
// that is out of reach end.
func TestWorkersOfTheirOwn(t *testing.T) {
	before := runtime.NumGoroutine()
	for _, n := range []int{1, 2, 5} {
		w := New(n)
		if w.Size() != n {
			t.Errorf("%d workers, want %d", w.Size(), n)
		}
		var inner, outer atomic.Int32
		w.WhileHot(func() {
			w.Run(8, func(_, _ int) {
				outer.Add(1)
				New(2).Run(3, func(_, _ int) { inner.Add(1) })
			})
		})
		if outer.Load() != 8 || inner.Load() != 24 {
			t.Errorf("%d and %d tasks ran, want 8 and 24", outer.Load(), inner.Load())
		}
	}
	for deadline := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; runtime.GC() {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
	}
}
