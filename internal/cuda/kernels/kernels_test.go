package kernels

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/mega-go/mega/internal/cuda/ptx"
	"github.com/mega-go/mega/internal/kernel"
)

// A machine is a device with memory: the interpreter, or with the build tag cuda a
// device of this computer, if there is one.
type machine interface {
	Device
	Alloc(n int) uint64 // bytes
	Write(address uint64, data []byte) error
	Read(data []byte, address uint64) error
}

// interpreter runs a module on the processor, in an order of blocks and warps that
// changes from launch to launch.
type interpreter struct {
	*ptx.Memory
	module *ptx.Module
	seed   uint64
}

func (m *interpreter) Launch(name string, grid, block [3]int, args ...any) error {
	k := m.module.Kernel(name)
	if k == nil {
		return fmt.Errorf("no kernel %s", name)
	}
	m.seed++
	return k.Run(m.Memory, ptx.Launch{Grid: grid, Block: block, Seed: m.seed}, args...)
}

// newMachine returns what the tests run on.
var newMachine = func(t testing.TB) machine {
	m, err := parsed()
	if err != nil {
		t.Fatal(err)
	}
	return &interpreter{Memory: ptx.NewMemory(), module: m}
}

// parsed is the module of all kernels, parsed once.
var parsed = sync.OnceValues(func() (*ptx.Module, error) { return ptx.Parse(PTX) })

func interpret(t testing.TB, text string) *interpreter {
	t.Helper()
	m, err := ptx.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return &interpreter{Memory: ptx.NewMemory(), module: m}
}

// A bench puts numbers on a machine and compares what comes back.
type bench struct {
	testing.TB
	machine
	r *rand.Rand
}

func newBench(t testing.TB) *bench {
	// The CPU's kernels here are the plain ones, which compute in float64.
	if err := kernel.Use(kernel.Generic); err != nil {
		t.Fatal(err)
	}
	return &bench{t, newMachine(t), rand.New(rand.NewPCG(1, 2))}
}

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// up returns the address of a copy of x.
func up[T any](b *bench, x []T) Address {
	b.Helper()
	data, err := binary.Append(nil, binary.LittleEndian, x)
	b.must(err)
	at := b.Alloc(len(data))
	b.must(b.Write(at, data))
	return at
}

// empty returns memory for n numbers of 4 bytes.
func (b *bench) empty(n int) Address { return b.Alloc(4 * n) }

// down returns n numbers.
func down[T any](b *bench, at Address, n int) []T {
	b.Helper()
	x := make([]T, n)
	data := make([]byte, binary.Size(x))
	b.must(b.Read(data, at))
	_, err := binary.Decode(data, binary.LittleEndian, x)
	b.must(err)
	return x
}

// normal returns n random numbers.
func (b *bench) normal(n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(b.r.NormFloat64())
	}
	return x
}

// compare holds numbers on the machine against want, to within tolerance times 1 plus
// the number's size. NaN and infinities must be where they should.
func (b *bench) compare(name string, at Address, want []float32, tolerance float64) {
	b.Helper()
	for i, got := range down[float32](b, at, len(want)) {
		if !near(got, want[i], tolerance) {
			b.Errorf("%s: number %d of %d is %v, want %v", name, i, len(want), got, want[i])
			return
		}
	}
}

func near(got, want float32, tolerance float64) bool {
	g, w := float64(got), float64(want)
	if math.IsNaN(w) || math.IsInf(w, 0) {
		return math.IsNaN(g) == math.IsNaN(w) && (g == w || math.IsNaN(w))
	}
	return math.Abs(g-w) <= tolerance*(1+math.Abs(w))
}

// sizes are around the edges of warps and blocks.
var sizes = []int{0, 1, 31, 32, 33, 255, 256, 257, 700}

var specials = []float32{0, float32(math.Copysign(0, -1)), 1e-40, -1e-40, 1e-20, 1e20, -1e20, 20, -20, 88.7, -88.7, 100, -100,
	float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN())}

// TestElementwise compares to the last bit.
func TestElementwise(t *testing.T) {
	b := newBench(t)
	for _, n := range sizes {
		x, y := b.normal(n), b.normal(n)
		copy(x, specials)
		if n > 5 {
			slices.Reverse(x[n/2:])
		}
		at, ay := up(b, x), up(b, y)
		want := make([]float32, n)
		check := func(name string, run func(dst Address) error, cpu func()) {
			t.Helper()
			dst := up(b, y)
			b.must(run(dst))
			cpu()
			b.compare(fmt.Sprint(name, n), dst, want, 0)
		}
		check("add", func(dst Address) error { return Add(b, dst, at, ay, n) }, func() { kernel.Add(want, x, y) })
		check("multiply", func(dst Address) error { return Multiply(b, dst, at, ay, n) }, func() { kernel.Mul(want, x, y) })
		check("scale", func(dst Address) error { return Scale(b, dst, at, 1.7, n) }, func() { kernel.Scale(want, x, 1.7) })
		check("fill", func(dst Address) error { return Fill(b, dst, -2.5, n) }, func() { kernel.Fill(want, -2.5) })
		check("add_scaled", func(dst Address) error { return AddScaled(b, dst, at, 0.5, n) }, func() {
			copy(want, y)
			kernel.Axpy(want, 0.5, x)
		})
	}
}

