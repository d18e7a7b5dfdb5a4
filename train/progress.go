package train

import (
	"fmt"
	"io"
	"os"
	"sync/atomic"

	"github.com/mega-go/mega/internal/printable"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// A display shows a run to whoever started it: a live bar on a terminal, lines
// elsewhere.
type display interface {
	// update shows where a run is: update of total, 0 if that is not known.
	update(update, total int, text string)
	// busy shows how far something else is than training.
	busy(what string, done, total int)
	// interval shows a line that a live bar makes superfluous.
	interval(text string)
	// line shows a line.
	line(text string)
	// close ends the display.
	close()
}

// newDisplay returns a display on w, which may be nil for none.
func newDisplay(w io.Writer) display {
	if w == nil {
		return &lines{io.Discard}
	}
	if f := printable.Terminal(w); f != nil && os.Getenv("TERM") != "dumb" {
		return newBar(f)
	}
	return &lines{printable.NewWriter(w)}
}

// lines is a display on anything but a terminal.
type lines struct{ w io.Writer }

func (l *lines) update(int, int, string) {}
func (l *lines) busy(string, int, int)   {}
func (l *lines) interval(text string)    { l.line(text) }
func (l *lines) line(text string)        { fmt.Fprintln(l.w, text) }
func (l *lines) close()                  {}

// bar is a display on a terminal.
type bar struct {
	w    io.Writer
	all  *mpb.Progress
	one  *mpb.Bar
	head atomic.Pointer[string]
	text atomic.Pointer[string]
}

// barWidth is in characters; the rest of the line is for numbers.
const barWidth = 24

func newBar(w io.Writer) *bar {
	b := &bar{w: printable.NewWriter(w), all: mpb.New(mpb.WithOutput(w), mpb.WithAutoRefresh())}
	b.head.Store(new(string))
	b.text.Store(new(string))
	// A total that is set later does not complete the bar when it is reached: a
	// validation may follow.
	const later = 0
	b.one = b.all.New(later,
		mpb.BarStyle().Lbound("[").Filler("=").Tip(">").Padding(" ").Rbound("]"),
		mpb.BarWidth(barWidth),
		mpb.PrependDecorators(decor.Any(func(decor.Statistics) string { return *b.head.Load() })),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return *b.text.Load() })),
	)
	return b
}

func (b *bar) update(update, total int, text string) {
	head := fmt.Sprintf("update %d", update)
	if total > 0 {
		head = fmt.Sprintf("update %d/%d", update, total)
	}
	b.head.Store(&head)
	b.text.Store(&text)
	b.one.SetTotal(int64(total), false)
	b.one.SetCurrent(int64(update))
}

func (b *bar) busy(what string, done, total int) {
	text := fmt.Sprintf("  %s %d/%d", what, done, total)
	b.text.Store(&text)
}

func (b *bar) interval(string) {}

// line prints above the bar, or simply prints if the bar has failed.
func (b *bar) line(text string) {
	if _, err := fmt.Fprintln(b.all, printable.String(text)); err != nil {
		fmt.Fprintln(b.w, text)
	}
}

// close takes the bar away.
func (b *bar) close() {
	b.one.Abort(true)
	b.all.Wait()
}
