package checkpoint

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mega-go/mega/checkpoint/dtype"
	"github.com/mega-go/mega/internal/spell"
	"github.com/mega-go/mega/nn"
)

// Weights is a set of named tensors, whatever file they are in.
type Weights interface {
	// Names lists the tensors.
	Names() []string
	// Shape returns a tensor's dimensions, and false if there is no such tensor.
	Shape(name string) ([]int, bool)
	// DType returns the type of a tensor's elements, and false if there is no
	// such tensor.
	DType(name string) (dtype.DType, bool)
	// Float32Into converts a tensor's numbers to float32 in row-major order. dst
	// has the size of the shape.
	Float32Into(name string, dst []float32) error
	// Int64Scalar returns the value of an integer tensor of one element.
	Int64Scalar(name string) (int64, error)
}

// LoadParams fills a model's parameters, buffers and counters from w. Nothing
// may be missing, nothing unexpected and every shape must be the model's; one
// error lists everything that is wrong. What the reference stores beside
// parameters without meaning it (version markers, placeholders) is passed over.
func LoadParams(p *nn.Params, w Weights) error {
	l := loader{weights: w, wanted: make(map[string]bool)}
	for _, q := range p.All() {
		l.load(q.Name, q.Shape(), q.Value().Data())
	}
	for _, b := range p.Buffers() {
		l.load(b.Name, b.Shape(), b.Data())
	}
	for _, c := range p.Counters() {
		l.count(c)
	}
	for _, a := range p.Aliases() {
		l.wanted[a.Name] = true // the same numbers again
	}
	return l.err()
}

// A loader collects what is wrong with a set of weights.
type loader struct {
	weights Weights
	wanted  map[string]bool
	missing []string
	errs    []error
}

func (l *loader) load(name string, shape []int, dst []float32) {
	l.wanted[name] = true
	got, ok := l.weights.Shape(name)
	switch {
	case !ok:
		l.missing = append(l.missing, name)
	case !slices.Equal(got, shape):
		l.errs = append(l.errs, shapeError(name, got, shape))
	default:
		if err := l.weights.Float32Into(name, dst); err != nil {
			l.errs = append(l.errs, err)
		}
	}
}

// count loads a counter; one that is missing starts at zero, as files that hold
// only floating-point numbers leave it out.
func (l *loader) count(c *nn.Counter) {
	l.wanted[c.Name] = true
	if _, ok := l.weights.Shape(c.Name); !ok {
		return
	}
	value, err := l.weights.Int64Scalar(c.Name)
	if err != nil {
		l.errs = append(l.errs, err)
	}
	c.Value = value
}

// err reports missing and unexpected names together, each with its nearest
// counterpart, then the shapes.
func (l *loader) err() error {
	var unexpected []string
	for _, name := range l.weights.Names() {
		if !l.wanted[name] && !ignored(name) {
			unexpected = append(unexpected, name)
		}
	}
	var errs []error
	if len(l.missing) > 0 {
		errs = append(errs, fmt.Errorf("missing: %s", withNearest(l.missing, unexpected)))
	}
	if len(unexpected) > 0 {
		errs = append(errs, fmt.Errorf("unexpected: %s", withNearest(unexpected, l.missing)))
	}
	return oneLine(errors.Join(append(errs, l.errs...)...))
}

// ignored reports whether the reference stores name without meaning: version
// markers, and the rotary bias's uninitialised placeholder (REFERENCE: A11).
func ignored(name string) bool {
	return name == "version" || strings.HasSuffix(name, ".version") || strings.HasSuffix(name, "._float_tensor")
}

// listed bounds how many names an error spells out.
const listed = 8

func withNearest(names, candidates []string) string {
	var out []string
	for i, name := range names {
		if i == listed {
			out = append(out, fmt.Sprintf("and %d more", len(names)-listed))
			break
		}
		if near := spell.Nearest(name, candidates); near != "" {
			name += " (nearest: " + near + ")"
		}
		out = append(out, name)
	}
	return strings.Join(out, ", ")
}

// shapeError says what a wrong shape means where the name tells.
func shapeError(name string, got, want []int) error {
	hint := ""
	switch {
	case len(got) == 0 || len(want) == 0:
	case strings.HasSuffix(name, "move.delta") && got[0] == 2*want[0]:
		hint = ": the file is of a bidirectional model, and a causal one was asked for"
	case strings.HasSuffix(name, "move.delta") && 2*got[0] == want[0]:
		hint = ": the file is of a causal model, and a bidirectional one was asked for"
	case strings.HasSuffix(name, "rel_pos_bias.rel_pos_bias"):
		hint = fmt.Sprintf(": the file's simple relative position bias is for %d positions, the configuration (chunk_size, or max_positions without chunks) asks for %d", (got[0]+1)/2, (want[0]+1)/2)
	case strings.Contains(name, "embed_tokens") && len(got) == 2 && len(want) == 2 && got[1] == want[1]:
		hint = fmt.Sprintf(": the file's dictionary has %d symbols, the model's %d", got[0], want[0])
	}
	return fmt.Errorf("%s has shape %v, want %v%s", name, got, want, hint)
}

// oneLine joins the lines of an error by semicolons.
func oneLine(err error) error {
	if err == nil {
		return nil
	}
	return errors.New(strings.ReplaceAll(err.Error(), "\n", "; "))
}
