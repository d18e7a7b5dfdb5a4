package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mega-go/mega/checkpoint"
	"github.com/mega-go/mega/internal/cuda/device"
	"github.com/mega-go/mega/internal/cuda/devicetest"
	"github.com/mega-go/mega/internal/cuda/kernels"
	"github.com/mega-go/mega/task/classify"
	"github.com/mega-go/mega/train"
	"github.com/spf13/cobra"
)

// onInterpreters makes cuda:0 the interpreter of kernels until the test ends, and returns
// the numbers of the devices that were asked for.
func onInterpreters(t *testing.T) (asked *[]int) {
	t.Helper()
	m, err := devicetest.Kernels()
	if err != nil {
		t.Fatal(err)
	}
	asked = new([]int)
	on, count := onGPU, countGPUs
	t.Cleanup(func() { onGPU, countGPUs = on, count })
	countGPUs = func() int { return 2 }
	onGPU = func(_ string, index int, f func(device.Device) error) error {
		*asked = append(*asked, index)
		return f(device.NewInterpreter(m))
	}
	return asked
}

// interpretersVariable gives the test binary that behaves as mega two devices, the
// interpreter of kernels twice.
const interpretersVariable = "MEGA_TEST_INTERPRETERS"

// useInterpreters does that, and has the process say which device it takes.
func useInterpreters() {
	countGPUs = func() int { return 2 }
	onGPU = func(_ string, index int, f func(device.Device) error) error {
		m, err := devicetest.Kernels()
		if err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "device %d is taken\n", index)
		return f(device.NewInterpreter(m))
	}
}

// TestEveryCommandAndItsDevice: a command computes on a device, or it is known why not.
func TestEveryCommandAndItsDevice(t *testing.T) {
	reasons := map[string]string{
		"average": "it adds up weights once", "completion": "it runs no model", "convert": "it runs no model",
		"data": "it runs no model", "devices": "it runs no model", "help": "it runs no model",
		"inspect": "it runs no model", "plot": "it runs no model", "preprocess": "it runs no model",
		"presets": "it runs no model", "version": "it runs no model",
	}
	for _, cmd := range newRoot().Commands() {
		has, reason := cmd.Flags().Lookup("device") != nil, reasons[cmd.Name()]
		if has != (cmd.Flags().Lookup("tf32") != nil) {
			t.Errorf("mega %s has one of --device and --tf32", cmd.Name())
		}
		switch {
		case !has && reason == "":
			t.Errorf("mega %s has no --device (addDevice, onDevice), and no reason stands here", cmd.Name())
		case has && reason != "":
			t.Errorf("mega %s has --device, and a reason stands here why not: %s", cmd.Name(), reason)
		}
	}
}

