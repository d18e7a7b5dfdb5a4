package train

import (
	"errors"
	"fmt"
	"image/color"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gonum.org/v1/plot"
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
		if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
			return Curve{}, fmt.Errorf("%s is no run directory: it has no %s", path, metricsFile)
		}
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
	tiles := draw.Tiles{Rows: len(metrics), Cols: 1, PadY: 5 * vg.Millimeter, PadRight: 2 * vg.Millimeter}
	for i, row := range plot.Align(plots, tiles, canvas) {
		if i > 0 {
			plots[i][0].Legend = plot.NewLegend() // the first says it all
		}
		plots[i][0].Draw(row[0])
	}
	return nil
}

// plotMetric draws a metric of each run: thin over training, with dots where
// it was validated.
func plotMetric(metric string, curves []Curve) (*plot.Plot, error) {
	p := picture.New("updates", axisLabel(metric))
	picture.AddGrid(p)
	for i, c := range curves {
		shade := picture.Colors[i%len(picture.Colors)]
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
	setRange(p, metric == "ppl")
	return p, nil
}

// setRange leaves some room around the lines, and makes sense of no lines. An axis
// of perplexities is logarithmic: they begin at that of guessing.
func setRange(p *plot.Plot, logarithmic bool) {
	p.X.Min = 0
	if p.X.Max <= 0 || !finite(p.X.Max) {
		p.X.Max = 1
	}
	if !finite(p.Y.Min) || !finite(p.Y.Max) {
		p.Y.Min, p.Y.Max = 0, 1
	}
	if logarithmic && p.Y.Min > 0 {
		picture.LogY(p, p.Y.Min/1.1, p.Y.Max*1.1)
		return
	}
	room := 0.04 * (p.Y.Max - p.Y.Min)
	p.Y.Min -= room
	p.Y.Max += room
}

// axisLabel says what a metric is measured in.
func axisLabel(metric string) string {
	switch metric {
	case "loss":
		return "loss (bits)"
	case "nll_loss":
		return "negative log-likelihood (bits)"
	case "accuracy":
		return "accuracy (%)"
	case "ppl":
		return "perplexity (logarithmic)"
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