// TestActivations covers the range of each function, to within what the CPU's kernels
// promise (kernel.Activate, kernel.ActivateGrad).
func TestActivations(t *testing.T) {
	b := newBench(t)
	x := slices.Clone(specials)
	for v := float32(-16); v <= 16; v += 0.043 {
		x = append(x, v, v*0.01)
	}
	n := len(x)
	dy, want := b.normal(n), make([]float32, n)
	for f := kernel.Identity; f <= kernel.GELUTanh; f++ {
		dst, at, ady := b.empty(n), up(b, x), up(b, dy)
		b.must(Activate(b, int(f), dst, at, n))
		kernel.Activate(f, want, x)
		b.compare(f.String(), dst, want, 2.5e-7)
		b.must(ActivateGrad(b, int(f), dst, ady, at, n))
		kernel.ActivateGrad(f, want, dy, x)
		for i, d := range dy {
			if got := down[float32](b, dst+Address(4*i), 1)[0]; !near(got, want[i], 4e-7*(1+math.Abs(float64(d)))) {
				t.Errorf("%v'(%v)·%v = %v, want %v", f, x[i], d, got, want[i])
				break
			}
		}
	}
}

func TestGates(t *testing.T) {
	b := newBench(t)
	const n = 300
	r, u, h, dout := b.normal(n), b.normal(n), b.normal(n), b.normal(n)
	copy(u, []float32{50, -50, 100, -100})
	ar, au, ah, ad := up(b, r), up(b, u), up(b, h), up(b, dout)
	out, dr, du, dh := b.empty(n), b.empty(n), b.empty(n), b.empty(n)
	wr, wu, wh := make([]float32, n), make([]float32, n), make([]float32, n)
	b.must(GatedResidual(b, out, ar, au, ah, n))
	kernel.GatedResidual(wr, r, u, h)
	b.compare("gated residual", out, wr, 4e-7)
	b.must(GatedResidualGrad(b, dr, du, dh, ad, ar, au, ah, n))
	kernel.GatedResidualGrad(wr, wu, wh, dout, r, u, h)
	b.compare("dr", dr, wr, 4e-7)
	b.compare("du", du, wu, 6e-7)
	b.compare("dh", dh, wh, 4e-7)
	b.must(SiLUMultiply(b, out, au, ar, n))
	kernel.SiLUMul(wr, u, r)
	b.compare("silu multiply", out, wr, 4e-7)
	b.must(SiLUMultiplyGrad(b, dr, du, ad, au, ar, n))
	kernel.SiLUMulGrad(wr, wu, dout, u, r)
	b.compare("dr of silu multiply", dr, wr, 2e-6)
	b.compare("da of silu multiply", du, wu, 4e-7)
}

// TestAdam compares to the last bit.
func TestAdam(t *testing.T) {
	b := newBench(t)
	const n = 257
	w, g, m, v := b.normal(n), b.normal(n), b.normal(n), b.normal(n)
	for i := range v {
		v[i] *= v[i]
	}
	aw, ag, am, av := up(b, w), up(b, g), up(b, m), up(b, v)
	p := AdamParams{StepSize: 1e-2, Beta1: 0.9, Beta2: 0.98, Eps: 1e-8, Decay: 1e-3, GradScale: 0.3}
	b.must(Adam(b, aw, ag, am, av, n, p))
	kernel.AdamStep(w, g, m, v, kernel.AdamParams(p))
	b.compare("w", aw, w, 0)
	b.compare("m", am, m, 0)
	b.compare("v", av, v, 0)
}

// TestDropout compares which elements fall to the last one, at seeds, offsets and sizes
// that begin and end inside groups of random words.
func TestDropout(t *testing.T) {
	b := newBench(t)
	for _, n := range []int{1, 16, 63, 64, 65, 1000, 4200} {
		for _, offset := range []uint64{0, 1, 63, 64, 1000, 1<<38 - 5, 1<<40 + 17} {
			x, want := b.normal(n), make([]float32, n)
			dst, at, seed := b.empty(n), up(b, x), b.r.Uint64()
			b.must(Dropout(b, dst, at, n, seed, offset, 0.3))
			kernel.Dropout(want, x, seed, offset, 0.3)
			b.compare(fmt.Sprint("dropout ", n, " at ", offset), dst, want, 0)
		}
	}
}

