package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

// skipWithoutTiles skips what this processor or system does not let a test do.
func skipWithoutTiles(t *testing.T) {
	if !hasAMX {
		t.Skip("no AMX here")
	}
}

// splitParts32 returns the parts of a number by the formula: the nearest bfloat16 number, halves
// away from zero, that of what is left, and the rest.
func splitParts32(x float32) (parts [splitParts]float32) {
	for i := range splitParts - 1 {
		parts[i] = math.Float32frombits((math.Float32bits(x) + 0x8000) & 0xffff0000)
		x -= parts[i]
	}
	parts[splitParts-1] = x
	return parts
}

// The kernels cut numbers as the formula says, whether terms are neighbours or lie in rows.
func TestSplitKernels(t *testing.T) {
	skipWithoutTiles(t)
	r := rand.New(rand.NewPCG(42, 43))
	for _, size := range [][2]int{{1, 1}, {16, 5}, {17, 32}, {32, 33}, {33, 64}, {70, 40}, {300, 65}} {
		terms, n := size[0], size[1]
		b := gemmOperand(r, terms, n, false, 3)
		transposed := gemmOperand(r, n, terms, false, 2)
		for i := range terms {
			for j := range n {
				transposed.Data[j*transposed.Stride+i] = b.element(i, j)
			}
		}
		var rows, neighbours Packed
		rows.pack(nil, AMX, splitParts, terms, n, b)
		neighbours.pack(nil, AMX, splitParts, terms, n, transposed.T())
		for name, p := range map[string]Packed{"rows": rows, "neighbours": neighbours} {
			for i := range roundUp(terms, tileTerms) {
				for j := range n {
					want := [splitParts]float32{}
					if i < terms {
						want = splitParts32(b.element(i, j))
					}
					if i < terms && want[0]+want[1]+want[2] != b.element(i, j) {
						t.Fatalf("%x is not the sum of %x", b.element(i, j), want)
					}
					for part, w := range want {
						if got := p.part(i, j, part); got != w {
							t.Fatalf("%d × %d from %s: part %d of row %d, column %d is %x, want %x", terms, n, name, part, i, j, got, w)
						}
					}
				}
			}
		}
	}
}

// part returns a part of an element of a packed matrix of numbers of three parts.
func (p *Packed) part(i, j, part int) float32 {
	row := i/tileTerms*16*splitParts + 16*part + i%16
	low, high := ofPair(p.data[j/32*32*p.k+32*row+j%32])
	if i%tileTerms < 16 {
		return low
	}
	return high
}

// Products in tiles are closer to the exact ones than those of multiply-adds.
func TestTilesAreMoreExact(t *testing.T) {
	skipWithoutTiles(t)
	defer Use(Current())
	for _, k := range []int{tileLeast.terms, 128, 1000} {
		deviation := func(i Implementation) (sum float64) {
			Use(i)
			r := rand.New(rand.NewPCG(44, uint64(k)))
			g := newGemmCase(r, 40, tileLeast.columns, k, gemmKind{})
			gemmWays[0].run(g)
			for i := range g.m {
				for j := range g.n {
					want, _ := g.want(i, j)
					sum += math.Pow(float64(g.c.data[i*g.c.ld+j])-want, 2)
				}
			}
			return math.Sqrt(sum)
		}
		if tiles, vectors := deviation(AMX), deviation(AVX512); !(tiles < vectors) {
			t.Errorf("%d terms: tiles are off by %.2g, multiply-adds by %.2g", k, tiles, vectors)
		}
	}
}

// AMX, which is not always faster, is not chosen without being asked for.
func TestTilesAreForThoseWhoAsk(t *testing.T) {
	if i := fromEnvironment(""); i == AMX {
		t.Errorf("the default is %v", i)
	}
}
