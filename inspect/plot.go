package inspect

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/palette"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/mega-go/mega/internal/picture"
)

// WritePlot draws the half-lives of all layers: for each layer a curve that
// rises through its averages from the shortest to the longest. The ending of
// path, .png, .svg or .pdf, says the format.
func WritePlot(path string, layers []Layer) error {
	if len(layers) == 0 {
		return errors.New("the checkpoint has no moving averages to draw")
	}
	p := plot.New()
	p.Title.Text = "What the moving averages remember"
	p.X.Label.Text = "share of a layer's averages (%)"
	p.Y.Label.Text = "half-life (steps)"
	p.Y.Scale = plot.LogScale{}
	p.Y.Tick.Marker = plot.TickerFunc(decadeTicks)
	p.Legend.Top, p.Legend.Left = true, true
	p.Add(plotter.NewGrid())
	colors := palette.Rainbow(len(layers), palette.Blue, palette.Red, 0.9, 0.8, 1).Colors()
	shortest, longest := math.Inf(1), 0.0
	for i, l := range layers {
		shortest, longest = math.Min(shortest, l.Quantiles[0]), math.Max(longest, l.Quantiles[len(Levels)-1])
		line, err := plotter.NewLine(sortedHalfLives(l))
		if err != nil {
			return fmt.Errorf("layer %s: %w", l.Name, err)
		}
		line.Color, line.Width = colors[i], vg.Points(1.5)
		p.Add(line)
		p.Legend.Add(l.Name, line)
	}
	p.Y.Min, p.Y.Max = shortest/1.5, math.Min(longest, longestDrawn)*1.5
	return picture.Write(path, 18*vg.Centimeter, 12*vg.Centimeter, func(c draw.Canvas) error {
		p.Draw(c)
		return nil
	})
}

// decadeTicks marks 1, 2 and 5 times the powers of ten between low and high.
func decadeTicks(low, high float64) []plot.Tick {
	var ticks []plot.Tick
	for exponent := math.Floor(math.Log10(low)); exponent <= math.Ceil(math.Log10(high)); exponent++ {
		for _, m := range []float64{1, 2, 5} {
			if v := m * math.Pow(10, exponent); v >= low && v <= high {
				ticks = append(ticks, plot.Tick{Value: v, Label: fmt.Sprintf("%g", v)})
			}
		}
	}
	return ticks
}

// longestDrawn bounds half-lives that are infinite in float64.
const longestDrawn = 1e9

// sortedHalfLives returns a layer's half-lives in rising order over percent.
func sortedHalfLives(l Layer) plotter.XYs {
	all := slices.Concat(l.HalfLives...)
	slices.Sort(all)
	points := make(plotter.XYs, len(all))
	for i, h := range all {
		points[i].X = 100 * float64(i) / math.Max(1, float64(len(all)-1))
		points[i].Y = math.Min(h, longestDrawn)
	}
	return points
}
