// Package inspect describes what a checkpoint holds: its tensors, and what its
// moving averages have learned, as tables and as a plot.
//
// It reads weights by name and builds no model, so that a file can be inspected whose
// model cannot be run.
package inspect

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/mega-go/mega/checkpoint"
	"github.com/mega-go/mega/nn"
	"github.com/mega-go/mega/tensor"
)

// A Parameter is a tensor of a checkpoint.
type Parameter struct {
	Name  string `json:"name"`
	Shape []int  `json:"shape"`
	Count int    `json:"count"`
}

// A Layer is what one moving average has learned: how many steps it takes each
// of its averages to forget half of what it holds.
type Layer struct {
	Name      string      `json:"name"`      // what the average belongs to
	HalfLives [][]float64 `json:"halfLives"` // [K][N] in steps; K is D, or 2D for both directions
	Quantiles []float64   `json:"quantiles"` // of all of them, at Levels
}

// Levels are the quantiles that tables show.
var Levels = []float64{0, 0.1, 0.25, 0.5, 0.75, 0.9, 1}

// Parameters lists a checkpoint's tensors, sorted by name.
func Parameters(w checkpoint.Weights) []Parameter {
	var out []Parameter
	for _, name := range w.Names() {
		shape, _ := w.Shape(name)
		out = append(out, Parameter{name, shape, tensor.Size(shape)})
	}
	slices.SortFunc(out, func(a, b Parameter) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// Layers returns the moving averages of a checkpoint in the order of its
// layers. A step multiplies an average by q = 1 − σ(δ)σ(α), so that half of it
// is gone after log ½ / log q steps (paper equation 6). Errors name the checkpoint.
func Layers(c *checkpoint.Checkpoint) ([]Layer, error) {
	out, err := layersOf(c.Weights)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Path, err)
	}
	return out, nil
}

func layersOf(w checkpoint.Weights) ([]Layer, error) {
	var out []Layer
	for _, name := range w.Names() {
		prefix, ok := strings.CutSuffix(name, ".move.delta")
		if !ok {
			continue
		}
		l, err := layer(w, prefix)
		if err != nil {
			return nil, err
		}
		out = append(out, l)
	}
	slices.SortFunc(out, func(a, b Layer) int { return compareNatural(a.Name, b.Name) })
	return out, nil
}

func layer(w checkpoint.Weights, prefix string) (Layer, error) {
	delta, shape, err := numbers(w, prefix+".move.delta")
	if err != nil {
		return Layer{}, err
	}
	alpha, other, err := numbers(w, prefix+".move.alpha")
	if err != nil {
		return Layer{}, err
	}
	if len(shape) < 2 || !slices.Equal(shape, other) {
		return Layer{}, fmt.Errorf("%s.move: delta has shape %v and alpha %v, want [channels, states, 1] for both", prefix, shape, other)
	}
	all := halfLives(delta, alpha)
	l := Layer{Name: layerName(prefix), HalfLives: slices.Collect(slices.Chunk(slices.Clone(all), shape[1]))}
	slices.Sort(all)
	for _, p := range Levels {
		l.Quantiles = append(l.Quantiles, all[int(math.Round(p*float64(len(all)-1)))])
	}
	return l, nil
}

// layerName returns the name of the layer whose moving average has its parameters
// at prefix.move.
func layerName(prefix string) string { return strings.TrimSuffix(prefix, ".mega_layer") }

// Averages returns what the moving averages of a model in training have learned:
// the logarithm to base 2 of each half-life in steps, by layer, as half-lives of
// one layer are powers of ten apart. Names are for TensorBoard, which groups them
// by what stands before a slash.
func Averages(params *nn.Params) map[string][]float64 {
	host := make(map[string][]float32)
	for _, p := range params.All() {
		if strings.HasSuffix(p.Name, ".move.delta") || strings.HasSuffix(p.Name, ".move.alpha") {
			host[p.Name] = p.Value().Host()
		}
	}
	out := make(map[string][]float64)
	for name, delta := range host {
		prefix, ok := strings.CutSuffix(name, ".move.delta")
		if alpha := host[prefix+".move.alpha"]; ok && len(alpha) == len(delta) {
			all := halfLives(delta, alpha)
			for i, x := range all {
				all[i] = math.Log2(x)
			}
			out["half-life (log2 of steps)/"+layerName(prefix)] = all
		}
	}
	return out
}

func halfLives(delta, alpha []float32) []float64 {
	all := make([]float64, len(delta))
	for i := range all {
		all[i] = halfLife(float64(delta[i]), float64(alpha[i]))
	}
	return all
}

// halfLife returns log ½ / log q for q = 1 − σ(δ)σ(α).
func halfLife(delta, alpha float64) float64 {
	return math.Ln2 / -math.Log1p(-sigmoid(delta)*sigmoid(alpha))
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

func numbers(w checkpoint.Weights, name string) ([]float32, []int, error) {
	shape, ok := w.Shape(name)
	if !ok {
		return nil, nil, fmt.Errorf("no tensor %s", name)
	}
	x := make([]float32, tensor.Size(shape))
	if len(x) == 0 {
		return nil, nil, fmt.Errorf("%s is empty", name)
	}
	return x, shape, w.Float32Into(name, x)
}

// compareNatural compares names with the numbers in them by value.
func compareNatural(a, b string) int {
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	for i := range min(len(as), len(bs)) {
		if len(as[i]) != len(bs[i]) && isNumber(as[i]) && isNumber(bs[i]) {
			return len(as[i]) - len(bs[i])
		}
		if c := strings.Compare(as[i], bs[i]); c != 0 {
			return c
		}
	}
	return len(as) - len(bs)
}

func isNumber(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// WriteParameters writes the table of tensors and their sum.
func WriteParameters(w io.Writer, ps []Parameter) error {
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(tw, "TENSOR\tSHAPE\tNUMBERS")
	total := 0
	for _, p := range ps {
		fmt.Fprintf(tw, "%s\t%v\t%d\n", p.Name, p.Shape, p.Count)
		total += p.Count
	}
	fmt.Fprintf(tw, "all %d tensors\t\t%d\n", len(ps), total)
	return tw.Flush()
}

// WriteLayers writes the table of half-lives.
func WriteLayers(w io.Writer, ls []Layer) error {
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(tw, "half-lives in steps\taverages\t")
	for _, p := range Levels {
		fmt.Fprintf(tw, "%s\t", levelName(p))
	}
	fmt.Fprintln(tw)
	for _, l := range ls {
		fmt.Fprintf(tw, "%s\t%d\t", l.Name, len(l.HalfLives)*len(l.HalfLives[0]))
		for _, q := range l.Quantiles {
			fmt.Fprintf(tw, "%.4g\t", q)
		}
		fmt.Fprintln(tw)
	}
	return tw.Flush()
}

func levelName(p float64) string {
	switch p {
	case 0:
		return "shortest"
	case 0.5:
		return "median"
	case 1:
		return "longest"
	}
	return fmt.Sprintf("%g%%", 100*p)
}
