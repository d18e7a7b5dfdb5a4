package translate

import (
	"math"

	"github.com/mega-go/mega/data/pairs"
	"github.com/mega-go/mega/generate"
	"github.com/mega-go/mega/internal/cuda/device"
)

// scoreReferences returns each target of a batch as the one hypothesis of its
// source, with the probabilities that the models give it (fairseq
// sequence_scorer.py). The score is the mean over tokens.
func (m Ensemble) scoreReferences(b *pairs.Batch, attention bool) (_ [][]generate.Hypothesis, err error) {
	mean := make([]float64, b.Rows*b.TargetLength) // of the probabilities
	tape := m[0].Params().NewTape()
	defer device.Finish(&err, tape.Close)
	for _, model := range m {
		encoded, err := model.Encode(tape, b.Source, b.Rows, b.SourceLength)
		if err != nil {
			return nil, err
		}
		logits, err := model.Decode(tape, encoded, b.PrevOutput, b.Rows, b.TargetLength)
		if err != nil {
			return nil, err
		}
		for i, x := range tape.TargetLogProbs(logits, b.Targets) {
			mean[i] += math.Exp(x) / float64(len(m))
		}
		tape.Reset()
	}
	out := make([][]generate.Hypothesis, b.Rows)
	for row := range out {
		target := b.TargetRow(row)
		h := generate.Hypothesis{Tokens: target}
		from := row * b.TargetLength
		if b.LeftPadTarget {
			from += b.TargetLength - len(target)
		}
		for _, p := range mean[from:][:len(target)] {
			x := math.Log(p)
			h.TokenScores = append(h.TokenScores, x)
			h.Score += x / float64(len(target))
		}
		out[row] = []generate.Hypothesis{h}
	}
	if attention {
		return out, m.attend(b, out)
	}
	return out, nil
}

// attend notes what each token of the hypotheses attends to.
func (m Ensemble) attend(b *pairs.Batch, found [][]generate.Hypothesis) error {
	var sessions []generate.Model
	for _, model := range m {
		s, err := model.NewSession(b.Source, b.Rows, b.SourceLength)
		if err != nil {
			return err
		}
		sessions = append(sessions, s)
	}
	model, err := generate.Ensemble(sessions...)
	if err != nil {
		return err
	}
	tokens := make([]int32, b.Rows)
	for step := range b.TargetLength {
		for row := range tokens {
			tokens[row] = b.PrevOutput[row*b.TargetLength+step]
		}
		if _, err := model.Step(tokens...); err != nil {
			return err
		}
		for row := range found {
			if step < len(found[row][0].Tokens) {
				h := &found[row][0]
				h.Attention = append(h.Attention, model.(generate.Attentive).Attention(row))
			}
		}
	}
	return nil
}
