package checkpoint

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mega-go/mega/format/dtype"
	"github.com/mega-go/mega/format/safetensors"
)

// Weights in eight bits are off by half of their rows' scales at most, in either form
// and of either kind, and what else there is stays.
func TestInt8(t *testing.T) {
	dir := t.TempDir()
	for i, name := range []string{"lm_enwik8", "lm_wikitext103", "mt_wmt"} {
		want := numbersIn(t, goldenDir(name))
		to := filepath.Join(dir, name) + []string{"", singleSuffix, ""}[i]
		saveTest(t, goldenDir(name), to, SaveOptions{DType: dtype.I8})
		c := openTest(t, to)
		if !c.Int8() || openTest(t, goldenDir(name)).Int8() {
			t.Errorf("%s: not known by its weights", name)
		}
		if slices.ContainsFunc(c.Weights.Names(), func(name string) bool { return strings.HasSuffix(name, scaleSuffix) }) {
			t.Errorf("%s: scales are among the names %q", name, c.Weights.Names())
		}
		rounded := 0
		for name, got := range numbersIn(t, to) {
			d, _ := c.Weights.DType(name)
			if d != dtype.I8 {
				if !slices.Equal(got, want[name]) {
					t.Errorf("%s changed", name)
				}
				continue
			}
			rounded++
			shape, _ := c.Weights.Shape(name)
			for at := 0; at < len(got); at += shape[1] {
				x, y := want[name][at:][:shape[1]], got[at:][:shape[1]]
				most := max(slices.Max(x), -slices.Min(x))
				for j := range x {
					if math.Abs(float64(x[j])-float64(y[j])) > float64(most)/253.9 {
						t.Fatalf("%s: %g became %g in a row up to %g", name, x[j], y[j], most)
					}
				}
			}
		}
		if rounded < 10 {
			t.Errorf("%s: %d matrices in int8", name, rounded)
		}
	}
}

// What is in int8 stays so, bit for bit, where the form allows, and is written as the
// numbers that it stands for where not or if that is asked for.
func TestInt8Again(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	saveTest(t, goldenDir("lm_enwik8"), at("a"), SaveOptions{DType: dtype.I8})
	saveTest(t, at("a"), at("b.safetensors"), SaveOptions{})
	saveTest(t, at("b.safetensors"), at("c"), SaveOptions{})
	if !bytes.Equal(readTest(t, filepath.Join(at("a"), ModelFile)), readTest(t, filepath.Join(at("c"), ModelFile))) {
		t.Error("int8 weights changed on the way")
	}
	saveTest(t, at("a"), at("d.pt"), SaveOptions{})
	saveTest(t, at("a"), at("e"), SaveOptions{DType: dtype.F32})
	want := numbersIn(t, at("a"))
	for _, name := range []string{"d.pt", "e"} {
		if openTest(t, at(name)).Int8() {
			t.Errorf("%s is in int8", name)
		}
		for tensor, got := range numbersIn(t, at(name)) {
			if !slices.Equal(got, want[tensor]) {
				t.Errorf("%s: %s changed", name, tensor)
			}
		}
	}
}

func TestInt8Errors(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct{ from, to, want string }{
		{goldenDir("lra_text"), "a", "a classifier (bidirectional) does not decode"},
		{goldenDir("lm_enwik8"), "a.pt", "the form fairseq holds no int8 weights, want native or safetensors"},
	} {
		to := filepath.Join(dir, c.to)
		_, err := openTest(t, c.from).Save(to, SaveOptions{Format: FormatOf(to), DType: dtype.I8})
		checkSays(t, err, c.want)
		if _, err := os.Lstat(to); err == nil {
			t.Errorf("%s was written", c.to)
		}
	}
	saving := saving{tensors: map[string]safetensors.Tensor{}}
	checkSays(t, saving.addInt8("w", []int{2, 1}, []float32{1, float32(math.NaN())}), "w holds a number that is not finite in row 1")
}

// Files whose scales do not fit are refused.
func TestInt8Damaged(t *testing.T) {
	const weight = "decoder.layers.0.mega_layer.v_proj.weight"
	good := filepath.Join(t.TempDir(), "good")
	saveTest(t, goldenDir("lm_enwik8"), good, SaveOptions{DType: dtype.I8})
	config := readTest(t, filepath.Join(good, ConfigFile))
	for want, change := range map[string]func(safetensors.Tensor) (safetensors.Tensor, bool){
		"elements are I8": func(x safetensors.Tensor) (safetensors.Tensor, bool) { return x, false },
		"want one scale for each row of " + weight: func(x safetensors.Tensor) (safetensors.Tensor, bool) {
			return safetensors.Of(x.Name, []int{1}, []float32{1}), true
		},
		"holds NaN at 0": func(x safetensors.Tensor) (safetensors.Tensor, bool) {
			copy(x.Data, dtype.Bytes([]float32{float32(math.NaN())}))
			return x, true
		},
		"holds -1 at 0": func(x safetensors.Tensor) (safetensors.Tensor, bool) {
			copy(x.Data, dtype.Bytes([]float32{-1}))
			return x, true
		},
	} {
		r, err := safetensors.Open(filepath.Join(good, ModelFile))
		if err != nil {
			t.Fatal(err)
		}
		var tensors []safetensors.Tensor
		for _, name := range r.Names() {
			info, _ := r.Info(name)
			data, err := r.Raw(name)
			if err != nil {
				t.Fatal(err)
			}
			x, keep := safetensors.Tensor{Name: name, DType: info.DType, Shape: info.Shape, Data: bytes.Clone(data)}, true
			if name == weight+scaleSuffix {
				x, keep = change(x)
			}
			if keep {
				tensors = append(tensors, x)
			}
		}
		r.Close()
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, ConfigFile), config, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := safetensors.Write(filepath.Join(dir, ModelFile), tensors, nil); err != nil {
			t.Fatal(err)
		}
		wantError(t, dir, want)
	}
}
