package image

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/checkpoint"
	"github.com/mega-go/mega/data/images"
	"github.com/mega-go/mega/internal/cuda/device"
	"github.com/mega-go/mega/internal/parallel"
	"github.com/mega-go/mega/internal/textfile"
	"github.com/mega-go/mega/task/classify"
)

// A Predictor says which class pictures are of: it reads them as evaluation does.
type Predictor struct {
	Classes []string // their names

	model *mega.Vision
	view  images.View
}

// NewPredictor returns a predictor for the model of a checkpoint. classes is a file
// that names the classes, a line each; "" for the names of its training. If it fails,
// nothing is left of the model on a device.
func NewPredictor(c *checkpoint.Checkpoint, classes string) (_ *Predictor, err error) {
	m, err := c.Vision()
	if err != nil {
		return nil, err
	}
	defer device.Undo(&err, m.LeaveDevice)
	d, err := settingsOf(c)
	if err != nil {
		return nil, err
	}
	p := &Predictor{d.Classes, m, d.view(m.Config())}
	if classes == "" {
		return p, nil
	}
	text, err := textfile.ReadFile(classes)
	if err != nil {
		return nil, err
	}
	p.Classes = strings.Split(strings.TrimRight(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n"), "\n")
	if n := m.Config().NumClasses; len(p.Classes) != n {
		return nil, fmt.Errorf("%s names %d classes, a line each, and the model knows %d", classes, len(p.Classes), n)
	}
	return p, nil
}

// Model returns the classifier.
func (p *Predictor) Model() *mega.Vision { return p.model }

// Expand replaces directories by the pictures below them. skipped has an error for
// each other file there.
func Expand(paths []string) (files []string, skipped []error, err error) {
	for _, path := range paths {
		if info, err := os.Stat(path); err != nil || !info.IsDir() {
			files = append(files, path) // which the reader reports if it is not there
			continue
		}
		inside, others, err := images.Files(path)
		if err != nil {
			return nil, nil, err
		}
		if len(inside) == 0 {
			return nil, nil, fmt.Errorf("%s: no pictures, want files named .jpg, .jpeg, .png, .webp or .gif", path)
		}
		files, skipped = append(files, inside...), append(skipped, others...)
	}
	return files, skipped, nil
}

// Predict passes the prediction of each file to print, in their order, and the error
// of each that cannot be read to broken, size pictures at a time.
func (p *Predictor) Predict(ctx context.Context, files []string, size int, print func(classify.Prediction) error, broken func(error)) error {
	for from := 0; from < len(files); from += size {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := p.some(files[from:min(from+size, len(files))], print, broken); err != nil {
			return err
		}
	}
	return nil
}

// some is Predict for one batch.
func (p *Predictor) some(files []string, print func(classify.Prediction) error, broken func(error)) error {
	pixels, errs := make([][]float32, len(files)), make([]error, len(files))
	_ = parallel.Each(len(files), func(i int) error { // broken pictures end nothing
		var picture *images.Picture
		if picture, errs[i] = images.ReadFile(files[i]); errs[i] == nil {
			pixels[i] = p.pixels(picture)
		}
		return nil
	})
	var whole [][]float32
	var read []string
	for i, err := range errs {
		if err != nil {
			broken(err)
			continue
		}
		whole, read = append(whole, pixels[i]), append(read, files[i])
	}
	answers, err := p.Classify(whole)
	for i := 0; err == nil && i < len(answers); i++ {
		answers[i].Input = read[i]
		err = print(answers[i])
	}
	return err
}

// pixels returns a picture as the model reads it.
func (p *Predictor) pixels(picture *images.Picture) []float32 {
	x := make([]float32, p.view.Numbers())
	p.view.Evaluate(x, picture)
	return x
}

// Bytes reads a picture from the content of a file (JPEG, PNG, WebP or GIF), for
// Classify.
func (p *Predictor) Bytes(b []byte) ([]float32, error) {
	picture, err := images.Parse(b)
	if err != nil {
		return nil, err
	}
	return p.pixels(picture), nil
}

// Classify returns what class each picture is of. Each is computed by itself, several
// at once on the cores: no bit of a result depends on the pictures beside it.
func (p *Predictor) Classify(pictures [][]float32) ([]classify.Prediction, error) {
	out, errs := make([]classify.Prediction, len(pictures)), make([]error, len(pictures))
	p.model.Params().Each(len(pictures), func(i int) { out[i], errs[i] = p.classify(pictures[i]) })
	if err := cmp.Or(errs...); err != nil {
		return nil, err
	}
	return out, nil
}

// classify returns what class a picture is of.
func (p *Predictor) classify(pixels []float32) (classify.Prediction, error) {
	logits, err := p.model.Logits(mega.Images{Side: p.view.Side, Rows: 1, Pixels: pixels})
	if err != nil {
		return classify.Prediction{}, err
	}
	out := classify.NewPrediction(p.Classes, logits[0])
	out.Length = p.view.Numbers() / 3
	return out, nil
}

// Side returns how many pixels high and wide the pictures are that the model reads.
func (p *Predictor) Side() int { return p.view.Side }
