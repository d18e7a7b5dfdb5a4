package train

import (
	"context"
	"encoding/json"
	"math"

	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/nn"
)

// A Task ties data, model, loss and metrics together. The trainer knows no
// more of what it trains than this.
type Task interface {
	// Params returns what is trained and saved, always the same set.
	Params() *nn.Params
	// Epoch returns the batches of an epoch, counted from 1. It must depend on
	// the number alone, so that a run resumes anywhere.
	Epoch(n int) (Batches, error)
	// Metrics says what is reported of the sums over some training batches.
	Metrics(s Stats) Metrics
	// Validate measures the model on held-out data. When ctx ends it returns
	// the context's error.
	Validate(ctx context.Context, e *Evaluator) (Metrics, error)
	// Describe returns what is written down about the task.
	Describe() Description
}

// An Undecayer is a Task some of whose parameters weight decay leaves alone.
type Undecayer interface {
	Undecayed(p *nn.Parameter) bool
}

// A Skipper is a Task that passes over data that it cannot read.
type Skipper interface {
	// Skipped returns an error for each file that was passed over since it was asked
	// last.
	Skipped() []error
}

// A Description is what the files of a run say about its task. Its parts must
// be the same each time and encode as JSON.
type Description struct {
	Task    string   // the kind of task, such as "classification"
	Model   any      // the model's configuration, config.json of every checkpoint
	Data    any      // where the data comes from and how it is batched
	Metrics []string // the names that Validate reports

	// Paths are the files and directories that Data names, and Splits begin the
	// names of the files there that are trained and validated on: a run resumes
	// only with the same, wherever they lie.
	Paths, Splits []string
}

// Batches is a sequence of batches that can be read from anywhere. Batch is
// called from a goroutine of its own, while other batches are being trained on.
type Batches interface {
	Len() int
	Batch(i int) (Batch, error)
}

// A Batch is one forward pass of a task.
type Batch interface {
	// Loss runs the model on the tape, which says whether this is training.
	Loss(t *autograd.Tape) (Result, error)
}

// BatchesOf returns n batches: read reads one, and loss runs the model on it.
func BatchesOf[B any](n int, read func(i int) (B, error), loss func(t *autograd.Tape, b B) (Result, error)) Batches {
	return batchesOf[B]{n, read, loss}
}

type batchesOf[B any] struct {
	n    int
	read func(i int) (B, error)
	loss func(t *autograd.Tape, b B) (Result, error)
}

func (b batchesOf[B]) Len() int { return b.n }

func (b batchesOf[B]) Batch(i int) (Batch, error) {
	data, err := b.read(i)
	return batchOf[B]{data, b.loss}, err
}

type batchOf[B any] struct {
	data B
	loss func(t *autograd.Tape, b B) (Result, error)
}

func (b batchOf[B]) Loss(t *autograd.Tape) (Result, error) { return b.loss(t, b.data) }

// A Result is what a forward pass gives: the summed loss, shape [1], for the
// backward pass, and Host, which brings the numbers to report to the host. It is
// called once all batches of an update have been passed forward and back.
type Result struct {
	Loss *autograd.Variable
	Host func() Stats
}

// Stats are sums over batches.
type Stats struct {
	Loss       float64 `json:"loss"`        // in nats
	NLL        float64 `json:"nll_loss"`    // the same without label smoothing, 0 where a task has no such thing
	SampleSize float64 `json:"sample_size"` // what loss and gradients are divided by: sentences or tokens
	Correct    float64 `json:"ncorrect"`    // sentences classified rightly
	Sentences  float64 `json:"nsentences"`
	Tokens     float64 `json:"ntokens"`
	Top5       float64 `json:"ntop5,omitempty"` // sentences whose class is among the five likeliest, in evaluation
}

// BatchStats counts a batch. Loss and gradients are divided by its sentences or, unless
// sentenceAvg is set, by its tokens.
func BatchStats(sentences, tokens int, sentenceAvg bool) Stats {
	s := Stats{Sentences: float64(sentences), Tokens: float64(tokens)}
	s.SampleSize = s.Tokens
	if sentenceAvg {
		s.SampleSize = s.Sentences
	}
	return s
}

// Result returns the result of a batch that s counts: with classes, it also says how
// many sentences were classified rightly.
func (s Stats) Result(loss autograd.Loss, classes bool) Result {
	return Result{Loss: loss.Variable, Host: func() Stats {
		n := loss.Host()
		s.Loss, s.NLL = n.Sum, n.NLL
		if classes {
			s.Correct = float64(n.Correct)
		}
		return s
	}}
}

// Add adds the sums of other batches.
func (s *Stats) Add(o Stats) {
	sums := s.vector()
	for i, v := range o.vector() {
		sums[i] += v
	}
	s.setVector(sums)
}

// statsLen is the number of sums in Stats.
const statsLen = 7

func (s Stats) vector() [statsLen]float64 {
	return [...]float64{s.Loss, s.NLL, s.SampleSize, s.Correct, s.Sentences, s.Tokens, s.Top5}
}

func (s *Stats) setVector(v [statsLen]float64) {
	s.Loss, s.NLL, s.SampleSize, s.Correct, s.Sentences, s.Tokens, s.Top5 = v[0], v[1], v[2], v[3], v[4], v[5], v[6]
}

// LossBase2 returns the loss in bits per unit of sample size, as the reference
// logs it (criterions/lra_cross_entropy.py:59).
func (s Stats) LossBase2() float64 { return s.Loss / s.SampleSize / math.Ln2 }

// NLLBase2 returns the negative log-likelihood in bits per token (reference
// criterions/label_smoothed_cross_entropy.py:92).
func (s Stats) NLLBase2() float64 { return s.NLL / s.Tokens / math.Ln2 }

// Accuracy returns the share of sentences classified rightly, in percent.
func (s Stats) Accuracy() float64 { return 100 * s.Correct / s.Sentences }

// Top5Accuracy returns the share of sentences whose class is among the five likeliest,
// in percent.
func (s Stats) Top5Accuracy() float64 { return 100 * s.Top5 / s.Sentences }

// Metrics are named measurements: loss (base 2), accuracy, ppl, bleu.
type Metrics map[string]float64

// MarshalJSON writes numbers that JSON does not have as null.
func (m Metrics) MarshalJSON() ([]byte, error) {
	out := make(map[string]*float64, len(m))
	for name, v := range m {
		out[name] = nil
		if finite(v) {
			out[name] = &v
		}
	}
	return json.Marshal(out)
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
