package forward

import (
	"testing"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/checkpoint"
	"github.com/mega-go/mega/format/safetensors"
	"github.com/mega-go/mega/internal/cuda/device"
	"github.com/mega-go/mega/internal/cuda/devicetest"
)

// interpreter returns a device that is the interpreter of kernels, which takes its time.
func interpreter(t *testing.T) device.Device {
	t.Helper()
	if testing.Short() {
		t.Skip("not in short mode")
	}
	return devicetest.New(t)
}

// TestGoldenOnDevice holds a training step whose kernels run in the interpreter against
// the reference, as TestGoldenForward holds that of the CPU: loss and gradients.
func TestGoldenOnDevice(t *testing.T) {
	checkGoldenTrain(t, "lra_text", openGolden(t, "lra_text"), Options{Prefix: "b1.", Train: true, Device: interpreter(t)})
}

// TestGoldenTF32OnDevice holds the same step in TF32 against the reference.
func TestGoldenTF32OnDevice(t *testing.T) { checkGoldenTF32(t, interpreter(t)) }

// checkGoldenTF32 holds a training step in TF32 against the reference: logits within 1e-3 of
// the largest and not within 1e-6, the loss within 1e-4, every gradient within 3e-3 of its own
// norm plus 1e-4 of the norm of all.
func checkGoldenTF32(t *testing.T, on device.Device) {
	t.Helper()
	const name = "lra_text"
	golden, o := openGolden(t, name), Options{Prefix: "b1.", Train: true, Device: on}
	on.SetTF32(true)
	got := forwardGolden(t, name, golden, o)
	within := tolerance{1e-4, 3e-3, 1e-4}
	checkLoss(t, got, golden, "b1.train.loss", within)
	checkGradients(t, got, golden, "b1.train.grad.", within)
	if d := largestDifference(float32s(t, got, "logits"), float32s(t, golden, "b1.eval.logits")); d > 1e-3 || d < 1e-6 {
		t.Errorf("logits are off by %.2g of the largest", d)
	}
}

// TestGoldenLogitsOnDevice holds the first rows of other classifiers against the
// reference, padding included: layer norm without chunks, batch norm and
// laplace on real numbers, RMS norm and relu2.
func TestGoldenLogitsOnDevice(t *testing.T) {
	for _, name := range []string{"lra_listops", "lra_image", "lra_pathfinder"} {
		t.Run(name, func(t *testing.T) {
			golden := openGolden(t, name)
			in, m := firstRow(t, golden, name)
			on, tape := interpreter(t), autograd.NewTape()
			m.Params().Move(on)
			tape.SetDevice(on)
			logits, err := m.Forward(tape, in)
			if err != nil {
				t.Fatal(err)
			}
			want := float32s(t, golden, "b0.eval.logits")
			if d := largestDifference(logits.Value().Host(), want[:logits.Cols()]); d > 1e-5 {
				t.Errorf("off by %.2g of the largest", d)
			}
		})
	}
}

// firstRow returns the first row of a case's first batch, and the model.
func firstRow(t *testing.T, golden *safetensors.Reader, name string) (*mega.Input, *mega.Classifier) {
	t.Helper()
	c, err := checkpoint.Open(goldenDir(name))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	model, err := c.Model()
	if err != nil {
		t.Fatal(err)
	}
	m := model.(*mega.Classifier)
	f := runner{reader: golden, options: Options{Prefix: "b0."}}
	first := func(group string) *mega.Input {
		in, err := f.input(group, m.Config().Tokens())
		if err != nil {
			t.Fatal(err)
		}
		in.Rows = 1
		if in.Tokens != nil {
			in.Tokens = in.Tokens[:in.Length]
		} else {
			in.Samples = in.Samples[:in.Length]
		}
		in.Lengths = in.Lengths[:1]
		return in
	}
	in := first("net_input")
	if m.Config().Pair() {
		in.Pair = first("net_input1")
	}
	return in, m
}

// TestGoldenOthersOnDevice holds language models, one of them with adaptive input and
// softmax, a translator and a model of images against the reference.
func TestGoldenOthersOnDevice(t *testing.T) {
	for _, name := range []string{"lm_wikitext103", "lm_enwik8", "mt_wmt", "imagenet"} {
		t.Run(name, func(t *testing.T) {
			checkGoldenEval(t, name, openGolden(t, name), Options{Prefix: "b0.", Device: interpreter(t)})
		})
	}
}
