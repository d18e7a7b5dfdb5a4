package forward

import (
	"math"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/mega-go/mega/checkpoint"
	"github.com/mega-go/mega/format/dtype"
	"github.com/mega-go/mega/format/safetensors"
)

// referenceFiles are checkpoints that the reference saved itself, with the
// golden case of the same weights.
const referenceFiles = "../../format/torchfile/testdata/"

// huggingFaceCases are those that Hugging Face's Mega can hold: post-norm
// encoders of text.
var huggingFaceCases = []string{"lra_listops", "lra_text", "lra_retrieval"}

// TestEveryFormGivesTheSame converts every golden case through every form and
// back: each must hold the weights bit for bit and run to the same bits.
func TestEveryFormGivesTheSame(t *testing.T) {
	for _, name := range goldenCases {
		t.Run(name, func(t *testing.T) {
			golden, dir := openGolden(t, name), t.TempDir()
			want := runModel(t, goldenDir(name), golden)
			from := goldenDir(name)
			for i, to := range []struct {
				file   string
				format checkpoint.Format
			}{
				{"a", checkpoint.FormatNative}, {"b.safetensors", checkpoint.FormatSafetensors}, {"c.pt", checkpoint.FormatFairseq},
				{"d", checkpoint.FormatHuggingFace}, {"e.pt", checkpoint.FormatFairseq}, {"f.safetensors", checkpoint.FormatSafetensors},
				{"g", checkpoint.FormatNative}, {"h.pt", checkpoint.FormatFairseq},
			} {
				if to.format == checkpoint.FormatHuggingFace && !slices.Contains(huggingFaceCases, name) {
					continue
				}
				path := filepath.Join(dir, to.file)
				convert(t, from, path, checkpoint.SaveOptions{Format: to.format})
				checkSame(t, runModel(t, path, golden), want)
				checkWeights(t, path, goldenDir(name))
				if from = path; i > 0 && t.Failed() {
					t.Fatalf("%s differs", to.file)
				}
			}
		})
	}
}

// TestFilesOfTheReferenceGiveTheSame runs what the reference saved: a whole
// training checkpoint, the format before the zip archive, integer buffers.
func TestFilesOfTheReferenceGiveTheSame(t *testing.T) {
	for file, name := range map[string]string{
		referenceFiles + "lm_enwik8_checkpoint_last.pt": "lm_enwik8", referenceFiles + "lra_text_legacy.pt": "lra_text",
		referenceFiles + "speech_commands.pt": "speech_commands", goldenDir("imagenet") + "/model.pth": "imagenet",
	} {
		golden := openGolden(t, name)
		checkSame(t, runModel(t, file, golden), runModel(t, goldenDir(name), golden))
		checkWeights(t, file, goldenDir(name))
	}
}

// TestHalfPrecision wants of the reference's float16 file what float32 weights
// rounded here give, and that within the rounding of float16 of what they give
// unrounded; and of bfloat16 that conversion there and back keeps it.
func TestHalfPrecision(t *testing.T) {
	golden, dir := openGolden(t, "lra_text"), t.TempDir()
	exact := runModel(t, goldenDir("lra_text"), golden)
	theirs := runModel(t, referenceFiles+"lra_text_fp16.pt", golden)
	for _, c := range []struct {
		dtype dtype.DType
		bound float64 // 2^-11 or 2^-8 of rounding a weight, through 4 layers of a few products
	}{{dtype.F16, 0x1p-10}, {dtype.BF16, 0x1p-6}} {
		file := filepath.Join(dir, c.dtype.String()+".pt")
		convert(t, goldenDir("lra_text"), file, checkpoint.SaveOptions{Format: checkpoint.FormatFairseq, DType: c.dtype})
		rounded := runModel(t, file, golden)
		if d := largestDifference(rounded.logits, exact.logits); d > c.bound || d == 0 {
			t.Errorf("%v: off by %.2g of the largest, want 0 to %.2g", c.dtype, d, c.bound)
		}
		if c.dtype == dtype.F16 {
			checkSame(t, theirs, rounded)
		}
		single := filepath.Join(dir, c.dtype.String()+".safetensors")
		convert(t, file, single, checkpoint.SaveOptions{Format: checkpoint.FormatSafetensors})
		checkSame(t, runModel(t, single, golden), rounded)
		checkStored(t, single, c.dtype)
		wide := filepath.Join(dir, c.dtype.String()+"-f32")
		convert(t, single, wide, checkpoint.SaveOptions{Format: checkpoint.FormatNative, DType: dtype.F32})
		checkSame(t, runModel(t, wide, golden), rounded)
		checkStored(t, wide, dtype.F32)
	}
}

