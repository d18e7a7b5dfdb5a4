package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mega-go/mega/data/audio"
	"github.com/spf13/pflag"
)

// The parts of the reference's commands (examples/mega/README.lra.md and
// README.sc.md) that several share.
const (
	refStart = `--seed 1 --ddp-backend c10d --find-unused-parameters `
	refLoss  = ` --criterion lra_cross_entropy --best-checkpoint-metric accuracy --maximize-best-checkpoint-metric
		--optimizer adam --adam-betas|(0.9, 0.98) --adam-eps 1e-8 --clip-norm 1.0 --attention-dropout 0.0 --act-dropout 0.0
		--sentence-avg --lr-scheduler linear_decay --end-learning-rate 0.0 --warmup-init-lr 1e-07 --keep-last-epochs 1
		--log-format simple --log-interval 100 --num-workers 0 `
	refText = refStart + refLoss + ` --task lra-text --input-type text --n-dim 16 --chunk-size 16 --activation-fn silu
		--attention-activation-fn softmax --sen-rep-type mp --dropout 0.1 `
	refImage = refStart + refLoss + ` --task lra-image --input-type image --n-dim 16 --chunk-size 16 --activation-fn silu
		--attention-activation-fn laplace --sen-rep-type mp --encoder-normalize-before --dropout 0.0 `
	refSpeech = refStart + refLoss + ` --task speech_commands --encoder-normalize-before --dropout 0.0 --weight-decay 0.01
		--batch-size 20 --update-freq 1 --max-update 250000 --total-num-update 250000 --warmup-updates 10000
		--required-batch-size-multiple 1 --sentence-class-num 10 --max-positions 16000 --sc-dropped-rate 0. `
)

// referenceCommands are the reference's commands by our preset for them, and
// the distribution that their data is made from here.
var referenceCommands = []struct{ preset, from, flags string }{
	{"lra-listops", "listops-tsv", refText + `-a mega_lra_listop --encoder-layers 6 --norm-type layernorm --lr 0.001 --weight-decay 0.01
		--batch-size 64 --update-freq 1 --max-update 90000 --max-sentences-valid 256 --total-num-update 90000
		--warmup-updates 3000 --required-batch-size-multiple 1`},
	{"lra-text", "imdb", refText + `-a mega_lra_imdb --encoder-layers 4 --norm-type scalenorm --lr 0.004 --weight-decay 0.01
		--batch-size 25 --update-freq 2 --max-update 25000 --required-batch-size-multiple 1 --total-num-update 25000
		--warmup-updates 10000 --max-sentences-valid 100`},
	{"lra-retrieval", "aan", refText + `-a mega_lra_aan --encoder-layers 6 --norm-type scalenorm --lr 0.003 --weight-decay 0.04
		--batch-size 8 --update-freq 8 --max-update 91960 --total-num-update 91960 --warmup-updates 10000 --max-sentences-valid 64`},
	{"lra-image", "cifar10", refImage + `-a mega_lra_cifar10 --pixel-normalization 0.48 0.24 --encoder-layers 8 --norm-type batchnorm
		--lr 0.01 --weight-decay 0.02 --batch-size 50 --update-freq 1 --max-update 180000 --total-num-update 180000
		--warmup-updates 9000 --required-batch-size-multiple 1`},
	{"lra-pathfinder", "pathfinder-images", refImage + `-a mega_lra_pf32 --pixel-normalization 0.5 0.5 --encoder-layers 6
		--norm-type batchnorm --lr 0.01 --weight-decay 0.01 --batch-size 128 --update-freq 1 --max-update 250000
		--total-num-update 250000 --warmup-updates 50000 --max-sentences-valid 512`},
	{"lra-pathx", "pathfinder-images", refImage + `-a mega_lra_pf128 --pixel-normalization 0.5 0.5 --encoder-layers 4
		--norm-type syncbatchnorm --lr 0.01 --weight-decay 0.01 --batch-size 2 --update-freq 8 --max-update 125000
		--total-num-update 125000 --warmup-updates 25000 --warmup-power 2 --max-sentences-valid 12`},
	{"sc-raw", "speech", refSpeech + `-a mega_sc_raw_base --lr 0.01`},
	{"sc-raw-big", "speech", refSpeech + `-a mega_sc_raw_big --lr 0.008`},
}

