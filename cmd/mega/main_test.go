package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mega-go/mega/checkpoint"
)

// command runs a command line and returns its exit status and what it printed.
func command(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	status = run(context.Background(), args, strings.NewReader(""), &out, &err)
	return status, out.String(), err.String()
}

func golden(name string) string { return filepath.Join("..", "..", "testdata", "golden", name) }

// tiny is a training command that takes a second.
func tiny(dir string, more ...string) []string {
	return append([]string{
		"train", "--preset", "listops-short", "--save-dir", dir, "--encoder-layers", "1", "--encoder-embed-dim", "16",
		"--encoder-hidden-dim", "32", "--z-dim", "16", "--n-dim", "2", "--listops-length", "5,20", "--listops-sizes", "200,50,50",
		"--batch-size", "16", "--max-update", "12", "--total-num-update", "12", "--warmup-updates", "4", "--log-interval", "4",
	}, more...)
}

func TestTrainEvalInspectPlot(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	status, out, err := command(t, tiny(dir)...)
	if status != exitOK {
		t.Fatalf("status %d: %s", status, err)
	}
	first := out
	for _, want := range []string{"test: accuracy", "most frequent class", "run directory"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in %q", want, out)
		}
	}
	for _, file := range []string{"config.json", "metrics.jsonl", "train.log", "curve.svg", "curve.png", "checkpoints/checkpoint_best/model.safetensors"} {
		if _, err := os.Stat(filepath.Join(dir, file)); err != nil {
			t.Error(err)
		}
	}
	if status, out, err = command(t, "eval", "--checkpoint", dir, "--json"); status != exitOK {
		t.Fatalf("eval: status %d: %s", status, err)
	}
	var e struct {
		Split    string
		Samples  int
		Accuracy float64
	}
	if err := json.Unmarshal([]byte(out), &e); err != nil || e.Split != "test" || e.Samples != 50 {
		t.Errorf("eval printed %q: %v", out, err)
	}
	plot := filepath.Join(dir, "halflives.png")
	if status, out, err = command(t, "inspect", dir, "--plot", plot); status != exitOK || !strings.Contains(out, "half-lives") {
		t.Errorf("inspect: status %d: %s%s", status, out, err)
	}
	if status, _, err = command(t, "plot", dir, dir, "--output", filepath.Join(dir, "both.svg")); status != exitOK {
		t.Errorf("plot: status %d: %s", status, err)
	}
	os.Remove(filepath.Join(dir, "curve.png"))
	status, again, err := command(t, tiny(dir)...)
	if status != exitOK || again != first || !strings.Contains(err, "finished") {
		t.Errorf("a finished run started again: status %d, %q, want %q: %s", status, again, first, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "curve.png")); err != nil {
		t.Error(err)
	}
}

func TestInterruptedTrainingResumes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var out, err bytes.Buffer
	if status := run(ctx, tiny(dir), strings.NewReader(""), &out, &err); status != exitInterrupted {
		t.Fatalf("status %d, want %d: %s", status, exitInterrupted, err.String())
	}
	if status, _, err := command(t, tiny(dir)...); status != exitOK {
		t.Fatalf("resuming: status %d: %s", status, err)
	}
}

func TestForwardCommand(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out.safetensors")
	status, _, err := command(t, "forward", "--checkpoint", golden("lra_text"),
		"--input", filepath.Join(golden("lra_text"), "golden.safetensors"), "--prefix", "b0.", "--train", "--output", out)
	if status != exitOK {
		t.Fatalf("status %d: %s", status, err)
	}
	if _, err := os.Stat(out); err != nil {
		t.Error(err)
	}
}

// copyGolden copies a golden checkpoint so that a test can break it.
func copyGolden(t *testing.T, name string) string {
	t.Helper()
	dir := t.TempDir()
	for _, file := range []string{"args.json", "model.safetensors"} {
		data, err := os.ReadFile(filepath.Join(golden(name), file))
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, file), string(data))
	}
	return dir
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

