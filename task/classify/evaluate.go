package classify

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math"
	"text/tabwriter"
	"unicode/utf8"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/data"
	"github.com/mega-go/mega/internal/cuda/device"
	"github.com/mega-go/mega/train"
)

// An Evaluation says how well a classifier does on a split.
type Evaluation struct {
	Split     string       `json:"split"`
	Samples   int          `json:"samples"`
	Loss      float64      `json:"loss"`     // in bits per sample
	Accuracy  float64      `json:"accuracy"` // in percent
	Majority  float64      `json:"majority"` // the accuracy of the most frequent class, in percent
	MacroF1   Ratio        `json:"macro_f1"` // the mean of the classes' F1
	Classes   []ClassScore `json:"classes"`
	Confusion [][]int      `json:"confusion"` // samples by [class][answer]
}

// A ClassScore says how well a classifier does on one class. Ratios are NaN,
// null in JSON, where nothing was counted.
type ClassScore struct {
	Name      string `json:"name"`
	Samples   int    `json:"samples"` // of the class
	Answers   int    `json:"answers"` // times the classifier said so
	Correct   int    `json:"correct"` // times it was right
	Precision Ratio  `json:"precision"`
	Recall    Ratio  `json:"recall"`
	F1        Ratio  `json:"f1"` // harmonic mean of the two
}

// A Ratio is a share between 0 and 1, or NaN for a share of nothing.
type Ratio float64

// MarshalJSON writes NaN as null.
func (r Ratio) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(r)) {
		return []byte("null"), nil
	}
	return fmt.Appendf(nil, "%.6g", float64(r)), nil
}

// String writes three digits, or - for NaN.
func (r Ratio) String() string {
	if math.IsNaN(float64(r)) {
		return "-"
	}
	return fmt.Sprintf("%.3f", float64(r))
}

// Evaluate runs a classifier over a split.
func Evaluate(ctx context.Context, ev *train.Evaluator, m *mega.Classifier, c *Corpus, d DataConfig, split string) (_ *Evaluation, err error) {
	b, err := heldOut(m, c, d, split)
	if err != nil {
		return nil, err
	}
	e := NewEvaluation(split, m.Config().SentenceClassNum)
	t := m.Params().NewTape()
	defer device.Finish(&err, t.Close)
	t.SetBF16(m.BF16())
	err = e.Run(ctx, ev, t, b, c.Classes, func(next train.Batch) (*autograd.Variable, []int32, error) {
		batch := next.(batch).data
		logits, err := m.Forward(t, input(batch))
		return logits, batch.Labels, err
	})
	return e, err
}

// NewEvaluation returns an evaluation on a split, of a classifier that knows n
// classes.
func NewEvaluation(split string, n int) *Evaluation {
	e := &Evaluation{Split: split, Confusion: make([][]int, n)}
	for i := range e.Confusion {
		e.Confusion[i] = make([]int, n)
	}
	return e
}

// Evaluate runs a classifier over a split of the task's data.
func (c *Task) Evaluate(ctx context.Context, m *mega.Classifier, split string) (*Evaluation, error) {
	return Evaluate(ctx, train.NewEvaluator(train.Alone{}, nil), m, c.corpus, c.config, split)
}

// CheckEvaluation fails where Evaluate would for want of fitting data.
func (c *Task) CheckEvaluation(split string) error {
	_, err := heldOut(c.model, c.corpus, c.config, split)
	return err
}

// heldOut returns the batches of a split that is not trained on.
func heldOut(m *mega.Classifier, c *Corpus, d DataConfig, split string) (batches, error) {
	if c.Vocabulary != 0 && c.Vocabulary != m.Config().VocabSize {
		return batches{}, fmt.Errorf("%s: the dictionary has %d symbols and the model %d: it is not the one that the model was trained with",
			cmp.Or(c.dictionary, d.Data, d.Task), c.Vocabulary, m.Config().VocabSize)
	}
	size, tokens := d.validSize()
	return newBatches(m, c, split, d, data.SamplerOptions{
		BatchSize: size, MaxTokens: tokens, Multiple: d.RequiredMultiple, Seed: uint32(m.Config().Seed), NaturalOrder: d.naturalOrder(),
	})
}

// Run evaluates on batches, which the processes share. forward returns the logits of
// one, which t has computed, and its labels; names are those of the classes.
func (e *Evaluation) Run(ctx context.Context, ev *train.Evaluator, t *autograd.Tape, b train.Batches, names []string,
	forward func(train.Batch) (*autograd.Variable, []int32, error)) error {
	comm := ev.Communicator()
	loader := train.NewLoader(b, comm.Rank(), comm.Size())
	defer loader.Close()
	defer t.Workers().Hot()()
	var losses []float64
	for i := comm.Rank(); i < b.Len(); i += comm.Size() {
		if err := ctx.Err(); err != nil {
			return err
		}
		next, err := loader.Next()
		if err != nil {
			return err
		}
		logits, labels, err := forward(next)
		if err != nil {
			return err
		}
		losses = append(losses, e.count(t, logits, labels))
		t.Reset()
		ev.Tick(i+1, b.Len())
	}
	if err := e.sum(comm, losses, b.Len()); err != nil {
		return err
	}
	e.score(names)
	return nil
}

