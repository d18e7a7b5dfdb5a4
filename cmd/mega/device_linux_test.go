package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/mega-go/mega/internal/cuda/device"
	"github.com/mega-go/mega/internal/cuda/devicetest"
)

// useInterpreter puts the interpreter of kernels in the place of GPUs. As these do, it
// works on one thread alone.
func useInterpreter(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("the interpreter takes its time")
	}
	before := onGPU
	t.Cleanup(func() { onGPU = before })
	onGPU = func(_ string, _ int, f func(device.Device) error) error {
		m, err := devicetest.Kernels()
		if err != nil {
			return err
		}
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		return f(&threadDevice{device.NewInterpreter(m), syscall.Gettid()})
	}
}

// A threadDevice is a device that works on one thread alone.
type threadDevice struct {
	device.Device
	thread int
}

func (d *threadDevice) check() error {
	if syscall.Gettid() != d.thread {
		return errors.New("the device is used from another thread")
	}
	return nil
}

func (d *threadDevice) Alloc(n int) (device.Address, error) {
	if err := d.check(); err != nil {
		return 0, err
	}
	return d.Device.Alloc(n)
}

func (d *threadDevice) Free(at device.Address) error {
	return errors.Join(d.check(), d.Device.Free(at))
}

func (d *threadDevice) Write(at device.Address, data []byte) error {
	return errors.Join(d.check(), d.Device.Write(at, data))
}

func (d *threadDevice) Read(data []byte, at device.Address) error {
	return errors.Join(d.check(), d.Device.Read(data, at))
}

func (d *threadDevice) Launch(kernel string, grid, block [3]int, args ...any) error {
	return errors.Join(d.check(), d.Device.Launch(kernel, grid, block, args...))
}

