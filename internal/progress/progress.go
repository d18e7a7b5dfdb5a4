// Package progress shows how far long work has come: a bar on a terminal, a line now
// and then elsewhere. It writes only to the given writer.
package progress

import (
	"fmt"
	"io"
	"time"
)

// A Meter shows how far some work is. It belongs to one goroutine.
type Meter struct {
	what, unit  string
	w           io.Writer
	bar         *Bar      // nil where there is no terminal
	start, next time.Time // next is when the next line is due
}

// every is the time between two lines where there is no terminal.
const every = 10 * time.Second

// New returns a meter that shows what is done, in some unit, on w.
func New(w io.Writer, what, unit string) *Meter {
	now := time.Now()
	return &Meter{what: what, unit: unit, w: w, bar: NewBar(w), start: now, next: now.Add(every)}
}

// Show shows that done of total are done.
func (m *Meter) Show(done, total int64) {
	now := time.Now()
	switch {
	case m.bar != nil && done > 0:
		left := now.Sub(m.start).Seconds() * float64(total-done) / float64(done)
		m.bar.Show(m.what, done, total, Clock(left)+" left", fmt.Sprintf("%d/%d %s", done, total, m.unit))
	case m.bar == nil && now.After(m.next) && total > 0:
		m.next = now.Add(every)
		fmt.Fprintf(m.w, "%s: %d of %d %s (%d%%)\n", m.what, done, total, m.unit, 100*done/total)
	}
}

// Close takes the bar away.
func (m *Meter) Close() { m.bar.Close() }

// Clock writes a time in seconds as 1:02:03 or 2:03.
func Clock(seconds float64) string {
	s := int(seconds + 0.5)
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}

// Count writes a large number with its thousands as k or M.
func Count(x float64) string {
	switch {
	case x >= 1e6:
		return fmt.Sprintf("%.3gM", x/1e6)
	case x >= 1e3:
		return fmt.Sprintf("%.3gk", x/1e3)
	}
	return fmt.Sprintf("%.3g", x)
}
