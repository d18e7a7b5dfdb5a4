package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"slices"
	"testing"

	"github.com/mega-go/mega/internal/parallel"
)

// eachAttention runs f under every implementation that this machine can run.
func eachAttention(t *testing.T, f func(t *testing.T)) {
	smallSizes(t)
	defer func(i Implementation) { _ = Use(i) }(Current())
	for _, i := range Available() {
		if err := Use(i); err != nil {
			t.Fatal(err)
		}
		t.Run(i.String(), f)
	}
}

// attentionGuard lies between the rows of operands.
const attentionGuard = float32(-12345.678)

// attentionProblem is a random problem with room for its results.
type attentionProblem struct {
	a            Attention
	q, k, v      Rows
	out, dout    Rows
	dq, dk, dv   Rows
	stats, dbias []float32
}

// attentionSpread is how far apart the tests put the rows of operands of the
// given width, and the segments; what lies between are guard words.
func attentionSpread(rows, width int) (stride, segment int) { return width + 3, rows*(width+3) + 5 }

// newRows returns an operand whose numbers come from f, between guard words.
func newRows(segments, rows, width int, f func() float32) Rows {
	r := Rows{}
	r.Stride, r.Segment = attentionSpread(rows, width)
	r.Data = make([]float32, segments*r.Segment+3)[3:]
	for i := range r.Data {
		r.Data[i] = attentionGuard
	}
	for s := range segments {
		for i := range rows {
			for j := range width {
				r.Data[s*r.Segment+i*r.Stride+j] = f()
			}
		}
	}
	return r
}

// dense returns the operand's numbers alone; it fails t if a guard word has
// changed.
func (r Rows) dense(t testing.TB, name string, segments, rows, width int) []float32 {
	var x []float32
	for i, v := range r.Data {
		s, rest := i/r.Segment, i%r.Segment
		if s < segments && rest/r.Stride < rows && rest%r.Stride < width {
			x = append(x, v)
		} else if v != attentionGuard {
			t.Fatalf("%s: guard word %d of segment %d was overwritten", name, rest, s)
		}
	}
	return x
}

// newAttentionProblem draws operands for a, and completes a where a field is
// set only to say that it is wanted.
func newAttentionProblem(r *rand.Rand, a Attention) *attentionProblem {
	normal := func() float32 { return float32(r.NormFloat64()) }
	zero := func() float32 { return 0 }
	p := &attentionProblem{a: a}
	p.q, p.k = newRows(a.Segments, a.Queries, a.Z, normal), newRows(a.Segments, a.Keys, a.Z, normal)
	p.v, p.dout = newRows(a.Segments, a.Keys, a.H, normal), newRows(a.Segments, a.Queries, a.H, normal)
	p.out = newRows(a.Segments, a.Queries, a.H, zero)
	p.dq, p.dk = newRows(a.Segments, a.Queries, a.Z, zero), newRows(a.Segments, a.Keys, a.Z, zero)
	p.dv = newRows(a.Segments, a.Keys, a.H, zero)
	p.stats = make([]float32, a.Segments*a.Queries)
	p.a.Scale = 1
	if a.Function == AttentionSoftmax {
		p.a.Scale = float32(1 / math.Sqrt(float64(a.Z)))
	}
	if a.Bias != nil {
		p.a.BiasZero = a.Queries + 1
		p.a.Bias = make([]float32, a.Queries+a.Keys+4)
		for i := range p.a.Bias {
			p.a.Bias[i] = normal()
		}
		p.dbias = make([]float32, len(p.a.Bias))
	}
	if a.KeyMask != nil {
		p.a.KeyMask = attentionMasks(r, a.Segments, a.Keys)
	}
	if a.KeyLengths != nil {
		p.a.KeyLengths = make([]float32, a.Segments)
		for s := range p.a.KeyLengths {
			p.a.KeyLengths[s] = 1 + 3*r.Float32()
		}
	}
	p.reset()
	return p
}

// biasBefore is what the tests have in dbias before Backward adds to it.
const biasBefore = 0.5

// reset fills the results with NaN, which nothing may read.
func (p *attentionProblem) reset() {
	for _, r := range []Rows{p.out, p.dq, p.dk, p.dv} {
		for i, x := range r.Data {
			if x != attentionGuard {
				r.Data[i] = float32(math.NaN())
			}
		}
	}
	for i := range p.dbias {
		p.dbias[i] = biasBefore
	}
}

