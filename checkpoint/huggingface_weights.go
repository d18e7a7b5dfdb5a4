package checkpoint

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mega-go/mega/format/dtype"
)

// hfNames lists how Hugging Face calls parts of a layer, ours first (transformers
// convert_mega_original_pytorch_checkpoint_to_pytorch.py).
var hfNames = [][2]string{
	{"mega_layer.gamma", "mega_layer.qk_weight"},
	{"mega_layer.beta", "mega_layer.qk_bias"},
	{"move.delta", "ema_gate.damping_factor"},
	{"move.alpha", "ema_gate.decay_factor"},
	{"move.beta", "ema_gate.ema_expansion_matrix"},
	{"move.gamma", "ema_gate.kernel_projection_matrix"},
	{"move.omega", "ema_gate.residual_weight"},
	{"rel_pos_bias.beta", "rel_pos_bias.b_param"},
}

// hfPlaces lists where Hugging Face has what is outside of the layers, ours
// first, in a model of each class.
var hfPlaces = map[string][][2]string{
	hfEncoder: {
		{"encoder.encoder.embed_tokens.embed.weight", "embedding_layer.word_embeddings.weight"},
		{"encoder.encoder.layers.", "layers."},
	},
	hfClassifier: {
		{"encoder.encoder.embed_tokens.embed.weight", "mega.embedding_layer.word_embeddings.weight"},
		{"encoder.encoder.layers.", "mega.layers."},
	},
	hfDecoder: {
		{"decoder.embed_tokens.weight", "mega.embedding_layer.word_embeddings.weight"},
		{"decoder.layers.", "mega.layers."},
		{"decoder.output_projection.weight", "lm_head.weight"},
	},
}

// hfName returns Hugging Face's name for one of ours, in a model of class; a name
// that it does not have stays.
func hfName(name, class string) string { return rename(name, class, 0, 1) }

// ownName is the opposite of hfName.
func ownName(name, class string) string { return rename(name, class, 1, 0) }

func rename(name, class string, from, to int) string {
	places, ok := hfPlaces[class]
	if !ok { // an encoder with another head
		places = hfPlaces[hfClassifier]
	}
	for _, place := range places {
		rest, ok := strings.CutPrefix(name, place[from])
		if !ok {
			continue
		}
		for _, pair := range hfNames {
			if head, ok := strings.CutSuffix(rest, pair[from]); ok {
				rest = head + pair[to]
				break
			}
		}
		return place[to] + rest
	}
	return name
}

// The head of a classifier here and in Hugging Face.
const (
	headHidden     = "classifier.0.0"
	headProjection = "sentence_projection_layer.weight"

	hfHeadHidden     = "classifier.dense"
	hfHeadProjection = "classifier.out_proj"
)

// hfBias is the bias of a hidden unit whose weights are zero and whose tanh is
// exactly 1. Hugging Face's projection has a bias, and ours none: one such unit
// more carries it.
const hfBias = 32

// hfWeights shows weights of Hugging Face under our names.
type hfWeights struct {
	renamed
	cut  int                   // of a simple bias: how many of its numbers mean something
	made map[string]madeWeight // what is put together from several tensors
}

type madeWeight struct {
	shape []int
	data  []float32
}

// newHFWeights renames w.
func newHFWeights(w Weights, h *hfConfig) *hfWeights {
	out := &hfWeights{renamed: renamed{Weights: w, theirs: make(map[string]string)}, made: make(map[string]madeWeight)}
	// In chunks, Hugging Face allocates the bias for max_positions and uses the
	// part for chunk_size.
	_, reach := h.positions()
	out.cut = 2*reach - 1
	class := h.architecture()
	for _, name := range w.Names() {
		if hfIgnored(name, class, h) {
			continue
		}
		own := ownName(name, class)
		out.names = append(out.names, own)
		out.theirs[own] = name
	}
	return out
}

