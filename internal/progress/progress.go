// Package progress shows how far long work is: a bar on a terminal, a line now
// and then elsewhere. It never writes to anything but the given writer.
package progress

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/mega-go/mega/internal/printable"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// A Meter shows how far some work is. It belongs to one goroutine.
type Meter struct {
	what string
	unit string
	w    io.Writer
	all  *mpb.Progress // nil where there is no terminal
	bar  *mpb.Bar
	next time.Time // of the next line
}

// every is the time between two lines where there is no terminal.
const every = 10 * time.Second

// barWidth is in characters.
const barWidth = 24

// New returns a meter that shows what is done, in some unit, on w.
func New(w io.Writer, what, unit string) *Meter {
	m := &Meter{what: what, unit: unit, w: w, next: time.Now().Add(every)}
	if f := printable.Terminal(w); f != nil && os.Getenv("TERM") != "dumb" {
		m.all = mpb.New(mpb.WithOutput(f), mpb.WithAutoRefresh())
		m.bar = m.all.New(0,
			mpb.BarStyle().Lbound("[").Filler("=").Tip(">").Padding(" ").Rbound("]"),
			mpb.BarWidth(barWidth),
			mpb.PrependDecorators(decor.Name(what)),
			mpb.AppendDecorators(
				decor.NewPercentage("%d", decor.WC{W: 6}),
				decor.CurrentNoUnit("  %d"), decor.TotalNoUnit("/%d "+unit),
				decor.AverageETA(decor.ET_STYLE_GO, decor.WC{W: 8}), decor.Name(" left"),
			),
		)
	}
	return m
}

// Show shows that done of total are done.
func (m *Meter) Show(done, total int64) {
	if m.bar != nil {
		m.bar.SetTotal(total, false)
		m.bar.SetCurrent(done)
		return
	}
	if now := time.Now(); now.After(m.next) && total > 0 {
		m.next = now.Add(every)
		fmt.Fprintf(m.w, "%s: %d of %d %s (%d%%)\n", m.what, done, total, m.unit, 100*done/total)
	}
}

// Close takes the bar away.
func (m *Meter) Close() {
	if m.bar != nil {
		m.bar.Abort(true)
		m.all.Wait()
	}
}
