package classify

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/checkpoint"
	"github.com/mega-go/mega/data"
	"github.com/mega-go/mega/data/labelled"
	"github.com/mega-go/mega/internal/cuda/device"
)

// A Predictor says which class raw inputs are of: it reads them as training read
// its data and asks a classifier. Its fields may be set before it is used. It is
// safe for concurrent use.
type Predictor struct {
	Inputs Inputs
	// Truncate cuts inputs that are longer than the model reads, as training
	// does; without it they are an error.
	Truncate bool
	// Columns says how tables are read, if the model was trained on labelled data.
	Columns *labelled.Options

	model      *mega.Classifier // nil for one that only reads
	config     mega.ClassifierConfig
	dictionary *data.Dictionary
	limit      int // values or tokens that the model reads
}

// NewPredictor returns a predictor for a model whose inputs are read as in says.
func NewPredictor(m *mega.Classifier, in Inputs) (*Predictor, error) {
	if err := in.check(m.Config()); err != nil {
		return nil, err
	}
	p := newReader(in, m.Config())
	p.Truncate, p.model = false, m
	return p, nil
}

// newReader returns a predictor that reads what is to be trained on.
func newReader(in Inputs, m mega.ClassifierConfig) *Predictor {
	return &Predictor{Inputs: in, Truncate: true, config: m, dictionary: in.dictionary(), limit: m.MaxPositions}
}

// Model returns the classifier.
func (p *Predictor) Model() *mega.Classifier { return p.model }

// channels returns how many real numbers make a step.
func (p *Predictor) channels() int { return p.config.Channels() }

// OpenOptions say how inputs are read, for Open of a checkpoint that does not.
type OpenOptions struct {
	Data            string // directory of the data that it was trained on; "" for the one that it names
	Dict, LabelDict string // in place of Data: see DictionaryInputs
}

// Open returns a predictor for the classifier of a checkpoint.
func Open(path string, o OpenOptions) (*Predictor, error) {
	c, err := checkpoint.Open(path)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return OpenCheckpoint(c, o)
}

// OpenCheckpoint is Open for a checkpoint that is open. If it fails, nothing is left of
// the model on a device.
func OpenCheckpoint(c *checkpoint.Checkpoint, o OpenOptions) (_ *Predictor, err error) {
	m, err := c.Classifier()
	if err != nil {
		return nil, err
	}
	defer device.Undo(&err, m.LeaveDevice)
	d, err := CheckpointData(c)
	if err != nil {
		return nil, err
	}
	d.Data = cmp.Or(o.Data, d.Data)
	var in Inputs
	if o.Dict != "" {
		in, err = DictionaryInputs(m.Config(), o.Dict, o.LabelDict)
	} else {
		in, err = CheckpointInputs(c, m.Config(), d)
	}
	if err != nil {
		return nil, err
	}
	p, err := NewPredictor(m, in)
	if err == nil && d.Task == TaskLabelled {
		p.Columns = &d.Options
	}
	return p, err
}

// A TooLongError is of an input that is longer than the model reads: Truncate cuts
// it, and Stream reads it window by window.
type TooLongError struct{ error }

func tooLong(format string, args ...any) error { return &TooLongError{fmt.Errorf(format, args...)} }

// An Example is an input, read.
type Example struct {
	Name      string // of the input, in predictions and errors
	ID        any    // of a record
	Tokens    []int32
	Pair      []int32 // the second text, if the model reads pairs
	Values    []float32
	Unknown   int  // tokens that the dictionary does not have
	Truncated bool // whether a part was cut off
}

// A Prediction says what class an input is of.
type Prediction struct {
	Input       string       `json:"input,omitempty"`
	ID          any          `json:"id,omitempty"`     // of a record of JSON
	Offset      *int64       `json:"offset,omitempty"` // of a window in a stream, in bytes, words or samples
	Class       string       `json:"class"`
	Probability float64      `json:"probability"`
	Classes     []ClassGuess `json:"classes"`             // all classes, the likeliest first
	Length      int          `json:"length"`              // tokens, pixels or samples that the model read
	Unknown     int          `json:"unknown,omitempty"`   // tokens that the dictionary does not have
	Truncated   bool         `json:"truncated,omitempty"` // whether a part was cut off
}

