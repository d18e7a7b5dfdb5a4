package train

import (
	"errors"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/mega-go/mega/internal/picture"
)

// A Curve is what a run has measured.
type Curve struct {
	Name    string
	Records []Record
}

// ReadCurve reads the measurements of a run directory, or of a metrics.jsonl.
func ReadCurve(path string) (Curve, error) {
	file, name := path, filepath.Base(filepath.Dir(path))
	if info, err := os.Stat(path); err != nil {
		return Curve{}, err
	} else if info.IsDir() {
		file, name = filepath.Join(path, metricsFile), filepath.Base(path)
	}
	records, err := ReadRecords(file)
	return Curve{Name: name, Records: records}, err
}

// points returns a metric of the records of a kind against updates.
func (c Curve) points(kind, metric string) plotter.XYs {
	var out plotter.XYs
	for _, r := range c.Records {
		if v, ok := r.Metrics[metric]; ok && r.Kind == kind && finite(v) {
			out = append(out, plotter.XY{X: float64(r.Update), Y: v})
		}
	}
	return out
}

// curveMetrics are what may be drawn below the loss; the first that a
// validation has measured is.
var curveMetrics = []string{"accuracy", "bleu", "ppl", "nll_loss"}

// WriteCurves draws the loss of runs and, if they have one, their other metric
// against updates, to compare them. The ending of path says the format
// (picture.Write).
func WriteCurves(path string, curves []Curve) error {
	if len(curves) == 0 {
		return errors.New("no runs to draw")
	}
	metrics := []string{"loss"}
	for _, m := range curveMetrics {
		if slices.ContainsFunc(curves, func(c Curve) bool { return len(c.points(KindValid, m)) > 0 }) {
			metrics = append(metrics, m)
			break
		}
	}
	width, height := 18*vg.Centimeter, vg.Length(len(metrics))*8*vg.Centimeter
	return picture.Write(path, width, height, func(c draw.Canvas) error { return drawCurves(c, metrics, curves) })
}

// drawCurves draws one plot for each metric, one above the other.
func drawCurves(canvas draw.Canvas, metrics []string, curves []Curve) error {
	plots := make([][]*plot.Plot, len(metrics))
	for i, metric := range metrics {
		p, err := plotMetric(metric, curves)
		if err != nil {
			return err
		}
		plots[i] = []*plot.Plot{p}
	}
	tiles := draw.Tiles{Rows: len(metrics), Cols: 1, PadY: 5 * vg.Millimeter,
		PadTop: 3 * vg.Millimeter, PadBottom: 3 * vg.Millimeter, PadLeft: 3 * vg.Millimeter, PadRight: 5 * vg.Millimeter}
	for i, row := range plot.Align(plots, tiles, canvas) {
		if i > 0 {
			plots[i][0].Legend = plot.NewLegend() // the first says it all
		}
		plots[i][0].Draw(row[0])
	}
	return nil
}

// palette holds colours that stay apart for readers who see few (Okabe, Ito 2008).
var palette = []color.RGBA{
	{0, 114, 178, 255}, {213, 94, 0, 255}, {0, 158, 115, 255}, {204, 121, 167, 255},
	{230, 159, 0, 255}, {86, 180, 233, 255}, {0, 0, 0, 255},
}

// plotMetric draws a metric of each run: thin over training, with dots where
// it was validated.
func plotMetric(metric string, curves []Curve) (*plot.Plot, error) {
	p := plot.New()
	p.X.Label.Text = "updates"
	p.Y.Label.Text = axisLabel(metric)
	p.Legend.Top = true
	style(p)
	p.Add(grid())
	for i, c := range curves {
		shade := palette[i%len(palette)]
		prefix := ""
		if len(curves) > 1 {
			prefix = c.Name + ", "
		}
		if err := addLine(p, prefix+"training", c.points(KindTrain, metric), pale(shade), 1, false); err != nil {
			return nil, err
		}
		if err := addLine(p, prefix+"validation", c.points(KindValid, metric), shade, 1.5, true); err != nil {
			return nil, err
		}
	}
	setRange(p)
	return p, nil
}