// TestOnDevice: which device a name is, and what becomes of what a device fails at.
func TestOnDevice(t *testing.T) {
	asked := onInterpreters(t)
	for name, want := range map[string]int{"cuda:1": 1, "cuda": 1, "auto": 1} {
		t.Setenv("OMPI_COMM_WORLD_SIZE", "4")
		t.Setenv("OMPI_COMM_WORLD_LOCAL_RANK", "3")
		*asked = nil
		err := onDevice(io.Discard, &deviceFlags{name: name}, func(d device.Device) error {
			device.Lacks(d, "a thing")
			return nil
		})
		var failure *device.Failure
		if len(*asked) != 1 || (*asked)[0] != want || !errors.As(err, &failure) {
			t.Errorf("%s: devices %v were asked for, error %v", name, *asked, err)
		}
	}
	countGPUs = func() int { return 0 }
	if err := onDevice(io.Discard, &deviceFlags{name: "auto"}, func(d device.Device) error {
		if d != nil {
			t.Errorf("auto without a GPU is %v", d)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

// TestAutoWithoutGPU: auto is the CPU where there is no GPU, for flags that a device refuses
// too, and a device where there is one.
func TestAutoWithoutGPU(t *testing.T) {
	asked := onInterpreters(t)
	words := tableFile(t, "words.txt", "a b c d\n")
	bleu := []string{"score", "--sys", words, "--ref", words, "--device", "auto"}
	for _, c := range []struct {
		gpus   int
		args   []string
		status int
		want   string
	}{
		{0, []string{"bench", "lra-txt", "--device", "auto", "--profile"}, exitUsage, "lra-text"}, // as without --device
		{0, []string{"bench", "lra-txt", "--device", "auto", "--roofline"}, exitUsage, "lra-text"},
		{1, []string{"bench", "lra-txt", "--device", "auto", "--profile"}, exitUsage, "--device is not for --profile"},
		{0, bleu, exitOK, "BLEU"},
		{1, bleu, exitUsage, "--device is for language models"},
		{1, append(bleu[:len(bleu)-1:len(bleu)-1], "cuda:0"), exitUsage, "--device is for language models"},
		{0, append(bleu, "--tf32"), exitUsage, "--tf32 is set, and the CPU computes"},
	} {
		countGPUs = func() int { return c.gpus }
		status, out, stderr := command(t, c.args...)
		if status != c.status || !strings.Contains(out+stderr, c.want) {
			t.Errorf("mega %s with %d GPUs: status %d, %q, %q, want %d and %q", strings.Join(c.args, " "), c.gpus, status, out, stderr, c.status, c.want)
		}
	}
	if len(*asked) > 0 {
		t.Errorf("devices %v were opened", *asked)
	}
}

// TestFirstFailure: an evaluation on a device that breaks says what broke first.
func TestFirstFailure(t *testing.T) {
	onInterpreters(t)
	onGPU = func(_ string, _ int, f func(device.Device) error) error {
		return f(&devicetest.Broken{Device: devicetest.New(t)})
	}
	run := filepath.Join(t.TempDir(), "run")
	mustRun(t, deviceArgs(run, "--max-update", "1")...)
	status, _, stderr := command(t, "eval", run, "--device", "cuda:0")
	if status != exitFailure || !strings.Contains(stderr, "it is on fire") {
		t.Errorf("status %d: %s", status, stderr)
	}
}

// TestGraphsFail: what runs on a device whose graphs fail goes on, and the command says so
// once.
func TestGraphsFail(t *testing.T) {
	onInterpreters(t)
	inner := onGPU
	onGPU = func(name string, index int, f func(device.Device) error) error {
		return inner(name, index, func(d device.Device) error { return f(graphless{d.(device.Capturer)}) })
	}
	var stderr bytes.Buffer
	if err := onDevice(&stderr, &deviceFlags{name: "cuda:0"}, func(d device.Device) error {
		at, err := d.Alloc(4)
		for range 4 {
			err = errors.Join(err, kernels.Fill(d, at, 1, 1), d.Read(make([]byte, 4), at))
		}
		return err
	}); err != nil {
		t.Error(err)
	}
	if want := "mega: CUDA graphs failed, so steps are launched one by one from now on: no graph is to be had\n"; stderr.String() != want {
		t.Errorf("%q, want %q", stderr.String(), want)
	}
}

// A graphless device fails to capture.
type graphless struct{ device.Capturer }

func (graphless) Capture(func() error) (device.Graph, error) {
	return nil, errors.New("no graph is to be had")
}

// TestRunOnDevice: a command's flag reaches its function.
func TestRunOnDevice(t *testing.T) {
	onInterpreters(t)
	for _, on := range []deviceFlags{{name: "cpu"}, {name: "cuda:0"}, {name: "cuda:0", tf32: true, flags: newRoot().Flags()}} {
		if err := runOnDevice(&on, func(_ *cobra.Command, _ []string, d device.Device) error {
			if (d != nil) != (on.name != "cpu") || d != nil && d.TF32() != on.tf32 {
				t.Errorf("%+v is %v", on, d)
			}
			return nil
		})(newRoot(), nil); err != nil {
			t.Error(err)
		}
	}
}

// TestTF32Refused: no command takes --tf32 on the CPU or beside --bf16.
func TestTF32Refused(t *testing.T) {
	asked := onInterpreters(t)
	classifier, languageModel := filepath.Join("..", "..", "models", "go-files"), filepath.Join("..", "..", "models", "go-bytes")
	for _, args := range [][]string{
		deviceArgs(t.TempDir()),
		{"bench", "lra-text"}, {"bench", "decode"}, {"bench", "--roofline"},
		{"classify", classifier, "--text", "a"}, {"eval", classifier}, {"validate", classifier},
		{"eval-lm", languageModel, "--text", "testdata/reviews.csv"}, {"score", languageModel, "testdata/reviews.csv"},
		{"generate", languageModel, "a"}, {"interactive", languageModel}, {"translate", classifier}, {"serve", classifier},
		{"forward", classifier, "--input", "in.safetensors", "--output", "out.safetensors"},
	} {
		wants := map[string][]string{
			"--tf32 is set, and the CPU computes: it is for CUDA devices of compute capability 8.0 or later": {"--tf32"},
			"--tf32 is set; --bf16 is set too": {"--tf32", "--bf16", "--device", "cuda:0"},
		}
		for want, more := range wants {
			if (args[0] == "serve" || args[0] == "forward") && len(more) > 1 {
				continue // they have no --bf16
			}
			if status, _, stderr := command(t, slices.Concat(args, more)...); status != exitUsage || !strings.Contains(stderr, want) {
				t.Errorf("%v %v: status %d: %s, want %q", args, more, status, stderr, want)
			}
		}
	}
	if len(*asked) > 0 {
		t.Errorf("devices %v were asked for", *asked)
	}
}

// TestTF32Int8: weights in eight bits are not rounded to TF32.
func TestTF32Int8(t *testing.T) {
	onInterpreters(t)
	for name, use := range map[string]func(ints string) []string{
		"go-bytes":      func(ints string) []string { return []string{"score", ints, "testdata/reviews.csv"} },
		"numbers-en-de": func(ints string) []string { return []string{"translate", ints} },
	} {
		ints := filepath.Join(t.TempDir(), name)
		mustRun(t, "convert", filepath.Join("..", "..", "models", name), ints, "--int8")
		status, _, stderr := command(t, append(use(ints), "--device", "cuda:0", "--tf32")...)
		if want := "tf32 is set, and " + ints + " has int8 weights, which are multiplied in float32"; status != exitFailure || !strings.Contains(stderr, want) {
			t.Errorf("%s: status %d: %s, want %q", name, status, stderr, want)
		}
	}
}

// TestTF32Commands trains in TF32, and evaluates so and near float32.
func TestTF32Commands(t *testing.T) {
	if testing.Short() {
		t.Skip("not in short mode")
	}
	onInterpreters(t)
	run, on := filepath.Join(t.TempDir(), "run"), []string{"--device=cuda:0", "--tf32"}
	mustRun(t, deviceArgs(run, append(on, "--max-update", "1")...)...)
	if status, _, stderr := command(t, deviceArgs(run, "--device=cuda:0")...); status == exitOK || !strings.Contains(stderr, "training.tf32 was true") {
		t.Errorf("a run in TF32 goes on in float32: status %d: %s", status, stderr)
	}
	rounded, _ := mustRun(t, append([]string{"eval", run, "--json"}, on...)...)
	whole, _ := mustRun(t, "eval", run, "--json")
	var a, b classify.Evaluation
	if err := errors.Join(json.Unmarshal([]byte(rounded), &a), json.Unmarshal([]byte(whole), &b)); err != nil {
		t.Fatal(err)
	}
	if off := math.Abs(a.Loss - b.Loss); off == 0 || off > 1e-3 {
		t.Errorf("a loss of %v in TF32, %v in float32", a.Loss, b.Loss)
	}
}

// deviceArgs trains a model of less than no size on 24 texts.
func deviceArgs(dir string, more ...string) []string {
	return append(append(labelledArgs("testdata/reviews.csv", dir), "--encoder-embed-dim", "8", "--encoder-hidden-dim", "8",
		"--encoder-ffn-embed-dim", "8", "--z-dim", "4", "--batch-size", "12", "--max-update", "2", "--warmup-updates", "1",
		"--validate-interval-updates", "2", "--max-positions", "32", "--dropout", "0.1", "--json"), more...)
}

// sameAnswers holds the losses and answers of two evaluations, printed as JSON, together.
func sameAnswers(t *testing.T, what, got, want string) {
	t.Helper()
	var a, b classify.Evaluation
	if err := errors.Join(json.Unmarshal([]byte(got), &a), json.Unmarshal([]byte(want), &b)); err != nil {
		t.Fatalf("%s: %v in\n%s\n%s", what, err, got, want)
	}
	if a.Samples != b.Samples || a.Samples == 0 || a.Accuracy != b.Accuracy || math.Abs(a.Loss-b.Loss) > 1e-4 {
		t.Errorf("%s:\n%s\nwant\n%s", what, got, want)
	}
}

// TestTrainAndUseOnDevice trains, resumes, evaluates, validates and classifies on a device,
// which gives what the CPU gives, and trains on with the bits of a run that never stopped.
func TestTrainAndUseOnDevice(t *testing.T) {
	if testing.Short() {
		t.Skip("not in short mode")
	}
	asked := onInterpreters(t)
	const on = "--device=cuda:0"
	here, there, resumed := filepath.Join(t.TempDir(), "cpu"), filepath.Join(t.TempDir(), "gpu"), filepath.Join(t.TempDir(), "resumed")
	want, _ := mustRun(t, deviceArgs(here)...)
	got, _ := mustRun(t, deviceArgs(there, on)...)
	sameAnswers(t, "train", got, want)
	mustRun(t, deviceArgs(resumed, on, "--max-update", "1")...)
	mustRun(t, deviceArgs(resumed, on)...)
	for _, name := range []string{checkpoint.ModelFile, checkpoint.OptimizerFile} {
		if !bytes.Equal(lastSaved(t, resumed, name), lastSaved(t, there, name)) {
			t.Errorf("%s of a run that stopped and went on differs from one's that did not", name)
		}
	}
	for _, command := range []string{"eval", "validate"} {
		want, _ := mustRun(t, command, there, "--json")
		got, _ := mustRun(t, command, there, "--json", on)
		sameAnswers(t, command, got, want)
	}
	want, _ = mustRun(t, "classify", there, "--text", "a good film", "--text", "bad", "--json")
	got, _ = mustRun(t, "classify", there, "--text", "a good film", "--text", "bad", "--json", on)
	a, b := predictions(t, got), predictions(t, want)
	for i := range b {
		if a[i].Class != b[i].Class || math.Abs(a[i].Probability-b[i].Probability) > 1e-5 {
			t.Errorf("classify: %+v, want %+v", a[i], b[i])
		}
	}
	if len(a) != 2 || len(b) != 2 || len(*asked) != 6 {
		t.Errorf("%d and %d predictions; %d times a device was asked for", len(a), len(b), len(*asked))
	}
}

// lastSaved returns a file of a run's last checkpoint.
func lastSaved(t *testing.T, run, name string) []byte {
	t.Helper()
	last, err := train.LastCheckpoint(run)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(last, name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func predictions(t *testing.T, lines string) (out []classify.Prediction) {
	t.Helper()
	for d := json.NewDecoder(strings.NewReader(lines)); d.More(); {
		var p classify.Prediction
		if err := d.Decode(&p); err != nil {
			t.Fatal(err)
		}
		out = append(out, p)
	}
	return out
}
