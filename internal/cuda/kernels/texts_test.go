package kernels

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/mega-go/mega/internal/kernel"
)

// TestCopyPieces copies matrices of several sizes and strides at once.
func TestCopyPieces(t *testing.T) {
	b := newBench(t)
	src, dst := b.normal(40000), b.normal(40000)
	from, to := up(b, src), up(b, dst)
	pieces := []Piece{
		{Rows: 1, Cols: 1, StrideTo: 1, Stride: 1}, {Rows: 0, Cols: 9}, {Rows: 3, Cols: 5, StrideTo: 5, Stride: 9},
		{Rows: 7, Cols: 33, StrideTo: 40, Stride: 33}, {Rows: 1, Cols: 20000, StrideTo: 20000, Stride: 20000},
	}
	at := 11
	for i := range pieces {
		p := &pieces[i]
		p.To, p.From = to+Address(4*at), from+Address(4*(at+3))
		for r := range int(p.Rows) {
			copy(dst[at+r*int(p.StrideTo):][:p.Cols], src[at+3+r*int(p.Stride):])
		}
		at += int(p.Rows * max(p.StrideTo, p.Stride))
	}
	b.must(CopyPieces(b, up(b, pieces), pieces))
	b.compare("pieces", to, dst, 0)
	b.must(CopyPieces(b, 0, pieces[1:2])) // has nothing to copy
}

// TestTextAttention holds attention of texts with keys of their own against the CPU's, one
// text after the other.
func TestTextAttention(t *testing.T) {
	b := newBench(t)
	const z, h, wide, zero = 5, 37, 3, 80
	held := []int{9, 40, 1, 70}
	for _, f := range []kernel.AttentionFunction{kernel.AttentionSoftmax, kernel.AttentionReLU2, kernel.AttentionLaplace} {
		for _, length := range []int{1, 3} {
			for _, causal := range []bool{true, false} {
				rows := len(held) * length
				q, bias := b.normal(rows*(z+wide)), b.normal(2*zero)
				want, got := make([]float32, rows*(h+wide)), up(b, b.normal(rows*(h+wide)))
				copy(want, down[float32](b, got, len(want)))
				var texts []Text
				for i, n := range held {
					n = max(n, length)
					keys, values := b.normal(n*z), b.normal(n*h)
					offset := zero - i
					if causal {
						offset -= n - length
					}
					texts = append(texts, Text{up(b, keys), up(b, values), int32(n), int32(offset)})
					a := kernel.Attention{
						Segments: 1, Queries: length, Keys: n, Z: z, H: h, Function: f, Causal: causal, Scale: 0.4, Bias: bias, BiasZero: offset,
					}
					if f == kernel.AttentionSoftmax && i == 1 {
						keys[3] = float32(math.Inf(-1)) // hides a key from positive queries
					}
					texts[i].Keys = up(b, keys)
					a.Forward(kernel.Rows{Data: want[i*length*(h+wide):], Stride: h + wide}, kernel.Rows{Data: q[i*length*(z+wide):], Stride: z + wide},
						kernel.Rows{Data: keys, Stride: z}, kernel.Rows{Data: values, Stride: h}, nil)
				}
				number := -1
				switch f {
				case kernel.AttentionReLU2:
					number = int(kernel.ReLU2)
				case kernel.AttentionLaplace:
					number = int(kernel.Laplace)
				}
				a := TextAttention{Texts: len(texts), Length: length, Most: slices.Max(held), Table: up(b, texts), Function: number, Scale: 0.4, Causal: causal, Bias: up(b, bias)}
				b.must(a.Forward(b, got, up(b, q), b.empty(a.Scores()), z, h, h+wide, z+wide))
				b.compare(fmt.Sprintf("%v of %d queries, causal %v", f, length, causal), got, want, 5e-6)
			}
		}
	}
}

// TestManyTexts holds that the rows of many texts, and those with many scores, are cut into
// launches that fit the limits of grids and of memory.
func TestManyTexts(t *testing.T) {
	for _, a := range []TextAttention{{Texts: 200000, Length: 1, Most: 3}, {Texts: 2, Length: 2048, Most: 1 << 15}} {
		s := new(surveyor)
		if err := a.Forward(s, 0, 0, 0, 4, 32, 32, 4); err != nil || s.largest[1] > mostBlocks || a.Scores() > mostScores {
			t.Errorf("%d texts have grids of up to %v and %d scores, %v", a.Texts, s.largest, a.Scores(), err)
		}
		if rows := a.Texts * a.Length; s.blocks < rows*(ceilDiv(a.Most, warps)+1) {
			t.Errorf("%d rows have %d blocks", rows, s.blocks)
		}
	}
}

