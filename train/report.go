package train

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/mega-go/mega/internal/progress"
)

// A reporter tells what happens: on the display, in the log and in the records.
type reporter struct {
	dir     *runDir // nil: none to write to
	log     *slog.Logger
	display *display
	board   board
	skips   int       // files that the task has passed over in this session
	names   []string  // of the task's metrics, in the order to show them
	drawn   time.Time // when the curve was drawn last
}

func newReporter(dir *runDir, names []string, w io.Writer) *reporter {
	r := &reporter{dir: dir, names: names, log: slog.New(slog.DiscardHandler), display: newDisplay(w), drawn: time.Now()}
	if dir != nil {
		r.log = slog.New(slog.NewTextHandler(dir.log, nil))
	}
	return r
}

// info logs an event that the display need not show.
func (r *reporter) info(text string, args ...any) { r.log.Info(text, args...) }

// say logs an event and shows it.
func (r *reporter) say(text string, args ...any) {
	r.log.Info(text, args...)
	r.display.line(text + pairs(args))
}

// warn logs something wrong and shows it.
func (r *reporter) warn(text string, args ...any) {
	r.log.Warn(text, args...)
	r.display.line("warning: " + text + pairs(args))
}

// shownSkips is how many files that were passed over a display names; the log names
// all of them.
const shownSkips = 20

// skipped reports data that a task has passed over.
func (r *reporter) skipped(task Task) {
	s, ok := task.(Skipper)
	if !ok {
		return
	}
	for _, err := range s.Skipped() {
		r.skips++
		r.log.Warn("skipped", "error", err)
		if r.skips <= shownSkips {
			r.display.line("skipped " + err.Error())
		}
	}
}

// tellSkipped says how many files were passed over, if any were.
func (r *reporter) tellSkipped() {
	if r.skips > 0 {
		r.say("files were skipped, which train.log names", "number", r.skips)
	}
}

// pairs formats keys and values as a display shows them.
func pairs(args []any) string {
	var b strings.Builder
	for i := 0; i+1 < len(args); i += 2 {
		fmt.Fprintf(&b, "  %v %v", args[i], args[i+1])
	}
	return b.String()
}

// record writes a record. What the display shows of it follows note.
func (r *reporter) record(rec Record, total int, note string) error {
	args := []any{"epoch", rec.Epoch, "update", rec.Update}
	for _, name := range slices.Sorted(maps.Keys(rec.Metrics)) {
		args = append(args, name, rec.Metrics[name])
	}
	r.log.Info(rec.Kind, args...)
	switch rec.Kind {
	case KindTrain:
		r.display.interval(r.head(rec, total) + spaced(r.shown(rec.Metrics)) + note)
	case KindValid:
		r.display.line(r.head(rec, total) + "  validation" + spaced(r.shown(rec.Metrics)) + note)
	}
	if err := r.board.record(rec); err != nil || r.dir == nil {
		return err
	}
	return appendRecord(r.dir.metrics, rec)
}

// head says where a run is.
func (r *reporter) head(rec Record, total int) string {
	if total == 0 {
		return fmt.Sprintf("epoch %d  update %d", rec.Epoch, rec.Update)
	}
	return fmt.Sprintf("epoch %d  update %d/%d", rec.Epoch, rec.Update, total)
}

// shown lists the metrics that a display has room for.
func (r *reporter) shown(m Metrics) (texts []string) {
	for _, name := range append(slices.Clone(r.names), "lr", "gnorm") {
		if v, ok := m[name]; ok {
			texts = append(texts, name+" "+number(v))
		}
	}
	if v, ok := m["wps"]; ok {
		texts = append(texts, progress.Count(v)+" tokens/s")
	}
	return texts
}

// spaced puts texts side by side, with space before each.
func spaced(texts []string) string { return strings.Join(append([]string{""}, texts...), "  ") }

// drawInterval bounds how often the curve is drawn while training.
const drawInterval = 30 * time.Second

// draw redraws the curve; now says not to wait for drawInterval to pass.
func (r *reporter) draw(now bool) {
	if r.dir == nil || !now && time.Since(r.drawn) < drawInterval {
		return
	}
	curve, err := ReadCurve(r.dir.path)
	for _, name := range []string{"curve.svg", "curve.png"} {
		if err == nil {
			err = WriteCurves(r.dir.file(name), []Curve{curve})
		}
	}
	if err != nil {
		r.warn("the learning curve was not drawn", "error", err)
	}
	r.drawn = time.Now()
}

// drawMissing draws the curve of a run that was killed before it did so.
func (r *reporter) drawMissing() {
	if r.dir == nil {
		return
	}
	if _, err := os.Stat(r.dir.file("curve.png")); errors.Is(err, fs.ErrNotExist) {
		r.draw(true)
	}
}

// number formats a metric in four digits.
func number(x float64) string {
	switch {
	case x == 0:
		return "0"
	case x >= 1e-4 && x < 1e4 || x <= -1e-4 && x > -1e4:
		return strings.TrimSuffix(fmt.Sprintf("%#.4g", x), ".")
	}
	return fmt.Sprintf("%.3g", x)
}
