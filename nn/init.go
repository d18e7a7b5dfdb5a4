package nn

import (
	"math"
	"math/rand/v2"

	"github.com/mega-go/mega/tensor"
)

// An Initializer fills a new parameter.
type Initializer func(rng *rand.Rand, t *tensor.Tensor)

// Constant fills with one number.
func Constant(c float32) Initializer {
	return func(_ *rand.Rand, t *tensor.Tensor) { t.Fill(c) }
}

// Normal draws from a normal distribution.
func Normal(mean, std float64) Initializer {
	return func(rng *rand.Rand, t *tensor.Tensor) {
		t.Generate(func(int) float32 { return float32(mean + std*rng.NormFloat64()) })
	}
}

// Uniform draws uniformly from ±bound.
func Uniform(bound float64) Initializer {
	return func(rng *rand.Rand, t *tensor.Tensor) {
		t.Generate(func(int) float32 { return float32((2*rng.Float64() - 1) * bound) })
	}
}

// XavierUniform draws uniformly from ±sqrt(6/(fan in + fan out)), for a weight
// [out, in] (Glorot, Bengio 2010).
func XavierUniform(rng *rand.Rand, t *tensor.Tensor) {
	Uniform(math.Sqrt(6/float64(t.Rows()+t.Cols())))(rng, t)
}

// AlternatingNormal draws from N(0, std) and adds +1 in even columns and −1 in
// odd ones: the EMA's β (reference exponential_moving_average.py:59-72).
func AlternatingNormal(std float64) Initializer {
	return func(rng *rand.Rand, t *tensor.Tensor) {
		t.Generate(func(i int) float32 {
			return float32(std*rng.NormFloat64()) + float32(1-2*(i%t.Shape()[1]%2))
		})
	}
}

// WithZeroRow fills by init and then sets one row to zero: the padding row of
// an embedding.
func WithZeroRow(init Initializer, row int) Initializer {
	return func(rng *rand.Rand, t *tensor.Tensor) {
		init(rng, t)
		if row >= 0 && row < t.Rows() {
			t.ZeroRow(row)
		}
	}
}