// tinyFlags make any of the commands short.
const tinyFlags = `--encoder-layers 1 --encoder-embed-dim 8 --encoder-hidden-dim 8 --z-dim 4 --max-update 1 --total-num-update 2 --warmup-updates 1 --update-freq 1 --sc-length 1000`

// refFlags splits flags at white space; | stands for a space in a value.
func refFlags(flags string) []string {
	out := strings.Fields(strings.ReplaceAll(flags, "|(0.9, 0.98)", " (0.9,|0.98)"))
	for i := range out {
		out[i] = strings.ReplaceAll(out[i], "|", " ")
	}
	return out
}

// distribution writes a tiny one in the layout of the original and returns where
// it is and further flags to convert it.
func distribution(t *testing.T, kind string) (dir string, flags []string) {
	t.Helper()
	dir = t.TempDir()
	put := func(name, text string) { write(t, filepath.Join(dir, name), text) }
	switch kind {
	case "listops-tsv":
		for _, split := range []string{"train", "val", "test"} {
			put("basic_"+split+".tsv", "Source\tTarget\r\n( ( ( [MAX 2 ) 9 ) ] )\t9\r\n( ( ( [SM 2 ) 9 ) ] )\t1\r\n")
		}
	case "imdb":
		for i := range 4 {
			put(fmt.Sprintf("train/neg/%d_1.txt", i), strings.Repeat("a bad film. ", i+1))
			put(fmt.Sprintf("train/pos/%d_9.txt", i), strings.Repeat("a good film! ", i+1))
			put(fmt.Sprintf("test/neg/%d_1.txt", i), "bad")
			put(fmt.Sprintf("test/pos/%d_9.txt", i), "good")
		}
	case "aan":
		for _, split := range []string{"train", "eval", "test"} {
			put("new_aan_pairs."+split+".tsv", "1.0\tP1\tP2\ton attention\ton averages\n0.0\tP1\tP3\ton attention\tbread\n")
		}
	case "cifar10":
		record := func(i int) string {
			return string([]byte{byte(i % 10)}) + strings.Repeat(string([]byte{byte(20 * i)}), 1024) + strings.Repeat("x", 2048)
		}
		for i := range 5 {
			put(fmt.Sprintf("cifar-10-batches-bin/data_batch_%d.bin", i+1), record(2*i)+record(2*i+1))
		}
		put("cifar-10-batches-bin/test_batch.bin", record(3)+record(4))
	case "pathfinder-images":
		const group = "pathfinder8/curv_contour_length_14/"
		metadata := ""
		for i := range 20 {
			metadata += fmt.Sprintf("imgs/0 sample_%d.png %d %d 0.5 14\n", i, i, i%2)
			put(fmt.Sprintf("%simgs/0/sample_%d.png", group, i), greyPNG(t, 8, byte(10*i)))
		}
		put(group+"metadata/1.npy", metadata)
		return dir, []string{"--size", "8"}
	case "speech":
		flags = []string{"--sc-length", "1000"}
		for w, word := range audio.SC10 {
			for i, list := range []string{"", "", "validation_list.txt", "testing_list.txt"} {
				name := fmt.Sprintf("%s/v%d_nohash_0.wav", word, i)
				put(name, toneWAV(t, 90*(w+1)))
				if list != "" {
					appendLine(t, filepath.Join(dir, list), name)
				}
			}
		}
	}
	return dir, flags
}

