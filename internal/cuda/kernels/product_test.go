package kernels

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/mega-go/mega/internal/kernel"
)

// formats are all of them, with how they round.
var formats = map[Format]func(float32) float32{Float32: func(x float32) float32 { return x }, BF16: roundedBF16, TF32: roundedTF32}

func (f Format) String() string { return "product" + f.suffix() }

// TestProduct compares with sums in float64 of factors that are rounded, for matrices that
// lie either way.
func TestProduct(t *testing.T) {
	for in := range formats {
		t.Run(in.String(), func(t *testing.T) { testProduct(t, in) })
	}
}

// TestProductLarge holds the kernels for large matrices, which small ones are not given to,
// against those for others, to the last bit.
func TestProductLarge(t *testing.T) {
	for in := range formats {
		t.Run(in.String(), func(t *testing.T) { testProductLarge(t, in) })
		s := new(surveyor)
		if err := Product(s, in, Matrix{}, Matrix{}, Matrix{}, Epilogue{}, 2, 1024, 1024, 1024); err != nil || s.largest != [3]int{8, 8, 2} {
			t.Errorf("large matrices of %v have a grid of %v, %v", in, s.largest, err)
		}
	}
}

func testProductLarge(t *testing.T, in Format) {
	b := newBench(t)
	for i, s := range [][3]int{{1, 1, 1}, {128, 128, 8}, {129, 127, 17}, {3, 200, 35}, {70, 5, 40}, {2, 3, 0}} {
		for variant := range 4 {
			m, n, k, batch := s[0], s[1], s[2], 1+(i+variant)%2
			x, y, bias, old := b.normal(batch*m*k), b.normal(batch*k*n), b.normal(n), b.normal(batch*m*(n+2))
			a, bm := Matrix{up(b, x), k, 1, m * k}, Matrix{up(b, y), n, 1, k * n}
			if variant&1 != 0 {
				a.Row, a.Col = 1, m
			}
			if variant&2 != 0 {
				bm.Row, bm.Col = 1, k
			}
			e := Epilogue{Bias: up(b, bias)}
			large, other := Matrix{up(b, old), n + 2, 1, m * (n + 2)}, Matrix{up(b, old), n + 2, 1, m * (n + 2)}
			if variant == i%4 {
				e.Base = Matrix{up(b, b.normal(len(old)+batch*m)), n + 3, 1, m * (n + 3)}
			}
			b.must(product(b, in.String()+"_large", largeTile, large, a, bm, e, batch, m, n, k))
			b.must(product(b, in.String(), tile, other, a, bm, e, batch, m, n, k))
			b.compare(fmt.Sprint(s, " variant ", variant), large.At, down[float32](b, other.At, len(old)), 0)
		}
	}
}

