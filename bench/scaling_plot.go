package bench

import (
	"fmt"
	"image/color"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/mega-go/mega/internal/picture"
)

// PlotScaling draws the time and the memory of a token against the length, each
// in multiples of its mean so that a flat line means a cost in proportion to the
// length. The ending of path says the format
// (picture.Write).
func PlotScaling(path string, scales []Scale) error {
	p := picture.New("length (tokens)", "cost of a token over the mean")
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, plot.ConstantTicks(lengthTicks(scales))
	picture.AddGrid(p)
	for i, operation := range operations(scales) {
		for j, cost := range []func(Scale) float64{Scale.nanos, Scale.bytes} {
			line, marks, err := plotter.NewLinePoints(relative(scales, operation, cost))
			if err != nil {
				return fmt.Errorf("%s: %w", operation, err)
			}
			line.Color, marks.Color = lineColors[2*i+j], lineColors[2*i+j]
			line.Width, marks.Shape = vg.Points(1.5), draw.CircleGlyph{}
			p.Add(line, marks)
			p.Legend.Add(operation+[]string{", time", ", memory"}[j], line, marks)
		}
	}
	p.Y.Min, p.Y.Max = 0, max(2, p.Y.Max*1.1)
	return picture.Write(path, 18*vg.Centimeter, 10*vg.Centimeter, func(c draw.Canvas) error {
		p.Draw(c)
		return nil
	})
}

// lineColors are those of the first operation's time and memory, then the
// second's, apart for readers who see few colours (Okabe, Ito 2008).
var lineColors = []color.RGBA{{0, 114, 178, 255}, {86, 180, 233, 255}, {213, 94, 0, 255}, {230, 159, 0, 255}}

// lengthTicks marks every second length.
func lengthTicks(scales []Scale) []plot.Tick {
	var ticks []plot.Tick
	for i, s := range scales {
		if s.Operation != scales[0].Operation {
			break
		}
		t := plot.Tick{Value: float64(s.Length)}
		if i%2 == 0 {
			t.Label = fmt.Sprint(s.Length)
		}
		ticks = append(ticks, t)
	}
	return ticks
}

// relative returns a cost of an operation over its mean against the length.
func relative(scales []Scale, operation string, cost func(Scale) float64) plotter.XYs {
	var points plotter.XYs
	sum := 0.0
	for _, s := range scales {
		if s.Operation == operation {
			points = append(points, plotter.XY{X: float64(s.Length), Y: cost(s)})
			sum += cost(s)
		}
	}
	for i := range points {
		points[i].Y *= float64(len(points)) / sum
	}
	return points
}
