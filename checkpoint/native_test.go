package checkpoint

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mega-go/mega/nn"
	"github.com/mega-go/mega/tensor"
)

// small returns a model of a parameter, a buffer and a counter with optimiser
// state, all filled from x on.
func small(x float32) *Native {
	p := nn.NewParams(1)
	p.Root().Parameter("w", nn.Constant(x), 2, 3)
	p.Root().Buffer("running", x+1, 4)
	p.Root().Counter("count").Value = int64(x)
	moment := &nn.Buffer{Name: "w.exp_avg", Tensor: tensor.New(2, 3)}
	nn.Constant(x+2)(nil, moment.Tensor)
	return &Native{Config: []byte(`{"a":1}`), Params: p, Stamp: "update 5", Optimizer: []*nn.Buffer{moment}, State: []byte(`{"b":2}`)}
}

func TestNativeRoundTrip(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "c")
	if err := small(7).Save(dir); err != nil {
		t.Fatal(err)
	}
	got := small(0)
	got.Config, got.State, got.Stamp = nil, nil, ""
	if err := got.Resume(dir); err != nil {
		t.Fatal(err)
	}
	if w := got.Params.All()[0].Value().Row(1)[2]; w != 7 {
		t.Errorf("parameter is %g", w)
	}
	if b := got.Params.Buffers()[0].Row(0)[3]; b != 8 {
		t.Errorf("buffer is %g", b)
	}
	if m := got.Optimizer[0].Row(1)[2]; m != 9 {
		t.Errorf("moment is %g", m)
	}
	if c := got.Params.Counters()[0].Value; c != 7 {
		t.Errorf("counter is %d", c)
	}
	if string(got.Config) != "{\"a\":1}\n" || string(got.State) != "{\"b\":2}\n" || got.Stamp != "update 5" {
		t.Errorf("got config %q, state %q, stamp %q", got.Config, got.State, got.Stamp)
	}
}

func TestNativeModelAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "c")
	n := small(1)
	n.State = nil
	if err := n.Save(dir); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{OptimizerFile, StateFile} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			t.Errorf("%s was written", name)
		}
	}
}

func TestNativeErrors(t *testing.T) {
	for want, damage := range map[string]func(t *testing.T, dir string) error{
		"not JSON":     func(_ *testing.T, dir string) error { return os.Truncate(filepath.Join(dir, StateFile), 3) },
		"no such file": func(_ *testing.T, dir string) error { return os.Remove(filepath.Join(dir, ConfigFile)) },
		"truncated":    func(_ *testing.T, dir string) error { return os.Truncate(filepath.Join(dir, OptimizerFile), 20) },
		"missing: w.exp_av": func(_ *testing.T, dir string) error {
			return errors.Join(os.Remove(filepath.Join(dir, OptimizerFile)),
				os.Link(filepath.Join(dir, ModelFile), filepath.Join(dir, OptimizerFile)))
		},
		"do not belong together": func(t *testing.T, dir string) error {
			other := small(1)
			other.Stamp = "update 6"
			if err := other.Save(dir + "2"); err != nil {
				return err
			}
			return os.Rename(filepath.Join(dir+"2", ModelFile), filepath.Join(dir, ModelFile))
		},
	} {
		dir := filepath.Join(t.TempDir(), "c")
		if err := small(1).Save(dir); err != nil {
			t.Fatal(err)
		}
		if err := damage(t, dir); err != nil {
			t.Fatal(err)
		}
		if err := small(0).Resume(dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// TestNativeModelEMA: the averages are a file beside the model, which a checkpoint
// opens by option and its path opens alone.
func TestNativeModelEMA(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "c")
	from := openTest(t, goldenDir("imagenet"))
	m, err := from.Vision()
	if err != nil {
		t.Fatal(err)
	}
	model, err := json.Marshal(m.Config())
	if err != nil {
		t.Fatal(err)
	}
	averages := m.Params().Clone()
	averages.All()[0].Value().Fill(3)
	n := Native{Params: m.Params(), ModelEMA: averages, State: []byte("{}"), Stamp: "x"}
	if n.Config, err = json.Marshal(Config{Task: ImageClassification, Model: model}); err != nil {
		t.Fatal(err)
	}
	if err := n.Save(dir); err != nil {
		t.Fatal(err)
	}
	first := func(c *Checkpoint) float32 {
		m, err := c.Vision()
		if err != nil {
			t.Fatal(err)
		}
		return m.Params().All()[0].Value().Host()[0]
	}
	c := openTest(t, dir)
	if err := c.UseModelEMA(); err != nil {
		t.Fatal(err)
	}
	want := m.Params().All()[0].Value().Host()[0]
	for i, x := range []float32{first(openTest(t, dir)), first(c), first(openTest(t, filepath.Join(dir, ModelEMAFile)))} {
		if x != []float32{want, 3, 3}[i] {
			t.Errorf("way %d gives %v", i, x)
		}
	}
	got := Native{Params: m.Params().Clone(), ModelEMA: m.Params().Clone()}
	if err := got.Resume(dir); err != nil {
		t.Fatal(err)
	}
	if x := got.ModelEMA.All()[0].Value().Host()[0]; x != 3 {
		t.Errorf("resuming reads %v", x)
	}
	if err := openTest(t, goldenDir("imagenet")).UseModelEMA(); err == nil || !strings.Contains(err.Error(), "no averages") {
		t.Errorf("error %v", err)
	}
}