func testProduct(t *testing.T, in Format) {
	b, rounded := newBench(t), formats[in]
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
			c, e := Matrix{up(b, old), n + 2, 1, m * (n + 2)}, Epilogue{}
			if accumulate {
				e.Base = c
			} else {
				e.Bias = up(b, bias)
			}
			b.must(Product(b, in, c, a, bm, e, batch, m, n, k))
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

// TestEpilogue compares what every kernel makes of its sums with kernel.Gemm: with each
// activation, in all combinations of what else there may be, for two products of factors
// that no format rounds. The bias has numbers beyond what activations tell apart.
func TestEpilogue(t *testing.T) {
	const m, n, k = 67, 70, 5
	type multiply func(b *bench, c, x, y Matrix, e Epilogue, batch, m, n, k int) error
	kernels := map[string]multiply{
		"product_small": func(b *bench, c, x, y Matrix, e Epilogue, batch, m, n, k int) error {
			return product(b, "product_small", smallTile, c, x, y, e, batch, m, n, k)
		},
	}
	for in := range formats {
		kernels[in.String()] = func(b *bench, c, x, y Matrix, e Epilogue, batch, m, n, k int) error {
			return product(b, in.String(), tile, c, x, y, e, batch, m, n, k)
		}
		kernels[in.String()+"_large"] = func(b *bench, c, x, y Matrix, e Epilogue, batch, m, n, k int) error {
			return product(b, in.String()+"_large", largeTile, c, x, y, e, batch, m, n, k)
		}
	}
	for name, f := range kernels {
		t.Run(name, func(t *testing.T) {
			for act := kernel.Identity; act <= kernel.GELUTanh; act++ {
				for variant := range 8 {
					if variant != int(act) && variant != 7 { // each with one activation, and all with all of it
						continue
					}
					testEpilogue(t, act, variant, 2, m, n, k, f)
				}
			}
		})
	}
	t.Run("product_sum", func(t *testing.T) {
		for act := kernel.Identity; act <= kernel.GELUTanh; act++ {
			testEpilogue(t, act, int(act), 1, 3, 18, 2*leastDepth, func(b *bench, c, x, y Matrix, e Epilogue, _, m, n, k int) error {
				return SplitProduct(b, Float32, c, x, y, b.empty(SplitParts(m, n, k)), e, m, n, k)
			})
		}
	})
}

// testEpilogue tests one activation with the bias, C and Pre that bits of variant stand for.
func testEpilogue(t *testing.T, act kernel.Activation, variant, batch, m, n, k int, multiply func(b *bench, c, x, y Matrix, e Epilogue, batch, m, n, k int) error) {
	t.Helper()
	b := newBench(t)
	ldc, small := n+3, func(n int) []float32 { // which no format rounds
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(b.r.IntN(5)-2) / 4
		}
		return x
	}
	x, y, bias, old := small(batch*m*k), small(batch*k*n), b.normal(n), b.normal(batch*m*ldc)
	copy(bias, specials)
	c, want, pre := up(b, old), slices.Clone(old), slices.Clone(old)
	e, reference := Epilogue{Activation: int(act)}, kernel.Epilogue{Activation: act}
	if variant&1 != 0 {
		e.Bias, reference.Bias = up(b, bias), bias
	}
	if reference.Accumulate = variant&2 != 0; reference.Accumulate {
		e.Base = Matrix{up(b, old), ldc, 1, m * ldc} // which the product must leave
	}
	if variant&4 != 0 {
		e.Pre = up(b, old)
	}
	b.must(multiply(b, Matrix{c, ldc, 1, m * ldc}, Matrix{up(b, x), k, 1, m * k}, Matrix{up(b, y), n, 1, k * n}, e, batch, m, n, k))
	for z := range batch {
		if variant&4 != 0 {
			reference.Pre = pre[z*m*ldc:]
		}
		kernel.Gemm(nil, m, n, k, kernel.Matrix{Data: x[z*m*k:], Stride: k}, kernel.Matrix{Data: y[z*k*n:], Stride: n}, want[z*m*ldc:], ldc, reference)
	}
	name := fmt.Sprintf("%v, variant %d: ", act, variant)
	b.compare(name+"C", c, want, 2.5e-7)
	if e.Pre != 0 {
		b.compare(name+"Pre", e.Pre, pre, 2.5e-7)
	}
	if e.Base.At != 0 {
		b.compare(name+"Base", e.Base.At, old, 0)
	}
}

