package classify

import (
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/palette"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/mega-go/mega/internal/picture"
)

// shares is a confusion matrix as gonum/plot draws it: the share of each class
// that got each answer, the first class at the top.
type shares struct{ *Evaluation }

func (s shares) Dims() (c, r int)   { return len(s.Confusion), len(s.Confusion) }
func (s shares) X(c int) float64    { return float64(c) }
func (s shares) Y(r int) float64    { return float64(r) }
func (s shares) Z(c, r int) float64 { return s.share(len(s.Confusion)-1-r, c) }

// share returns the share of a class that got an answer.
func (e *Evaluation) share(class, answer int) float64 {
	if n := e.Classes[class].Samples; n > 0 {
		return float64(e.Confusion[class][answer]) / float64(n)
	}
	return 0
}

// blues goes from white to dark blue.
type blues struct{}

func (blues) Colors() []color.Color {
	const n = 256
	out := make([]color.Color, n)
	for i := range out {
		t := float64(i) / (n - 1)
		out[i] = color.RGBA{byte(255 - 247*t), byte(255 - 207*t), byte(255 - 148*t), 255}
	}
	return out
}

var _ palette.Palette = blues{}

// WritePlot draws the confusion matrix: a row each class, a column each answer,
// the darker the larger the share of the class. The ending of path says the
// format (picture.Write).
func (e *Evaluation) WritePlot(path string) error {
	p, err := e.plot()
	if err != nil {
		return err
	}
	side := min(max(vg.Length(len(e.Classes))*1.2*vg.Centimeter+5*vg.Centimeter, 11*vg.Centimeter), 45*vg.Centimeter)
	return picture.Write(path, side, side, func(c draw.Canvas) error {
		p.Draw(c)
		return nil
	})
}

func (e *Evaluation) plot() (*plot.Plot, error) {
	n := len(e.Classes)
	p := picture.New("answer", "class")
	p.Title.Text = fmt.Sprintf("%s: accuracy %.2f%% of %d", e.Split, e.Accuracy, e.Samples)
	var columns, rows []plot.Tick
	for i, c := range e.Classes {
		columns = append(columns, plot.Tick{Value: float64(i), Label: c.Name})
		rows = append(rows, plot.Tick{Value: float64(n - 1 - i), Label: c.Name})
	}
	p.X.Tick.Marker, p.Y.Tick.Marker = plot.ConstantTicks(columns), plot.ConstantTicks(rows)
	p.X.Tick.Length, p.Y.Tick.Length = 0, 0
	p.X.LineStyle.Width, p.Y.LineStyle.Width = 0, 0
	if e.longestName() > 6 {
		p.X.Tick.Label.Rotation = math.Pi / 2
		p.X.Tick.Label.XAlign, p.X.Tick.Label.YAlign = text.XRight, text.YCenter
	}
	heat := plotter.NewHeatMap(shares{e}, blues{})
	heat.Min, heat.Max = 0, 1
	p.Add(heat)
	counts, err := e.counts()
	if err != nil {
		return nil, err
	}
	p.Add(counts)
	p.X.Min, p.X.Max = -0.5, float64(n)-0.5
	p.Y.Min, p.Y.Max = -0.5, float64(n)-0.5
	return p, nil
}

func (e *Evaluation) longestName() int {
	longest := 0
	for _, c := range e.Classes {
		longest = max(longest, len(c.Name))
	}
	return longest
}

// counts writes into each field how many samples it has, white on dark ones.
func (e *Evaluation) counts() (*plotter.Labels, error) {
	var labels plotter.XYLabels
	var styles []text.Style
	for i, row := range e.Confusion {
		for j, n := range row {
			labels.XYs = append(labels.XYs, plotter.XY{X: float64(j), Y: float64(len(e.Confusion) - 1 - i)})
			labels.Labels = append(labels.Labels, fmt.Sprint(n))
			style := text.Style{Color: color.Black, Handler: plot.DefaultTextHandler, XAlign: text.XCenter, YAlign: text.YCenter}
			style.Font = picture.Sans(e.countSize())
			switch {
			case n == 0:
				style.Color = color.Gray{170}
			case e.share(i, j) > 0.5:
				style.Color = color.White
			}
			styles = append(styles, style)
		}
	}
	l, err := plotter.NewLabels(labels)
	if err != nil {
		return nil, err
	}
	l.TextStyle = styles
	return l, nil
}

// countSize returns the size of letters that fit into a field.
func (e *Evaluation) countSize() vg.Length {
	if len(e.Classes) > 20 {
		return vg.Points(6)
	}
	return vg.Points(10)
}
