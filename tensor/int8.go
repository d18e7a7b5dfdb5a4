package tensor

import "github.com/mega-go/mega/internal/kernel"

// QuantizeInt8 sets q to the multiples of a scale, which it returns, that are nearest to
// the numbers x: a number is off by half the scale at most, which is 1/254 of the
// largest. The multiples of a scale are quantised to themselves. A number that is not
// finite makes the scale NaN.
func QuantizeInt8(q []int8, x []float32) (scale float32) { return kernel.QuantizeInt8(q, x, 1) }