// TestSplitProduct compares with sums in float64, for parts that are whole and not, and
// holds that sums of equal parts do not depend on the run.
func TestSplitProduct(t *testing.T) {
	for in, rounded := range formats {
		b := newBench(t)
		for _, s := range [][3]int{{1, 1, 512}, {5, 66, 513}, {65, 3, 1027}, {128, 128, 544}} {
			m, n, k := s[0], s[1], s[2]
			x, y, old := b.normal(m*k), b.normal(k*n), b.normal(m*(n+2))
			if m == 5 {
				x[3], y[n*300] = float32(math.NaN()), float32(math.Inf(1))
			}
			a, bm := Matrix{up(b, x), 1, m, 0}, Matrix{up(b, y), n, 1, 0} // as for gradients of weights
			for _, accumulate := range []bool{false, true} {
				run := func() Address {
					c, e := Matrix{up(b, old), n + 2, 1, 0}, Epilogue{}
					if accumulate {
						e.Base = c
					}
					b.must(SplitProduct(b, in, c, a, bm, b.empty(SplitParts(m, n, k)), e, m, n, k))
					return c.At
				}
				got := down[float32](b, run(), len(old))
				if m < largeTile {
					b.compare("the same product again", run(), got, 0)
				}
				for i := range m {
					for j := range n {
						sum, size := 0.0, 1.0
						for d := range k {
							term := float64(rounded(x[d*m+i])) * float64(rounded(y[d*n+j]))
							sum, size = sum+term, size+math.Abs(term)
						}
						if accumulate {
							sum += float64(old[i*(n+2)+j])
						}
						if p := i*(n+2) + j; !near(got[p], float32(sum), float64(k+2)*6e-8*size) && !(math.IsInf(size, 1) && near(got[p], float32(sum), 0)) {
							t.Fatalf("%v, %v: element %d, %d is %v, want %v", s, in, i, j, got[p], sum)
						}
					}
				}
			}
		}
	}
}

// TestSplitOf holds that parts cover the inner dimension and fill a device, and where there
// are none.
func TestSplitOf(t *testing.T) {
	for _, c := range []struct {
		m, n, k int
		want    split
	}{
		{512, 2176, 4096, split{largeTile, 1376, 3}},
		{512, 2176, 65536, split{largeTile, 21856, 3}},
		{80, 80, 4000, split{tile, 288, 14}},
		{4096, 4096, 65536, split{largeTile, 65536, 1}},
		{64, 64, 511, split{tile, 511, 1}},
		{1, 1, 0, split{tile, 0, 1}},
	} {
		s := splitOf(c.m, c.n, c.k)
		if s != c.want {
			t.Errorf("C [%d, %d] over %d is cut as %v, want %v", c.m, c.n, c.k, s, c.want)
		}
		if s.parts > 1 && ((s.parts-1)*s.depth >= c.k || s.parts*s.depth < c.k || SplitParts(c.m, c.n, c.k) != s.parts*c.m*c.n) {
			t.Errorf("%v does not cover %d", s, c.k)
		}
	}
}

// TestRounding holds products of each format against exact ones of factors that are not
// rounded: they are off by no more than two roundings of each term, and by more than those
// of float32.
func TestRounding(t *testing.T) {
	const m, n, k = 40, 50, 60
	b := newBench(t)
	x, y := b.normal(m*k), b.normal(k*n)
	for in, half := range map[Format]float64{BF16: 0x1p-8, TF32: 0x1p-11} {
		c := b.empty(m * n)
		b.must(Product(b, in, Matrix{c, n, 1, 0}, Matrix{up(b, x), k, 1, 0}, Matrix{up(b, y), n, 1, 0}, Epilogue{}, 1, m, n, k))
		most := 0.0
		for i, got := range down[float32](b, c, m*n) {
			sum, size := 0.0, 0.0
			for d := range k {
				term := float64(x[i/n*k+d]) * float64(y[d*n+i%n])
				sum, size = sum+term, size+math.Abs(term)
			}
			most = max(most, math.Abs(float64(got)-sum)/size)
		}
		if most > 2.01*half || most < half/8 {
			t.Errorf("%v is off by %.3g of the sum of terms, want at most two roundings of %.3g, and some", in, most, half)
		}
	}
}

func roundedBF16(x float32) float32 {
	bits := math.Float32bits(x)
	return math.Float32frombits((bits + 0x7fff + bits>>16&1) &^ 0xffff)
}

func roundedTF32(x float32) float32 {
	if x != x || math.IsInf(float64(x), 0) {
		return x
	}
	return math.Float32frombits((math.Float32bits(x) + 0x1000) &^ 0x1fff)
}
