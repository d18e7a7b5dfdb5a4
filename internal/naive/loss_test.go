package naive

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestLosses(t *testing.T) {
	logits := New(3, 2, []float64{0, math.Log(3), 1, 1, 5, 6})
	targets := []int{0, 1, 1}
	// Row 0 has probabilities ¼ and ¾; row 1 halves; target 1 may be padding.
	ce := CrossEntropy(logits, targets, NoPad).Data
	within(t, "cross-entropy", ce, []float64{math.Log(4) + math.Log(2) + math.Log(1+math.Exp(-1))}, 1e-15)
	within(t, "without padding", CrossEntropy(logits, targets, Pad).Data, []float64{math.Log(4)}, 1e-15)
	smooth := LabelSmoothedCrossEntropy(logits, targets, 0.1, Pad).Data
	want := 0.9*math.Log(4) + 0.05*(math.Log(4)+math.Log(4.0/3))
	within(t, "label smoothing", smooth, []float64{want}, 1e-15)

	r := rand.New(rand.NewPCG(1, 1))
	x := random(r, 4, 5)
	checkGradient(t, "label smoothing", func() *Matrix {
		return LabelSmoothedCrossEntropy(x, []int{0, 1, 4, 2}, 0.1, Pad)
	}, x)
}

// TestAdaptiveLoss: the loss is −Σ log p(target), but for the second word of a
// band, of which only the band is scored, and padding.
func TestAdaptiveLoss(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	const d = 3
	table := func(rows int) func(*Matrix) *Matrix {
		w := random(r, rows, d)
		return func(x *Matrix) *Matrix { return Linear(x, w, nil) }
	}
	s := &AdaptiveSoftmax{Cutoff: []int{4, 7, 12}, Head: table(4 + 2), Tail: []func(*Matrix) *Matrix{table(3), table(5)}}
	x := random(r, 6, d)
	logProbs, head := s.LogProbs(x), LogSoftmax(s.Head(x))
	targets := []int{0, 4, 11, Pad, 5, 8}
	want := -logProbs.At(0, 0) - logProbs.At(1, 4) - logProbs.At(2, 11) - head.At(4, 4) - head.At(5, 5)
	within(t, "adaptive loss", s.Loss(x, targets).Data, []float64{want}, 1e-14)
	checkGradient(t, "adaptive loss", func() *Matrix { return s.Loss(x, targets) }, x)
}

func TestEmbeddings(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	a := &AdaptiveInput{Cutoff: []int{2, 5}, Words: []*Matrix{random(r, 2, 4), random(r, 3, 2)}, Proj: []*Matrix{random(r, 3, 4), random(r, 3, 2)}}
	y := a.Apply([]int{1, 2, 4})
	within(t, "band 0", y.Row(0), Linear(Rows(a.Words[0], 1, 2), a.Proj[0], nil).Data, 0)
	within(t, "band 1", y.Row(2), Linear(Rows(a.Words[1], 2, 3), a.Proj[1], nil).Data, 0)
	checkGradient(t, "adaptive input", func() *Matrix { return a.Apply([]int{4, 0, 4}) }, a.Words[0], a.Words[1], a.Proj[1])
	table := random(r, 3, 2)
	looked := TokenEmbedding(table, []int{Pad, 2, Pad})
	within(t, "padding", looked.Data, Embedding(table, []int{Pad, 2, Pad}).Data, 0)
	Backward(Sum(looked))
	within(t, "gradient of padding", table.Grad, []float64{0, 0, 0, 0, 1, 1}, 0)

	e := Embedder{Tokens: a.Apply, Scale: 2, Norm: &Norm{Type: "layernorm"}}
	if x := e.Apply([][]int{{Pad, 3}}); norm(x.Row(0)) != 0 || norm(x.Row(1)) == 0 {
		t.Errorf("embeddings of padding and a word are %v and %v", x.Row(0), x.Row(1))
	}
	weight, bias := random(r, 1, 3), random(r, 1, 3)
	checkGradient(t, "real numbers", func() *Matrix { return RealEmbedding(weight, bias, []float64{1, -2}) }, weight, bias)
}

func TestPooling(t *testing.T) {
	x := New(4, 2, []float64{1, 2, 3, 4, 5, 6, 0, 0}) // two sequences of two rows
	within(t, "mean", MeanPool(x, []int{2, 1}).Data, []float64{2, 3, 5, 6}, 0)
	within(t, "first", FirstPool(x, 2).Data, []float64{1, 2, 5, 6}, 0)
}

func TestPadToChunk(t *testing.T) {
	for _, c := range []struct{ length, chunk, want int }{{5, 4, 8}, {8, 4, 8}, {3, 4, 3}, {5, -1, 5}, {5, 0, 5}} {
		got := padToChunk([][]int{make([]int, c.length)}, c.chunk)[0]
		if len(got) != c.want {
			t.Errorf("length %d in chunks of %d becomes %d, want %d", c.length, c.chunk, len(got), c.want)
		}
		for _, id := range got[c.length:] {
			if id != Pad {
				t.Errorf("token %d where padding is due", id)
			}
		}
	}
}
