package checkpoint

import (
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/mega-go/mega/format/dtype"
	"github.com/mega-go/mega/internal/config"
	"github.com/mega-go/mega/internal/spell"
	"github.com/mega-go/mega/nn"
	"github.com/mega-go/mega/tensor"
)

// Weights is a set of named tensors, whatever file they are in. It can be read by
// several goroutines at a time.
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
// Parameters without memory get it once names and shapes are found right.
func LoadParams(p *nn.Params, w Weights) error {
	if err := checkParams(p, w); err != nil {
		return err
	}
	p.Allocate()
	l := loader{weights: w, wanted: make(map[string]bool)}
	for _, c := range p.Counters() {
		l.count(c)
	}
	l.Add(readAll(p, w))
	return l.Err()
}

// readAll reads parameters and buffers, several at a time: a large model is read
// at the pace of memory. Those on a device, which belongs to the goroutine that calls
// this, are read there.
func readAll(p *nn.Params, w Weights) error {
	var jobs []func() error
	var errs []error
	add := func(t *tensor.Tensor, name string) {
		if t.Device() != nil {
			errs = append(errs, fill(t, w, name))
			return
		}
		jobs = append(jobs, func() error { return fill(t, w, name) })
	}
	for _, q := range p.All() {
		add(q.Value(), q.Name)
	}
	for _, b := range p.Buffers() {
		add(b.Tensor, b.Name)
	}
	return errors.Join(append(errs, sideBySide(jobs)...)...)
}

// sideBySide runs jobs on all cores and returns their errors in order.
func sideBySide(jobs []func() error) []error {
	errs := make([]error, len(jobs))
	var next atomic.Int64
	var readers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		readers.Go(func() {
			for i := next.Add(1) - 1; int(i) < len(jobs); i = next.Add(1) - 1 {
				errs[i] = jobs[i]()
			}
		})
	}
	readers.Wait()
	return errs
}

