package naive

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Tensor is an array as a checkpoint holds it, row-major.
type Tensor struct {
	Shape []int
	Data  []float64
}

// loader makes the parts of a model out of its arguments and weights. It notes
// what is missing or unknown and goes on, so that one error can list it all.
type loader struct {
	args    map[string]any
	weights map[string]Tensor
	params  map[string]*Matrix
	buffers map[string][]float64
	norms   []*Norm
	errs    []error
}

func newLoader(args map[string]any, weights map[string]Tensor) *loader {
	return &loader{args: args, weights: weights, params: map[string]*Matrix{}, buffers: map[string][]float64{}}
}

func (l *loader) fail(format string, args ...any) {
	l.errs = append(l.errs, fmt.Errorf("naive: "+format, args...))
}

func (l *loader) err() error { return errors.Join(l.errs...) }

// number returns the argument key, or missing where it is absent or null.
func (l *loader) number(key string, missing float64) float64 {
	switch v := l.args[key].(type) {
	case nil:
		return missing
	case float64:
		return v
	case int:
		return float64(v)
	default:
		l.fail("argument %s is %v, want a number", key, v)
		return missing
	}
}

func (l *loader) int(key string, missing int) int { return int(l.number(key, float64(missing))) }

// text returns the argument key, or missing where it is absent or null.
func (l *loader) text(key, missing string) string {
	switch v := l.args[key].(type) {
	case nil:
		return missing
	case string:
		return v
	default:
		l.fail("argument %s is %v, want a string", key, v)
		return missing
	}
}

// flag returns the argument key, or false where it is absent or null.
func (l *loader) flag(key string) bool {
	v, ok := l.args[key].(bool)
	if !ok && l.args[key] != nil {
		l.fail("argument %s is %v, want true or false", key, l.args[key])
	}
	return v
}

// ints returns a list such as "500,2000".
func (l *loader) ints(key string) []int {
	var list []int
	for _, field := range strings.Split(l.text(key, ""), ",") {
		n, err := strconv.Atoi(strings.TrimSpace(field))
		if err != nil {
			l.fail("argument %s: %v", key, err)
		}
		list = append(list, n)
	}
	return list
}

func (l *loader) activation(key, missing string) func(*Matrix) *Matrix {
	f, err := Activation(l.text(key, missing))
	if err != nil {
		l.fail("argument %s: %v", key, err)
	}
	return f
}

func (l *loader) has(name string) bool { _, ok := l.weights[name]; return ok }

// matrix returns the parameter name, [1×n] for one dimension or none, else
// [first dimension × product of the others].
func (l *loader) matrix(name string) *Matrix {
	if m, ok := l.params[name]; ok {
		return m
	}
	w, ok := l.weights[name]
	if !ok {
		l.fail("no weight named %s", name)
		w = Tensor{Data: []float64{0}}
	}
	rows := 1
	if len(w.Shape) > 1 {
		rows = w.Shape[0]
	}
	m := New(rows, len(w.Data)/rows, append([]float64(nil), w.Data...))
	l.params[name] = m
	return m
}

// optional returns the parameter name, or nil where there is none.
func (l *loader) optional(name string) *Matrix {
	if !l.has(name) {
		return nil
	}
	return l.matrix(name)
}

// tie makes name another name of the parameter shared.
func (l *loader) tie(name string, shared *Matrix) *Matrix {
	l.params[name] = shared
	return shared
}

func (l *loader) buffer(name string) []float64 {
	w, ok := l.weights[name]
	if !ok {
		l.fail("no buffer named %s", name)
	}
	l.buffers[name] = append([]float64(nil), w.Data...)
	return l.buffers[name]
}

func (l *loader) projection(prefix string) Projection {
	return Projection{Weight: l.matrix(prefix + ".weight"), Bias: l.optional(prefix + ".bias")}
}

func (l *loader) norm(prefix, kind string, affine bool) *Norm {
	prefix += ".norm."
	n := &Norm{Type: kind}
	l.norms = append(l.norms, n)
	switch kind {
	case "batchnorm", "syncbatchnorm":
		n.RunningMean, n.RunningVar = l.buffer(prefix+"running_mean"), l.buffer(prefix+"running_var")
	case "scalenorm":
		if affine {
			n.Weight = l.matrix(prefix + "scalar")
		}
		return n
	case "layernorm", "rmsnorm":
	default:
		l.fail("unknown norm %q", kind)
	}
	if affine {
		n.Weight = l.matrix(prefix + "weight")
		if kind != "rmsnorm" {
			n.Bias = l.matrix(prefix + "bias")
		}
	}
	return n
}