// A ClassGuess is a class and its probability.
type ClassGuess struct {
	Class       string  `json:"class"`
	Probability float64 `json:"probability"`
}

// Top cuts the list of classes to the first n; 0 keeps all.
func (p *Prediction) Top(n int) {
	if n > 0 {
		p.Classes = p.Classes[:min(n, len(p.Classes))]
	}
}

// inLine escapes what would end a column or a line.
var inLine = strings.NewReplacer("\t", `\t`, "\n", `\n`, "\r", `\r`)

// WriteText writes a prediction as a line: the input, or the offset in a stream,
// and each class with its probability, with tabs between.
func (p *Prediction) WriteText(w io.Writer) error {
	name := p.Input
	if p.Offset != nil {
		name = fmt.Sprint(*p.Offset)
	} else if p.ID != nil {
		name = fmt.Sprint(p.ID)
	}
	var b strings.Builder
	b.WriteString(inLine.Replace(name))
	for _, c := range p.Classes {
		fmt.Fprintf(&b, "\t%s %.4f", inLine.Replace(c.Class), c.Probability)
	}
	if p.Unknown > 0 {
		fmt.Fprintf(&b, "\t(%d of %d tokens unknown)", p.Unknown, p.Length)
	}
	if p.Truncated {
		fmt.Fprintf(&b, "\t(cut after %d)", p.Length)
	}
	_, err := fmt.Fprintln(w, b.String())
	return err
}

// WriteJSON writes a prediction as a line of JSON.
func (p *Prediction) WriteJSON(w io.Writer) error { return json.NewEncoder(w).Encode(p) }

// Predict returns what class each example is of. Each is computed by itself, several
// at once on the cores: no bit of a result depends on the examples beside it, and none
// is padded to the length of another.
func (p *Predictor) Predict(examples []Example) ([]Prediction, error) {
	out, errs := make([]Prediction, len(examples)), make([]error, len(examples))
	p.model.Params().Each(len(examples), func(i int) { out[i], errs[i] = p.predict(&examples[i]) })
	if err := cmp.Or(errs...); err != nil {
		return nil, err
	}
	return out, nil
}

// predict returns what class an example is of.
func (p *Predictor) predict(e *Example) (Prediction, error) {
	sample := data.Samples{{Tokens: e.Tokens, Pair: e.Pair, Values: e.Values, Channels: p.channels()}}
	b, err := sample.Collate([]int{0})
	if err != nil {
		return Prediction{}, err
	}
	logits, err := p.model.Logits(*input(b))
	if err != nil {
		return Prediction{}, err
	}
	out := NewPrediction(p.Inputs.Classes, logits[0])
	out.Input, out.ID = e.Name, e.ID
	out.Unknown, out.Truncated = e.Unknown, e.Truncated
	out.Length = sample.Size(0) + len(e.Pair)
	return out, nil
}

// NewPrediction turns scores of classes into probabilities. Classes beyond those that
// have names go by their numbers.
func NewPrediction(classes []string, logits []float32) Prediction {
	most, sum := float64(slices.Max(logits)), 0.0
	guesses := make([]ClassGuess, len(logits))
	for i, z := range logits {
		guesses[i] = ClassGuess{className(classes, i), math.Exp(float64(z) - most)}
		sum += guesses[i].Probability
	}
	for i := range guesses {
		guesses[i].Probability /= sum
	}
	slices.SortStableFunc(guesses, func(a, b ClassGuess) int { return cmp.Compare(b.Probability, a.Probability) })
	return Prediction{Class: guesses[0].Class, Probability: guesses[0].Probability, Classes: guesses}
}