func TestRowNorms(t *testing.T) {
	const eps = 1e-5
	b := newBench(t)
	for _, rows := range []int{0, 1, 7, 8, 9, 130, 260} {
		for _, cols := range []int{1, 31, 32, 33, 80} {
			if rows > 100 && cols != 33 {
				continue
			}
			ldx, ldy := cols+3, cols+1
			x, dy := b.normal(rows*ldx), b.normal(rows*ldy)
			weight, bias, old := b.normal(cols), b.normal(cols), b.normal(rows*ldx)
			if rows == 9 && cols > 1 {
				x[2*ldx], x[5*ldx+1], x[7*ldx] = float32(math.NaN()), float32(math.Inf(1)), 1e10
			}
			ax, ady, aw, ab := up(b, x), up(b, dy), up(b, weight), up(b, bias)
			mean, rstd, parts := b.empty(rows), b.empty(rows), b.empty(2*Parts(rows)*cols)
			wm, wr := make([]float32, rows), make([]float32, rows)
			// Gradients of weights are sums of rows terms, of the size of x̂.
			tolerance, sums := 2e-5, 4e-6*math.Sqrt(float64(rows+1))
			name := func(what string) string { return fmt.Sprintf("%s of %d×%d", what, rows, cols) }

			y, wy := up(b, dy), slices.Clone(dy)
			b.must(LayerNorm(b, y, ax, aw, ab, mean, rstd, rows, cols, ldy, ldx, eps))
			kernel.LayerNorm(wy, x, weight, bias, wm, wr, rows, cols, ldy, ldx, eps)
			b.compare(name("layer norm"), y, wy, tolerance)
			b.compare(name("mean"), mean, wm, 1e-6)
			b.compare(name("rstd"), rstd, wr, 1e-6)
			dx, wdx := up(b, old), slices.Clone(old)
			dw, db := up(b, weight), up(b, bias)
			wdw, wdb := slices.Clone(weight), slices.Clone(bias)
			am, ar := up(b, wm), up(b, wr)
			b.must(LayerNormGrad(b, dx, ady, ax, aw, am, ar, rows, cols, ldx, ldy, ldx, true))
			b.must(NormWeightGrad(b, dw, db, ady, ax, am, ar, parts, rows, cols, ldy, ldx))
			kernel.LayerNormGrad(wdx, wdw, wdb, dy, x, weight, wm, wr, rows, cols, ldx, ldy, ldx, true)
			scale := gradientScale(wr)
			b.compare(name("dx of layer norm"), dx, wdx, tolerance*scale)
			b.compare(name("dweight of layer norm"), dw, wdw, sums*scale)
			b.compare(name("dbias of layer norm"), db, wdb, sums)
			b.must(LayerNorm(b, y, ax, 0, 0, mean, rstd, rows, cols, ldy, ldx, eps))
			kernel.LayerNorm(wy, x, nil, nil, wm, wr, rows, cols, ldy, ldx, eps)
			b.compare(name("plain layer norm"), y, wy, tolerance)
			b.must(LayerNormGrad(b, dx, ady, ax, 0, am, ar, rows, cols, ldx, ldy, ldx, false))
			kernel.LayerNormGrad(wdx, nil, nil, dy, x, nil, wm, wr, rows, cols, ldx, ldy, ldx, false)
			b.compare(name("dx of plain layer norm"), dx, wdx, tolerance*scale)

			b.must(RMSNorm(b, y, ax, aw, false, rstd, rows, cols, ldy, ldx, eps))
			kernel.RMSNorm(wy, x, weight, wr, rows, cols, ldy, ldx, eps)
			b.compare(name("rms norm"), y, wy, tolerance)
			ar = up(b, wr)
			dw, wdw = up(b, weight), slices.Clone(weight)
			b.must(RMSNormGrad(b, dx, ady, ax, aw, false, ar, rows, cols, ldx, ldy, ldx, false))
			b.must(NormWeightGrad(b, dw, 0, ady, ax, 0, ar, parts, rows, cols, ldy, ldx))
			kernel.RMSNormGrad(wdx, wdw, dy, x, weight, wr, rows, cols, ldx, ldy, ldx, false)
			scale = gradientScale(wr)
			b.compare(name("dx of rms norm"), dx, wdx, tolerance*scale)
			b.compare(name("dweight of rms norm"), dw, wdw, sums*scale)

			b.must(RMSNorm(b, y, ax, aw, true, rstd, rows, cols, ldy, ldx, eps))
			kernel.ScaleNorm(wy, x, weight[0], wr, rows, cols, ldy, ldx, eps)
			b.compare(name("scale norm"), y, wy, tolerance)
			zeros, total := up(b, make([]float32, cols)), up(b, make([]float32, 1))
			b.must(RMSNormGrad(b, dx, ady, ax, aw, true, ar, rows, cols, ldx, ldy, ldx, false))
			b.must(NormWeightGrad(b, zeros, 0, ady, ax, 0, ar, parts, rows, cols, ldy, ldx))
			b.must(SumParts(b, total, zeros, cols, 1))
			want := kernel.ScaleNormGrad(wdx, dy, x, weight[0], wr, rows, cols, ldx, ldy, ldx, false)
			b.compare(name("dx of scale norm"), dx, wdx, tolerance*scale)
			b.compare(name("dscale"), total, []float32{want}, sums*math.Sqrt(float64(cols))*scale)
		}
	}
}