// TestBadInput: each mistake gets one line that says what is wrong, the right
// status, and leaves nothing behind.
func TestBadInput(t *testing.T) {
	truncated := copyGolden(t, "lra_text")
	data, err := os.ReadFile(filepath.Join(truncated, "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(truncated, "model.safetensors"), string(data[:len(data)/2]))

	foreign := t.TempDir()
	write(t, filepath.Join(foreign, "notes.txt"), "hello")
	write(t, filepath.Join(foreign, "notes.pt"), "no pickle")

	unknown := t.TempDir()
	write(t, filepath.Join(unknown, "model.safetensors"), string(data))
	config, err := json.Marshal(checkpoint.Config{Task: "classification", Model: json.RawMessage(`{"chunksize": 3}`)})
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(unknown, "config.json"), string(config))

	images := filepath.Join(t.TempDir(), "images")
	for _, split := range []string{"train", "valid"} {
		write(t, filepath.Join(images, "input", split+".src"), "1 2 3 4\n5 6 7 8\n")
		write(t, filepath.Join(images, "label", split+".label"), "0\n7\n")
	}
	empty := filepath.Join(t.TempDir(), "empty")
	for _, file := range []string{"input/train.src", "label/train.label", "input/valid.src", "label/valid.label"} {
		write(t, filepath.Join(empty, file), "")
	}
	train := func(more ...string) []string { return tiny(filepath.Join(t.TempDir(), "run"), more...) }
	pixels := func(dir string) []string {
		return []string{"train", dir, "--arch", "mega_lra_pf32", "--task", "lra-image", "--save-dir", filepath.Join(t.TempDir(), "run"), "--batch-size", "2", "--max-update", "1"}
	}
	for name, c := range map[string]struct {
		args   []string
		status int
		want   string
	}{
		"no command":             {[]string{"trian"}, exitUsage, "unknown command"},
		"unknown flag":           {train("--encoder-layer", "3"), exitUsage, "--encoder-layers"},
		"unknown preset":         {[]string{"train", "--preset", "listops-shrt"}, exitUsage, `did you mean "listops-short"`},
		"unknown arch":           {[]string{"train", "--arch", "mega_lra_listops"}, exitUsage, "mega_lra_listop"},
		"no arch":                {[]string{"train"}, exitUsage, "--preset NAME or --arch"},
		"bad number":             {train("--lr", "fast"), exitUsage, `"fast"`},
		"odd rotary":             {train("--rel-pos-bias", "rotary", "--z-dim", "15"), exitUsage, "--z-dim is 15"},
		"zero chunk":             {train("--chunk-size", "0"), exitUsage, "--chunk-size is 0"},
		"unknown norm":           {train("--norm-type", "batch"), exitUsage, "--norm-type"},
		"negative dropout":       {train("--dropout", "-1"), exitUsage, "dropout"},
		"too short for data":     {train("--max-positions", "6"), exitFailure, "--max-positions = 6"},
		"unknown criterion":      {train("--criterion", "mse"), exitUsage, "lra_cross_entropy"},
		"truncated checkpoint":   {[]string{"inspect", truncated}, exitFailure, "model.safetensors"},
		"foreign directory":      {[]string{"inspect", foreign}, exitFailure, "no checkpoint"},
		"foreign file":           {[]string{"inspect", filepath.Join(foreign, "notes.pt")}, exitFailure, "notes.pt"},
		"missing checkpoint":     {[]string{"inspect", filepath.Join(foreign, "none")}, exitFailure, "none"},
		"unknown key":            {[]string{"forward", "--checkpoint", unknown, "--input", "x", "--output", "y"}, exitFailure, "x"},
		"eval needs a model":     {[]string{"eval"}, exitUsage, "--checkpoint"},
		"label out of range":     {pixels(images), exitFailure, "train.label:2"},
		"empty data":             {pixels(empty), exitFailure, "empty"},
		"no data":                {pixels(filepath.Join(empty, "none")), exitFailure, "none"},
		"unknown workload":       {[]string{"bench", "lra-txt"}, exitUsage, "lra-text"},
		"plot of what":           {[]string{"bench", "scaling", "--plot", "x.txt"}, exitUsage, ".png"},
		"profile of scaling":     {[]string{"bench", "scaling", "--profile"}, exitUsage, "--profile"},
		"profile of decoding":    {[]string{"bench", "decode", "--profile"}, exitUsage, "decode"},
		"roofline in bfloat16":   {[]string{"bench", "lra-text", "--bf16", "--roofline"}, exitUsage, "--bf16"},
		"profile of a device":    {[]string{"bench", "lra-text", "--device", "cuda", "--profile"}, exitUsage, "--device"},
		"batch of decoding":      {[]string{"bench", "decode", "--batch", "4"}, exitUsage, "--batch"},
		"bench on no device":     {[]string{"bench", "lra-text", "--device", "gpu"}, exitUsage, "want cpu, cuda"},
		"contexts that descend":  {[]string{"bench", "decode", "--context", "9,1"}, exitUsage, "context"},
		"too many arguments":     {[]string{"inspect", "a", "b"}, exitUsage, "one checkpoint"},
		"plot of nothing":        {[]string{"plot"}, exitUsage, "run directories"},
		"listops without length": {[]string{"data", "listops", filepath.Join(t.TempDir(), "x"), "--min-length", "9", "--max-length", "3"}, exitUsage, "lengths"},
	} {
		t.Run(name, func(t *testing.T) {
			status, out, stderr := command(t, c.args...)
			last := strings.TrimSpace(stderr[strings.LastIndex(strings.TrimSpace(stderr), "\n")+1:])
			if status != c.status || !strings.HasPrefix(last, "mega: ") || !strings.Contains(last, c.want) {
				t.Errorf("status %d, want %d; last line %q, want it to hold %q", status, c.status, last, c.want)
			}
			if out != "" {
				t.Errorf("it printed %q as a result", out)
			}
		})
	}
}

func TestUnknownKeyNamesTheNearest(t *testing.T) {
	dir := copyGolden(t, "lra_text")
	os.Remove(filepath.Join(dir, "args.json"))
	write(t, filepath.Join(dir, "config.json"), `{"task": "classification", "model": {"chunksize": 3}}`)
	status, _, err := command(t, "forward", "--checkpoint", dir, "--input", filepath.Join(golden("lra_text"), "golden.safetensors"), "--output", filepath.Join(dir, "y"))
	if status != exitFailure || !strings.Contains(err, `did you mean "chunk_size"`) {
		t.Errorf("status %d: %s", status, err)
	}
}

func TestReferenceCommand(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	if status, _, err := command(t, "data", "listops", dir, "--train", "100", "--valid", "20", "--test", "20", "--min-length", "5", "--max-length", "30"); status != exitOK {
		t.Fatal(err)
	}
	// The reference's command for ListOps (examples/mega/README.lra.md) with
	// smaller sizes at its end.
	args := strings.Fields(`--seed 1 --ddp-backend c10d --find-unused-parameters
		-a mega_lra_listop --task lra-text --input-type text
		--encoder-layers 6 --n-dim 16 --chunk-size -1
		--activation-fn silu --attention-activation-fn softmax
		--norm-type layernorm --sen-rep-type mp
		--criterion lra_cross_entropy --best-checkpoint-metric accuracy --maximize-best-checkpoint-metric
		--optimizer adam --lr 0.001 --adam-eps 1e-8 --clip-norm 1.0
		--dropout 0.1 --attention-dropout 0.0 --act-dropout 0.0 --weight-decay 0.01
		--batch-size 64 --sentence-avg --update-freq 1 --max-update 90000 --max-sentences-valid 256
		--lr-scheduler linear_decay --total-num-update 90000 --end-learning-rate 0.0
		--warmup-updates 3000 --warmup-init-lr 1e-07 --keep-last-epochs 1 --required-batch-size-multiple 1
		--log-format simple --log-interval 100 --num-workers 0
		--encoder-layers 1 --encoder-embed-dim 16 --encoder-hidden-dim 16 --z-dim 8 --max-update 2`)
	args = append([]string{"train", dir, "--adam-betas", "(0.9, 0.98)", "--save-dir", filepath.Join(dir, "run")}, args...)
	status, _, err := command(t, args...)
	if status != exitOK {
		t.Fatalf("status %d: %s", status, err)
	}
	if strings.Contains(err, "--criterion") {
		t.Errorf("--criterion is complained of in %q", err)
	}
	for _, flag := range []string{"ddp-backend", "find-unused-parameters", "log-format", "num-workers"} {
		if strings.Count(err, "--"+flag+" has no effect") != 1 {
			t.Errorf("--%s is not said to have no effect in %q", flag, err)
		}
	}
}

func TestPixelNormalizationTakesTwoValues(t *testing.T) {
	got := joinPairs([]string{"train", "--pixel-normalization", "0.48", "0.24", "--lr", "1"})
	if strings.Join(got, " ") != "train --pixel-normalization=0.48,0.24 --lr 1" {
		t.Errorf("got %q", got)
	}
}

func TestPresetsAreCommands(t *testing.T) {
	status, out, err := command(t, "presets")
	if status != exitOK || !strings.Contains(out, "lra-listops") || !strings.Contains(out, "mega_sc_raw_big") {
		t.Fatalf("status %d: %s%s", status, out, err)
	}
	if status, out, _ = command(t, "presets", "lra-image"); status != exitOK || !strings.Contains(out, "--arch mega_lra_cifar10") {
		t.Errorf("status %d: %s", status, out)
	}
}

func TestHelpHasExamples(t *testing.T) {
	root := newRoot()
	for _, c := range root.Commands() {
		if c.Name() == "help" || c.Name() == "completion" {
			continue
		}
		if c.Example == "" || c.Short == "" {
			t.Errorf("mega %s has no example or summary", c.Name())
		}
	}
}
