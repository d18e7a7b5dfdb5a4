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