// gradientScale is the largest factor that rows are multiplied by: gradients, and their
// errors, grow with it.
func gradientScale(rstd []float32) float64 {
	largest := 1.0
	for _, r := range rstd {
		if v := float64(r); v > largest && !math.IsInf(v, 0) {
			largest = v
		}
	}
	return largest
}

func TestColumns(t *testing.T) {
	b := newBench(t)
	for _, rows := range []int{1, 127, 128, 129, 300} {
		const cols = 37
		ldx := cols + 2
		x, dy, old := b.normal(rows*ldx), b.normal(rows*ldx), b.normal(rows*ldx)
		vectors := make([][]float32, 6)
		at := make([]Address, len(vectors))
		for i := range vectors {
			vectors[i] = b.normal(cols)
			at[i] = up(b, vectors[i])
		}
		ax, ady := up(b, x), up(b, dy)
		dst, want := up(b, vectors[0]), slices.Clone(vectors[0])
		b.must(ColumnSums(b, dst, ax, b.empty(Parts(rows)*cols), rows, cols, ldx))
		kernel.ColumnSums(want, x, rows, cols, ldx)
		b.compare("column sums", dst, want, 1e-6*math.Sqrt(float64(rows)))

		parts, moments := b.Alloc(16*Parts(rows)*cols), up(b, make([]float64, 2*cols))
		sum, squares := make([]float64, cols), make([]float64, cols)
		compare := func(name string) {
			t.Helper()
			for i, v := range down[float64](b, moments, 2*cols) {
				if w := append(slices.Clone(sum), squares...)[i]; math.Abs(v-w) > 1e-12*float64(rows) {
					t.Fatalf("%s of %d rows: %v, want %v", name, rows, v, w)
				}
			}
		}
		b.must(ColumnMoments(b, moments, ax, parts, rows, cols, ldx))
		kernel.ColumnMoments(sum, squares, x, rows, cols, ldx)
		compare("moments")
		b.must(BatchNormSums(b, moments, ady, ax, at[0], parts, rows, cols, ldx, ldx))
		kernel.BatchNormSums(sum, squares, dy, x, vectors[0], rows, cols, ldx, ldx)
		compare("sums")

		y, wy := up(b, old), slices.Clone(old)
		b.must(ColumnAffine(b, y, ax, at[1], at[2], rows, cols, ldx, ldx))
		kernel.ColumnAffine(wy, x, vectors[1], vectors[2], rows, cols, ldx, ldx)
		b.compare("affine", y, wy, 1e-6)
		for _, accumulate := range []bool{false, true} {
			y, wy = up(b, old), slices.Clone(old)
			b.must(BatchNormGrad(b, y, ady, ax, at[0], at[1], at[2], at[3], at[4], rows, cols, ldx, ldx, ldx, accumulate))
			kernel.BatchNormGrad(wy, dy, x, vectors[0], vectors[1], vectors[2], vectors[3], vectors[4], rows, cols, ldx, ldx, ldx, accumulate)
			b.compare("batch norm's gradient", y, wy, 2e-6)
		}
	}
}

// TestProduct compares with sums in float64, for matrices that lie either way.
func TestProduct(t *testing.T) { testProduct(t, Product, func(x float32) float32 { return x }) }

// TestProductBF16 is the same for factors that are rounded.
func TestProductBF16(t *testing.T) {
	testProduct(t, ProductBF16, func(x float32) float32 {
		bits := math.Float32bits(x)
		return math.Float32frombits((bits + 0x7fff + bits>>16&1) &^ 0xffff)
	})
}

// TestProductLarge holds the kernels for large matrices, which small ones are not given to,
// against those for others, to the last bit.
func TestProductLarge(t *testing.T) {
	for _, name := range []string{"product", "product_bf16"} {
		t.Run(name, func(t *testing.T) { testProductLarge(t, name) })
	}
	for name, f := range map[string]productFunction{"float32": Product, "bfloat16": ProductBF16} {
		s := new(surveyor)
		if err := f(s, Matrix{}, Matrix{}, Matrix{}, 0, 2, 1024, 1024, 1024, false); err != nil || s.largest != [3]int{8, 8, 2} {
			t.Errorf("large matrices of %s have a grid of %v, %v", name, s.largest, err)
		}
	}
}

func testProductLarge(t *testing.T, name string) {
	b := newBench(t)
	for i, s := range [][3]int{{1, 1, 1}, {128, 128, 8}, {129, 127, 17}, {3, 200, 35}, {70, 5, 40}, {2, 3, 0}} {
		for variant := range 4 {
			m, n, k, batch, accumulate := s[0], s[1], s[2], 1+(i+variant)%2, variant == i%4
			x, y, bias, old := b.normal(batch*m*k), b.normal(batch*k*n), b.normal(n), b.normal(batch*m*(n+2))
			a, bm := Matrix{up(b, x), k, 1, m * k}, Matrix{up(b, y), n, 1, k * n}
			if variant&1 != 0 {
				a.Row, a.Col = 1, m
			}
			if variant&2 != 0 {
				bm.Row, bm.Col = 1, k
			}
			at := up(b, bias)
			if accumulate {
				at = 0
			}
			large, other := Matrix{up(b, old), n + 2, 1, m * (n + 2)}, Matrix{up(b, old), n + 2, 1, m * (n + 2)}
			b.must(product(b, name+"_large", largeTile, large, a, bm, at, batch, m, n, k, accumulate))
			b.must(product(b, name, tile, other, a, bm, at, batch, m, n, k, accumulate))
			b.compare(fmt.Sprint(s, " variant ", variant), large.At, down[float32](b, other.At, len(old)), 0)
		}
	}
}

