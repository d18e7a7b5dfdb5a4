package forward

import (
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mega-go/mega/checkpoint"
	"github.com/mega-go/mega/format/safetensors"
	"github.com/mega-go/mega/internal/kernel"
)

// goldenCases are models of the reference with what it computed from them
// (testdata/golden/README.md).
var goldenCases = []string{
	"lra_listops", "lra_text", "lra_retrieval", "lra_image", "lra_pathfinder", "speech_commands",
	"lm_enwik8", "lm_wikitext103", "mt_wmt", "imagenet",
}

func goldenDir(name string) string { return filepath.Join("..", "..", "testdata", "golden", name) }

// forEachKernel runs f under every implementation that this machine has.
func forEachKernel(t *testing.T, f func(t *testing.T)) {
	before := kernel.Current()
	defer kernel.Use(before)
	for _, i := range kernel.Available() {
		if err := kernel.Use(i); err != nil {
			t.Fatal(err)
		}
		t.Run(i.String(), f)
	}
}

// TestGoldenForward holds the models against the reference: logits within 1e-5
// of the largest, losses within 1e-6, every gradient within 1e-4 of its own
// norm plus 1e-6 of the norm of all, batch norm's buffers within 1e-5.
func TestGoldenForward(t *testing.T) {
	for _, name := range goldenCases {
		t.Run(name, func(t *testing.T) {
			forEachKernel(t, func(t *testing.T) { checkGolden(t, name) })
		})
	}
}

func checkGolden(t *testing.T, name string) {
	golden := openGolden(t, name)
	for _, batch := range []string{"b0.", "b1."} {
		if _, ok := golden.Info(batch + "net_input.src_tokens"); !ok {
			continue
		}
		checkGoldenEval(t, name, golden, Options{Prefix: batch})
		if _, ok := golden.Info(batch + "train.loss"); ok {
			checkGoldenTrain(t, name, golden, Options{Prefix: batch, Train: true})
		}
	}
}

func checkGoldenEval(t *testing.T, name string, golden *safetensors.Reader, o Options) {
	t.Helper()
	eval := forwardGolden(t, name, golden, o)
	for _, what := range []string{"logits", "features"} {
		if _, ok := golden.Info(o.Prefix + "eval." + what); ok {
			want := float32s(t, golden, o.Prefix+"eval."+what)
			if d := largestDifference(float32s(t, eval, what), want); d > 1e-5 {
				t.Errorf("%seval.%s: off by %.2g of the largest", o.Prefix, what, d)
			}
		}
	}
	checkLoss(t, eval, golden, o.Prefix+"eval.loss", inFloat32)
}

func checkGoldenTrain(t *testing.T, name string, golden *safetensors.Reader, o Options) {
	t.Helper()
	train := forwardGolden(t, name, golden, o)
	checkLoss(t, train, golden, o.Prefix+"train.loss", inFloat32)
	checkGradients(t, train, golden, o.Prefix+"train.grad.", inFloat32)
	checkBuffers(t, train, golden, o.Prefix+"train.buffer.")
}

// A tolerance is how far from the reference's a loss may be, as a share of it, and each
// gradient, as shares of its own norm and of the norm of all.
type tolerance struct{ loss, own, all float64 }

var inFloat32 = tolerance{1e-6, 1e-4, 1e-6}

// checkLoss compares a loss, where the reference gives one.
func checkLoss(t *testing.T, got, golden *safetensors.Reader, name string, within tolerance) {
	t.Helper()
	if _, ok := golden.Info(name); !ok {
		return
	}
	want := float64s(t, golden, name)[0]
	if loss := float64s(t, got, "loss")[0]; math.Abs(loss-want) > within.loss*math.Abs(want) {
		t.Errorf("%s = %.9g, want %.9g", name, loss, want)
	}
}

func checkGradients(t *testing.T, got *safetensors.Reader, golden *safetensors.Reader, prefix string, within tolerance) {
	t.Helper()
	all := 0.0
	for _, n := range golden.Names() {
		if strings.HasPrefix(n, prefix) {
			all += square(float32s(t, golden, n))
		}
	}
	for _, n := range golden.Names() {
		parameter, ok := strings.CutPrefix(n, prefix)
		if !ok {
			continue
		}
		want := float32s(t, golden, n)
		bound := within.own*math.Sqrt(square(want)) + within.all*math.Sqrt(all)
		if d := distance(float32s(t, got, "grad."+parameter), want); d > bound {
			t.Errorf("gradient of %s: off by %.3g, norm %.3g, bound %.3g", parameter, d, math.Sqrt(square(want)), bound)
		}
	}
}

func checkBuffers(t *testing.T, got *safetensors.Reader, golden *safetensors.Reader, prefix string) {
	t.Helper()
	for _, n := range golden.Names() {
		buffer, ok := strings.CutPrefix(n, prefix)
		if !ok {
			continue
		}
		if strings.HasSuffix(n, "num_batches_tracked") {
			want, err := golden.Int64Scalar(n)
			if err != nil {
				t.Fatal(err)
			}
			if g, err := got.Int64Scalar("buffer." + buffer); g != want || err != nil {
				t.Errorf("%s = %d, %v, want %d", buffer, g, err, want)
			}
			continue
		}
		want := float32s(t, golden, n)
		if d := distance(float32s(t, got, "buffer."+buffer), want); d > 1e-5*math.Sqrt(square(want)) {
			t.Errorf("buffer %s: off by %.3g of %.3g", buffer, d, math.Sqrt(square(want)))
		}
	}
}

func openGolden(t *testing.T, name string) *safetensors.Reader {
	t.Helper()
	r, err := safetensors.Open(filepath.Join(goldenDir(name), "golden.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// forwardGolden runs Run and reads back what it gives from a file.
func forwardGolden(t *testing.T, name string, golden *safetensors.Reader, o Options) *safetensors.Reader {
	t.Helper()
	c, err := checkpoint.Open(goldenDir(name))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	tensors, err := Run(c, golden, o)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "out.safetensors")
	if err := safetensors.Write(path, tensors, nil); err != nil {
		t.Fatal(err)
	}
	r, err := safetensors.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func float32s(t *testing.T, r *safetensors.Reader, name string) []float32 {
	t.Helper()
	x, err := r.Float32(name)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func float64s(t *testing.T, r *safetensors.Reader, name string) []float64 {
	t.Helper()
	raw, err := r.Raw(name)
	if err != nil {
		t.Fatal(err)
	}
	x := make([]float64, len(raw)/8)
	for i := range x {
		bits := uint64(0)
		for b := range 8 {
			bits |= uint64(raw[8*i+b]) << (8 * b)
		}
		x[i] = math.Float64frombits(bits)
	}
	return x
}

// largestDifference is the largest |got-want| over the largest |want|.
func largestDifference(got, want []float32) float64 {
	if len(got) != len(want) {
		panic(fmt.Sprintf("%d numbers, want %d", len(got), len(want)))
	}
	diff, largest := 0.0, 0.0
	for i := range want {
		diff = math.Max(diff, math.Abs(float64(got[i])-float64(want[i])))
		largest = math.Max(largest, math.Abs(float64(want[i])))
	}
	return diff / largest
}

func distance(got, want []float32) float64 {
	if len(got) != len(want) {
		panic(fmt.Sprintf("%d numbers, want %d", len(got), len(want)))
	}
	sum := 0.0
	for i := range want {
		d := float64(got[i]) - float64(want[i])
		sum += d * d
	}
	return math.Sqrt(sum)
}

func square(x []float32) float64 {
	sum := 0.0
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	return sum
}