// layout is what the layers of a stack have in common.
type layout struct {
	prefix     string // of the names, up to and with the dot
	layers     int
	attention  AttentionOptions
	truncation int
	bias       string // simple or rotary
	norm       string
	prenorm    bool
	normEmbed  bool
	affine     bool // of the final norm
}

func (l *loader) bias(prefix, kind string) Bias {
	switch kind {
	case "simple":
		return SimpleBias(l.matrix(prefix + ".rel_pos_bias"))
	case "rotary":
		return RotaryBias(l.matrix(prefix+".alpha"), l.matrix(prefix+".beta"))
	}
	l.fail("unknown relative position bias %q", kind)
	return nil
}

func (l *loader) gatedAttention(prefix string, o layout) *GatedAttention {
	return &GatedAttention{
		Norm:    l.norm(prefix+"norm", o.norm, true),
		Prenorm: o.prenorm,
		EMA: EMA{
			Delta: l.matrix(prefix + "move.delta"), Alpha: l.matrix(prefix + "move.alpha"),
			Beta: l.matrix(prefix + "move.beta"), Gamma: l.matrix(prefix + "move.gamma"),
			Omega: l.matrix(prefix + "move.omega"), Truncation: o.truncation,
		},
		V:          l.projection(prefix + "v_proj"),
		MX:         l.projection(prefix + "mx_proj"),
		H:          l.projection(prefix + "h_proj"),
		Gamma:      l.matrix(prefix + "gamma"),
		Beta:       l.matrix(prefix + "beta"),
		Bias:       l.bias(prefix+"rel_pos_bias", o.bias),
		Activation: l.activation("activation_fn", "silu"),
		Attention:  o.attention,
	}
}

func (l *loader) crossAttention(prefix string, o layout) *CrossAttention {
	return &CrossAttention{
		Norm:       l.norm(prefix+"norm", o.norm, true),
		Prenorm:    o.prenorm,
		Q:          l.projection(prefix + "q_proj"),
		K:          l.projection(prefix + "k_proj"),
		V:          l.projection(prefix + "v_proj"),
		H:          l.projection(prefix + "h_proj"),
		Bias:       l.bias(prefix+"rel_pos_bias", o.bias),
		Activation: l.activation("activation_fn", "silu"),
		Function:   o.attention.Function,
	}
}

func (l *loader) feedForward(prefix string, o layout) *FeedForward {
	return &FeedForward{
		Norm:       l.norm(prefix+"norm", o.norm, true),
		Prenorm:    o.prenorm,
		FC1:        l.projection(prefix + "fc1"),
		FC2:        l.projection(prefix + "fc2"),
		Activation: l.activation("activation_fn", "silu"),
	}
}

func (l *loader) block(prefix string, o layout) *Block {
	b := &Block{Mega: l.gatedAttention(prefix+"mega_layer.", o)}
	if l.has(prefix + "cross_attn.q_proj.weight") {
		b.Cross = l.crossAttention(prefix+"cross_attn.", o)
	}
	if l.has(prefix + "nffn.fc1.weight") {
		b.FFN = l.feedForward(prefix+"nffn.", o)
	}
	return b
}

// stack loads the layers and norms of a stack; embed turns its tokens into
// vectors, scale what those are multiplied by.
func (l *loader) stack(o layout, embed func(tokens []int) *Matrix, scale float64) *Stack {
	s := &Stack{Embedder: Embedder{Tokens: embed, Scale: scale}, Chunk: o.attention.Chunk}
	if l.has(o.prefix + "project_in_dim.weight") {
		in := l.projection(o.prefix + "project_in_dim")
		s.Embedder.ProjectIn = &in
	}
	if o.normEmbed {
		s.Embedder.Norm = l.norm(o.prefix+"embed_norm", o.norm, true)
	}
	for i := range o.layers {
		s.Blocks = append(s.Blocks, l.block(fmt.Sprintf("%slayers.%d.", o.prefix, i), o))
	}
	if o.prenorm {
		s.FinalNorm = l.norm(o.prefix+"final_norm", o.norm, o.affine)
	}
	return s
}