type productFunction func(d Device, c, a, b Matrix, bias Address, batch, m, n, k int, accumulate bool) error

func testProduct(t *testing.T, product productFunction, rounded func(float32) float32) {
	b := newBench(t)
	for _, s := range [][3]int{{1, 1, 1}, {3, 5, 2}, {64, 64, 16}, {65, 63, 17}, {7, 130, 33}, {2, 3, 0}} {
		for variant := range 8 {
			m, n, k, batch := s[0], s[1], s[2], 1+variant%2*(2-s[0]/64)
			accumulate := variant >= 4
			x, y, bias, old := b.normal(batch*m*k), b.normal(batch*k*n), b.normal(n), b.normal(batch*m*(n+2))
			if m == 65 {
				x[5], y[3], y[70] = float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))
			}
			a := Matrix{up(b, x), k, 1, m * k}
			if variant&2 != 0 {
				a.Row, a.Col = 1, m
			}
			bm := Matrix{up(b, y), n, 1, k * n}
			if variant&1 != 0 {
				bm.Row, bm.Col = 1, k
			}
			c, at := Matrix{up(b, old), n + 2, 1, m * (n + 2)}, up(b, bias)
			if accumulate {
				at = 0
			}
			b.must(product(b, c, a, bm, at, batch, m, n, k, accumulate))
			got := down[float32](b, c.At, len(old))
			for z := range batch {
				for i := range m {
					for j := range n {
						p := z*c.Batch + i*c.Row + j
						sum, size := 0.0, 1.0
						for d := range k {
							term := float64(rounded(x[z*a.Batch+i*a.Row+d*a.Col])) * float64(rounded(y[z*bm.Batch+d*bm.Row+j*bm.Col]))
							sum, size = sum+term, size+math.Abs(term)
						}
						rest := float64(old[p])
						if !accumulate {
							rest = float64(bias[j])
						}
						if want := float32(sum + rest); !near(got[p], want, float64(k+2)*6e-8*size) && !(math.IsInf(size, 1) && near(got[p], want, 0)) {
							t.Fatalf("%v, variant %d: element %d, %d of %d is %v, want %v", s, variant, i, j, z, got[p], want)
						}
					}
				}
			}
		}
	}
}

// TestAttentionWeights compares with the formulas in float64.
func TestAttentionWeights(t *testing.T) {
	b := newBench(t)
	for _, c := range []struct {
		queries, keys int
		causal        bool
	}{{1, 1, false}, {5, 33, false}, {33, 33, true}, {4, 40, true}, {9, 5, true}} {
		const segments = 2
		rows := segments * c.queries
		n := rows * c.keys
		scores, dp, bias := b.normal(n), b.normal(n), b.normal(c.queries+c.keys-1)
		mask := make([]byte, segments*c.keys)
		for i := range mask {
			mask[i] = byte(b.r.IntN(4) / 3)
		}
		for j := range c.keys { // of segment 1 all keys are padding
			mask[c.keys+j] = 1
		}
		if c.keys > 5 {
			scores[3], scores[c.keys+4] = float32(math.Inf(-1)), 90
		}
		lengths := []float32{7, 3}
		s := Scores{Segments: segments, Queries: c.queries, Keys: c.keys, Scale: 0.7, Causal: c.causal,
			Bias: up(b, bias) + Address(4*(c.queries-1)), Mask: up(b, mask)}
		seen := func(row, j int) bool {
			i := row % c.queries
			return !(c.causal && j > i+c.keys-c.queries) && mask[row/c.queries*c.keys+j] == 0
		}
		score := func(row, j int, scale float64) float64 {
			return float64(scores[row*c.keys+j])*scale + float64(bias[c.queries-1+j-row%c.queries])
		}
		want, grad := make([]float32, n), make([]float32, n)
		for row := range rows {
			top, sum, dot := math.Inf(-1), 0.0, 0.0
			for j := range c.keys {
				if seen(row, j) {
					top = math.Max(top, score(row, j, float64(s.Scale)))
				}
			}
			p := make([]float64, c.keys)
			for j := range p {
				if seen(row, j) && top > math.Inf(-1) {
					p[j] = math.Exp(score(row, j, float64(s.Scale)) - top)
					sum += p[j]
				}
			}
			for j := range p {
				p[j] /= math.Max(sum, 1e-300)
				dot += p[j] * float64(dp[row*c.keys+j])
			}
			for j := range p {
				want[row*c.keys+j] = float32(p[j])
				grad[row*c.keys+j] = float32(p[j] * (float64(dp[row*c.keys+j]) - dot))
			}
		}
		weights, d := up(b, scores), up(b, dp)
		b.must(s.SoftmaxWeights(b, weights))
		b.must(s.SoftmaxWeightsGrad(b, d, weights))
		name := fmt.Sprintf("%d queries, %d keys", c.queries, c.keys)
		b.compare(name+": softmax", weights, want, 2e-6)
		b.compare(name+": gradient of softmax", d, grad, 4e-6)
		for _, f := range []kernel.Activation{kernel.ReLU2, kernel.Laplace} {
			for _, own := range []bool{false, true} {
				var l Address
				if own {
					l = up(b, lengths)
				}
				for row := range rows {
					scale := float64(s.Scale) / float64(max(1, c.keys))
					if c.causal {
						scale = float64(s.Scale) / math.Max(1, float64(row%c.queries+1+c.keys-c.queries))
					}
					if own {
						scale = float64(s.Scale) / float64(lengths[row/c.queries])
					}
					for j := range c.keys {
						i := row*c.keys + j
						want[i], grad[i] = 0, 0
						if seen(row, j) {
							one := []float32{float32(score(row, j, scale))}
							kernel.ActivateGrad(f, grad[i:i+1], dp[i:i+1], one)
							kernel.Activate(f, want[i:i+1], one)
						}
					}
				}
				out, d := b.empty(n), up(b, dp)
				at := up(b, scores)
				b.must(s.ElementWeights(b, int(f), out, at, l))
				b.must(s.ElementWeightsGrad(b, int(f), d, at, l))
				b.compare(fmt.Sprint(name, ": ", f), out, want, 4e-6)
				b.compare(fmt.Sprint(name, ": gradient of ", f), d, grad, 2e-5)
			}
		}
	}
}