// hfIgnored reports whether a tensor says nothing that is not said elsewhere:
// the bias of the output, which is zero, and a second copy of tied embeddings.
func hfIgnored(name, class string, h *hfConfig) bool {
	return class == hfDecoder && (name == "lm_head.bias" || name == "lm_head.weight" && h.TieWordEmbeddings)
}

func (w *hfWeights) Shape(name string) ([]int, bool) {
	if m, ok := w.made[name]; ok {
		return m.shape, true
	}
	shape, ok := w.renamed.Shape(name)
	if ok && w.isCut(name, shape) {
		return []int{w.cut}, true
	}
	return shape, ok
}

func (w *hfWeights) isCut(name string, shape []int) bool {
	return strings.HasSuffix(name, "rel_pos_bias.rel_pos_bias") && len(shape) == 1 && w.cut > 0 && shape[0] > w.cut
}

func (w *hfWeights) DType(name string) (dtype.DType, bool) {
	if _, ok := w.made[name]; ok {
		return dtype.F32, true
	}
	return w.renamed.DType(name)
}

func (w *hfWeights) Float32Into(name string, dst []float32) error {
	if m, ok := w.made[name]; ok {
		copy(dst, m.data)
		return nil
	}
	shape, ok := w.renamed.Shape(name)
	if !ok || !w.isCut(name, shape) {
		return w.renamed.Float32Into(name, dst)
	}
	whole := make([]float32, shape[0])
	err := w.renamed.Float32Into(name, whole)
	copy(dst, whole)
	return err
}

// addHead makes the head of a classifier of dim channels, with a unit that
// carries the bias if there is one, or if it is wanted.
func (w *hfWeights) addHead(dim int, unit bool) error {
	parts := make(map[string][]float32)
	for _, name := range []string{hfHeadHidden + ".weight", hfHeadHidden + ".bias", hfHeadProjection + ".weight", hfHeadProjection + ".bias"} {
		var err error
		if parts[name], err = numbersOf(w.Weights, name); err != nil {
			return err
		}
		delete(w.theirs, name)
		w.names = slices.DeleteFunc(w.names, func(n string) bool { return n == name })
	}
	hidden, hiddenBias := parts[hfHeadHidden+".weight"], parts[hfHeadHidden+".bias"]
	projection, bias := parts[hfHeadProjection+".weight"], parts[hfHeadProjection+".bias"]
	classes := len(bias)
	if dim < 1 || len(hidden) != dim*dim || len(hiddenBias) != dim || classes < 1 || len(projection) != classes*dim {
		return fmt.Errorf("%s and %s do not fit hidden_size = %d", hfHeadHidden, hfHeadProjection, dim)
	}
	width := dim
	if unit || slices.ContainsFunc(bias, func(x float32) bool { return x != 0 }) {
		width++
		hidden = append(hidden, make([]float32, dim)...)
		hiddenBias = append(hiddenBias, hfBias)
		projection = withColumn(projection, bias)
	}
	w.make(headHidden+".weight", hidden, width, dim)
	w.make(headHidden+".bias", hiddenBias, width)
	w.make(headProjection, projection, classes, width)
	return nil
}

func (w *hfWeights) make(name string, data []float32, shape ...int) {
	w.made[name] = madeWeight{shape, data}
	w.names = append(w.names, name)
}

// withColumn appends a number to every row of a matrix.
func withColumn(matrix, column []float32) []float32 {
	width := len(matrix) / len(column)
	var out []float32
	for i, x := range column {
		out = append(append(out, matrix[i*width:(i+1)*width]...), x)
	}
	return out
}

// numbersOf reads a tensor that must be there.
func numbersOf(w Weights, name string) ([]float32, error) {
	shape, ok := w.Shape(name)
	if !ok {
		return nil, errors.New("missing: " + name)
	}
	n := 1
	for _, d := range shape {
		n *= d
	}
	out := make([]float32, n)
	return out, w.Float32Into(name, out)
}
