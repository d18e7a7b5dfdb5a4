package collective

import (
	"sync/atomic"
	"time"
)

// A profile measures what sums take. Where it is on, sums of gradients begin
// together, so that waiting for others is told from moving bytes.
type profile struct {
	on            atomic.Bool
	waited, moved atomic.Int64 // nanoseconds
}

// waiting runs rendezvous, and times it, if the profile is on.
func (p *profile) waiting(rendezvous func() error) error {
	if !p.on.Load() {
		return nil
	}
	start := time.Now()
	err := rendezvous()
	p.waited.Add(int64(time.Since(start)))
	return err
}

// moving adds the time since start.
func (p *profile) moving(start time.Time) { p.moved.Add(int64(time.Since(start))) }

// Profile makes the group measure from now on.
func (g *Group) Profile() { g.profile.on.Store(true) }

// Spent returns how long operations in the middle of updates have waited for other
// processes, since Profile, and moved bytes.
func (g *Group) Spent() (waiting, moving time.Duration) {
	return time.Duration(g.profile.waited.Load()), time.Duration(g.profile.moved.Load())
}
