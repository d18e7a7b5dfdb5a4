package nn

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/tensor"
)

// TestInitializers checks the moments of 40,000 draws, to five deviations, and
// what is exact.
func TestInitializers(t *testing.T) {
	const rows, cols = 400, 100
	bound := math.Sqrt(6.0 / (rows + cols))
	for _, c := range []struct {
		name       string
		init       Initializer
		mean, std  float64
		low, high  float64
		zero       int // a row of zeros, −1 for none
		alternates bool
	}{
		{"Constant", Constant(2), 2, 0, 2, 2, -1, false},
		{"Normal", Normal(1, 0.5), 1, 0.5, -2, 4, -1, false},
		{"XavierUniform", XavierUniform, 0, bound / math.Sqrt(3), -bound, bound, -1, false},
		{"AlternatingNormal", AlternatingNormal(0.02), 0, 1, -1.2, 1.2, -1, true},
		{"WithZeroRow", WithZeroRow(Constant(2), 3), 2 - 2.0/rows, 2 * math.Sqrt(1.0/rows), 0, 2, 3, false},
		{"WithZeroRow, none", WithZeroRow(Constant(2), -1), 2, 0, 2, 2, -1, false},
	} {
		x := tensor.New(rows, cols)
		c.init(rand.New(rand.NewPCG(1, 2)), x)
		sum, squares := 0.0, 0.0
		for i, v := range x.Host() {
			sum += float64(v)
			squares += float64(v) * float64(v)
			if float64(v) < c.low-1e-6 || float64(v) > c.high+1e-6 || i/cols == c.zero && v != 0 || c.alternates && (v > 0) != (i%cols%2 == 0) {
				t.Fatalf("%s: element %d is %g", c.name, i, v)
			}
		}
		mean := sum / (rows * cols)
		std := math.Sqrt(max(0, squares/(rows*cols)-mean*mean))
		if math.Abs(mean-c.mean) > 5*c.std/200+1e-6 || math.Abs(std-c.std) > 5*c.std/200+1e-4 {
			t.Errorf("%s: mean %g and deviation %g, want %g and %g", c.name, mean, std, c.mean, c.std)
		}
	}
}

// TestShapesTakeNoMemory: the set of a model without weights has the names and
// shapes of one with them, and zeros after Allocate.
func TestShapesTakeNoMemory(t *testing.T) {
	build := func(p *Params) *Params {
		NewNorm(p.Root().Index(0), BatchNorm, 3, true)
		NewEmbedding(p.Root().Sub("table"), 5, 3, 1, true)
		return p
	}
	full, bare := build(NewParams(1)), build(NewShapes())
	if describe(full) != describe(bare) || full.Count() != 3+3+15 {
		t.Errorf("%s; without memory %s", describe(full), describe(bare))
	}
	if again := build(NewParams(1)); !slices.Equal(full.All()[2].Value().Host(), again.All()[2].Value().Host()) {
		t.Error("the same seed draws other numbers")
	}
	bare.Allocate()
	for _, p := range bare.All() {
		if !slices.Equal(p.Value().Host(), make([]float32, p.Value().Len())) {
			t.Errorf("%s is not zero", p.Name)
		}
	}
}

// TestMisuse: what callers may get wrong is an error or, where only a program
// can, a panic that says what.
func TestMisuse(t *testing.T) {
	root := func() Path { return NewParams(1).Root() }
	second := func(_ any, err error) error { return err }
	for want, f := range map[string]func() error{
		`unknown norm "groupnorm", want one of layernorm, scalenorm`:          func() error { return second(ParseNormType("groupnorm")) },
		"adaptive cutoffs [4 4] must rise and not exceed the vocabulary of 9": func() error { return second(NewBands([]int{4, 4}, 9)) },
		"adaptive cutoffs [10] must rise":                                     func() error { return second(NewBands([]int{10}, 9)) },
		"adaptive cutoffs [] must rise and not exceed the vocabulary of 0":    func() error { return second(NewBands(nil, 0)) },
		"attention over 6 positions, but the simple relative position bias was made for 5": func() error {
			_, _, err := NewSimpleBias(root(), 5).Forward(autograd.NewTape(), 6)
			return err
		},
		"nn: rotary bias of odd width 5": func() error { NewRotaryBias(root(), 5); return nil },
		"nn: two tensors are named a.weight": func() error {
			p := root().Sub("a")
			NewEmbedding(p, 2, 2, -1, false)
			NewLinear(p, 2, 2, false, XavierUniform)
			return nil
		},
		"token 5 of a vocabulary of 5": func() error {
			NewEmbedding(root(), 5, 2, -1, false).Forward(autograd.NewTape(), []int32{5}, 1, 1)
			return nil
		},
	} {
		var got string
		func() {
			defer func() {
				if p := recover(); p != nil {
					got, _ = p.(string)
				}
			}()
			if err := f(); err != nil {
				got = err.Error()
			}
		}()
		if !strings.Contains(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	for _, n := range NormTypes {
		if got, err := ParseNormType(string(n)); got != n || err != nil {
			t.Errorf("%s is read as %s, %v", n, got, err)
		}
	}
	if b, err := NewBands([]int{4, 9}, 9); err != nil || !slices.Equal(b, Bands{4, 9}) || b.Size(1) != 5 {
		t.Errorf("bands %v, %v", b, err)
	}
}