// setRange leaves some room around the lines, and makes sense of no lines.
func setRange(p *plot.Plot) {
	p.X.Min = 0
	if p.X.Max <= 0 || !finite(p.X.Max) {
		p.X.Max = 1
	}
	if !finite(p.Y.Min) || !finite(p.Y.Max) {
		p.Y.Min, p.Y.Max = 0, 1
	}
	room := 0.04 * (p.Y.Max - p.Y.Min)
	p.Y.Min -= room
	p.Y.Max += room
	p.X.Tick.Marker, p.Y.Tick.Marker = ticks{}, ticks{}
}

// axisLabel says what a metric is measured in.
func axisLabel(metric string) string {
	switch metric {
	case "loss", "nll_loss":
		return metric + " (bits)"
	case "accuracy":
		return "accuracy (%)"
	case "ppl":
		return "perplexity"
	}
	return strings.ToUpper(metric)
}

func addLine(p *plot.Plot, name string, points plotter.XYs, shade color.Color, width vg.Length, dots bool) error {
	if len(points) == 0 {
		return nil
	}
	line, err := plotter.NewLine(points)
	if err != nil {
		return err
	}
	line.Color, line.Width = shade, width
	p.Add(line)
	if !dots {
		p.Legend.Add(name, line)
		return nil
	}
	marks, err := plotter.NewScatter(points)
	if err != nil {
		return err
	}
	marks.Color, marks.Shape, marks.Radius = shade, draw.CircleGlyph{}, 2
	p.Add(marks)
	p.Legend.Add(name, line, marks)
	return nil
}

// pale mixes a colour with white.
func pale(c color.RGBA) color.RGBA {
	mix := func(x uint8) uint8 { return uint8((int(x) + 2*255) / 3) }
	return color.RGBA{mix(c.R), mix(c.G), mix(c.B), 255}
}

func grid() *plotter.Grid {
	g := plotter.NewGrid()
	g.Vertical.Color, g.Horizontal.Color = color.Gray{235}, color.Gray{235}
	return g
}

// style sets one font throughout: the one that gonum carries with it, so that
// no font need be installed.
func style(p *plot.Plot) {
	sans := font.Font{Typeface: "Liberation", Variant: "Sans", Size: 9}
	p.X.Label.TextStyle.Font, p.Y.Label.TextStyle.Font = sans, sans
	p.X.Tick.Label.Font, p.Y.Tick.Label.Font = sans, sans
	p.Legend.TextStyle.Font = sans
	p.Legend.Padding = vg.Millimeter
	p.Legend.XOffs, p.Legend.YOffs = -vg.Millimeter, -vg.Millimeter
}

// ticks marks an axis like gonum, with thousands written as k and M, and with as
// many decimals as tell the marks apart.
type ticks struct{}

// Ticks implements plot.Ticker.
func (ticks) Ticks(from, to float64) []plot.Tick {
	marks := plot.DefaultTicks{}.Ticks(from, to)
	distinguish(marks)
	for i, m := range marks {
		if m.Label != "" && math.Abs(m.Value) >= 10_000 {
			marks[i].Label = count(m.Value)
		}
	}
	return marks
}

// distinguish writes labels anew if two are the same: gonum rounds 3.30 and 3.35
// to one digit after the point.
func distinguish(marks []plot.Tick) {
	for decimals := 0; decimals < 10 && repeats(marks); decimals++ {
		for i, m := range marks {
			if m.Label != "" {
				marks[i].Label = strconv.FormatFloat(m.Value, 'f', decimals, 64)
			}
		}
	}
}

// repeats reports whether two marks have one label.
func repeats(marks []plot.Tick) bool {
	seen := make(map[string]bool)
	for _, m := range marks {
		if m.Label != "" && seen[m.Label] {
			return true
		}
		seen[m.Label] = true
	}
	return false
}
