package autograd

import (
	"math"
	"slices"
	"testing"

	"github.com/mega-go/mega/tensor"
)

// windows are ways to cut eight positions, in chunks of four, into pieces.
var windows = [][]int{{8}, {4, 4}, {1, 3, 4}, {1, 1, 1, 1, 1, 1, 1, 1}, {2, 2, 1, 3}}

// piece returns positions [from, from+n) of each text of x [B, L, D].
func piece(x *Variable, from, n int) *Variable {
	batch, length, d := x.shape[0], x.shape[1], x.shape[2]
	out := tensor.New(batch, n, d)
	for b := range batch {
		copy(out.Data()[b*n*d:][:n*d], x.Value().Data()[(b*length+from)*d:])
	}
	return NewConstant(out)
}

// inPieces checks that f on pieces gives, position by position, what want holds
// [B, L, D]. f is given where a piece begins and how long it is.
func inPieces(t *testing.T, want *Variable, f func(tape *Tape, from, n int) *Variable, pieces []int) {
	t.Helper()
	tape, from := NewTape(), 0
	for _, n := range pieces {
		got := f(tape, from, n).Value()
		for i, v := range piece(want, from, n).Value().Data() {
			if d := math.Abs(float64(v - got.Data()[i])); d > 1e-5 {
				t.Fatalf("pieces of %v: number %d from position %d on is %g, want %g", pieces, i, from, got.Data()[i], v)
			}
		}
		tape.Reset()
		from += n
	}
}

func TestEMAInPieces(t *testing.T) {
	x := parameter(1, 3, 8, 5)
	p := EMAParameters{parameter(2, 5, 2, 1), parameter(3, 5, 2, 1), parameter(4, 5, 2, 1), parameter(5, 5, 2), parameter(6, 5)}
	c := EMAConfig{States: 2}
	whole := NewTape().EMA(x, nil, p, c, nil)
	c.Truncation = 1 // which does not count with a state
	beginning := NewEMAState(p, c)
	for _, pieces := range windows {
		state := beginning.Begin(NewTape(), 3)
		inPieces(t, whole, func(tape *Tape, from, n int) *Variable {
			return tape.EMA(piece(x, from, n), nil, p, c, state)
		}, pieces)
	}
	panics(t, "recorded", func() { NewTrainingTape().EMA(x, nil, p, c, beginning.Begin(NewTape(), 3)) })
	c.Bidirectional = true
	panics(t, "bidirectional", func() { NewEMAState(p, c) })
}

// selfAttention is causal attention in chunks, with a bias that reaches any chunk.
func selfAttention(tape *Tape, q, k, v *Variable, c AttentionConfig) *Variable {
	c.Function, c.Scale, c.Causal = AttentionLaplace, 0.5, true
	c.Bias, c.BiasZero = parameter(9, 17), 8
	return tape.Attention(q, k, v, c)
}

func TestAttentionInPieces(t *testing.T) {
	for _, texts := range []int{2, textsApart + 1} {
		for _, chunk := range []int{4, -1} {
			q, k, v := parameter(1, texts, 8, 3), parameter(2, texts, 8, 3), parameter(3, texts, 8, 5)
			segment := chunk
			if chunk < 0 {
				segment = 8
			}
			whole := selfAttention(NewTape(), q, k, v, AttentionConfig{Queries: segment, Keys: segment})
			for _, pieces := range windows {
				if chunk < 0 && pieces[0] == 8 {
					continue
				}
				state := &AttentionState{Chunk: chunk}
				for range texts {
					state.Texts = append(state.Texts, NewKeyValueCache(NewTape(), 3, 5))
				}
				inPieces(t, whole, func(tape *Tape, from, n int) *Variable {
					return selfAttention(tape, piece(q, from, n), piece(k, from, n), piece(v, from, n), AttentionConfig{State: state})
				}, pieces)
			}
		}
	}
}