func greyPNG(t *testing.T, size int, v byte) string {
	t.Helper()
	img := image.NewGray(image.Rect(0, 0, size, size))
	for i := range img.Pix {
		img.Pix[i] = v
	}
	img.SetGray(0, 0, color.Gray{255 - v})
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func toneWAV(t *testing.T, n int) string {
	t.Helper()
	clip := &audio.Clip{Rate: 16000, Samples: make([]float32, n)}
	for i := range clip.Samples {
		clip.Samples[i] = float32(i%7)/8 - 0.4
	}
	var b bytes.Buffer
	if err := audio.WriteWAV(&b, clip); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func appendLine(t *testing.T, path, line string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := fmt.Fprintln(f, line); err != nil {
		t.Fatal(err)
	}
}

// TestReferenceCommands converts each distribution, runs the reference's command
// on it, made small at its end, validates it and classifies an input with it.
func TestReferenceCommands(t *testing.T) {
	for _, c := range referenceCommands {
		t.Run(c.preset, func(t *testing.T) {
			from, flags := distribution(t, c.from)
			data, run := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "run")
			mustRun(t, append([]string{"data", c.from, from, data}, flags...)...)
			args := append([]string{"train", data, "--save-dir", run}, refFlags(c.flags+" "+tinyFlags)...)
			if _, err := mustRun(t, args...); strings.Count(err, "has no effect") != 4 {
				t.Errorf("flags without effect in %q, want four", err)
			}
			out, _ := mustRun(t, "validate", data, "--path", run, "--json")
			var e struct {
				Split     string
				Loss      float64
				Confusion [][]int
			}
			if err := json.Unmarshal([]byte(out), &e); err != nil || e.Split != "valid" || !(e.Loss > 0) || len(e.Confusion) < 2 {
				t.Errorf("validate: %s, %v", out, err)
			}
			classifyOne(t, c.from, from, run)
		})
	}
}

// TestGoldenValidate gives the numbers that the reference's validate.py printed
// of its models, on the same data (testdata/golden/README.md).
func TestGoldenValidate(t *testing.T) {
	pairs, images := filepath.Join("..", "..", "data", "testdata", "text"), filepath.Join("..", "..", "data", "testdata", "image")
	texts := t.TempDir() // the first texts of the pairs
	for _, part := range []string{"src-bin", "label-bin"} {
		if err := os.CopyFS(filepath.Join(texts, part), os.DirFS(filepath.Join(pairs, part))); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		data, model    string
		samples        int
		loss, accuracy float64
	}{
		{texts, "lra_text", 50, 0.998, 64},
		{texts, "lra_listops", 50, 1.094, 52},
		{pairs, "lra_retrieval", 50, 0.993, 60},
		{images, "lra_image", 32, 1.276, 59.375},
		{images, "lra_pathfinder", 32, 0.627, 81.25},
	} {
		out, _ := mustRun(t, "validate", c.data, "--path", golden(c.model), "--json")
		var e struct {
			Split          string
			Samples        int
			Loss, Accuracy float64
		}
		if err := json.Unmarshal([]byte(out), &e); err != nil {
			t.Fatal(err)
		}
		if e.Split != "valid" || e.Samples != c.samples || math.Abs(e.Loss-c.loss) > 0.0005 || e.Accuracy != c.accuracy {
			t.Errorf("%s: %d samples of %s, loss %.4f, accuracy %g; want %d of valid, %.3f, %g",
				c.model, e.Samples, e.Split, e.Loss, e.Accuracy, c.samples, c.loss, c.accuracy)
		}
	}
}

// classifyOne asks a trained model about an input of a distribution.
func classifyOne(t *testing.T, kind, from, run string) {
	t.Helper()
	inputs, class := map[string][]string{
		"listops-tsv":       {"--text", "( ( ( [MAX 2 ) 9 ) ] )"},
		"imdb":              {filepath.Join(from, "test/pos/0_9.txt")},
		"aan":               {"--text", "on", "--text", "attention"},
		"cifar10":           {filepath.Join(from, "a.png")},
		"pathfinder-images": {filepath.Join(from, "pathfinder8/curv_contour_length_14/imgs/0/sample_3.png")},
		"speech":            {filepath.Join(from, "yes/v3_nohash_0.wav")},
	}[kind], map[string][]string{
		"listops-tsv": {"1", "9", "class 2"}, "imdb": {"pos", "neg"}, "aan": {"0", "1"},
		"cifar10": {"frog", "ship"}, "pathfinder-images": {"joined", "apart"}, "speech": {"yes", "stop"},
	}[kind]
	write(t, filepath.Join(from, "a.png"), greyPNG(t, 40, 9))
	out, _ := mustRun(t, append([]string{"classify", "--checkpoint", run, "--top", "0"}, inputs...)...)
	for _, name := range class[:2] {
		if !strings.Contains(out, "\t"+name+" ") {
			t.Errorf("classify printed %q, without the class %s", out, name)
		}
	}
	if strings.Contains(out, "unknown") {
		t.Errorf("classify printed %q", out)
	}
}

// classifierConfigs returns what a train command makes of its flags: model, data
// and training.
func classifierConfigs(t *testing.T, args []string) (out [3]string) {
	t.Helper()
	kind := newClassifierKind()
	c := &trainCommand{kinds: []modelKind{kind}}
	flags := pflag.NewFlagSet("train", pflag.ContinueOnError)
	c.addFlags(flags)
	if err := flags.Parse(joinPairs(args)); err != nil {
		t.Fatal(err)
	}
	_, _, training, err := c.configs(flags.Args())
	if err != nil {
		t.Fatal(err)
	}
	for i, config := range []any{kind.model, kind.data, training} {
		text, err := json.Marshal(config)
		if err != nil {
			t.Fatal(err)
		}
		out[i] = string(text)
	}
	return out
}

// TestPresetsAreTheReferencesCommands: a preset trains as the reference's
// command does.
func TestPresetsAreTheReferencesCommands(t *testing.T) {
	for _, c := range referenceCommands {
		from := t.TempDir()
		configs := func(args ...string) [3]string {
			expanded, err := expandPreset(joinPairs(append([]string{"train"}, args...)))
			if err != nil {
				t.Fatal(err)
			}
			return classifierConfigs(t, append(expanded[1:], from))
		}
		preset := configs("--preset", c.preset, "--chunk-size", "16", "--required-batch-size-multiple", "1")
		command := configs(append(refFlags(c.flags), "--required-batch-size-multiple", "1")...)
		if strings.HasPrefix(c.preset, "sc-") { // whose command does not give the chunk
			preset = configs("--preset", c.preset, "--required-batch-size-multiple", "1")
		}
		if preset != command {
			t.Errorf("%s differs from the reference's command:\n%v\n%v", c.preset, preset, command)
		}
	}
}

// TestClassifyIsInterrupted: a stream from which nothing comes does not hold the
// command.
func TestClassifyIsInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	never, end := io.Pipe()
	defer end.Close()
	time.AfterFunc(50*time.Millisecond, cancel)
	err := interruptible(ctx, func() error { _, err := never.Read(make([]byte, 1)); return err })
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestClassifyUsage(t *testing.T) {
	for want, args := range map[string][]string{
		"no input":             {"classify", "--checkpoint", "x"},
		"--window is for":      {"classify", "--window", "3", "m", "x"},
		"--rate is for --raw":  {"classify", "--stream", "--rate", "8000", "m", "x"},
		"reads one INPUT":      {"classify", "--stream", "m", "a", "b"},
		"as --checkpoint":      {"classify", "--text", "x"},
		"goes with --dict":     {"classify", "--label-dict", "d", "m", "x"},
		"--batch-size is 0":    {"classify", "--batch-size", "0", "m", "x"},
		"exclude each other":   {"data", "speech", "a", "b", "--sc-all-classes", "--sc-words", "on"},
		"ending in .png, .svg": {"eval", "--checkpoint", golden("lra_text"), "--plot", "x.gif"},
		"--to huggingface":     {"convert", golden("lra_text"), "x.pt", "--hf-torch-file"},
	} {
		status, _, stderr := command(t, args...)
		if status == exitOK || !strings.Contains(stderr, want) {
			t.Errorf("mega %s: status %d, %q; want it to hold %q", strings.Join(args, " "), status, stderr, want)
		}
	}
}
