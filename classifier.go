package mega

import (
	"errors"
	"fmt"

	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/nn"
)

// Classifier maps a sequence, or a pair of sequences, to scores of classes: an
// Encoder with a small head (reference fairseq/models/lra/model.py,
// speech_commands/model.py).
type Classifier struct {
	base[ClassifierConfig]
	encoder    *Encoder
	hidden     []*nn.Linear
	projection *nn.Linear
	dropout    nn.Dropout
	activation autograd.Activation
	tapes      // for Logits
}

// NewClassifier returns a classifier with initial parameters fixed by
// config.Seed, or an error that lists what is wrong with the configuration.
func NewClassifier(config ClassifierConfig) (*Classifier, error) {
	return NewClassifierOf(nn.NewParams(config.Seed), config)
}

// NewClassifierOf is NewClassifier with parameters registered in an empty set:
// one of nn.NewShapes, which is filled from elsewhere, draws no initial numbers.
func NewClassifierOf(params *nn.Params, config ClassifierConfig) (*Classifier, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	return buildClassifier(params, config)
}

// buildClassifier registers the model of a valid configuration, with vocabularies of any size.
func buildClassifier(params *nn.Params, config ClassifierConfig) (*Classifier, error) {
	activation, err := autograd.ParseActivation(config.ClassifierActivationFn)
	if err != nil {
		return nil, err
	}
	m := &Classifier{
		base:       base[ClassifierConfig]{config, params},
		dropout:    nn.Dropout{P: config.Dropout},
		activation: activation,
	}
	root := m.params.Root()
	if m.encoder, err = NewEncoder(root.Sub("encoder").Sub("encoder"), config); err != nil {
		return nil, err
	}
	in := config.ClassifierInDim
	for i := range config.ClassifierLayers {
		p := root.Sub("classifier").Index(i).Sub("0")
		m.hidden = append(m.hidden, nn.NewLinear(p, in, config.ClassifierOutDim, true, nn.XavierUniform))
		in = config.ClassifierOutDim
	}
	m.projection = nn.NewLinear(root.Sub("sentence_projection_layer"), in, config.SentenceClassNum, false, nn.XavierUniform)
	return m, nil
}

// Check reports what is wrong with an input: sizes that do not fit together, a
// token outside the vocabulary, a sequence that is too long, a missing pair.
func (m *Classifier) Check(in *Input) error {
	if err := m.checkText(in); err != nil {
		return err
	}
	switch {
	case m.config.Pair() && in.Pair == nil:
		return errors.New("the model reads pairs of texts, and the input has no second text")
	case !m.config.Pair() && in.Pair != nil:
		return errors.New("the input is a pair of texts, and the model reads one")
	case in.Pair != nil && in.Pair.Rows != in.Rows:
		return fmt.Errorf("the input has %d first and %d second texts", in.Rows, in.Pair.Rows)
	case in.Pair != nil:
		if err := m.checkText(in.Pair); err != nil {
			return fmt.Errorf("second text: %w", err)
		}
	}
	return nil
}

// checkText is Check for one text of a pair, or an input that is none.
func (m *Classifier) checkText(in *Input) error {
	if err := in.check(m.config); err != nil {
		return err
	}
	if in.Length > m.config.MaxPositions {
		return fmt.Errorf("input of %d positions, but the model reads at most max_positions = %d", in.Length, m.config.MaxPositions)
	}
	if in.Tokens == nil {
		return nil
	}
	return in.checkPadding()
}

// Forward returns the scores of the classes on a tape: [B, classes].
func (m *Classifier) Forward(t *autograd.Tape, in *Input) (*autograd.Variable, error) {
	if err := m.Check(in); err != nil {
		return nil, err
	}
	x, err := m.encoder.Forward(t, in)
	if err != nil {
		return nil, err
	}
	if in.Pair != nil {
		second, err := m.encoder.Forward(t, in.Pair)
		if err != nil {
			return nil, err
		}
		x = t.Concat(second, x) // the reference puts the second text first (lra/model.py:190-194)
	}
	for _, l := range m.hidden {
		x = t.Activate(m.activation, m.dropout.Forward(t, l.Forward(t, x, autograd.Identity)))
	}
	return m.projection.Forward(t, x, autograd.Identity), nil
}

// Loss returns the summed cross-entropy of labels [B] on a tape.
func (m *Classifier) Loss(t *autograd.Tape, in *Input, labels []int32) (autograd.Loss, error) {
	return m.WeightedLoss(t, in, labels, nil)
}

// WeightedLoss is Loss with the cross-entropy of each row multiplied by the weight
// of its class; weights of nil are all 1.
func (m *Classifier) WeightedLoss(t *autograd.Tape, in *Input, labels []int32, weights []float32) (autograd.Loss, error) {
	if n := m.config.SentenceClassNum; weights != nil && len(weights) != n {
		return autograd.Loss{}, fmt.Errorf("%d weights for %d classes", len(weights), n)
	}
	if len(labels) != in.Rows {
		return autograd.Loss{}, fmt.Errorf("%d labels for %d rows", len(labels), in.Rows)
	}
	for i, l := range labels {
		if l < 0 || int(l) >= m.config.SentenceClassNum {
			return autograd.Loss{}, fmt.Errorf("label %d of row %d is outside the %d classes", l, i, m.config.SentenceClassNum)
		}
	}
	logits, err := m.Forward(t, in)
	if err != nil {
		return autograd.Loss{}, err
	}
	if weights != nil {
		return t.WeightedCrossEntropy(logits, labels, weights), nil
	}
	const none = -1
	return t.CrossEntropy(logits, labels, none, 0), nil
}

// Logits returns the scores of the classes for each row of the input. It is
// safe to call from several goroutines while the parameters stay as they are.
func (m *Classifier) Logits(in Input) ([][]float32, error) {
	return m.rows(m.params, func(t *autograd.Tape) (*autograd.Variable, error) { return m.Forward(t, &in) })
}

// LeaveDevice moves the parameters from a device to the host, and gives the device back
// all memory that Logits has taken.
func (m *Classifier) LeaveDevice() { m.leave(m.params) }
