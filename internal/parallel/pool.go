package parallel

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// The word that a pool's workers watch: how many of them run tasks now, how
// many more may join, two flags, and in the upper half the call's number.
const (
	activeOne  = 1               // bits 0 to 11: workers that have joined and not left
	activeMask = 1<<12 - 1       //
	seatOne    = 1 << 12         // bits 12 to 23: workers that may still join
	seatMask   = 0xfff << 12     //
	callerBit  = 1 << 24         // the caller sleeps until the last worker leaves
	stopBit    = 1 << 25         // workers are to end
	callOne    = uint64(1) << 32 // bits 32 to 63: number of the call
)

// noneLeft is an index after those of any call, with room to count on.
const noneLeft = 1 << 62

const (
	// spinRound is how long a waiting goroutine looks at the word, in pauses,
	// before it lets the scheduler run something else: some 10 µs.
	spinRound = 256
	// hotPatience is how long a worker without work stays awake in a Hot region.
	hotPatience = 5 * time.Millisecond
	// coldPatience is how long the caller spins while it waits for the last tasks of a
	// call outside any Hot region, about what waking up costs.
	coldPatience = 50 * time.Microsecond
)

// A pool is a set of goroutines that run the tasks of one call at a time.
//
// Nobody waits for a worker that is not there: the caller publishes a call by
// opening seats in state, takes tasks itself, closes the seats when none are
// left, and waits only for those workers that took a seat. A worker that is
// parked, or whose core another process has, costs its share of the work and
// nothing more.
type pool struct {
	size    int           // workers, the caller's goroutine included
	owner   sync.Mutex    // held by the call that has the workers
	hot     atomic.Int32  // open Hot regions
	started sync.Once     // of the goroutines
	parked  atomic.Int32  // workers that need a token to go on
	tokens  chan struct{} // wakes one worker each
	left    chan struct{} // wakes the caller
	spins   bool          // whether waiting awake can help

	_     [64]byte
	state atomic.Uint64
	_     [56]byte
	next  atomic.Int64 // the next index
	_     [56]byte

	// The call; written by the owner while there are no seats.
	n       int
	f       func(worker, i int)
	failure atomic.Pointer[TaskPanic]
}

// newPool returns a pool of size workers whose goroutines start when needed.
func newPool(size int) *pool {
	return &pool{
		size:   size,
		tokens: make(chan struct{}, size),
		left:   make(chan struct{}, 1),
		spins:  size <= runtime.GOMAXPROCS(0),
	}
}

// start starts the goroutines if they do not run yet.
func (p *pool) start() {
	p.started.Do(func() {
		for range p.size - 1 {
			go p.work()
		}
	})
}

// stop ends the goroutines.
func (p *pool) stop() {
	p.state.Or(stopBit)
	p.wake(p.size)
}

// run is Run for the goroutine that holds p.owner, which it unlocks.
func (p *pool) run(n int, f func(worker, i int)) {
	p.start()
	p.n, p.f = n, f
	p.next.Store(0)
	helpers := min(p.size, n) - 1
	s := p.state.Load()
	p.state.Store(s&^(callOne-1) + callOne + uint64(helpers)*seatOne)
	p.wake(helpers)
	defer p.finish()
	p.tasks(0)
}

// finish closes the call, waits for the workers that joined it and hands the
// pool on. It is deferred so that it also runs when a task of the caller's
// panics.
func (p *pool) finish() {
	p.next.Store(noneLeft)
	if p.state.And(^uint64(seatMask))&activeMask != 0 {
		p.wait()
	}
	failure := p.failure.Swap(nil)
	p.f = nil
	p.owner.Unlock()
	if failure != nil {
		panic(failure)
	}
}