// checkParams holds names and shapes against those of a model.
func checkParams(p *nn.Params, w Weights) error {
	l := loader{weights: w, wanted: make(map[string]bool)}
	for _, q := range p.All() {
		l.check(q.Name, q.Shape())
	}
	for _, b := range p.Buffers() {
		l.check(b.Name, b.Shape())
	}
	for _, c := range p.Counters() {
		l.wanted[c.Name] = true
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
	shapes  []mismatch
	config.Complaints
}

// check notes what is wrong with a tensor, and reports whether nothing is.
func (l *loader) check(name string, shape []int) bool {
	l.wanted[name] = true
	got, ok := l.weights.Shape(name)
	switch {
	case !ok:
		l.missing = append(l.missing, name)
	case !slices.Equal(got, shape):
		l.shapes = append(l.shapes, mismatch{name, got, shape})
	default:
		return true
	}
	return false
}

// load fills t and reports whether it did.
func (l *loader) load(name string, t *tensor.Tensor) bool {
	if !l.check(name, t.Shape()) {
		return false
	}
	err := fill(t, l.weights, name)
	l.Add(err)
	return err == nil
}

// fill reads the tensor of that name into t.
func fill(t *tensor.Tensor, w Weights, name string) error {
	return t.WriteHost(func(x []float32) error { return w.Float32Into(name, x) })
}

// count loads a counter; one that is missing starts at zero, as files that hold
// only floating-point numbers leave it out.
func (l *loader) count(c *nn.Counter) {
	l.wanted[c.Name] = true
	if _, ok := l.weights.Shape(c.Name); !ok {
		return
	}
	value, err := l.weights.Int64Scalar(c.Name)
	l.Add(err)
	c.Value = value
}

// err reports missing and unexpected names together, each with its nearest
// counterpart, then the shapes. Weights of another kind of model are a sentence.
func (l *loader) err() error {
	var unexpected []string
	for _, name := range l.weights.Names() {
		if !l.wanted[name] && !ignored(name) {
			unexpected = append(unexpected, name)
		}
	}
	if got, want := nounOf(l.weights.Names()), nounOf(slices.Collect(maps.Keys(l.wanted))); len(l.missing) > 0 && got != "" && want != "" && got != want {
		return fmt.Errorf("the file is of a %s, and a %s is wanted", got, want)
	}
	var v config.Complaints
	v.Check(len(l.missing) == 0, "missing: %s", withNearest(l.missing, unexpected))
	v.Check(len(unexpected) == 0, "unexpected: %s", withNearest(unexpected, l.missing))
	if len(l.shapes) > 0 {
		v.Add(shapesError(l.shapes))
	}
	v.Add(l.Err())
	return v.Err()
}

// ignored reports whether the reference stores name without meaning: version
// markers, and the rotary bias's uninitialised placeholder (REFERENCE: A11).
func ignored(name string) bool {
	return name == "version" || strings.HasSuffix(name, ".version") || strings.HasSuffix(name, "._float_tensor")
}

// listed bounds how many names an error spells out, and compared among how many
// it looks for their nearest.
const listed, compared = 8, 1 << 14

func withNearest(names, candidates []string) string {
	if len(names) == 0 {
		return "nothing"
	}
	var out []string
	for i, name := range names {
		if i == listed {
			out = append(out, fmt.Sprintf("and %d more", len(names)-listed))
			break
		}
		near := spell.Nearest(name, candidates[:min(len(candidates), compared)])
		name = clip(name)
		if near != "" {
			name += " (nearest: " + clip(near) + ")"
		}
		out = append(out, name)
	}
	return strings.Join(out, ", ")
}

// A mismatch is a tensor of another shape than the model's.
type mismatch struct {
	name      string
	got, want []int
}

// shapesError lists tensors of wrong shapes, after what they mean where the
// names tell.
func shapesError(shapes []mismatch) error {
	var hints, tensors []string
	wider := slices.ContainsFunc(shapes, func(m mismatch) bool { return strings.HasSuffix(m.name, ".move.omega") })
	for _, m := range shapes {
		if wider && strings.Contains(m.name, ".move.") {
			continue // another width, not another direction
		}
		if hint := m.hint(); hint != "" && !slices.Contains(hints, hint) {
			hints = append(hints, hint)
		}
	}
	for i, m := range shapes {
		if i == listed {
			tensors = append(tensors, fmt.Sprintf("and %d more", len(shapes)-listed))
			break
		}
		tensors = append(tensors, fmt.Sprintf("%s has shape %v, want %v", clip(m.name), m.got, m.want))
	}
	return errors.New(strings.Join(append(hints, strings.Join(tensors, ", ")), ": "))
}

// hint says what a wrong shape means, "" if the name does not tell.
func (m mismatch) hint() string {
	got, want := m.got, m.want
	switch {
	case len(got) == 0 || len(want) != len(got):
	case strings.Contains(m.name, ".move.") && got[0] == 2*want[0]:
		return "the file is of a bidirectional model, and a causal one is wanted"
	case strings.Contains(m.name, ".move.") && 2*got[0] == want[0]:
		return "the file is of a causal model, and a bidirectional one is wanted"
	case strings.HasSuffix(m.name, "rel_pos_bias.rel_pos_bias"):
		return fmt.Sprintf("the file's simple relative position bias is for %d positions, the configuration (chunk_size, or max_positions without chunks) asks for %d", (got[0]+1)/2, (want[0]+1)/2)
	case (strings.Contains(m.name, "embed_tokens") || strings.HasSuffix(m.name, "output_projection.weight")) && len(got) == 2 && got[1] == want[1]:
		return fmt.Sprintf("the file's dictionary has %d symbols, the model's %d", got[0], want[0])
	}
	return ""
}

// clip shortens a name that a file gives, for an error, and quotes one that would
// be unclear there.
func clip(name string) string {
	const most = 200
	if len(name) > most {
		name = name[:most] + "…"
	}
	if name == "" || strings.ContainsFunc(name, func(r rune) bool { return r == ' ' || !strconv.IsPrint(r) }) {
		return strconv.Quote(name)
	}
	return name
}
