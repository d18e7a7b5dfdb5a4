package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const epsilon = 1.0 / (1 << 24) // half the last place of 1: the rounding of a float32

// guard is what lies around the numbers of a block: a NaN, so that a result
// that depends on it shows, with bits that no kernel would write.
var guard = math.Float32frombits(0x7fc0dead)

// A block is a matrix of rows by cols numbers, ld apart, amid guards.
type block struct {
	whole, data    []float32
	rows, cols, ld int
}

// newBlock returns a block of numbers from fill whose first is offset numbers
// away from where it could be.
func newBlock(rows, cols, ld, offset int, fill func() float32) *block {
	start, size := 16+offset, 0
	if rows > 0 {
		size = (rows-1)*ld + cols
	}
	b := &block{whole: make([]float32, start+size+32), rows: rows, cols: cols, ld: ld}
	b.data = b.whole[start : start+size : start+size]
	for i := range b.whole {
		b.whole[i] = guard
		if b.holds(i) {
			b.whole[i] = fill()
		}
	}
	return b
}

// holds reports whether element i of the memory is of the matrix.
func (b *block) holds(i int) bool {
	i -= (cap(b.whole) - 32 - len(b.data))
	return i >= 0 && i < len(b.data) && (b.rows == 1 || i%b.ld < b.cols)
}

// intact reports whether the guards are still as they were.
func (b *block) intact() bool {
	for i, v := range b.whole {
		if !b.holds(i) && math.Float32bits(v) != math.Float32bits(guard) {
			return false
		}
	}
	return true
}

// at returns an element of the matrix.
func (b *block) at(row, col int) float64 { return float64(b.data[row*b.ld+col]) }

// value is what an element of a result should be, and the size that its
// rounding errors are in proportion to.
type value struct{ v, size float64 }

// An operation is a function of slices of one length, element by element.
type operation struct {
	name      string
	results   int
	sources   int
	updates   int // how many of the results, the first, hold a source at the start: the same of the sources
	run       func(out, in [][]float32)
	want      func(x []float64) []value // of one element of each source
	roundings float64                   // the error allowed, in units of epsilon times size
}

// one is the value of a result whose error is in proportion to itself.
func one(v float64) []value { return []value{{v, math.Abs(v)}} }

func operations() []operation {
	return []operation{
		{name: "Add", results: 1, sources: 2, roundings: 1,
			run:  func(o, x [][]float32) { Add(o[0], x[0], x[1]) },
			want: func(x []float64) []value { return one(x[0] + x[1]) }},
		{name: "Mul", results: 1, sources: 2, roundings: 1,
			run:  func(o, x [][]float32) { Mul(o[0], x[0], x[1]) },
			want: func(x []float64) []value { return one(x[0] * x[1]) }},
		{name: "Scale", results: 1, sources: 1, roundings: 1,
			run:  func(o, x [][]float32) { Scale(o[0], x[0], 0.375) },
			want: func(x []float64) []value { return one(0.375 * x[0]) }},
		{name: "Axpy", results: 1, sources: 2, roundings: 2, updates: 1,
			run:  func(o, x [][]float32) { Axpy(o[0], -1.25, x[1]) },
			want: func(x []float64) []value { return []value{sumOf(x[0], -1.25*x[1])} }},
		{name: "AddScalar", results: 1, sources: 1, roundings: 1,
			run:  func(o, x [][]float32) { AddScalar(o[0], x[0], 1.5) },
			want: func(x []float64) []value { return one(x[0] + 1.5) }},
		{name: "Fill", results: 1, sources: 0,
			run:  func(o, x [][]float32) { Fill(o[0], -3) },
			want: func(x []float64) []value { return one(-3) }},
		{name: "Exp", results: 1, sources: 1, roundings: 2,
			run:  func(o, x [][]float32) { Exp(o[0], x[0]) },
			want: func(x []float64) []value { return one(math.Exp(x[0])) }},
	}
}

// sumOf is the value of a sum of terms that may cancel.
func sumOf(terms ...float64) (s value) {
	for _, t := range terms {
		s = s.plus(t)
	}
	return s
}

// lengths are all small ones and those around the kernels' strides.
func lengths() (n []int) {
	for i := range 100 {
		n = append(n, i)
	}
	return append(n, 127, 128, 129, 255, 256, 257, 1000, 4096, 4097)
}

