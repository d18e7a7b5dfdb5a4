package progress

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/mega-go/mega/internal/printable"
	"golang.org/x/term"
)

// A Bar is the last line of a terminal, which shows how far work is. It belongs to
// one goroutine. It overwrites itself with spaces and knows no other control
// character than the carriage return, so that every terminal shows it. A nil Bar
// does nothing.
type Bar struct {
	w     io.Writer
	width func() int // columns of the terminal
	line  string     // what is shown
	drawn time.Time
}

// Shortest and longest inner parts of a bar, in columns.
const (
	shortBar = 8
	longBar  = 24
)

// redraw is the least time between two drawings.
const redraw = 100 * time.Millisecond

// NewBar returns a bar on the terminal that w leads to, nil if it leads to none.
func NewBar(w io.Writer) *Bar {
	f := printable.Terminal(w)
	if f == nil || os.Getenv("TERM") == "dumb" {
		return nil
	}
	return &Bar{w: f, width: func() int {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
			return width
		}
		return 80
	}}
}

// Show draws the bar for done of total, 0 if that is not known: head, how much is
// done, and of rest as much from its beginning as the terminal is wide enough for.
func (b *Bar) Show(head string, done, total int64, rest ...string) {
	if b == nil || b.line != "" && time.Since(b.drawn) < redraw {
		return
	}
	b.put(layOut(b.width()-1, head, done, total, rest))
	b.drawn = time.Now()
}

// layOut returns a line of at most width columns.
func layOut(width int, head string, done, total int64, rest []string) string {
	line, tail := head, ""
	if total > 0 {
		tail = fmt.Sprintf(" %3d%%", 100*min(done, total)/total)
	}
	room := width - len(head) - len(" []") - len(tail)
	for _, part := range rest {
		if room -= len("  ") + len(part); room < shortBar {
			room += len("  ") + len(part)
			break
		}
		tail += "  " + part
	}
	if total > 0 && room >= shortBar {
		room = min(room, longBar)
		full := int(int64(room) * min(done, total) / total)
		line += " [" + strings.Repeat("=", full) + strings.Repeat(" ", room-full) + "]"
	}
	if line += tail; len(line) > width {
		return head[:max(0, min(len(head), width))]
	}
	return line
}

// put overwrites the whole line, and what the terminal echoed there. The cursor
// waits at the beginning, where the next echo breaks no line.
func (b *Bar) put(line string) {
	fmt.Fprintf(b.w, "\r%-*s\r", b.width()-1, line)
	b.line = line
}

// Print prints a line above the bar, or several if the terminal is narrower than it:
// they end between its parts, which have two spaces between.
func (b *Bar) Print(text string) {
	line := b.line
	b.Close()
	at := 0
	for i, part := range strings.Split(printable.String(text), "  ") {
		separator := "  "
		if i == 0 {
			separator = ""
		} else if at+2+len(part) > b.width() {
			separator, at = "\n  ", 0
		}
		fmt.Fprint(b.w, separator, part)
		at += len(separator) + len(part)
	}
	fmt.Fprintln(b.w)
	b.put(line)
}

// Close takes the bar away.
func (b *Bar) Close() {
	if b != nil && b.line != "" {
		b.put("")
	}
}
