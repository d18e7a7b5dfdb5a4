package train

import (
	"fmt"
	"io"
	"os"
	"sync/atomic"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"
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
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb" {
		return newBar(w)
	}
	return &lines{w}
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
	all  *mpb.Progress
	one  *mpb.Bar
	head atomic.Pointer[string]
	text atomic.Pointer[string]
	last int // current total
}

func newBar(w io.Writer) *bar {
	b := &bar{all: mpb.New(mpb.WithOutput(w), mpb.WithWidth(20))}
	b.head.Store(new(string))
	b.text.Store(new(string))
	b.one = b.all.New(1,
		mpb.BarStyle().Lbound("[").Filler("=").Tip(">").Padding(" ").Rbound("]"),
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
	// One more than the total: a bar that reaches it is complete and takes no
	// further updates, and a validation may follow.
	if total+1 != b.last {
		b.last = total + 1
		b.one.SetTotal(int64(b.last), false)
	}
	b.one.SetCurrent(int64(update))
}

func (b *bar) busy(what string, done, total int) {
	text := fmt.Sprintf("%s %d/%d", what, done, total)
	b.text.Store(&text)
}

func (b *bar) interval(string)  {}
func (b *bar) line(text string) { fmt.Fprintln(b.all, text) }

func (b *bar) close() {
	b.one.Abort(false)
	b.all.Wait()
}
