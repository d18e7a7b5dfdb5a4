package serve

import (
	"slices"
	"sync"
)

// A queue holds what waits for the goroutine of one model, in the order in which it
// came.
type queue[T any] struct {
	limit int          // most that wait
	left  func(T) bool // whether nobody waits for it any more

	mu      sync.Mutex
	waiting []T
	closed  bool
	wake    chan struct{} // of one: something has come, or the end
	done    chan struct{} // closed when the goroutine has ended
}

func newQueue[T any](limit int, left func(T) bool) *queue[T] {
	return &queue[T]{limit: limit, left: left, wake: make(chan struct{}, 1), done: make(chan struct{})}
}

// submit lets all of a request wait, or returns why none of it can.
func (q *queue[T]) submit(all ...T) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = slices.DeleteFunc(q.waiting, q.left)
	switch {
	case q.closed:
		return errDraining
	case len(all) > q.limit:
		return invalid("", "%d inputs in a request, and the server takes %d", len(all), q.limit)
	case len(q.waiting)+len(all) > q.limit:
		return errFull
	}
	q.waiting = append(q.waiting, all...)
	q.poke()
	return nil
}

func (q *queue[T]) poke() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// queued returns how much waits.
func (q *queue[T]) queued() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting)
}

// take takes from what waits that for which want, asked in order, returns true.
func (q *queue[T]) take(want func(T) bool) (taken []T) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = slices.DeleteFunc(q.waiting, func(w T) bool {
		if q.left(w) {
			return true
		}
		wanted := want(w)
		if wanted {
			taken = append(taken, w)
		}
		return wanted
	})
	return taken
}

// run calls work, which takes from the queue, whenever something waits. It returns
// after close, once nothing does.
func (q *queue[T]) run(work func()) {
	defer close(q.done)
	for {
		q.mu.Lock()
		waiting, closed := len(q.waiting), q.closed
		q.mu.Unlock()
		switch {
		case waiting > 0:
			work()
		case closed:
			return
		default:
			<-q.wake
		}
	}
}

// close lets nothing more in, and returns when run has.
func (q *queue[T]) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.poke()
	<-q.done
}
