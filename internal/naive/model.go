package naive

import "fmt"

// Batch is the input of a model and what it should give.
type Batch struct {
	Tokens  [][]int     // [B][L] ids, padded with Pad to one length
	Values  [][]float64 // [B][L·C] pixels or samples of C channels, in place of Tokens
	Lengths []int       // [B], what MeanPool divides by; nil means L
	Tokens2 [][]int     // the second texts of pairs
	// Lengths2 is to Tokens2 what Lengths is to Tokens.
	Lengths2 []int
	Prev     [][]int     // a translator's decoder input
	Images   [][]float64 // [B][3·size·size], red then green then blue, row by row
	Target   []int       // [B] classes or [B·L] ids; nil for no loss
}

// Output is what a model makes of a batch.
type Output struct {
	Features *Matrix // [B·L×D] before the output layer; nil from a classifier
	Logits   *Matrix // [B×classes] or [B·L×V]; nil with adaptive softmax
	Loss     *Matrix // the criterion's sum, 1×1; nil without Target
	// SampleSize is what the reference divides the gradient of Loss by: sequences
	// for a classifier or with sentence_avg, else targets that are not Pad.
	SampleSize float64
}

// Network is one of *Classifier, *LanguageModel, *Translator and *Vision.
type Network interface {
	forward(b Batch) *Output
	loss(out *Output, target []int) *Matrix
}

// Model is a network with its parameters by the reference's names. Parameters
// that share memory there are one Matrix under each of their names.
type Model struct {
	Params  map[string]*Matrix
	Buffers map[string][]float64 // BatchNorm's running_mean and running_var
	Network Network

	norms       []*Norm
	sentenceAvg bool
}

// NewModel builds a model from the arguments and the weights of a checkpoint,
// both as the reference saves them. It copies the weights.
func NewModel(args map[string]any, weights map[string]Tensor) (*Model, error) {
	l := newLoader(args, weights)
	var network Network
	switch {
	case l.has("sentence_projection_layer.weight"):
		network = l.classifier()
	case l.has("patch_embed.pemb.proj.weight"):
		network = l.vision()
	case l.has("encoder.layers.0.mega_layer.gamma"):
		network = l.translator()
	case l.has("decoder.layers.0.mega_layer.gamma"):
		network = l.languageModel()
	default:
		return nil, fmt.Errorf("naive: the weights are of no known model")
	}
	m := &Model{Params: l.params, Buffers: l.buffers, Network: network, norms: l.norms, sentenceAvg: l.flag("sentence_avg")}
	return m, l.err()
}

// Train makes BatchNorm use and record the statistics of each batch, or not.
func (m *Model) Train(on bool) {
	for _, n := range m.norms {
		n.Training = on
	}
}

// Forward runs the model, without dropout.
func (m *Model) Forward(b Batch) *Output {
	out := m.Network.forward(b)
	if b.Target == nil {
		return out
	}
	out.Loss = m.Network.loss(out, b.Target)
	out.SampleSize = float64(m.sampleSize(b))
	return out
}

func (m *Model) sampleSize(b Batch) int {
	switch m.Network.(type) {
	case *Classifier, *Vision:
		return len(b.Target)
	}
	if m.sentenceAvg {
		return len(b.Tokens)
	}
	n := 0
	for _, id := range b.Target {
		if id != Pad {
			n++
		}
	}
	return n
}

// Stack is an encoder or decoder: embedding, blocks and, with pre-norm, a norm
// behind them (models/mega.py:264, models/mega_lm.py:356).
type Stack struct {
	Embedder  Embedder
	Blocks    []*Block
	FinalNorm *Norm // nil without pre-norm
	Chunk     int
}

// Forward returns the output for tokens [B][L], [B·L×D], with 0 at the padding.
// encoded [B·S×D] and its masks are what Cross attends to, if anything.
func (s *Stack) Forward(tokens [][]int, encoded *Matrix, sourceMasks [][]bool) *Matrix {
	padded := padToChunk(tokens, s.Chunk)
	x := s.layers(s.Embedder.Apply(padded), padMasks(padded), encoded, sourceMasks)
	given, length := len(tokens[0]), len(padded[0])
	return Gather(x, len(tokens)*given, x.Cols, func(i, j int) int { return (i/given*length+i%given)*x.Cols + j })
}

func (s *Stack) layers(x *Matrix, masks [][]bool, encoded *Matrix, sourceMasks [][]bool) *Matrix {
	for _, b := range s.Blocks {
		x = b.Forward(x, masks, encoded, sourceMasks)
	}
	if s.FinalNorm != nil {
		x = s.FinalNorm.Apply(x)
	}
	return zeroRows(x, flatten(masks))
}
