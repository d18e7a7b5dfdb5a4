package kernels

import (
	"fmt"
	"math"
	"testing"
)

// TestProduct compares with sums in float64, for matrices that lie either way.
func TestProduct(t *testing.T) { testProduct(t, Product, func(x float32) float32 { return x }) }

// TestProductBF16 is the same for factors that are rounded.
func TestProductBF16(t *testing.T) {
	testProduct(t, ProductBF16, func(x float32) float32 { return roundedBF16(x, true) })
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

// TestSplitProduct compares with sums in float64, for parts that are whole and not, and
// holds that sums of equal parts do not depend on the run.
func TestSplitProduct(t *testing.T) {
	for _, bf16 := range []bool{false, true} {
		f := func(d Device, c, a, b Matrix, bias Address, _, m, n, k int, accumulate bool) error {
			parts := d.(*bench).empty(SplitParts(m, n, k))
			return SplitProduct(d, bf16, c, a, b, parts, m, n, k, accumulate)
		}
		b := newBench(t)
		for _, s := range [][3]int{{1, 1, 512}, {5, 66, 513}, {65, 3, 1027}, {129, 128, 544}} {
			m, n, k := s[0], s[1], s[2]
			x, y, old := b.normal(m*k), b.normal(k*n), b.normal(m*(n+2))
			if m == 5 {
				x[3], y[n*300] = float32(math.NaN()), float32(math.Inf(1))
			}
			a, bm := Matrix{up(b, x), 1, m, 0}, Matrix{up(b, y), n, 1, 0} // as for gradients of weights
			for _, accumulate := range []bool{false, true} {
				c, again := Matrix{up(b, old), n + 2, 1, 0}, Matrix{up(b, old), n + 2, 1, 0}
				b.must(f(b, c, a, bm, 0, 1, m, n, k, accumulate))
				b.must(f(b, again, a, bm, 0, 1, m, n, k, accumulate))
				got := down[float32](b, c.At, len(old))
				b.compare("the same product again", again.At, got, 0)
				for i := range m {
					for j := range n {
						sum, size := 0.0, 1.0
						for d := range k {
							term := float64(roundedBF16(x[d*m+i], bf16)) * float64(roundedBF16(y[d*n+j], bf16))
							sum, size = sum+term, size+math.Abs(term)
						}
						if accumulate {
							sum += float64(old[i*(n+2)+j])
						}
						if p := i*(n+2) + j; !near(got[p], float32(sum), float64(k+2)*6e-8*size) && !(math.IsInf(size, 1) && near(got[p], float32(sum), 0)) {
							t.Fatalf("%v, bfloat16 %v: element %d, %d is %v, want %v", s, bf16, i, j, got[p], sum)
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

func roundedBF16(x float32, bf16 bool) float32 {
	if !bf16 {
		return x
	}
	bits := math.Float32bits(x)
	return math.Float32frombits((bits + 0x7fff + bits>>16&1) &^ 0xffff)
}
