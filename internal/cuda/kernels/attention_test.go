package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/mega-go/mega/internal/cuda/ptx"
	"github.com/mega-go/mega/internal/kernel"
)

// An attentionCase is attention of random numbers, whose rows are wider than they need.
type attentionCase struct {
	segments, queries, keys, z, h int
	causal                        bool
	in                            Format
	dropout                       float32
	special                       bool // some numbers are not finite
}

func (c attentionCase) String() string {
	return fmt.Sprintf("%d of %d to %d, %d and %d wide, causal %v, %v, dropout %v",
		c.segments, c.queries, c.keys, c.z, c.h, c.causal, c.in, c.dropout)
}

// TestAttention compares with the CPU's operation around the edges of tiles, and of blocks
// of columns. Segments but the first have masks, the last nothing but padding.
func TestAttention(t *testing.T) {
	cases := []attentionCase{
		{segments: 1, queries: 1, keys: 1, z: 1, h: 1},
		{segments: 2, queries: 63, keys: 63, z: 15, h: 63, causal: true},
		{segments: 1, queries: 64, keys: 64, z: 16, h: 64, dropout: 0.3},
		{segments: 2, queries: 65, keys: 65, z: 17, h: 65},
		{segments: 1, queries: 131, keys: 131, z: 8, h: 9, causal: true, dropout: 0.2},
		{segments: 2, queries: 5, keys: 131, z: 33, h: 10},
		{segments: 2, queries: 70, keys: 3, z: 3, h: 300},
		{segments: 1, queries: 4, keys: 67, z: 270, h: 5, causal: true},
		{segments: 1, queries: 67, keys: 4, z: 2, h: 5, causal: true},
	}
	for i, c := range cases {
		testAttention(t, kernel.AttentionSoftmax, c)
		testAttention(t, kernel.AttentionReLU2+kernel.AttentionFunction(i%2), c)
		for c.in = range formats {
			if c.in != Float32 {
				testAttention(t, kernel.AttentionFunction((i+int(c.in))%3), c)
			}
		}
	}
}

// TestAttentionSpecials has numbers that are not finite.
func TestAttentionSpecials(t *testing.T) {
	for f := range kernel.AttentionLaplace + 1 {
		testAttention(t, f, attentionCase{segments: 1, queries: 5, keys: 6, z: 3, h: 4, special: true})
	}
}

// attentionOperands are rows of numbers, three numbers apart.
type attentionOperands struct{ q, k, v, dout, out, dq, dk, dv kernel.Rows }

func testAttention(t *testing.T, f kernel.AttentionFunction, c attentionCase) {
	t.Helper()
	b := newBench(t)
	rows := func(n, width int) kernel.Rows {
		return kernel.Rows{Data: b.normal(n * (width + 3)), Stride: width + 3}
	}
	queries, keys := c.segments*c.queries, c.segments*c.keys
	want := attentionOperands{q: rows(queries, c.z), k: rows(keys, c.z), v: rows(keys, c.h), dout: rows(queries, c.h),
		out: rows(queries, c.h), dq: rows(queries, c.z), dk: rows(keys, c.z), dv: rows(keys, c.h)}
	if c.special {
		want.q.Data[0], want.k.Data[2*want.k.Stride], want.v.Data[1] = float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))
	}
	all := c.queries + c.keys - 1
	bias, dbias, stats := b.normal(all), b.normal(all), make([]float32, queries)
	reference := kernel.Attention{Function: f, Segments: c.segments, Queries: c.queries, Keys: c.keys, Z: c.z, H: c.h, Causal: c.causal,
		Scale: 0.4, Bias: bias, BiasZero: c.queries - 1, Dropout: c.dropout, Seed: 77, BF16: c.in != Float32}
	a := Attention{Function: int(f), Segments: c.segments, Queries: c.queries, Keys: c.keys, Z: c.z, H: c.h, Causal: c.causal,
		Scale: 0.4, Bias: up(b, bias) + Address(4*(c.queries-1)), Format: c.in, Dropout: Dropout{up(b, []uint64{77}), c.dropout}}
	if c.segments > 1 {
		setMask(b, &reference, &a)
	}
	at := func(r kernel.Rows) Rows { return Rows{up(b, r.Data), r.Stride} }
	q, k, v, dout, out := at(want.q), at(want.k), at(want.v), at(want.dout), at(want.out)
	dq, dk, dv, adbias, logs := at(want.dq), at(want.dk), at(want.dv), up(b, dbias), b.empty(queries)
	b.must(a.Forward(b, out, q, k, v, logs))
	b.must(a.Backward(b, dq, dk, dv, adbias+Address(4*(c.queries-1)), dout, q, k, v, out, logs, b.empty(a.BackwardMemory(true))))
	got := []Address{out.At, dq.At, dk.At, dv.At, adbias, logs}
	if f != kernel.AttentionSoftmax {
		got = got[:5]
	}
	var rounded [][]float32
	if c.in != Float32 {
		rounded = want.results(&reference, dbias, stats)
		reference.BF16 = false
	}
	for i, exact := range want.results(&reference, dbias, stats)[:len(got)] {
		name := fmt.Sprint(f, " ", c, ": ", []string{"out", "dq", "dk", "dv", "dbias", "logs"}[i])
		if c.in != Float32 {
			b.compareRounding(name, got[i], exact, rounded[i], c.in)
		} else {
			b.compareSize(name, got[i], exact, 4e-6)
		}
	}
}