// check runs the operation on n elements that begin offset off the alignment,
// result a aliasing source b where both are >= 0.
func (op *operation) check(t *testing.T, r *rand.Rand, n, offset, a, b int) {
	t.Helper()
	var blocks []*block
	var in, originals, out [][]float32
	for i := range op.sources {
		s := newBlock(1, n, n, (offset+i)%9, func() float32 { return float32(r.NormFloat64() * 2) })
		blocks, in = append(blocks, s), append(in, s.data)
		originals = append(originals, slices.Clone(s.data))
	}
	for i := range op.results {
		o := newBlock(1, n, n, (offset+3*i)%7, func() float32 { return guard })
		if i == a {
			o = blocks[b]
		} else if i < op.updates {
			copy(o.data, originals[i])
		}
		blocks, out = append(blocks, o), append(out, o.data)
	}
	op.run(out, in)
	where := fmt.Sprintf("%s of %d, offset %d, result %d in source %d", op.name, n, offset, a, b)
	x := make([]float64, op.sources)
	for i := range n {
		for s := range x {
			x[s] = float64(originals[s][i])
		}
		for j, want := range op.want(x) {
			if got := float64(out[j][i]); !want.near(got, op.roundings) {
				want.check(t, fmt.Sprintf("%s: result %d of %v", where, j, x), got, op.roundings)
			}
		}
	}
	for i, b := range blocks {
		if !b.intact() {
			t.Errorf("%s: wrote outside of slice %d", where, i)
		}
	}
	if t.Failed() {
		t.FailNow()
	}
}

// checkOperations checks operations at all lengths, alignments and aliases.
func checkOperations(t *testing.T, all []operation) {
	eachVec(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(1, 2))
		for _, op := range all {
			for i, n := range lengths() {
				op.check(t, r, n, i%9, -1, -1)
			}
			for _, n := range []int{5, 16, 77, 200} {
				for a := range op.results {
					for b := range op.sources {
						if a >= op.updates && b >= op.updates || a == b {
							op.check(t, r, n, n%3, a, b)
						}
					}
				}
			}
		}
	})
}

func TestOperations(t *testing.T) { checkOperations(t, operations()) }

// TestReductions checks the sums, with an error in proportion to the sum of the
// magnitudes and to the square root of the additions in a row, and the extremes.
func TestReductions(t *testing.T) {
	eachVec(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(3, 4))
		for _, n := range append(lengths(), 8191, 100003) {
			normal := func() float32 { return float32(r.NormFloat64()) }
			a, b := newBlock(1, n, n, n%9, normal).data, newBlock(1, n, n, n%7, normal).data
			var dot, squares value
			greatest := math.Inf(-1)
			for i := range a {
				x, y := float64(a[i]), float64(b[i])
				dot = dot.plus(x * y)
				squares = squares.plus(x * x)
				greatest = max(greatest, x)
			}
			dot.check(t, fmt.Sprint("Dot of ", n), float64(Dot(a, b)), 8)
			squares.check(t, fmt.Sprint("SumSquares of ", n), SumSquares(a), 1e-4)
			if float64(Max(a)) != greatest {
				t.Errorf("Max of %d is %g, want %g", n, Max(a), greatest)
			}
		}
	})
}

// plus returns s with a term added.
func (s value) plus(term float64) value { return value{s.v + term, s.size + math.Abs(term)} }

// near reports whether a result is within roundings epsilons of the size of s.
func (s value) near(got, roundings float64) bool {
	return math.Abs(got-s.v) <= roundings*epsilon*s.size+1e-37
}

// check reports a result that is not near.
func (s value) check(t *testing.T, what string, got, roundings float64) {
	t.Helper()
	if !s.near(got, roundings) {
		t.Errorf("%s is %g, want %g: off by %.1f roundings", what, got, s.v, math.Abs(got-s.v)/(epsilon*s.size))
	}
}