// TestEMA compares with a scan in float64, and the forward pass with the CPU's too.
func TestEMA(t *testing.T) {
	for _, c := range []struct{ batch, length, channels, states int }{
		{1, 1, 1, 1}, {2, 63, 3, 16}, {1, 64, 65, 2}, {2, 65, 5, 4}, {1, 300, 64, 16},
	} {
		for variant := range 4 {
			testEMA(newBench(t), c.batch, c.length, c.channels, c.states, variant&1 != 0, variant&2 != 0)
		}
	}
}

func testEMA(b *bench, batch, length, channels, states int, fromRight, masked bool) {
	b.Helper()
	n, coefficients := batch*length*channels, channels*states
	x, ds, omega := b.normal(n), b.normal(n), b.normal(channels)
	p := kernel.EMAParams{Delta: b.normal(coefficients), Alpha: b.normal(coefficients), Beta: b.normal(coefficients), Gamma: b.normal(coefficients), Omega: omega}
	for i := range p.Alpha {
		p.Alpha[i] -= 4 // decays near 1
	}
	mask, bools := make([]byte, batch*length), make([]bool, batch*length)
	for i := range mask {
		bools[i] = masked && b.r.IntN(5) == 0
		mask[i] = byte(flag(bools[i]))
	}
	q, c := make([]float64, channels*EMAStates), make([]float64, channels*EMAStates) // [N, D]
	power, slope := make([]float32, len(q)), make([]float32, len(q))
	for d := range channels {
		for s := range states {
			i, j := d*states+s, s*channels+d
			rate, damping := sigmoid(p.Delta[i]), sigmoid(p.Alpha[i])
			q[j] = 1 - rate*damping
			c[j] = rate * float64(p.Beta[i]) * float64(p.Gamma[i]) / math.Sqrt(float64(states))
			power[j] = float32(math.Pow(q[j], EMASteps))
			slope[j] = float32(EMASteps * math.Pow(q[j], EMASteps-1))
		}
	}
	q32, c32 := up(b, float32s(q)), up(b, float32s(c))
	e := EMA{Batch: batch, Length: length, Channels: channels, FromRight: fromRight, Decay: q32, Output: c32, Power: up(b, power), Slope: up(b, slope)}
	ax, ads, aomega := up(b, x), up(b, ds), up(b, omega)
	var amask Address
	if masked {
		amask = up(b, mask)
	}
	name := fmt.Sprintf("%d×%d×%d, %d states, from the right %v, masked %v", batch, length, channels, states, fromRight, masked)
	s, carry := b.empty(n), b.empty(2*e.Carries())
	b.must(e.Forward(b, s, ax, amask, 0, aomega, carry))
	want := emaScan(x, bools, nil, q, c, omega, batch, length, channels, fromRight)
	tolerance := 3e-6 * emaSize(c, q, length)
	b.compare(name+": s", s, want.s, tolerance)
	if !fromRight {
		var k kernel.EMACoefficients
		cpu := make([]float32, n)
		k.Set(nil, kernel.EMAShape{Channels: channels, States: states}, p)
		kernel.EMAForward(nil, cpu, x, bools, batch, length, &k)
		b.compare(name+": the CPU's s", s, cpu, tolerance)
	}
	back := e
	back.FromRight = !fromRight
	dx := b.empty(n)
	b.must(back.Forward(b, dx, ads, 0, amask, aomega, carry))
	b.compare(name+": dx", dx, emaScan(ds, nil, bools, q, c, omega, batch, length, channels, !fromRight).s, tolerance)
	b.must(e.Forward(b, s, ax, amask, 0, 0, carry)) // adds
	for i, v := range want.s {
		want.s[i] = v + want.s[i] - omega[i%channels]*x[i]
	}
	b.compare(name+": s, added", s, want.s, 2*tolerance)

	old := b.normal(len(q))
	dc, dq := up(b, old), up(b, old)
	b.must(e.Gradients(b, dc, dq, ads, ax, amask, carry))
	wc, wq := want.gradients(ds, old)
	root := math.Sqrt(float64(batch * length))
	b.compare(name+": dc", dc, wc, 3e-6*root*emaSize(nil, q, length))
	b.compare(name+": dq", dq, wq, 3e-6*root*emaSize(nil, q, length)*emaSize(nil, q, length))
}