// attentionMasks draws masks of several kinds: padding behind, padding ahead,
// holes, none, and nothing but padding.
func attentionMasks(r *rand.Rand, segments, keys int) []bool {
	mask := make([]bool, segments*keys)
	for s := range segments {
		m, cut := mask[s*keys:(s+1)*keys], r.IntN(keys+1)
		for j := range m {
			switch s % 5 {
			case 0:
				m[j] = j >= cut
			case 1:
				m[j] = r.IntN(3) == 0
			case 2:
				m[j] = true
			case 3:
				m[j] = j < cut
			}
		}
	}
	return mask
}

// attentionVariants returns a under every function and set of options.
func attentionVariants(a Attention) []Attention {
	var all []Attention
	for f := AttentionSoftmax; f <= AttentionLaplace; f++ {
		for bits := range 16 {
			v := a
			v.Function, v.Causal = f, bits&1 != 0
			if bits&2 != 0 {
				v.Bias = []float32{}
			}
			if bits&4 != 0 {
				v.KeyMask = []bool{}
			}
			if bits&8 != 0 {
				v.Dropout, v.Seed = 0.3, 7
				v.KeyLengths = []float32{}
			}
			all = append(all, v)
		}
	}
	return all
}

func attentionName(a Attention) string {
	return fmt.Sprintf("%v/s%dq%dk%dz%dh%d,causal=%v,bias=%v,mask=%v,dropout=%v",
		a.Function, a.Segments, a.Queries, a.Keys, a.Z, a.H, a.Causal, a.Bias != nil, a.KeyMask != nil, a.Dropout)
}

// input returns the problem in float64.
func (p *attentionProblem) input() *attentionInput {
	wide := func(r Rows, rows, width int) []float64 {
		x := []float64{}
		for s := range p.a.Segments {
			for i := range rows {
				for _, v := range r.row(s, i, width) {
					x = append(x, float64(v))
				}
			}
		}
		return x
	}
	in := &attentionInput{a: p.a}
	in.q, in.k = wide(p.q, p.a.Queries, p.a.Z), wide(p.k, p.a.Keys, p.a.Z)
	in.v, in.dout = wide(p.v, p.a.Keys, p.a.H), wide(p.dout, p.a.Queries, p.a.H)
	for _, b := range p.a.Bias {
		in.bias = append(in.bias, float64(b))
	}
	return in
}

// run computes the results.
func (p *attentionProblem) run() {
	p.a.Forward(p.out, p.q, p.k, p.v, p.stats)
	p.a.Backward(p.dq, p.dk, p.dv, p.dbias, p.dout, p.q, p.k, p.v, p.out, p.stats)
}

// results returns the results one behind another.
func (p *attentionProblem) results(t testing.TB) []float32 {
	a := p.a
	return slices.Concat(
		p.out.dense(t, "out", a.Segments, a.Queries, a.H), p.dq.dense(t, "dq", a.Segments, a.Queries, a.Z),
		p.dk.dense(t, "dk", a.Segments, a.Keys, a.Z), p.dv.dense(t, "dv", a.Segments, a.Keys, a.H), p.dbias, p.stats)
}

// check compares the results with the reference's. The rounding of a score is
// in proportion to the terms it is a sum of, and what comes of it to the
// magnitudes of the results.
func (p *attentionProblem) check(t *testing.T, want *attentionReference) {
	t.Helper()
	a := p.a
	tolerance := 4e-7 * (2 + want.largest)
	compare := func(name string, got []float32, want magnified) {
		t.Helper()
		for i, g := range got {
			if d := math.Abs(float64(g) - want.value[i]); !(d <= tolerance*want.magnitude[i]+1e-28) {
				t.Fatalf("%v: %s: %s[%d] = %v, want %v: off by %v, magnitude %v", Current(), attentionName(a), name, i, g, want.value[i], d, want.magnitude[i])
			}
		}
	}
	compare("out", p.out.dense(t, "out", a.Segments, a.Queries, a.H), want.out)
	compare("dq", p.dq.dense(t, "dq", a.Segments, a.Queries, a.Z), want.dq)
	compare("dk", p.dk.dense(t, "dk", a.Segments, a.Keys, a.Z), want.dk)
	compare("dv", p.dv.dense(t, "dv", a.Segments, a.Keys, a.H), want.dv)
	bias := newMagnified(len(p.dbias))
	for i := range p.dbias {
		bias.add(i, want.dbias.value[i]+biasBefore, want.dbias.magnitude[i]+biasBefore)
	}
	compare("dbias", p.dbias, bias)
	if a.Function != AttentionSoftmax {
		return
	}
	for i, g := range p.stats {
		if w := want.stats[i]; float64(g) != w && !(math.Abs(float64(g)-w) <= tolerance*(1+math.Abs(w))) {
			t.Fatalf("%s: stats[%d] = %v, want %v", attentionName(a), i, g, w)
		}
	}
}