// results returns out, dq, dk, dv, dbias and stats as the CPU has them, where dbias is
// added to old.
func (o attentionOperands) results(a *kernel.Attention, old, stats []float32) [][]float32 {
	dbias := slices.Clone(old)
	a.Forward(o.out, o.q, o.k, o.v, stats)
	a.Backward(o.dq, o.dk, o.dv, dbias, o.dout, o.q, o.k, o.v, o.out, stats)
	var all [][]float32
	for _, x := range [][]float32{o.out.Data, o.dq.Data, o.dk.Data, o.dv.Data, dbias, stats} {
		all = append(all, slices.Clone(x))
	}
	return all
}

// setMask hides some keys of all segments but the first, and all of the last.
func setMask(b *bench, reference *kernel.Attention, a *Attention) {
	mask, shown := make([]bool, a.Segments*a.Keys), make([]byte, a.Segments*a.Keys)
	lengths := make([]float32, a.Segments)
	for s := range a.Segments {
		for j := range a.Keys {
			i := s*a.Keys + j
			mask[i] = s > 0 && b.r.IntN(3) == 0 || s == a.Segments-1
			// Under softmax the CPU leaves a segment of padding alone as it is.
			if mask[i] && (s < a.Segments-1 || reference.Function != kernel.AttentionSoftmax) {
				shown[i] = 1
			} else {
				lengths[s]++
			}
		}
		lengths[s] = max(1, lengths[s])
	}
	reference.KeyMask, a.Mask = mask, up(b, shown)
	if !a.Causal {
		a.Lengths = up(b, lengths)
	}
}

// compareSize holds numbers against want, to within tolerance times the root mean square of
// those that are finite, and their own size.
func (b *bench) compareSize(name string, at Address, want []float32, tolerance float64) {
	b.Helper()
	square := 0.0
	for _, w := range want {
		if s := float64(w) * float64(w); s < math.Inf(1) {
			square += s
		}
	}
	size := math.Sqrt(square / float64(len(want)))
	for i, got := range down[float32](b, at, len(want)) {
		if w := float64(want[i]); !near(got, want[i], 0) && !(math.Abs(float64(got)-w) <= tolerance*(size+math.Abs(w))) {
			b.Errorf("%s: number %d of %d is %v, want %v; their size is %.3g", name, i, len(want), got, want[i], size)
			return
		}
	}
}

// compareRounding holds numbers of products in a format against those of float32: in
// bfloat16 they may be twice as far from them as the CPU's are that are rounded as well, and
// half a unit of bfloat16's last place further, both as root mean squares. TF32 has three
// more bits, and so an eighth of that.
func (b *bench) compareRounding(name string, at Address, exact, rounded []float32, in Format) {
	b.Helper()
	var far, allowed, size float64
	for i, got := range down[float32](b, at, len(exact)) {
		if math.IsInf(float64(exact[i]), 0) && got == exact[i] {
			continue
		}
		far += math.Pow(float64(got)-float64(exact[i]), 2)
		allowed += math.Pow(float64(rounded[i])-float64(exact[i]), 2)
		size += math.Pow(float64(exact[i]), 2)
	}
	bound := 2*math.Sqrt(allowed) + math.Sqrt(size)/512
	if in == TF32 {
		bound /= 8
	}
	if !(math.Sqrt(far) <= bound) {
		b.Errorf("%s is off by %.3g of its size, want at most %.3g", name, math.Sqrt(far/size), bound/math.Sqrt(size))
	}
}

