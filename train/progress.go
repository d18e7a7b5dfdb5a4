package train

import (
	"fmt"
	"io"

	"github.com/mega-go/mega/internal/printable"
	"github.com/mega-go/mega/internal/progress"
)

// A display shows the progress of a run: a live bar on a terminal, lines elsewhere.
type display struct {
	w   io.Writer
	bar *progress.Bar // nil where there is no terminal
}

// newDisplay returns a display on w, which may be nil for none.
func newDisplay(w io.Writer) *display {
	if w == nil {
		return &display{w: io.Discard}
	}
	return &display{printable.NewWriter(w), progress.NewBar(w)}
}

// update shows where a run is: update of total, 0 if that is not known, and of the
// rest what there is room for.
func (d *display) update(update, total int, rest []string) {
	head := fmt.Sprintf("update %d", update)
	if total > 0 {
		head = fmt.Sprintf("update %d/%d", update, total)
	}
	d.bar.Show(head, int64(update), int64(total), rest...)
}

// busy shows how far something else is than training.
func (d *display) busy(what string, done, total int) {
	d.bar.Show(fmt.Sprintf("%s %d/%d", what, done, total), int64(done), int64(total))
}

// interval shows a line that a live bar makes superfluous.
func (d *display) interval(text string) {
	if d.bar == nil {
		d.line(text)
	}
}

// line shows a line, above the bar if there is one.
func (d *display) line(text string) {
	if d.bar != nil {
		d.bar.Print(text)
		return
	}
	fmt.Fprintln(d.w, text)
}
