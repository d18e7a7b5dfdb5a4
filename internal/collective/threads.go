package collective

import (
	"fmt"
	"sync"
)

// Threads returns n groups that goroutines of this process use as if they were
// processes.
func Threads(n int, o Options) []*Group {
	h := &hub{given: make([][]byte, n)}
	h.moved = sync.NewCond(&h.Mutex)
	groups := make([]*Group, n)
	for rank := range groups {
		groups[rank], _ = New(func() (Transport, error) { return thread{h, rank}, nil }, o)
	}
	return groups
}

// A hub is where threads meet.
type hub struct {
	sync.Mutex
	moved   *sync.Cond
	given   [][]byte
	arrived int
	round   int
	err     error // why the job has ended
}

// thread is the Transport of one of the goroutines.
type thread struct {
	hub  *hub
	rank int
}

func (t thread) Rank() int { return t.rank }

func (t thread) Size() int { return len(t.hub.given) }

func (t thread) Memory(n int) []byte { return bytes(make([]float64, (n+7)/8))[:n] }

// meet gives x, and calls take once all have given. No thread goes on before all
// have taken.
func (t thread) meet(x []byte, take func(given [][]byte)) error {
	h := t.hub
	h.Lock()
	defer h.Unlock()
	h.given[t.rank] = x
	if err := h.wait(); err != nil {
		return err
	}
	take(h.given)
	return h.wait()
}

// wait returns when all threads have called it, or the job has ended.
func (h *hub) wait() error {
	round := h.round
	if h.arrived++; h.arrived == len(h.given) {
		h.arrived, h.round = 0, round+1
		h.moved.Broadcast()
	}
	for h.round == round && h.err == nil {
		h.moved.Wait()
	}
	return h.err
}

func (t thread) AllToAll(recv, send []byte) error {
	return t.meet(send, func(given [][]byte) {
		for r, x := range given {
			copy(part(recv, r, len(given)), part(x, t.rank, len(given)))
		}
	})
}

func (t thread) AllGather(recv, send []byte) error {
	return t.meet(send, func(given [][]byte) {
		for r, x := range given {
			copy(part(recv, r, len(given)), x)
		}
	})
}

func (t thread) Broadcast(x []byte, root int) error {
	return t.meet(x, func(given [][]byte) { copy(x, given[root]) })
}

func (t thread) Rendezvous() error { return t.meet(nil, func([][]byte) {}) }

func (t thread) Close() error { return nil }

func (t thread) Abort(err error) {
	h := t.hub
	h.Lock()
	defer h.Unlock()
	if h.err == nil {
		h.err = fmt.Errorf("rank %d: %w", t.rank, err)
	}
	h.moved.Broadcast()
}