// TestAttentionHidden: queries that see nothing get 0, and so do their gradients, whatever
// the numbers are that they do not see.
func TestAttentionHidden(t *testing.T) {
	b := newBench(t)
	nan := []float32{float32(math.NaN()), float32(math.NaN())}
	a := Attention{Segments: 1, Queries: 2, Keys: 2, Z: 1, H: 1, Scale: 1, Mask: up(b, []byte{1, 1})}
	x, out, logs := Rows{up(b, []float32{1, 2}), 1}, Rows{b.empty(2), 1}, b.empty(2)
	b.must(a.Forward(b, out, Rows{up(b, nan), 1}, Rows{up(b, nan), 1}, x, logs))
	b.compare("out", out.At, []float32{0, 0}, 0)
	inf := float32(math.Inf(1))
	b.compare("logs", logs, []float32{inf, inf}, 0)
	dq, dk, dv := Rows{b.empty(2), 1}, Rows{b.empty(2), 1}, Rows{b.empty(2), 1}
	b.must(a.Backward(b, dq, dk, dv, 0, x, x, x, x, out, logs, b.empty(a.BackwardMemory(false))))
	for _, d := range []Rows{dq, dk, dv} {
		b.compare("gradient", d.At, []float32{0, 0}, 0)
	}
}

// kernelAlone returns a module with one kernel of the module of all.
func kernelAlone(t *testing.T, name string) string {
	t.Helper()
	start := strings.Index(PTX, ".visible .entry "+name+"(")
	if start < 0 {
		t.Fatalf("no kernel %s", name)
	}
	body := PTX[start:]
	var b strings.Builder
	for line := range strings.Lines(PTX[:strings.Index(PTX, ".visible .entry")]) {
		b.WriteString(line)
	}
	return b.String() + body[:strings.Index(body, "\n}")] + "\n}\n"
}

// TestAttentionMutants holds that the interpreter catches each kernel of attention with a
// barrier removed, or with a bound that lets one row or column too many through.
func TestAttentionMutants(t *testing.T) {
	for _, name := range []string{"attention", "attention_queries", "attention_bf16_keys", "attention_tf32"} {
		text := kernelAlone(t, name)
		if err := runAttentionKernel(t, text, name); err != nil {
			t.Fatalf("%s as it is: %v", name, err)
		}
		for i := 1; i <= strings.Count(text, "bar.sync"); i++ {
			if err := runAttentionKernel(t, changed(text, "bar.sync \t0;", "", i), name); err == nil {
				t.Errorf("%s: barrier %d may go", name, i)
			}
		}
	}
	// Few of the bounds are those of what is in memory; the others keep zeros out.
	const name, bound = "attention", "setp.ge.s32"
	text, caught := kernelAlone(t, name), 0
	for i := 1; i <= strings.Count(text, bound); i++ {
		if err := runAttentionKernel(t, changed(text, bound, "setp.gt.s32", i), name); err != nil {
			caught++
		}
	}
	if caught < 5 {
		t.Errorf("%d bounds that are one too large are caught", caught)
	}
}

// changed returns text with the i-th old one of its kind, from 1 on, replaced.
func changed(text, old, by string, i int) string {
	parts := strings.Split(text, old)
	return strings.Join(parts[:i], old) + by + strings.Join(parts[i:], old)
}

// runAttentionKernel runs one kernel of a module over a tile of its own and two others.
func runAttentionKernel(t *testing.T, text, name string) error {
	module, err := ptx.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t, &interpreter{Memory: ptx.NewMemory(), module: module}, rand.New(rand.NewPCG(1, 2))}
	const n, other, z, h = 5, 67, 19, 18
	a := Attention{Segments: 1, Queries: n, Keys: other, Z: z, H: h, Scale: 1}
	for in := range formats {
		if in != Float32 && strings.Contains(name, in.suffix()) {
			a.Format = in
		}
	}
	task := attentionTask{kernel: strings.TrimPrefix(strings.TrimPrefix(name, "attention"), a.Format.suffix()), width: h,
		logs: up(b, make([]float32, other)), deltas: up(b, make([]float32, other))}
	rows := func(n, width int) Rows { return Rows{up(b, b.normal(n*width)), width} }
	task.a, task.b, task.x, task.y = rows(n, z), rows(other, z), rows(other, h), Rows{b.empty(n * h), h}
	if task.kernel != "" {
		task.c, task.e, task.x, task.y, task.width = rows(n, h), rows(other, h), rows(other, z), Rows{b.empty(n * z), z}, z
		task.biasGradients = b.empty(other + tile)
	}
	if task.ownKeys = strings.HasSuffix(name, "keys"); task.ownKeys {
		a.Queries, a.Keys = other, n
	}
	return task.launch(b, &a)
}
