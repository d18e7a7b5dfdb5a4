package serve

import (
	"errors"
	"slices"
	"testing"
	"time"
)

// TestQueue: what waits is taken in order, what has left is not, and what comes too
// much or too late is refused.
func TestQueue(t *testing.T) {
	q := newQueue(3, func(n int) bool { return n < 0 })
	if err := q.submit(1, -1, 2); err != nil {
		t.Fatal(err)
	}
	if err := q.submit(1, 2, 3, 4); err == nil || errors.Is(err, errFull) {
		t.Errorf("more than ever fit: %v", err)
	}
	if err := q.submit(3, 4); !errors.Is(err, errFull) {
		t.Errorf("more than fit now: %v", err)
	}
	if err := q.submit(3); err != nil || q.queued() != 3 {
		t.Errorf("in the place of one that left: %v, %d wait", err, q.queued())
	}
	if got := q.take(func(n int) bool { return n%2 == 1 }); !slices.Equal(got, []int{1, 3}) || q.queued() != 1 {
		t.Errorf("took %v, %d wait", got, q.queued())
	}
	got := make(chan []int, 1)
	go q.run(func() { got <- q.take(func(int) bool { return true }) })
	if first := <-got; !slices.Equal(first, []int{2}) {
		t.Errorf("took %v", first)
	}
	time.Sleep(time.Millisecond) // so that it sleeps, as a rule
	if err := q.submit(5); err != nil {
		t.Error(err)
	}
	if next := <-got; !slices.Equal(next, []int{5}) {
		t.Errorf("took %v", next)
	}
	q.close()
	if err := q.submit(6); !errors.Is(err, errDraining) {
		t.Errorf("after the end: %v", err)
	}
}