// TestTrainingStateGoesAlong converts a training checkpoint to a native one and
// back: where it stood and every moment must be the same.
func TestTrainingStateGoesAlong(t *testing.T) {
	dir, from := t.TempDir(), referenceFiles+"lm_enwik8_checkpoint_last.pt"
	want, wantMoments := trainingOf(t, from)
	for _, to := range []struct {
		file   string
		format checkpoint.Format
	}{{"a", checkpoint.FormatNative}, {"b.pt", checkpoint.FormatFairseq}, {"c", checkpoint.FormatNative}} {
		path := filepath.Join(dir, to.file)
		convert(t, from, path, checkpoint.SaveOptions{Format: to.format})
		got, moments := trainingOf(t, path)
		if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(checkpoint.Adam{}, "Moments", "Settings")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", to.file, diff)
		}
		for name, m := range wantMoments {
			if !sameBits(moments[name], m) {
				t.Errorf("%s: other %s", to.file, name)
			}
		}
		from = path
	}
	alone := filepath.Join(dir, "alone.pt")
	convert(t, from, alone, checkpoint.SaveOptions{Format: checkpoint.FormatFairseq, ModelOnly: true})
	if got, _ := trainingOf(t, alone); got != nil && got.Adam != nil {
		t.Error("the optimiser's state went along with a model alone")
	}
}

// trainingOf returns where a language model's training stood.
func trainingOf(t *testing.T, path string) (*checkpoint.Training, map[string][]float32) {
	t.Helper()
	c := openModel(t, path)
	m, err := c.LanguageModel()
	if err != nil {
		t.Fatal(err)
	}
	state, err := c.TrainingState(m.Params(), checkpoint.Reset{})
	if err != nil {
		t.Fatal(err)
	}
	moments := make(map[string][]float32)
	if state == nil || state.Adam == nil {
		return state, moments
	}
	for _, q := range m.Params().All() {
		for _, suffix := range []string{".exp_avg", ".exp_avg_sq"} {
			moments[q.Name+suffix] = moment(t, state.Adam, q, suffix)
		}
	}
	return state, moments
}

// result is what a model says of a golden batch.
type result struct {
	logits []float32
	loss   float64
}

func openModel(t *testing.T, path string) *checkpoint.Checkpoint {
	t.Helper()
	c, err := checkpoint.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func runModel(t *testing.T, path string, golden *safetensors.Reader) result {
	t.Helper()
	tensors, err := Run(openModel(t, path), golden, Options{Prefix: "b0."})
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	out := filepath.Join(t.TempDir(), "out.safetensors")
	if err := safetensors.Write(out, tensors, nil); err != nil {
		t.Fatal(err)
	}
	r, err := safetensors.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	name := "logits"
	if _, ok := r.Info(name); !ok {
		name = "log_probs"
	}
	return result{float32s(t, r, name), float64s(t, r, "loss")[0]}
}

func convert(t *testing.T, from, to string, o checkpoint.SaveOptions) {
	t.Helper()
	if _, err := openModel(t, from).Save(to, o); err != nil {
		t.Fatal(err)
	}
}

func checkSame(t *testing.T, got, want result) {
	t.Helper()
	if !sameBits(got.logits, want.logits) || got.loss != want.loss {
		t.Errorf("loss %v, want %v; logits are the same: %t", got.loss, want.loss, sameBits(got.logits, want.logits))
	}
}

func sameBits(a, b []float32) bool {
	return slices.EqualFunc(a, b, func(x, y float32) bool { return math.Float32bits(x) == math.Float32bits(y) })
}

// checkWeights wants in two checkpoints of one model the same numbers.
func checkWeights(t *testing.T, path, want string) {
	t.Helper()
	got, from := parameters(t, path), parameters(t, want)
	if len(got) != len(from) {
		t.Errorf("%s: %d tensors, want %d", path, len(got), len(from))
	}
	for name, w := range from {
		if !sameBits(got[name], w) {
			t.Errorf("%s: other numbers in %s", path, name)
		}
	}
}

// parameters returns everything that the model of a checkpoint carries.
func parameters(t *testing.T, path string) map[string][]float32 {
	t.Helper()
	c := openModel(t, path)
	out := make(map[string][]float32)
	f := runner{}
	params, _, err := f.model(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range params.All() {
		out[q.Name] = q.Value().Data()
	}
	for _, b := range params.Buffers() {
		out[b.Name] = b.Data()
	}
	for _, n := range params.Counters() {
		out[n.Name] = []float32{float32(n.Value)}
	}
	return out
}

// checkStored wants every parameter of a file in one type.
func checkStored(t *testing.T, path string, want dtype.DType) {
	t.Helper()
	c := openModel(t, path)
	for name := range parameters(t, path) {
		if d, ok := c.Weights.DType(name); !ok || d != want {
			t.Errorf("%s: %s is stored as %v", path, name, d)
		}
	}
}
