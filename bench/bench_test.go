package bench

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/internal/cuda/devicetest"
)

// The bounds, worked out by hand for the shapes of the yardstick, in seconds of
// training at 205 GFLOP/s.
func TestTrainingOperations(t *testing.T) {
	for name, seconds := range map[string]float64{
		"lra-listops": 0.40, "lra-text": 0.24, "lra-text-full": 1.5, "lra-image": 1.5,
		"lra-pathx": 1.4, "sc-raw": 1.15, "lm-small": 0.71, "lm-enwik8": 3.3,
		"vit-tiny": 0.158, "vit-base": 2.14,
	} {
		w, err := Find(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := w.shape().training() / 205e9; math.Abs(got/seconds-1) > 0.06 {
			t.Errorf("%s: %.3f s at 205 GFLOP/s, want %.2f", name, got, seconds)
		}
		if share := w.shape().inference() / w.shape().training(); share < 0.25 || share > 0.34 {
			t.Errorf("%s: inference is %.2f of training, want about a third", name, share)
		}
	}
}

// A step of decoding reads the weights and, on average, half a chunk of keys
// and values.
func TestDecodeDemand(t *testing.T) {
	w, err := Find("lm-enwik8")
	if err != nil {
		t.Fatal(err)
	}
	const params = 39137792
	flops, bytes := w.decodeDemand(1, params, 4)
	if want := 4 * (params + 12*1024.5*(128+1024)); bytes != want {
		t.Errorf("%v bytes, want %v", bytes, want)
	}
	if flops < 2*0.95*params || flops > 4*params {
		t.Errorf("%v operations with %d weights", flops, params)
	}
}

func TestLimit(t *testing.T) {
	r := rates{flops: 100e9, bytes: 10e9}
	if l := r.limit(5e9, 0.1e9, 0.1); l.Milliseconds != 50 || l.Share != 0.5 {
		t.Errorf("bound by operations: %+v", l)
	}
	if l := r.limit(1e9, 0.2e9, 0.04); l.Milliseconds != 20 || l.Share != 0.5 {
		t.Errorf("bound by memory: %+v", l)
	}
}

// TestMeasureOnDevice measures a small model in the interpreter of kernels.
func TestMeasureOnDevice(t *testing.T) {
	w := classifier("small", 1, 12, "mega_lra_imdb", func(c *mega.ClassifierConfig) {
		c.VocabSize, c.AttentionActivationFn, c.ChunkSize, c.MaxPositions = 20, "softmax", -1, 12
		c.EncoderLayers, c.EncoderEmbedDim, c.EncoderHiddenDim, c.ZDim, c.EncoderFFNEmbedDim, c.ClassifierInDim = 1, 8, 16, 4, 8, 8
	})
	for _, in := range []string{"float32", "bfloat16", "TF32"} {
		var modes []string
		on, bf16 := devicetest.New(t), in == "bfloat16"
		on.SetTF32(in == "TF32")
		err := Measure(w, Options{Reps: 1, BF16: bf16, Device: on}, func(r Result) error {
			if modes = append(modes, r.Mode); r.Milliseconds <= 0 || r.Params == 0 || r.Device != "interpreter" || r.BF16 != bf16 || r.TF32 != on.TF32() || r.NoGraphs != "" || r.Launches < 20 || r.Replayed != r.Launches || r.Graphs == 0 || r.Graphs > 4 {
				t.Errorf("%+v", r)
			}
			return nil
		})
		if err != nil || !slices.Equal(modes, []string{"train", "infer"}) {
			t.Errorf("modes %q, %v", modes, err)
		}
	}
}

func TestMeasureScaling(t *testing.T) {
	var all []Scale
	if err := MeasureScaling(256, 512, 1, func(s Scale) error { all = append(all, s); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(all) != 4 || all[0].Length != 256 || all[3].Length != 512 || all[0].Operation == all[3].Operation {
		t.Fatalf("measured %+v", all)
	}
	for _, s := range all {
		if s.Nanos <= 0 || s.Bytes < 4*2*2*scalingDim {
			t.Errorf("a token costs nothing: %+v", s)
		}
	}
	path := filepath.Join(t.TempDir(), "scaling.png")
	if err := PlotScaling(path, all); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Size() < 1000 {
		t.Errorf("the plot: %v, %v", info, err)
	}
	if err := PlotScaling("scaling.txt", all); err == nil {
		t.Error("drew a .txt")
	}
}

func TestSpreads(t *testing.T) {
	all := []Scale{{Operation: "a", Nanos: 2, Bytes: 3}, {Operation: "b", Nanos: 9, Bytes: 1}, {Operation: "a", Nanos: 3, Bytes: 3}}
	s := Spreads(all)
	if len(s) != 2 || s[0].Nanos != 1.5 || s[0].Bytes != 1 || s[1].Nanos != 1 {
		t.Errorf("%+v", s)
	}
}

func TestDecodeOptions(t *testing.T) {
	for _, o := range []DecodeOptions{
		{Contexts: nil, Batch: 1}, {Contexts: []int{-1}, Batch: 1}, {Contexts: []int{0}, Batch: 0},
		{Contexts: []int{0, 8}, Tokens: 9, Batch: 1}, {Contexts: []int{0}, Tokens: -1, Batch: 1},
	} {
		if err := MeasureDecode(o, func(Result) error { return nil }); err == nil {
			t.Errorf("measured %+v", o)
		}
	}
}