// TestContinue holds averages that go on against those of the CPU, at decays so near to
// 1 that steps would feel their rounding.
func TestContinue(t *testing.T) {
	b := newBench(t)
	for _, c := range []struct {
		batch, channels, states int
		cuts                    []int
	}{
		{1, 1, 1, []int{1, 1}}, {2, 70, 4, []int{3, 64, 1, 130}}, {3, 5, 16, []int{65, 63}},
		{2, 3, 17, []int{1, 66, 1}}, {1, 2, 24, []int{130, 2}}, {2, 65, 33, []int{3, 65, 1}},
	} {
		n := c.channels * c.states
		p := kernel.EMAParams{Delta: b.normal(n), Alpha: b.normal(n), Beta: b.normal(n), Gamma: b.normal(n), Omega: b.normal(c.channels)}
		for i := range p.Alpha {
			p.Alpha[i] -= 6
		}
		all, rests := partsOfAverage(b, c.channels, c.states, p)
		omega := up(b, p.Omega)
		shape := kernel.EMAShape{Channels: c.channels, States: c.states}
		var k kernel.EMACoefficients
		k.Set(nil, shape, p)
		state, cpu := up(b, make([]float32, c.batch*Kept(c.states)*c.channels)), make([]float32, c.batch*k.StateSize())
		for i, length := range c.cuts {
			x, mask := b.normal(c.batch*length*c.channels), make([]byte, c.batch*length)
			bools := make([]bool, len(mask))
			for j := range mask {
				bools[j] = b.r.IntN(5) == 0
				mask[j] = byte(flag(bools[j]))
			}
			s, want := b.empty(len(x)), make([]float32, len(x))
			ax, amask, added := up(b, x), up(b, mask), omega
			for j, e := range all {
				e.Batch, e.Length = c.batch, length
				b.must(e.Continue(b, s, state, ax, amask, rests[j], added, b.empty(e.ContinueCarries()), c.states))
				added = 0
			}
			kernel.EMAStep(nil, want, x, bools, cpu, c.batch, length, &k)
			name := fmt.Sprintf("%+v: piece %d", c, i)
			b.compare(name, s, want, 2e-5)
			compareStates(b, name, state, cpu, c.batch, shape)
		}
	}
}

// partsOfAverage returns an average in the parts that kernels take, with the rests of their
// decays.
func partsOfAverage(b *bench, channels, states int, p kernel.EMAParams) (all []EMA, rests []Address) {
	on := EMAParameters{up(b, p.Delta), up(b, p.Alpha), up(b, p.Beta), up(b, p.Gamma)}
	for first := 0; first < states; first += EMAStates {
		e, rest := EMA{Channels: channels, First: first}, b.empty(EMAStates*channels)
		b.must(e.SetCoefficients(b, b.empty(EMACoefficients*channels), on, states))
		b.must(e.Rest(b, rest, on, states))
		all, rests = append(all, e), append(rests, rest)
	}
	return all, rests
}

// compareStates holds the averages of texts against the CPU's.
func compareStates(b *bench, name string, state Address, cpu []float32, batch int, shape kernel.EMAShape) {
	b.Helper()
	got := down[float32](b, state, batch*Kept(shape.States)*shape.Channels)
	for text := range batch {
		for n := range shape.States {
			for channel := range shape.Channels {
				g := got[(text*Kept(shape.States)+n)*shape.Channels+channel]
				if w := cpu[text*shape.StateSize()+shape.StateAt(channel, n)]; !near(g, w, 2e-5) {
					b.Errorf("%s: average %d of channel %d of text %d is %v, want %v", name, n, channel, text, g, w)
					return
				}
			}
		}
	}
}

// TestSteadySteps holds an average that is read step by step against the exact one: the
// rounding of its decay, 1 − 2⁻¹⁶ − 2⁻²⁶, must not add up.
func TestSteadySteps(t *testing.T) {
	b := newBench(t)
	const steps, reach = 600, 1 << 16
	decay := 1 - 1/float64(reach) - math.Pow(2, -26)
	e := EMA{Batch: 1, Length: 1, Channels: 1}
	q, rest, c := make([]float32, EMAStates), make([]float32, EMAStates), make([]float32, EMAStates)
	q[0], c[0] = float32(decay), 1
	rest[0] = float32(decay - float64(q[0]))
	e.Decay, e.Output = up(b, q), up(b, c)
	state, x, zero, s := up(b, append([]float32{reach}, make([]float32, EMAStates-1)...)), up(b, []float32{0}), up(b, []float32{0}), b.empty(1)
	for range steps {
		b.must(e.Continue(b, s, state, x, 0, up(b, rest), zero, 0, 1))
	}
	want := reach * math.Pow(decay, steps)
	if got := float64(down[float32](b, s, 1)[0]); math.Abs(got/want-1) > 4e-6 {
		t.Errorf("%v after %d steps, want %v", got, steps, want)
	}
}