// attentionShapes are small shapes with everything odd: one key, one channel,
// more queries than keys, blocks that are cut.
var attentionShapes = []Attention{
	{Segments: 1, Queries: 1, Keys: 1, Z: 1, H: 1},
	{Segments: 5, Queries: 1, Keys: 37, Z: 5, H: 9},
	{Segments: 2, Queries: 3, Keys: 19, Z: 30, H: 33},
	{Segments: 5, Queries: 17, Keys: 17, Z: 7, H: 13},
	{Segments: 5, Queries: 21, Keys: 8, Z: 4, H: 5},
	{Segments: 3, Queries: 7, Keys: 70, Z: 16, H: 1},
	{Segments: 2, Queries: 101, Keys: 101, Z: 12, H: 20},
	{Segments: 1, Queries: 90, Keys: 301, Z: 3, H: 6},
}

func TestAttention(t *testing.T) {
	smallSizes(t)
	defer func(i Implementation) { _ = Use(i) }(Current())
	r := rand.New(rand.NewPCG(3, 4))
	for _, shape := range attentionShapes {
		for n, a := range attentionVariants(shape) {
			if shape.Keys > 100 && n%7 != 3 {
				continue
			}
			p := newAttentionProblem(r, a)
			want := p.input().run()
			for _, i := range Available() {
				if err := Use(i); err != nil {
					t.Fatal(err)
				}
				p.reset()
				p.run()
				p.check(t, want)
			}
		}
	}
}

// TestAttentionSplits covers what only larger shapes reach: keys split among
// tasks, many groups of key blocks, several segments a task.
func TestAttentionSplits(t *testing.T) {
	for i, a := range []Attention{
		{Segments: 1, Queries: 2, Keys: 1400, Z: 4, H: 5, Bias: []float32{}},
		{Segments: 1, Queries: 1, Keys: 2*splitKeys + 3, Z: 4, H: 5, KeyMask: []bool{}},
		{Segments: 2, Queries: 3, Keys: attentionKeys, Z: 4, H: 5, Causal: true},
		{Segments: 1, Queries: 4, Keys: 3*attentionKeys + 1, Z: 4, H: 5, Function: AttentionLaplace, Bias: []float32{}},
		{Segments: 1, Queries: 40, Keys: 1100, Z: 3, H: 4, Causal: true, KeyMask: []bool{}},
		{Segments: 2, Queries: 5, Keys: 1300, Z: 3, H: 4, Function: AttentionLaplace, Bias: []float32{}},
		{Segments: 1, Queries: 700, Keys: 700, Z: 3, H: 2, Causal: true, Bias: []float32{}},
		{Segments: 1, Queries: 610, Keys: 600, Z: 2, H: 3, Causal: true, Function: AttentionReLU2},
		{Segments: 300, Queries: 6, Keys: 6, Z: 2, H: 3, Bias: []float32{}, KeyMask: []bool{}},
	} {
		problem := func() *attentionProblem { return newAttentionProblem(rand.New(rand.NewPCG(5, uint64(i))), a) }
		want := problem().input().run()
		eachFast(t, func(t *testing.T) {
			p := problem()
			p.run()
			p.check(t, want)
		})
	}
}

// eachFast runs f under the implementation that is in use unasked, and in tiles where there are.
func eachFast(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	smallSizes(t)
	defer func(i Implementation) { _ = Use(i) }(Current())
	t.Run(Current().String(), f)
	if hasAMX && Use(AMX) == nil {
		t.Run(AMX.String(), f)
	}
}

// TestAttentionWorkers checks that results are the same, bit for bit, for any
// number of workers.
func TestAttentionWorkers(t *testing.T) {
	defer parallel.SetWorkers(parallel.Shared.Size())
	for _, a := range []Attention{
		{Segments: 1, Queries: 500, Keys: 500, Z: 4, H: 9, Causal: true, Bias: []float32{}},
		{Segments: 3, Queries: 300, Keys: 270, Z: 4, H: 9, Function: AttentionLaplace, Bias: []float32{}, Dropout: 0.1},
		{Segments: 140, Queries: 9, Keys: 9, Z: 3, H: 2, Bias: []float32{}, KeyMask: []bool{}},
		{Segments: 1, Queries: 1, Keys: 1200, Z: 3, H: 2},
	} {
		eachFast(t, func(t *testing.T) {
			var want []float32
			for _, n := range []int{1, 2, 3, 5} {
				parallel.SetWorkers(n)
				p := newAttentionProblem(rand.New(rand.NewPCG(7, 8)), a)
				p.run()
				got := p.results(t)
				if want == nil {
					want = got
				}
				sameBits(t, fmt.Sprintf("%s: %d workers", attentionName(a), n), got, want)
			}
		})
	}
}