// writeText writes a short text to a file.
func writeText(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "text.txt")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestLanguageCommandsOnDevice holds what commands make with language models on a device
// against what they make on the CPU.
func TestLanguageCommandsOnDevice(t *testing.T) {
	useInterpreter(t)
	model, text := golden("lm_enwik8"), writeText(t, "The quick brown fox\njumps over it.\n")
	state := filepath.Join(t.TempDir(), "state")
	for name, args := range map[string][]string{
		"generate":    {"generate", model, filepath.Join(model, "text"), "--prompt", "The q", "--sampling-topk", "1", "--max-len-b", "9", "--save-state", state},
		"beam":        {"generate", model, filepath.Join(model, "text"), "--prompt", "The q", "--beam", "2", "--max-len-b", "4"},
		"interactive": {"interactive", model, filepath.Join(model, "text"), "--input", text, "--sampling-topk", "1", "--max-len-b", "3", "--keep"},
	} {
		want, _ := mustRun(t, args...)
		got, _ := mustRun(t, append(args, "--device", "cuda:0")...)
		if withoutScore(got) != withoutScore(want) || got == "" {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	// The device has saved a state last: the CPU and the device go on from it.
	goOn := []string{"generate", filepath.Join(model, "text"), "--path", model, "--load-state", state, "--max-len-b", "3", "--sampling-topk", "1"}
	want, _ := mustRun(t, goOn...)
	if got, _ := mustRun(t, append(goOn, "--device", "cuda:0")...); got != want || len(got) < 3 {
		t.Errorf("after a saved state: %q, want %q", got, want)
	}
	compareScores(t, "log_prob", "score", model, filepath.Join(model, "text"), text, "--json")
	compareScores(t, "loss", "eval-lm", wordsOf(t, model), "--path", model, "--gen-subset", "test", "--json")
}

// withoutScore is what a command prints without a log-probability, whose last digits differ.
func withoutScore(out string) string {
	head, tail, _ := strings.Cut(out, "(log-probability")
	_, tail, _ = strings.Cut(tail, ")")
	return head + tail
}

// wordsOf returns a directory of a short text in the words of a model's dictionary.
func wordsOf(t *testing.T, model string) string {
	t.Helper()
	dict := filepath.Join(model, "text", "dict.txt")
	lines, err := os.ReadFile(dict)
	if err != nil {
		t.Fatal(err)
	}
	var words strings.Builder
	for i, line := range strings.Split(strings.TrimSpace(string(lines)), "\n") {
		word, _, _ := strings.Cut(line, " ")
		words.WriteString(word + " ")
		if i%30 == 29 {
			words.WriteString("\n")
		}
	}
	dir := filepath.Join(t.TempDir(), "bin")
	mustRun(t, "preprocess", "--only-source", "--srcdict", dict, "--testpref", writeText(t, words.String()+"\n"), "--destdir", dir)
	return dir
}

// compareScores compares a number in each line of what a command prints as JSON.
func compareScores(t *testing.T, key string, args ...string) {
	t.Helper()
	numbers := func(args []string) (all []float64) {
		out, _ := mustRun(t, args...)
		for d := json.NewDecoder(strings.NewReader(out)); d.More(); {
			var line map[string]any
			if err := d.Decode(&line); err != nil {
				t.Fatal(err)
			}
			all = append(all, line[key].(float64))
		}
		return all
	}
	want, got := numbers(args), numbers(append(args, "--device", "cuda:0"))
	for i := range want {
		if !(math.Abs(got[i]/want[i]-1) < 1e-5) {
			t.Errorf("%s: %v, want %v", args[0], got, want)
		}
	}
}

// TestTranslateOnDevice holds translations on a device against those of the CPU.
func TestTranslateOnDevice(t *testing.T) {
	useInterpreter(t)
	for _, args := range [][]string{
		{"translate", pairsDir, "--checkpoint", golden("mt_wmt"), "--beam", "2"},
		{"interactive", pairsDir, "--path", golden("mt_wmt"), "--beam", "1", "--print-alignment"},
	} {
		const text = "forty two\neleven\n"
		_, want, _ := withInput(t, text, args...)
		status, got, stderr := withInput(t, text, append(args, "--device", "cuda:0")...)
		if status != exitOK || withoutScores(got) != withoutScores(want) || got == "" {
			t.Errorf("%s: status %d, %q, %q, want %q", args[0], status, got, stderr, want)
		}
	}
}

// TestGenerateTranslationsOnDevice holds translations of a data set, searched and scored, on
// a device against those of the CPU.
func TestGenerateTranslationsOnDevice(t *testing.T) {
	useInterpreter(t)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "test.en"), "forty two\neleven\n")
	write(t, filepath.Join(dir, "test.de"), "zwei und vierzig\nelf\n")
	data := filepath.Join(dir, "bin")
	mustRun(t, "preprocess", "-s", "en", "-t", "de", "--srcdict", filepath.Join(pairsDir, "dict.en.txt"), "--tgtdict", filepath.Join(pairsDir, "dict.de.txt"),
		"--testpref", filepath.Join(dir, "test"), "--destdir", data)
	for _, more := range [][]string{{"--beam", "2", "--max-len-b", "4"}, {"--score-reference"}} {
		args := append([]string{"generate", data, "--path", golden("mt_wmt")}, more...)
		want, _ := mustRun(t, args...)
		got, _ := mustRun(t, append(args, "--device", "cuda:0")...)
		got, want = withoutTimes(got), withoutTimes(want)
		if withoutScores(got) != withoutScores(want) || !strings.Contains(got, "H-1") {
			t.Errorf("%v: %q, want %q", more, got, want)
		}
	}
}