// sum makes the counts those of all processes, and the loss that of n batches, of which
// this process has computed some.
func (e *Evaluation) sum(c train.Communicator, losses []float64, n int) error {
	losses, err := train.Collect(c, "losses of batches", losses, n)
	if err != nil {
		return err
	}
	counts := []float64{float64(e.Samples)} // whole numbers, so that no order of adding matters
	for _, row := range e.Confusion {
		for _, n := range row {
			counts = append(counts, float64(n))
		}
	}
	if err := c.Sum64("answers by class", counts); err != nil {
		return err
	}
	e.Samples, counts = int(counts[0]), counts[1:]
	for i, row := range e.Confusion {
		for j := range row {
			row[j] = int(counts[i*len(row)+j])
		}
	}
	sum := 0.0
	for _, loss := range losses {
		sum += loss
	}
	e.Loss = sum / float64(e.Samples) / math.Ln2
	return nil
}

// count adds a batch to Samples and Confusion, and returns its loss.
func (e *Evaluation) count(t *autograd.Tape, logits *autograd.Variable, labels []int32) float64 {
	if len(labels) == 0 {
		return 0
	}
	for row, answer := range t.Argmax(logits) {
		e.Confusion[labels[row]][answer]++
	}
	e.Samples += len(labels)
	const none = -1
	return t.CrossEntropy(logits, labels, none, 0).Host().Sum
}

// score fills Accuracy, Majority and Classes from Confusion.
func (e *Evaluation) score(names []string) {
	correct, most := 0, 0
	for i, row := range e.Confusion {
		s := ClassScore{Name: className(names, i), Correct: row[i]}
		for j := range row {
			s.Samples += row[j]
			s.Answers += e.Confusion[j][i]
		}
		s.Precision = Ratio(float64(s.Correct) / float64(s.Answers))
		s.Recall = Ratio(float64(s.Correct) / float64(s.Samples))
		s.F1 = Ratio(2 * float64(s.Correct) / float64(s.Answers+s.Samples))
		e.Classes = append(e.Classes, s)
		correct, most = correct+s.Correct, max(most, s.Samples)
	}
	e.Accuracy = 100 * float64(correct) / float64(e.Samples)
	e.Majority = 100 * float64(most) / float64(e.Samples)
	e.MacroF1 = e.macroF1()
}

// macroF1 returns the mean F1 of the classes that have one.
func (e *Evaluation) macroF1() Ratio {
	sum, n := Ratio(0), 0
	for _, c := range e.Classes {
		if c.Samples+c.Answers > 0 {
			sum += c.F1
			n++
		}
	}
	return sum / Ratio(n)
}

// Finite reports whether the loss is a number.
func (e *Evaluation) Finite() bool { return !math.IsNaN(e.Loss) && !math.IsInf(e.Loss, 0) }

// Better tells whether the model is right more often than always answering the most
// frequent class would be.
func (e *Evaluation) Better() bool { return e.Accuracy > e.Majority }

// Line returns the evaluation in a line.
func (e *Evaluation) Line() string {
	return fmt.Sprintf("%s: accuracy %.2f%% of %d held-out samples; always answering the most frequent class: %.2f%%; loss %.3f (base 2)",
		e.Split, e.Accuracy, e.Samples, e.Majority, e.Loss)
}

// legible is how many characters a line of the confusion matrix may have.
const legible = 240

// matrixWidth is how many it has.
func (e *Evaluation) matrixWidth() (n int) {
	for _, c := range e.Classes {
		n += utf8.RuneCountInString(c.Name) + 2
	}
	return n
}

// WriteText writes the evaluation as a person reads it.
func (e *Evaluation) WriteText(w io.Writer) error {
	fmt.Fprintf(w, "%s: %d samples, loss %.3f (base 2), accuracy %.3f%%, majority class %.3f%%, macro F1 %.3f\n\n",
		e.Split, e.Samples, e.Loss, e.Accuracy, e.Majority, float64(e.MacroF1))
	return e.WriteClasses(w)
}

// WriteClasses writes the scores of the classes and the confusion matrix.
func (e *Evaluation) WriteClasses(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, "class\tsamples\tanswers\tcorrect\tprecision\trecall\tF1\t")
	for _, c := range e.Classes {
		fmt.Fprintf(tw, "%s\t%d\t%d\t%d\t%v\t%v\t%v\t\n", c.Name, c.Samples, c.Answers, c.Correct, c.Precision, c.Recall, c.F1)
	}
	if e.matrixWidth() > legible {
		fmt.Fprintf(tw, "\nThe confusion matrix has %d columns: too wide to read here; JSON and a plot have it.\n", len(e.Classes))
		return tw.Flush()
	}
	fmt.Fprintln(tw)
	fmt.Fprint(tw, "class \\ answer\t")
	for _, c := range e.Classes {
		fmt.Fprintf(tw, "%s\t", c.Name)
	}
	fmt.Fprintln(tw)
	for i, row := range e.Confusion {
		fmt.Fprintf(tw, "%s\t", e.Classes[i].Name)
		for _, n := range row {
			fmt.Fprintf(tw, "%d\t", n)
		}
		fmt.Fprintln(tw)
	}
	return tw.Flush()
}