// TestAttentionNaN checks that a NaN reaches what depends on it.
func TestAttentionNaN(t *testing.T) {
	nan := float32(math.NaN())
	eachAttention(t, func(t *testing.T) {
		for f := AttentionSoftmax; f <= AttentionLaplace; f++ {
			for _, queries := range []int{3, 20} {
				a := Attention{Function: f, Segments: 1, Queries: queries, Keys: 20, Z: 8, H: 4}
				for _, operand := range []string{"q", "k", "v"} {
					p := newAttentionProblem(rand.New(rand.NewPCG(9, 10)), a)
					map[string]Rows{"q": p.q, "k": p.k, "v": p.v}[operand].row(0, 2, 1)[0] = nan
					p.run()
					if out := p.out.row(0, 2, 1)[0]; out == out {
						t.Errorf("%v: a NaN in %s gives an output of %v", f, operand, out)
					}
					if dq := p.dq.row(0, 2, 1)[0]; dq == dq {
						t.Errorf("%v: a NaN in %s gives a gradient of %v", f, operand, dq)
					}
				}
			}
		}
	})
}

// TestAttentionInfinite checks scores of −Inf, from the bias: they get no
// weight, and a row of nothing else gives zeros.
func TestAttentionInfinite(t *testing.T) {
	eachAttention(t, func(t *testing.T) {
		p := newAttentionProblem(rand.New(rand.NewPCG(11, 12)), Attention{Segments: 1, Queries: 8, Keys: 600, Z: 2, H: 2, Bias: []float32{}})
		for i := range p.a.Bias {
			if i < p.a.BiasZero+300 {
				p.a.Bias[i] = negInf
			}
		}
		p.run()
		p.check(t, p.input().run())
		for i := range p.a.Bias {
			p.a.Bias[i] = negInf
		}
		p.run()
		for _, x := range p.results(t)[:p.a.Queries*p.a.H] {
			if x != 0 {
				t.Fatalf("a row without visible keys gives %v, want 0", x)
			}
		}
	})
}

// TestAttentionMemory checks that calls allocate next to nothing once warm.
func TestAttentionMemory(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector empties pools")
	}
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // so does a collection
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))  // each processor's first call allocates
	defer parallel.SetWorkers(parallel.Shared.Size())
	parallel.SetWorkers(1)
	a := Attention{Segments: 2, Queries: 600, Keys: 600, Z: 8, H: 16, Bias: []float32{}}
	p := newAttentionProblem(rand.New(rand.NewPCG(13, 14)), a)
	p.run()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	const rounds = 10
	for range rounds {
		p.run()
	}
	runtime.ReadMemStats(&after)
	if grown := (after.TotalAlloc - before.TotalAlloc) / rounds; grown > 1000 {
		t.Errorf("a step allocates %d bytes", grown)
	}
}

func TestParseAttentionFunction(t *testing.T) {
	for f := AttentionSoftmax; f <= AttentionLaplace; f++ {
		if got, err := ParseAttentionFunction(f.String()); got != f || err != nil {
			t.Errorf("%v is parsed as %v, %v", f, got, err)
		}
	}
	if _, err := ParseAttentionFunction("gelu"); err == nil {
		t.Error("gelu is taken for an attention function")
	}
}

// TestAttentionChecks checks that a wrong description is noticed.
func TestAttentionChecks(t *testing.T) {
	for name, spoil := range map[string]func(p *attentionProblem){
		"short bias":    func(p *attentionProblem) { p.a.Bias = p.a.Bias[:8] },
		"low bias zero": func(p *attentionProblem) { p.a.BiasZero = 3 },
		"mask":          func(p *attentionProblem) { p.a.KeyMask = make([]bool, 7) },
		"lengths":       func(p *attentionProblem) { p.a.KeyLengths = make([]float32, 1) },
		"dropout":       func(p *attentionProblem) { p.a.Dropout = 1 },
		"short q":       func(p *attentionProblem) { p.q.Data = p.q.Data[:20] },
		"narrow v":      func(p *attentionProblem) { p.v.Stride = 2 },
		"short stats":   func(p *attentionProblem) { p.stats = p.stats[:3] },
	} {
		p := newAttentionProblem(rand.New(rand.NewPCG(15, 16)), Attention{Segments: 2, Queries: 6, Keys: 6, Z: 3, H: 3, Bias: []float32{}})
		spoil(p)
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			p.a.Forward(p.out, p.q, p.k, p.v, p.stats)
		}()
	}
}
