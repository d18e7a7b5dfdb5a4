package bench

// A shape is what the cost of a workload depends on.
type shape struct {
	layers, d, h, z, ffn, states int
	tokens, chunk                int // positions of the batch, of a segment of attention
	causal                       bool
	vocab                        int // words that every position is scored against, 0 in classifiers
	input                        int // numbers of a position that a matrix embeds, 0 where a table does
}

// shape returns the workload's.
func (w Workload) shape() shape {
	s := w.layers()
	if s.tokens = w.Batch * w.Length; s.chunk <= 0 || s.chunk > w.Length {
		s.chunk = w.Length
	}
	return s
}

// Operations are counted as the mathematics needs them, a multiply-add as two:
// nothing for activations, norms and the exponentials of attention, nothing for
// pairs that a causal mask hides.

// linear returns the operations of a layer's matrix products, for a position.
func (s shape) linear() float64 {
	return 2 * float64(s.d*s.h+s.d*(2*s.d+s.z+s.h)+s.h*s.d+2*s.d*s.ffn)
}

// seen returns how many keys a query sees on average.
func (s shape) seen() float64 {
	if s.causal {
		return float64(s.chunk+1) / 2
	}
	return float64(s.chunk)
}

// directions returns how many ways the averages run.
func (s shape) directions() float64 {
	if s.causal {
		return 1
	}
	return 2
}

// inference returns the operations of a step of inference: of an average, two
// multiply-adds for each state and channel.
func (s shape) inference() float64 {
	layer := s.linear() + 2*s.seen()*float64(s.z+s.h) + 4*s.directions()*float64(s.states*s.d)
	return float64(s.tokens) * (float64(s.layers)*layer + 2*float64(s.d*(s.vocab+s.input)))
}

// training returns the operations of a step of training. Backward takes two
// products for each of forward's, and in attention one more, of queries with
// keys, since nobody keeps the scores; an average's takes the scan again for the
// input's gradient, and four multiply-adds a state for the parameters'. What a model
// reads takes no gradient.
func (s shape) training() float64 {
	layer := 3*s.linear() + 2*s.seen()*float64(3*(s.z+s.h)+s.z) + 16*s.directions()*float64(s.states*s.d)
	return float64(s.tokens) * (float64(s.layers)*layer + float64(s.d*(6*s.vocab+4*s.input)))
}

// The bytes that a step must move between memory and the processor for each
// parameter: in inference the weight; in training that, the gradient, written
// and read, and the weight and two moments, read and written by Adam.
const (
	inferenceBytes = 4
	trainingBytes  = 4 + 8 + 24
)
