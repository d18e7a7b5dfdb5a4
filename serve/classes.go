package serve

import (
	"context"
	"log/slog"

	"github.com/mega-go/mega/internal/cuda/device"
	"github.com/mega-go/mega/task/classify"
	"github.com/mega-go/mega/task/image"
)

// pictureInput is the input of a classifier of colour pictures.
const pictureInput = "picture"

// classBatch bounds the inputs that a classifier takes at once. Each is computed by
// itself, one on a core; these are so many that no core waits long for another.
const classBatch = 8

// classifying computes for a classifier: of sequences or of pictures.
type classifying struct {
	sequences *classify.Predictor // nil for pictures
	pictures  *image.Predictor    // nil for sequences
	batches   *batcher[classInput, classify.Prediction]
}

// A classInput is an input as a classifier reads it.
type classInput struct {
	classify.Example
	pixels []float32 // of a picture
}

func newClassifying(p *classify.Predictor, o Options, log *slog.Logger) *classifying {
	c := &classifying{sequences: p}
	c.batches = (&batcher[classInput, classify.Prediction]{
		compute: func(_ context.Context, in []classInput) ([]classify.Prediction, error) {
			examples := make([]classify.Example, len(in))
			for i := range in {
				examples[i] = in[i].Example
			}
			return predictions(o.Device, func() ([]classify.Prediction, error) { return p.Predict(examples) })
		},
		alike: func(a, b classInput) bool { return true },
		size:  func(classInput) int { return 1 },
		room:  classBatch, most: classBatch, log: log,
	}).start(o.Queue)
	return c
}

func newPictures(p *image.Predictor, o Options, log *slog.Logger) *classifying {
	c := &classifying{pictures: p}
	c.batches = (&batcher[classInput, classify.Prediction]{
		compute: func(_ context.Context, in []classInput) ([]classify.Prediction, error) {
			pixels := make([][]float32, len(in))
			for i := range in {
				pixels[i] = in[i].pixels
			}
			return predictions(o.Device, func() ([]classify.Prediction, error) { return p.Classify(pixels) })
		},
		alike: func(a, b classInput) bool { return true },
		size:  func(classInput) int { return 1 },
		room:  classBatch, most: classBatch, log: log,
	}).start(o.Queue)
	return c
}

// predictions computes a batch, which is a classifier's turn on a device.
func predictions(d *device.Loop, compute func() ([]classify.Prediction, error)) (out []classify.Prediction, err error) {
	d.Do(func() { out, err = compute() })
	return out, err
}

// leaveDevice gives back the device's memory.
func (c *classifying) leaveDevice() {
	if c.pictures != nil {
		c.pictures.Model().LeaveDevice()
		return
	}
	c.sequences.Model().LeaveDevice()
}

func (c *classifying) close() { c.batches.close() }

// reader returns the predictor that reads the inputs of a request.
func (c *classifying) reader(truncate bool) *classify.Predictor {
	p := *c.sequences
	p.Truncate = truncate || p.Columns != nil // as mega classify does
	return &p
}

// file reads an input from the content of a file, or two of a pair.
func (c *classifying) file(truncate bool, contents ...[]byte) (in classInput, err error) {
	if c.pictures != nil {
		if len(contents) != 1 {
			return in, invalid("inputs", "%d inputs together, and the model reads one picture", len(contents))
		}
		in.pixels, err = c.pictures.Bytes(contents[0])
	} else {
		in.Example, err = c.reader(truncate).Bytes("the input", contents...)
	}
	return in, refused(err)
}

// text reads an input that is a text, or a pair of them.
func (c *classifying) text(truncate bool, texts ...string) (in classInput, err error) {
	if !c.readsText() {
		return in, invalid("inputs", "a text, and the model reads %s", c.what())
	}
	contents := make([][]byte, len(texts))
	for i, text := range texts {
		contents[i] = []byte(text)
	}
	return c.file(truncate, contents...)
}

// record reads an input from a record of JSON.
func (c *classifying) record(truncate bool, r classify.Record) (in classInput, err error) {
	if c.pictures != nil {
		return in, invalid("inputs", "an object, and the model reads %s: send the file as the body", c.what())
	}
	if r.File != "" {
		return in, invalid("inputs", "file is for mega classify: the server reads no files, send it as the body")
	}
	in.Example, err = c.reader(truncate).Record(r)
	return in, refused(err)
}

// what says in a word what the model reads.
func (c *classifying) what() string {
	switch {
	case c.pictures != nil:
		return "pictures"
	case c.sequences.Inputs.Kind == classify.InputImage:
		return "images"
	case c.sequences.Inputs.Kind == classify.InputAudio:
		return "sound"
	case c.sequences.Inputs.Kind == classify.InputSeries:
		return "series of numbers"
	}
	return "text"
}

func (c *classifying) readsText() bool { return c.what() == "text" }

// refused makes a failure of the client's of an error in an input.
func refused(err error) error {
	if err == nil {
		return nil
	}
	if f := asFailure(err); f.status < 500 {
		return f
	}
	return invalid("inputs", "%v", err)
}