func sigmoid(x float32) float64 { return 1 / (1 + math.Exp(-float64(x))) }

func float32s(x []float64) []float32 {
	y := make([]float32, len(x))
	for i, v := range x {
		y[i] = float32(v)
	}
	return y
}

// emaSize is how large averages of numbers of size 1 become: in proportion to it, they
// and their errors grow.
func emaSize(c, q []float64, length int) float64 {
	largest := 1.0
	for i, decay := range q {
		w := 1.0
		if c != nil {
			w = math.Abs(c[i]) * 4
		}
		largest = math.Max(largest, w*math.Min(float64(length), 1/(1-decay+1e-9)))
	}
	return largest
}

// An emaReference is a scan in float64, whose averages are [B, L, N, D].
type emaReference struct {
	s        []float32
	g, w     []float64
	channels int
}

func emaScan(x []float32, mask, mute []bool, q, c []float64, omega []float32, batch, length, channels int, fromRight bool) *emaReference {
	r := &emaReference{s: make([]float32, len(x)), g: make([]float64, len(x)*EMAStates), w: make([]float64, len(x)*EMAStates), channels: channels}
	for z := range batch {
		for d := range channels {
			var g, w [EMAStates]float64
			for t := range length {
				row := z*length + t
				if fromRight {
					row = z*length + length - 1 - t
				}
				i := row*channels + d
				v := float64(x[i])
				sum := float64(omega[d]) * v
				if mask != nil && mask[row] {
					v = 0
				}
				for n := range g {
					w[n] = q[n*channels+d]*w[n] + g[n]
					g[n] = q[n*channels+d]*g[n] + v
					r.g[(row*EMAStates+n)*channels+d], r.w[(row*EMAStates+n)*channels+d] = g[n], w[n]
					if mute == nil || !mute[row] {
						sum += c[n*channels+d] * g[n]
					}
				}
				r.s[i] = float32(sum)
			}
		}
	}
	return r
}

// gradients returns old plus the gradients of c and q [N, D].
func (r *emaReference) gradients(ds, old []float32) (dc, dq []float32) {
	c, q := make([]float64, len(old)), make([]float64, len(old))
	for i, d := range ds {
		row, channel := i/r.channels, i%r.channels
		for n := range EMAStates {
			at := (row*EMAStates+n)*r.channels + channel
			c[n*r.channels+channel] += float64(d) * r.g[at]
			q[n*r.channels+channel] += float64(d) * r.w[at]
		}
	}
	for i, v := range old {
		c[i] += float64(v)
		q[i] += float64(v)
	}
	return float32s(c), float32s(q)
}

func TestEmbed(t *testing.T) {
	b := newBench(t)
	const vocabulary, rows, cols = 11, 70, 33
	table, dy := b.normal(vocabulary*cols), b.normal(rows*cols)
	tokens := make([]int32, rows)
	for i := range tokens {
		tokens[i] = int32(b.r.IntN(vocabulary - 1)) // the last one does not occur
	}
	at, dst := up(b, table), b.empty(rows*cols)
	b.must(Embed(b, dst, at, up(b, tokens), rows, cols, 0.5))
	want := make([]float32, rows*cols)
	for i, token := range tokens {
		kernel.Scale(want[i*cols:][:cols], table[int(token)*cols:][:cols], 0.5)
	}
	b.compare("embed", dst, want, 0)
	x := NewTokenIndex(append(tokens, -1, vocabulary), vocabulary, 4)
	index := up(b, slices.Concat(x.Tokens, x.Starts, x.Order))
	b.must(EmbedGrad(b, at, up(b, dy), x, index, cols, 0.5))
	for i, token := range tokens {
		if token != 4 {
			kernel.Axpy(table[int(token)*cols:][:cols], 0.5, dy[i*cols:][:cols])
		}
	}
	b.compare("embed's gradient", at, table, 1e-6)
	b.must(EmbedGrad(b, at, 0, NewTokenIndex(nil, vocabulary, -1), 0, cols, 1))
}