// TestExtremesOfSpecials puts each special number in each place.
func TestExtremesOfSpecials(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	eachVec(t, func(t *testing.T) {
		for _, n := range []int{1, 3, 8, 17, 70} {
			for i := range n {
				x := newBlock(1, n, n, i%5, func() float32 { return -2 }).data
				for _, v := range []float32{nan, inf, -inf} {
					x[i] = v
					rest := float32(-2)
					if n == 1 {
						rest = v
					}
					if got, want := Max(x), max(rest, v); got != want && want == want {
						t.Fatalf("Max of %d with %g at %d is %g", n, v, i, got)
					}
					if v != v && Max(x) == Max(x) {
						t.Fatalf("NaN at %d of %d is lost", i, n)
					}
				}
			}
		}
		if Max(nil) != -inf || Dot(nil, nil) != 0 || SumSquares(nil) != 0 {
			t.Error("of no elements")
		}
	})
}

// TestSumSquaresRange checks that squares beyond float32 are no trouble.
func TestSumSquaresRange(t *testing.T) {
	eachVec(t, func(t *testing.T) {
		for _, v := range []float32{1e-30, 1e-45, 3e38} {
			x := []float32{v, v, v, v, v, v, v, v, v, v, v}
			if got, want := SumSquares(x), 11*float64(v)*float64(v); math.Abs(got/want-1) > 1e-14 {
				t.Errorf("SumSquares of %g is %g, want %g", v, got, want)
			}
		}
	})
}

// TestDenormals checks that sums and products keep denormal numbers.
func TestDenormals(t *testing.T) {
	eachVec(t, func(t *testing.T) {
		x, y := make([]float32, 13), make([]float32, 13)
		Fill(x, 1e-44)
		Add(y, x, x)
		Axpy(y, 2, x)
		if want := float32(1e-44) * 4; y[0] != want || y[12] != want {
			t.Errorf("%g, want %g", y, want)
		}
	})
}

func TestLengthsThatDoNotMatch(t *testing.T) {
	defer func() {
		if s, ok := recover().(string); !ok || !strings.Contains(s, "lengths 3 and 2") {
			t.Errorf("panicked with %q", s)
		}
	}()
	Add(make([]float32, 3), make([]float32, 3), make([]float32, 2))
}

// TestAllocations checks that what a training step calls takes no memory.
func TestAllocations(t *testing.T) {
	x, y, m, v := make([]float32, 300), make([]float32, 300), make([]float32, 300), make([]float32, 300)
	eachVec(t, func(t *testing.T) {
		n := testing.AllocsPerRun(5, func() {
			Add(y, x, x)
			Activate(GELU, y, x)
			ActivateGrad(SiLU, y, x, x)
			Dropout(y, x, 1, 2, 0.5)
			LogSoftmaxRow(y, x)
			AdamStep(x, y, m, v, AdamParams{Beta1: 0.9, Beta2: 0.98, Eps: 1e-8})
			LayerNorm(y, x, nil, nil, m[:3], v[:3], 3, 100, 100, 100, 1e-5)
		})
		if n != 0 {
			t.Errorf("%g allocations", n)
		}
	})
}

// TestAVX2KernelsUseAVX2 looks for registers in the AVX2 kernels that only
// AVX-512 has: the generator hands them out without a word when it runs short.
func TestAVX2KernelsUseAVX2(t *testing.T) {
	beyond := regexp.MustCompile(`\b([XY](1[6-9]|2\d|3[01])|Z\d+|K\d)\b`)
	files, err := filepath.Glob("*_amd64.s")
	if err != nil || len(files) == 0 {
		t.Fatalf("no assembly: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, function := range strings.Split(string(text), "\nTEXT ")[1:] {
			name, body, _ := strings.Cut(function, "(SB)")
			if used := beyond.FindString(body); strings.Contains(name, "AVX2") && used != "" {
				t.Errorf("%s uses %s", name, used)
			}
		}
	}
}

func BenchmarkVec(b *testing.B) {
	const n = 8192
	x, y, z := make([]float32, n), make([]float32, n), make([]float32, n)
	for i := range x {
		x[i], y[i] = float32(i%77)/10-3, float32(i%91)/10-4
	}
	benchVec(b, "Add", n, func() { Add(z, x, y) })
	benchVec(b, "Dot", n, func() { Dot(x, y) })
	benchVec(b, "SumSquares", n, func() { SumSquares(x) })
	benchVec(b, "Max", n, func() { Max(x) })
}