// Attention to sources, which texts share and which begin at a column, is
// attention to the same keys with the others hidden.
func TestAttentionToSources(t *testing.T) {
	q, k, v := parameter(1, 3, 2, 3), parameter(2, 1, 6, 3), parameter(3, 1, 6, 5)
	bias := parameter(4, 21)
	source := NewSource(NewTape(), RowRange(k, 2, 6).Value(), RowRange(v, 2, 6).Value(), 2)
	c := AttentionConfig{Scale: 0.5, Bias: bias, BiasZero: 10, State: &AttentionState{Texts: []*KeyValueCache{source, source, source}}}
	got := NewTape().Attention(q, nil, nil, c).Value()
	for i := range 3 {
		one := NewConstant(RowRange(q, 2*i, 2*i+2).Value())
		want := NewTape().Attention(one, k, v, AttentionConfig{
			Queries: 2, Keys: 6, Scale: 0.5, Bias: bias, BiasZero: 10, Mask: []bool{true, true, false, false, false, false},
		}).Value()
		within(t, "attention", got.Data()[i*10:][:10], float64s(want.Data()), 1, 1e-6)
	}
	c.State = &AttentionState{Texts: []*KeyValueCache{source.Selecting()}}
	weights := NewTape().Attention(NewConstant(RowRange(q, 0, 1).Value()), nil, nil, c).Value()
	found := make([]float64, 5)
	for j, w := range weights.Data() {
		for i, x := range RowRange(v, 2+j, 3+j).Value().Data() {
			found[i] += float64(w) * float64(x)
		}
	}
	within(t, "weights", got.Data()[:5], found, 1, 1e-6)
}

func float64s(x []float32) []float64 {
	var y []float64
	for _, v := range x {
		y = append(y, float64(v))
	}
	return y
}

// What is picked goes on as what it was picked from, whichever is kept.
func TestPick(t *testing.T) {
	for _, stay := range []bool{true, false} {
		average := &EMAState{averages: parameter(1, 3, 2).Value().Clone()}
		keys := &AttentionState{}
		for i := range 3 {
			c := NewKeyValueCache(NewTape(), 1, 1)
			c.Append(tensor.FromSlice([]float32{float32(i)}, 1, 1), tensor.FromSlice([]float32{float32(-i)}, 1, 1))
			keys.Texts = append(keys.Texts, c)
		}
		before := average.averages.Clone()
		for _, rows := range [][]int{{2, 0, 2}, {1, 1, 1, 0}, {0}} {
			picked, texts := average.Pick(rows, stay), keys.Pick(rows, stay)
			for i, r := range rows {
				key, _ := texts.Texts[i].Tensors()
				if !slices.Equal(picked.averages.Row(i), before.Row(r)) || stay && key.Data()[0] != float32(r) {
					t.Errorf("row %d of %v: %v and key %v", i, rows, picked.averages.Row(i), key.Data())
				}
				for _, other := range texts.Texts[:i] {
					if other == texts.Texts[i] {
						t.Errorf("rows %v share a cache", rows)
					}
				}
			}
			if !stay {
				average, keys, before = picked, texts, picked.averages.Clone()
			}
		}
	}
}

// A packed weight gives what the weight gives, also where its input wants a
// gradient, and none for itself.
func TestPack(t *testing.T) {
	x, w, b := parameter(1, 20, 7), parameter(2, 9, 7), parameter(3, 9)
	tape := NewTrainingTape()
	want := numbersOf(tape.Linear(x, w, b, SiLU).Value())
	y := tape.Linear(x, Pack(w, Float32), b, SiLU)
	within(t, "packed", numbersOf(y.Value()), float64s(want), 1, 1e-6)
	tape.Backward(y)
	if w.Grad() != nil || x.Grad() == nil {
		t.Errorf("gradients of the weight %v and of the input %v", w.Grad(), x.Grad())
	}
}

// A step on a tape that does not record allocates nothing once one like it has
// gone before. (Products and averages take scratch memory from pools that the race
// detector empties: they are tested with sessions.)
func TestInferenceAllocates(t *testing.T) {
	n, tape := newNetwork(), NewTape()
	x := NewConstant(parameter(9, 1, 5, 6).value)
	step := func() {
		y := tape.Scope(func() *Variable {
			views := tape.Split(tape.RMSNorm(x, n.gain, eps, 0), 3, 3)
			return tape.GatedResidual(views[0], views[1], views[1], Ending{Activation: Tanh})
		})
		tape.LogSoftmax(tape.SiLUMul(y, y))
		tape.Reset()
	}
	step()
	if allocations := testing.AllocsPerRun(20, step); allocations != 0 {
		t.Errorf("%g allocations a step", allocations)
	}
}