// TestMutants holds that the interpreter catches a kernel with a barrier removed, and
// one whose guard lets one thread too many through.
func TestMutants(t *testing.T) {
	run := func(text, name string) error {
		b := &bench{t, interpret(t, text), rand.New(rand.NewPCG(1, 2))}
		x := up(b, b.normal(64*64))
		switch name {
		case "product", "product_bf16":
			multiply := Product
			if name == "product_bf16" {
				multiply = ProductBF16
			}
			return multiply(b, Matrix{b.empty(64 * 64), 64, 1, 0}, Matrix{x, 64, 1, 0}, Matrix{x, 64, 1, 0}, 0, 1, 64, 64, 64, false)
		case "product_large", "product_bf16_large":
			return product(b, name, largeTile, Matrix{b.empty(64 * 64), 64, 1, 0}, Matrix{x, 64, 1, 0}, Matrix{x, 64, 1, 0}, 0, 1, 64, 64, 64, false)
		case "product_small":
			return Product(b, Matrix{b.empty(32 * 32), 32, 1, 0}, Matrix{x, 32, 1, 0}, Matrix{x, 32, 1, 0}, 0, 1, 32, 32, 32, false)
		case "add":
			return Add(b, up(b, b.normal(100)), x, x, 100)
		case "square_parts":
			return sumSquares(b, up(b, []float64{0}), x, b.Alloc(8), 64*64)
		case "layer_norm":
			return LayerNorm(b, up(b, b.normal(70)), x, 0, 0, b.empty(7), b.empty(7), 7, 10, 10, 10, 1e-5)
		}
		return EMA{Batch: 1, Length: 64, Channels: 60, Decay: x, Output: x, Power: x}.Forward(b, b.empty(64*60), x, 0, 0, x, b.empty(EMAStates*60))
	}
	for name, count := range map[string]int{"product": 2, "product_bf16": 2, "product_large": 2, "product_bf16_large": 2, "product_small": 2, "add": 1, "layer_norm": 1, "ema_local": 1, "square_parts": 1} {
		if err := run(PTX, name); err != nil {
			t.Errorf("%s as it is: %v", name, err)
		}
		start := strings.Index(PTX, ".entry "+name+"(")
		body := PTX[start:]
		body = body[:strings.Index(body, "\n}")]
		old, changed := "setp.ge.s", "setp.gt.s"
		if strings.HasPrefix(name, "product") || name == "square_parts" {
			old, changed = "bar.sync \t0;", ""
		}
		if strings.Count(body, old) < count {
			t.Fatalf("%s has no %q", name, old)
		}
		for i := range count {
			parts := strings.SplitN(body, old, i+2)
			mutant := strings.Join(parts[:i+1], old) + changed + parts[i+1]
			text := PTX[:start] + mutant + PTX[start+len(body):]
			if err := run(text, name); err == nil {
				t.Errorf("%s: %q number %d may go", name, old, i)
			} else {
				t.Log(err)
			}
		}
	}
}

// TestText holds that the module is what go generate writes, where clang-22 is
// installed, and that no kernel keeps arrays in local memory, which is slow.
func TestText(t *testing.T) {
	if strings.Contains(PTX, ".local") {
		t.Error("a kernel has an array that is not in registers")
	}
	if _, err := exec.LookPath("clang-22"); err != nil {
		t.Skip("clang-22 is not installed")
	}
	got, err := exec.Command("clang-22", append(strings.Fields(generate), "-o", "-", "mega.cu")...).Output()
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != PTX {
		t.Error("mega.ptx is not what go generate writes")
	}
}

// TestAssembler has NVIDIA's assembler make code for devices, where it is installed: it is
// part of the CUDA toolkit, and needs no GPU. No kernel may need many more registers than
// there are.
func TestAssembler(t *testing.T) {
	if _, err := exec.LookPath("ptxas"); err != nil {
		t.Skip("ptxas is not installed")
	}
	for _, device := range []string{"sm_80", "sm_86", "sm_90"} {
		out, err := exec.Command("ptxas", "-v", "-arch", device, "-o", filepath.Join(t.TempDir(), "cubin"), "mega.ptx").CombinedOutput()
		switch {
		case strings.Contains(string(out), "is not defined for option 'gpu-name'"):
			t.Logf("ptxas does not know %s", device)
		case err != nil:
			t.Errorf("%s: %v: %s", device, err, out)
		}
		for _, spilled := range regexp.MustCompile(`(\d+) bytes spill stores`).FindAllStringSubmatch(string(out), -1) {
			if n, _ := strconv.Atoi(spilled[1]); n > 32 {
				t.Errorf("%s: a kernel keeps %d bytes of registers in memory", device, n)
			}
		}
	}
}

// generate are the arguments of clang-22 in go generate's line.
const generate = "-x cuda --cuda-device-only --cuda-gpu-arch=sm_80 -nocudainc -nocudalib -O3 -ffp-contract=off -fno-jump-tables -S -Xclang -target-feature -Xclang +ptx70"
