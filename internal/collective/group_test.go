package collective

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// together calls f in n groups that are threads of one job.
func together(n int, o Options, f func(g *Group)) {
	var all sync.WaitGroup
	for _, g := range Threads(n, o) {
		all.Go(func() { f(g) })
	}
	all.Wait()
}

// terms returns what a rank has to add up.
func terms(rank, n int) []float32 {
	rng := rand.New(rand.NewPCG(uint64(rank), 1))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	return x
}

// TestSumsAreInTheOrderOfRanks, bit for bit, however they are cut into parts.
func TestSumsAreInTheOrderOfRanks(t *testing.T) {
	for _, size := range []int{1, 2, 3, 5} {
		for _, n := range []int{1, 7, 64, 1000} {
			var sum32 []float32
			var sum64 []float64
			for rank := range size {
				for i, v := range terms(rank, n) {
					if rank == 0 {
						sum32, sum64 = append(sum32, v), append(sum64, float64(v))
						continue
					}
					sum32[i] += v
					sum64[i] += float64(v)
				}
			}
			together(size, Options{}, func(g *Group) {
				x, y := g.Memory(n), make([]float64, n)
				if len(x) < n || len(x)%size != 0 {
					t.Errorf("%d numbers of memory for %d in %d processes", len(x), n, size)
				}
				copy(x, terms(g.Rank(), n))
				for i := range y {
					y[i] = float64(x[i])
				}
				reduced, gathered := g.StartReduceScatter("a test", x, false), g.StartAllGather("a test", x, false)
				if err := errors.Join(reduced(), gathered(), g.Sum64("a test", y)); err != nil {
					t.Error(err)
				}
				if !slices.Equal(x[:n], sum32) || !slices.Equal(y, sum64) {
					t.Errorf("%d numbers of %d processes: rank %d has another sum", n, size, g.Rank())
				}
				if err := g.Close(); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// TestBF16: terms are rounded once and sums once, and all processes have the same.
func TestBF16(t *testing.T) {
	const n, size = 60, 3
	sums := make([][]float32, size)
	together(size, Options{}, func(g *Group) {
		x := g.Memory(n)
		copy(x, terms(g.Rank(), n))
		reduced, gathered := g.StartReduceScatter("a test", x, true), g.StartAllGather("a test", x, true)
		if err := errors.Join(reduced(), gathered()); err != nil {
			t.Error(err)
		}
		sums[g.Rank()] = x
	})
	const ulp = 1.0 / 256 // half the distance of neighbours in bfloat16, relative
	for i := range n {
		want, size := 0.0, 0.0
		for rank := range sums {
			v := float64(terms(rank, n)[i])
			want, size = want+v, size+math.Abs(v)
		}
		got := float64(sums[0][i])
		if math.Abs(got-want) > ulp*(size+math.Abs(want)) || sums[1][i] != sums[0][i] || sums[2][i] != sums[0][i] {
			t.Errorf("number %d is %g, %g and %g, want about %g", i, got, sums[1][i], sums[2][i], want)
		}
		if bits := math.Float32bits(sums[0][i]); bits&0xffff != 0 {
			t.Errorf("number %d is no bfloat16: %x", i, bits)
		}
	}
}

// TestBytes: broadcasts, and gathering of different lengths, none among them.
func TestBytes(t *testing.T) {
	together(3, Options{}, func(g *Group) {
		for root := range 3 {
			x := []byte(fmt.Sprint("from ", g.Rank()))
			if err := g.Broadcast("a test", x, root); err != nil || string(x) != fmt.Sprint("from ", root) {
				t.Errorf("got %q of rank %d, %v", x, root, err)
			}
		}
		for _, longest := range []int{0, 5} {
			all, err := g.AllGather("a test", []byte(strings.Repeat("x", g.Rank()*longest)))
			for rank, text := range all {
				if len(text) != rank*longest {
					t.Errorf("rank %d gave %q", rank, text)
				}
			}
			if err != nil || len(all) != 3 {
				t.Errorf("got %q, %v", all, err)
			}
		}
	})
}

// TestAbort wakes who waits, and all that is tried later fails too.
func TestAbort(t *testing.T) {
	together(3, Options{}, func(g *Group) {
		if g.Rank() == 1 {
			g.Abort(errors.New("the disk is full"))
			return
		}
		for range 2 {
			if err := g.Sum64("update 3, statistics", []float64{1}); err == nil || err.Error() != "update 3, statistics: rank 1: the disk is full" {
				t.Errorf("rank %d: %v", g.Rank(), err)
			}
		}
	})
}

// TestWatchdog: who waits too long says so, then ends the job, and says for what.
func TestWatchdog(t *testing.T) {
	slow := make(chan error, 1)
	defer func() {
		if err := <-slow; !strings.Contains(err.Error(), "update 3, bucket 1 of 2 of the gradients: has waited 10ms for the other processes, and ends the job after 20ms") {
			t.Errorf("told %v", err)
		}
	}()
	together(2, Options{Timeout: 20 * time.Millisecond, Slow: func(err error) { slow <- err }}, func(g *Group) {
		if g.Rank() == 1 {
			return // never comes
		}
		x := g.Memory(2)
		wait := g.StartReduceScatter("update 3, bucket 1 of 2 of the gradients", x, false)
		if err := wait(); err == nil || !strings.Contains(err.Error(), "rank 0: update 3, bucket 1 of 2 of the gradients: waited 20ms (collective_timeout) for the other processes") {
			t.Errorf("got %v", err)
		}
	})
}

// TestProfile: what is waited for others is not what sums take.
func TestProfile(t *testing.T) {
	together(2, Options{}, func(g *Group) {
		g.Profile()
		if g.Rank() == 1 {
			time.Sleep(50 * time.Millisecond)
		}
		if err := g.StartReduceScatter("a test", g.Memory(2), false)(); err != nil {
			t.Error(err)
		}
		waiting, moving := g.Spent()
		if g.Rank() == 0 && waiting < 20*time.Millisecond || moving == 0 || moving > time.Minute {
			t.Errorf("rank %d waited %v, moved for %v", g.Rank(), waiting, moving)
		}
	})
}
