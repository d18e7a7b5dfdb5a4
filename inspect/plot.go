package inspect

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

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
	p := picture.New("share of a layer's averages (%)", "half-life (steps)")
	p.Title.Text = "What the moving averages remember"
	p.Legend.Left, p.Legend.XOffs = true, vg.Millimeter
	picture.AddGrid(p)
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
		p.Legend.Add(title(l.Name), line)
	}
	picture.LogY(p, shortest/1.5, math.Min(longest, longestDrawn)*1.5)
	return picture.Write(path, 18*vg.Centimeter, 12*vg.Centimeter, func(c draw.Canvas) error {
		p.Draw(c)
		return nil
	})
}

// title says in words which layer a name of parameters is of:
// encoder.encoder.layers.0 is layer 1 of the encoder.
func title(name string) string {
	part, number, ok := strings.Cut(name, ".layers.")
	n, err := strconv.Atoi(number)
	if !ok || err != nil {
		return name
	}
	return fmt.Sprintf("%s, layer %d", part[strings.LastIndex(part, ".")+1:], n+1)
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