// wait returns when no worker is active any more: the caller looks for a
// while, then sleeps until the last one wakes it.
func (p *pool) wait() {
	patience := coldPatience
	if p.hot.Load() > 0 {
		patience = hotPatience
	}
	var w waiting
	for w.goOn(p.spins, patience) {
		if p.state.Load()&activeMask == 0 {
			return
		}
	}
	for {
		s := p.state.Load()
		if s&activeMask == 0 {
			return
		}
		if p.state.CompareAndSwap(s, s|callerBit) {
			<-p.left
			return
		}
	}
}

// tasks runs tasks until none are left.
func (p *pool) tasks(worker int) {
	n, f := p.n, p.f
	for {
		i := p.next.Add(1) - 1
		if i >= int64(n) {
			return
		}
		f(worker, int(i))
	}
}

// work is the life of one worker.
func (p *pool) work() {
	var seen uint64 // the last call that this worker dealt with
	for {
		s := p.await(seen)
		if s&stopBit != 0 {
			return
		}
		seen = s / callOne
		if worker := p.join(seen); worker > 0 {
			p.help(worker)
		}
	}
}

// join takes a seat in the given call and returns its number, from 1 on, which
// no other worker has in that call; 0 if there is none left.
func (p *pool) join(call uint64) (worker int) {
	for {
		s := p.state.Load()
		if s/callOne != call || s&seatMask == 0 {
			return 0
		}
		if p.state.CompareAndSwap(s, s-seatOne+activeOne) {
			return int(s & seatMask / seatOne)
		}
	}
}

// help runs tasks of the call that the worker has joined, then leaves it.
func (p *pool) help(worker int) {
	defer p.leave()
	p.tasks(worker)
}

// leave frees the worker's seat, and reports a panic to the caller.
func (p *pool) leave() {
	if v := recover(); v != nil {
		p.failure.CompareAndSwap(nil, newTaskPanic(v))
		p.next.Store(noneLeft)
	}
	s := p.state.Add(^uint64(0))
	if s&activeMask == 0 && s&callerBit != 0 {
		p.state.And(^uint64(callerBit))
		p.left <- struct{}{}
	}
}

// await returns the state once it shows another call than seen with seats, or
// the end. In a Hot region it looks for a while, then it parks.
func (p *pool) await(seen uint64) uint64 {
	var w waiting
	for {
		if s := p.state.Load(); s&stopBit != 0 || s&seatMask != 0 && s/callOne != seen {
			return s
		}
		if p.hot.Load() == 0 || !w.goOn(p.spins, hotPatience) {
			p.park(seen)
			w = waiting{}
		}
	}
}

// park sleeps until a token comes, unless there is a call to join already.
func (p *pool) park(seen uint64) {
	p.parked.Add(1)
	s := p.state.Load()
	if s&stopBit != 0 || s&seatMask != 0 && s/callOne != seen {
		if p.unpark() {
			return
		}
	}
	<-p.tokens
}

// wake sends tokens to up to n parked workers.
func (p *pool) wake(n int) {
	for ; n > 0 && p.unpark(); n-- {
		p.tokens <- struct{}{}
	}
}

// unpark takes one worker off the count of parked ones, if there is one.
func (p *pool) unpark() bool {
	for {
		k := p.parked.Load()
		if k == 0 {
			return false
		}
		if p.parked.CompareAndSwap(k, k-1) {
			return true
		}
	}
}

// waiting paces a goroutine that spins while it waits.
type waiting struct {
	looks int
	since time.Time
}

// goOn passes a moment, tens of nanoseconds mostly, and reports whether the
// goroutine should go on waiting awake: for as long as patience, if it spins.
// Now and then it lets the scheduler run other goroutines.
func (w *waiting) goOn(spins bool, patience time.Duration) bool {
	if !spins {
		return false
	}
	w.looks++
	if w.looks%spinRound != 0 {
		pause()
		return true
	}
	runtime.Gosched()
	if w.since.IsZero() {
		w.since = time.Now()
		return true
	}
	return time.Since(w.since) < patience
}
