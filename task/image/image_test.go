package image

import (
	"context"
	"errors"
	"fmt"
	stdimage "image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/checkpoint"
	"github.com/mega-go/mega/data/images"
	"github.com/mega-go/mega/task/classify"
	"github.com/mega-go/mega/train"
)

// colourful writes PNG files of one colour each, n of every class, and one that is
// broken, into directories of classes.
func colourful(t *testing.T, n int) string {
	t.Helper()
	dir := t.TempDir()
	for i, class := range []string{"blue", "green", "red"} {
		if err := os.Mkdir(filepath.Join(dir, class), 0o700); err != nil {
			t.Fatal(err)
		}
		for k := range n {
			c := color.RGBA{20, 20, 20, 255}
			*[]*uint8{&c.B, &c.G, &c.R}[i] = uint8(150 + k%100)
			writePNG(t, filepath.Join(dir, class, fmt.Sprintf("%03d.png", k)), c)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "red", "broken.jpg"), []byte("PK\x03\x04"), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func writePNG(t *testing.T, path string, c color.Color) {
	t.Helper()
	writePixels(t, path, func(int, int) color.Color { return c })
}

// writePixels writes a PNG file whose pixels have the colours of at.
func writePixels(t *testing.T, path string, at func(x, y int) color.Color) {
	t.Helper()
	p := stdimage.NewRGBA(stdimage.Rect(0, 0, 20, 12))
	for i := range 20 * 12 {
		p.Set(i%20, i/20, at(i%20, i/20))
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(png.Encode(f, p), f.Close()); err != nil {
		t.Fatal(err)
	}
}

// tiny is a model that learns colours at once.
func tiny() mega.VisionConfig {
	return mega.VisionConfig{
		Seed: 1, ImgSize: 8, PatchSize: 4, PatchImpl: mega.PatchConv, NumClasses: 1,
		Depth: 1, EmbedDim: 8, HiddenDim: 8, FFNHiddenDim: 8, ZDim: 4, NDim: 2, NormType: "layernorm",
	}
}

func colours(dir string) DataConfig {
	d := DefaultDataConfig()
	d.Data, d.BatchSize, d.Repeats, d.Rand, d.Mixup, d.Cutmix, d.Erase, d.HeldOut = dir, 8, 1, "none", 0, 0, 0, []float64{0.25}
	return d
}

// trained returns a task on pictures, trained, and its run directory.
func trained(t *testing.T, d DataConfig) (*Task, string, train.Summary) {
	t.Helper()
	task, err := NewTask(d, tiny())
	if err != nil {
		t.Fatal(err)
	}
	c := train.DefaultConfig()
	c.MaxUpdate, c.LR, c.BestCheckpointMetric = 40, []float64{0.02}, "loss"
	c.LRScheduler = "fixed"
	run := filepath.Join(t.TempDir(), "run")
	s, err := train.Run(context.Background(), task, c, train.Options{Dir: run})
	if err != nil {
		t.Fatal(err)
	}
	return task, run, s
}

// TestTask trains on colours: the evaluation agrees with the last validation and
// with a count of the answers by hand, and the broken picture is passed over, named
// once, in both.
func TestTask(t *testing.T) {
	dir := colourful(t, 16)
	task, run, s := trained(t, colours(dir))
	if !slices.Equal(task.Classes(), []string{"blue", "green", "red"}) || !strings.Contains(task.Summary(), "3 classes") {
		t.Errorf("classes %v, %s", task.Classes(), task.Summary())
	}
	log, err := os.ReadFile(filepath.Join(run, "train.log"))
	if n := strings.Count(string(log), "broken.jpg"); err != nil || n != 1 {
		t.Errorf("the broken picture is named %d times in the log, %v", n, err)
	}
	e, err := task.Evaluate(context.Background(), task.Model(), "valid")
	if err != nil {
		t.Fatal(err)
	}
	if e.Accuracy != s.Valid["accuracy"] || math.Abs(e.Loss-s.Valid["loss"]) > 1e-6 || e.Top5 != 100 || e.Accuracy < 90 {
		t.Errorf("%s, and the last validation says %v", e.Line(), s.Valid)
	}
	c, err := checkpoint.Open(run)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	whole, skipped, err := Evaluate(context.Background(), train.NewEvaluator(train.Alone{}, nil), c, dir)
	if err != nil || len(skipped) != 1 || !strings.Contains(skipped[0].Error(), "broken.jpg") {
		t.Fatalf("skipped %v, %v", skipped, err)
	}
	if whole.Samples != 48 || whole.Classes[2].Samples != 16 || whole.Classes[2].Name != "red" {
		t.Errorf("%d pictures, classes %v", whole.Samples, whole.Classes)
	}
	checkConfusion(t, c, dir, whole)
}

// checkConfusion counts the answers of the predictor.
func checkConfusion(t *testing.T, c *checkpoint.Checkpoint, dir string, e *Evaluation) {
	t.Helper()
	p, err := NewPredictor(c, "")
	if err != nil {
		t.Fatal(err)
	}
	files, _, err := Expand([]string{dir})
	if err != nil || len(files) != 49 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	counted, broken := map[[2]string]int{}, 0
	err = p.Predict(context.Background(), files, 5, func(r classify.Prediction) error {
		counted[[2]string{filepath.Base(filepath.Dir(r.Input)), r.Class}]++
		return nil
	}, func(error) { broken++ })
	if err != nil || broken != 1 {
		t.Errorf("%d broken, %v", broken, err)
	}
	for i, row := range e.Confusion {
		for j, n := range row {
			if want := counted[[2]string{e.Classes[i].Name, e.Classes[j].Name}]; n != want {
				t.Errorf("%s said to be %s: %d times, want %d", e.Classes[i].Name, e.Classes[j].Name, n, want)
			}
		}
	}
}

// TestLossOfTargets: in training the loss is that of soft targets, in evaluation that
// of the classes, computed here from the logits.
func TestLossOfTargets(t *testing.T) {
	d := colours(colourful(t, 4))
	task, err := NewTask(d, tiny())
	if err != nil {
		t.Fatal(err)
	}
	epoch, err := task.Epoch(1)
	if err != nil {
		t.Fatal(err)
	}
	for name, from := range map[string]train.Batches{"training": epoch, "evaluation": heldOut(task.model, d, task.valid)} {
		b, err := from.Batch(0)
		if err != nil {
			t.Fatal(err)
		}
		tape := autograd.NewTape()
		got, err := b.Loss(tape)
		if err != nil {
			t.Fatal(err)
		}
		stats, data := got.Host(), b.(batch).data
		logits, err := task.model.Logits(mega.Images{Rows: data.Rows, Side: data.Side, Pixels: data.Pixels})
		if err != nil {
			t.Fatal(err)
		}
		want := 0.0
		for i, row := range logits {
			for _, p := range classify.NewPrediction(task.Classes(), row).Classes {
				want -= target(data, i, slices.Index(task.Classes(), p.Class), len(row)) * math.Log(p.Probability)
			}
		}
		if math.Abs(stats.Loss-want) > 1e-4*want || stats.Sentences != float64(data.Rows) {
			t.Errorf("%s: loss %v of %v pictures, want %v of %d", name, stats.Loss, stats.Sentences, want, data.Rows)
		}
	}
}

// target is how much of class the answer for a picture should have.
func target(b *images.Batch, row, class, classes int) float64 {
	if b.Targets != nil {
		return float64(b.Targets[row*classes+class])
	}
	if b.Labels[row] == int32(class) {
		return 1
	}
	return 0
}

func TestConfigErrors(t *testing.T) {
	for want, change := range map[string]func(*DataConfig){
		"task":            func(d *DataConfig) { d.Task = "x" },
		"batch_size":      func(d *DataConfig) { d.BatchSize = 0 },
		"held_out":        func(d *DataConfig) { d.HeldOut = []float64{0.1, 0.2} },
		"aa: ":            func(d *DataConfig) { d.Rand = "rand-x" },
		"crop":            func(d *DataConfig) { d.CropRatio = 0 },
		"mixup":           func(d *DataConfig) { d.Mixup = -1 },
		"max_sentences_v": func(d *DataConfig) { d.MaxSentences = -1 },
	} {
		d := colours("x")
		change(&d)
		if err := d.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	if _, err := NewTask(colours(t.TempDir()), tiny()); err == nil || !strings.Contains(err.Error(), "no directories of classes") {
		t.Errorf("error %v", err)
	}
}

// TestUndecayed: biases, norms and positions do not decay, and nothing else
// (timm/optim/optim_factory.py:31-45).
func TestUndecayed(t *testing.T) {
	task, err := NewTask(colours(colourful(t, 4)), tiny())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range task.Params().All() {
		want := p.Name == "pos_embed" || strings.HasSuffix(p.Name, ".bias") || strings.Contains(p.Name, "norm.weight")
		if task.Undecayed(p) != want {
			t.Errorf("%s: undecayed is %v", p.Name, !want)
		}
	}
}

// TestSheet draws pictures at their places: the middle of each cell has its colour.
func TestSheet(t *testing.T) {
	dir := colourful(t, 4)
	var answers []classify.Prediction
	for k := range 9 { // more than a row
		answers = append(answers, classify.Prediction{Input: filepath.Join(dir, []string{"red", "blue"}[k%2], "000.png"), Class: "x"})
	}
	for _, name := range []string{"sheet.png", "sheet.jpg"} {
		path := filepath.Join(t.TempDir(), name)
		if err := WriteSheet(path, answers); err != nil {
			t.Fatal(err)
		}
		p, err := images.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if p.Width != rowOf*cellSide || p.Height != 2*(cellSide+2*lineSide) {
			t.Errorf("%s has %d by %d pixels", name, p.Width, p.Height)
		}
		for k := range answers {
			r, _, b, _ := p.At(k%rowOf*cellSide+cellSide/2, k/rowOf*(cellSide+2*lineSide)+cellSide/2).RGBA()
			if (r > b) != (k%2 == 0) {
				t.Errorf("%s: picture %d has the colour of another", name, k)
			}
		}
	}
	if err := CheckSheet("x.gif"); err == nil {
		t.Error("a sheet is written as GIF")
	}
	if err := WriteSheet(filepath.Join(t.TempDir(), "x.png"), []classify.Prediction{{Input: filepath.Join(dir, "red", "broken.jpg")}}); err == nil {
		t.Error("a broken picture is drawn")
	}
}

// TestAllHeldOutBroken: what cannot be judged is an error, not a score.
func TestAllHeldOutBroken(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{"train/a/1.png", "train/b/2.png", "val/a/3.png", "val/b/4.png"} {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		writePNG(t, path, color.White)
		if strings.Contains(path, "val") {
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	task, err := NewTask(colours(dir), tiny())
	if err != nil {
		t.Fatal(err)
	}
	const want = "none of 2 held-out pictures"
	if _, err := task.Validate(context.Background(), train.NewEvaluator(train.Alone{}, nil)); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("validation: %v", err)
	}
	if _, err := task.Evaluate(context.Background(), task.Model(), "valid"); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("evaluation: %v", err)
	}
}
