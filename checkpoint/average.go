package checkpoint

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"

	"github.com/mega-go/mega/format/dtype"
	"github.com/mega-go/mega/internal/config"
	"github.com/mega-go/mega/nn"
	"github.com/mega-go/mega/tensor"
)

// Average writes the mean of the weights of several checkpoints of one model,
// with the configuration of the first, as the reference's
// scripts/average_checkpoints.py does: sums in float32 in the order given, then
// divided; counters rounded down. Weights in float16 become float32 unless the
// options ask for another type.
func Average(paths []string, output string, o SaveOptions) (Saved, error) {
	if len(paths) == 0 {
		return Saved{}, errors.New("no checkpoints to average")
	}
	c, err := Open(paths[0])
	if err != nil {
		return Saved{}, err
	}
	defer c.Close()
	m, err := c.model()
	if err != nil {
		return Saved{}, err
	}
	for _, path := range paths[1:] {
		if err := accumulate(m.params, path, c.Task); err != nil {
			return Saved{}, err
		}
	}
	divide(m.params, len(paths))
	o.ModelOnly = true // an optimiser's state is of one run's weights
	if o.DType == dtype.Invalid {
		o.DType = dtype.F32
	}
	return c.save(output, m, o)
}

// accumulate adds the weights of a checkpoint to p.
func accumulate(p *nn.Params, path, task string) error {
	c, err := Open(path)
	if err != nil {
		return err
	}
	defer c.Close()
	if c.Task != task {
		return fmt.Errorf("%s is of a %s model, and the first checkpoint of a %s model", path, c.Task, task)
	}
	l := loader{weights: c.Weights, wanted: make(map[string]bool)}
	for _, q := range p.All() {
		l.add(q.Name, q.Value())
	}
	for _, b := range p.Buffers() {
		l.add(b.Name, b.Tensor)
	}
	for _, counter := range p.Counters() {
		sum := counter.Value
		l.count(counter)
		counter.Value += sum
	}
	for _, a := range p.Aliases() {
		l.wanted[a.Name] = true
	}
	return config.Wrap(path, l.err())
}

// add is load, added to t.
func (l *loader) add(name string, t *tensor.Tensor) {
	more := tensor.New(t.Shape()...)
	l.load(name, more)
	sum, terms := t.Host(), more.Host()
	t.Generate(func(i int) float32 { return sum[i] + terms[i] })
}

// divide divides everything by n.
func divide(p *nn.Params, n int) {
	scale := func(t *tensor.Tensor) {
		sum := t.Host()
		t.Generate(func(i int) float32 { return sum[i] / float32(n) })
	}
	for _, q := range p.All() {
		scale(q.Value())
	}
	for _, b := range p.Buffers() {
		scale(b.Tensor)
	}
	for _, c := range p.Counters() {
		c.Value /= int64(n)
	}
}

// epochNames and updateNames match the names that runs give their checkpoints,
// here and in the reference, and capture what they are sorted by.
var (
	epochNames  = regexp.MustCompile(`^checkpoint(\d+)(\.pt)?$`)
	updateNames = regexp.MustCompile(`^checkpoint_\d+_(\d+)(\.pt)?$`)
)

// LastCheckpoints returns the last n checkpoints of a run's directory, the
// latest first: those saved at the ends of epochs, or those saved after a number of
// updates. limit, unless it is 0, is the last epoch or update that counts. In a
// copy that has lost the names, they are those that the newest checkpoint had.
func LastCheckpoints(dir string, n int, byUpdates bool, limit int) ([]string, error) {
	if inner := filepath.Join(dir, "checkpoints"); exists(inner) {
		dir = inner
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	newest, err := Newest(dir)
	if err != nil {
		return nil, err
	}
	names := map[string]string{} // and the files that they stand for
	for name, saved := range savedNames(filepath.Join(dir, newest)) {
		if exists(filepath.Join(dir, saved)) && !exists(filepath.Join(dir, name)) {
			names[name] = saved
		}
	}
	for _, e := range entries {
		names[e.Name()] = e.Name()
	}
	pattern, kind := epochNames, "epochs (checkpointN)"
	if byUpdates {
		pattern, kind = updateNames, "updates (checkpoint_EPOCH_N)"
	}
	type found struct {
		key  int
		path string
	}
	var all []found
	for name, file := range names {
		match := pattern.FindStringSubmatch(name)
		if match == nil {
			continue
		}
		key, err := strconv.Atoi(match[1])
		if err == nil && (limit == 0 || key <= limit) {
			all = append(all, found{key, filepath.Join(dir, file)})
		}
	}
	if n < 1 {
		return nil, fmt.Errorf("%d checkpoints of %s, want 1 at least", n, dir)
	}
	if len(all) < n {
		return nil, fmt.Errorf("%s has %d checkpoints of %s, want %d", dir, len(all), kind, n)
	}
	slices.SortFunc(all, func(a, b found) int { return cmp.Compare(b.key, a.key) })
	var paths []string
	for _, f := range all[:n] {
		paths = append(paths, f.path)
	}
	return paths, nil
}