// withoutTimes leaves out what a command says of how long it took.
func withoutTimes(out string) string {
	var b strings.Builder
	for line := range strings.Lines(out) {
		if !strings.Contains(line, "sentences") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// TestClassifyOnDevice holds classes of pictures, and of a stream of grey ones, on a device
// against those of the CPU.
func TestClassifyOnDevice(t *testing.T) {
	useInterpreter(t)
	stream := filepath.Join(t.TempDir(), "pixels")
	write(t, stream, strings.Repeat("some grey pixels", 40))
	for _, args := range [][]string{
		{"classify", golden("imagenet"), filepath.Join(pictureFiles(t), "a.png")},
		{"classify", golden("lra_image"), "--stream", stream, "--window", "256"},
	} {
		want, _ := mustRun(t, append(args, "--json")...)
		got, _ := mustRun(t, append(args, "--json", "--device", "cuda:0")...)
		a, b := predictions(t, got), predictions(t, want)
		if len(a) != len(b) || len(b) == 0 {
			t.Fatalf("%v: %d predictions, want %d", args, len(a), len(b))
		}
		for i := range b {
			if a[i].Class != b[i].Class || math.Abs(a[i].Probability-b[i].Probability) > 1e-5 {
				t.Errorf("%v: %+v, want %+v", args, a[i], b[i])
			}
		}
	}
}

// pictureFiles returns a directory with a picture, a.png.
func pictureFiles(t *testing.T) string {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, 20, 16))
	for i := range img.Pix {
		img.Pix[i] = uint8(i * 7)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.png"), b.String())
	return dir
}

// withoutScores leaves out lines of scores, and scores before hypotheses.
func withoutScores(out string) string {
	var b strings.Builder
	for line := range strings.Lines(out) {
		fields := strings.Split(line, "\t")
		if strings.HasPrefix(line, "P-") {
			continue
		}
		fmt.Fprintln(&b, fields[0], fields[len(fields)-1])
	}
	return b.String()
}

// TestServeOnDevice holds that a server with several models on a device completes,
// translates and goes on from a state, as it does on the CPU.
func TestServeOnDevice(t *testing.T) {
	useInterpreter(t)
	want, got := serveAnswers(t, "cpu"), serveAnswers(t, "cuda:0")
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%s, want %s", got[i], want[i])
		}
	}
}

// serveData returns a directory with the dictionaries of a language model and a translator.
func serveData(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, from := range []string{filepath.Join(golden("lm_enwik8"), "text"), pairsDir} {
		if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// serveAnswers returns what a server answers, scores left out.
func serveAnswers(t *testing.T, on string) (answers []string) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	r, w := io.Pipe()
	var status int
	var stderr strings.Builder
	var ended sync.WaitGroup
	ended.Go(func() {
		status = run(ctx, []string{"serve", "lm=" + golden("lm_enwik8"), "mt=" + golden("mt_wmt"),
			"--data", serveData(t), "--address", "127.0.0.1:0", "--reload", "0", "--device", on}, strings.NewReader(""), w, &stderr)
		w.Close()
	})
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		ended.Wait()
		t.Fatalf("%v: status %d, %s", err, status, stderr.String())
	}
	url := strings.TrimSpace(strings.TrimPrefix(line, "serving at "))
	ask := func(path, body string) map[string]any {
		t.Helper()
		a, err := http.Post(url+path, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer a.Body.Close()
		var out any
		if err := json.NewDecoder(a.Body).Decode(&out); err != nil || a.StatusCode != http.StatusOK {
			t.Fatalf("%s on %s: status %d, %v, %v", path, on, a.StatusCode, out, err)
		}
		if list, ok := out.([]any); ok {
			return list[0].(map[string]any)
		}
		return out.(map[string]any)
	}
	first := ask("/v1/completions", `{"model":"lm","prompt":"The q","max_tokens":5,"temperature":0,"return_state":true}`)
	choice := first["choices"].([]any)[0].(map[string]any)
	more, err := json.Marshal(map[string]any{"model": "lm", "state": choice["state"], "prompt": "a", "max_tokens": 3, "temperature": 0})
	if err != nil {
		t.Fatal(err)
	}
	second := ask("/v1/completions", string(more))["choices"].([]any)[0].(map[string]any)
	translated := ask("/translate", `{"model":"mt","q":"forty two","source":"en","target":"de","beam":1}`)
	answers = append(answers, fmt.Sprint(choice["text"]), fmt.Sprint(second["text"]), fmt.Sprint(translated["translatedText"]))
	stop()
	if _, err := io.Copy(io.Discard, r); err != nil {
		t.Fatal(err)
	}
	if ended.Wait(); status != exitOK {
		t.Errorf("on %s: status %d, %s", on, status, stderr.String())
	}
	return answers
}
