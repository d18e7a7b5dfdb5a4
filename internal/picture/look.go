package picture

import (
	"fmt"
	"image/color"
	"math"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"

	"github.com/mega-go/mega/internal/progress"
)

// New returns an empty plot with the look that all have: one font without serifs,
// the one that gonum carries with it, so that none need be installed, and a pale
// grid.
func New(x, y string) *plot.Plot {
	p := plot.New()
	p.X.Label.Text, p.Y.Label.Text = x, y
	p.Title.TextStyle.Font, p.Title.Padding = Sans(11), 3*vg.Millimeter
	p.X.Label.TextStyle.Font, p.Y.Label.TextStyle.Font = Sans(9), Sans(9)
	p.X.Tick.Label.Font, p.Y.Tick.Label.Font = Sans(9), Sans(9)
	p.X.Tick.Marker, p.Y.Tick.Marker = Ticks{}, Ticks{}
	p.Legend.TextStyle.Font = Sans(9)
	p.Legend.Padding, p.Legend.ThumbnailWidth = vg.Millimeter, vg.Centimeter
	p.Legend.XOffs, p.Legend.YOffs = -vg.Millimeter, -vg.Millimeter
	p.Legend.Top = true
	return p
}

// AddGrid adds the grid, under what is added later.
func AddGrid(p *plot.Plot) {
	g := plotter.NewGrid()
	g.Vertical.Color, g.Horizontal.Color = color.Gray{235}, color.Gray{235}
	p.Add(g)
}

// Sans returns the font of all plots.
func Sans(size vg.Length) font.Font {
	return font.Font{Typeface: "Liberation", Variant: "Sans", Size: size}
}

// Colors stay apart for readers who see few (Okabe, Ito 2008).
var Colors = []color.RGBA{
	{0, 114, 178, 255}, {213, 94, 0, 255}, {0, 158, 115, 255}, {204, 121, 167, 255},
	{230, 159, 0, 255}, {86, 180, 233, 255}, {0, 0, 0, 255},
}

// LogY makes the vertical axis logarithmic from low to high, above 0.
func LogY(p *plot.Plot, low, high float64) {
	p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, plot.TickerFunc(decadeTicks)
	p.Y.Min, p.Y.Max = low, high
}

// decadeTicks marks 1 to 9 times the powers of ten between low and high, and names 1, 2
// and 5 times them. The marks between show that the axis is logarithmic.
func decadeTicks(low, high float64) []plot.Tick {
	var ticks []plot.Tick
	for exponent := math.Floor(math.Log10(low)); exponent <= math.Ceil(math.Log10(high)); exponent++ {
		for m := 1.0; m < 10; m++ {
			v := m * math.Pow(10, exponent)
			if v < low || v > high {
				continue
			}
			tick := plot.Tick{Value: v}
			if m == 1 || m == 2 || m == 5 {
				tick.Label = fmt.Sprintf("%g", v)
			}
			ticks = append(ticks, tick)
		}
	}
	return ticks
}

// Ticks marks an axis like gonum, with thousands written as k and M, and with as
// many decimals as tell the marks apart.
type Ticks struct{}

// Ticks implements plot.Ticker.
func (Ticks) Ticks(from, to float64) []plot.Tick {
	marks := plot.DefaultTicks{}.Ticks(from, to)
	distinguish(marks)
	for i, m := range marks {
		if m.Label != "" && math.Abs(m.Value) >= 10_000 {
			marks[i].Label = progress.Count(m.Value)
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
