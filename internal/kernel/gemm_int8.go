package kernel

import (
	"math"

	"github.com/mega-go/mega/internal/parallel"
)

// Products with weights of eight bits: each column of B has a scale, and its numbers
// are whole multiples of that, from -127 to 127. A product with one row, such as a step
// of decoding, takes the time of reading B from memory, which is a quarter of that of
// float32 numbers. The kernels make them float32 numbers in registers. A product is
// therefore, bit for bit, that with the multiples as a B packed in float32.

// int8Most is the largest multiple of a scale.
const int8Most = 127

// int8Least is the least largest number of a column that is not taken for zeros: its
// scale and all multiples of that are normal numbers.
const int8Least = 0x1p-100

// QuantizeInt8 sets q to the multiples of a scale, which it returns, that are nearest
// to x, whose len(q) numbers are step apart: a number is off by half the scale at most,
// which is 1/254 of the largest.
//
// The scale has 16 significant bits, so that the multiples are exact in float32, and
// are quantised to themselves. Columns whose largest number is less than 2^-100 become
// zeros; a number that is not finite makes the scale NaN.
func QuantizeInt8(q []int8, x []float32, step int) (scale float32) {
	most := float32(0)
	for i := 0; i < len(x); i += step {
		v := x[i]
		if v-v != 0 {
			scale = float32(math.NaN())
		}
		most = max(most, v, -v)
	}
	switch {
	case scale != 0:
		for i := range q {
			q[i] = 1
		}
		return scale
	case most < int8Least:
		clear(q)
		return 0
	}
	bits := math.Float32bits(most / int8Most)
	scale = math.Float32frombits((bits + 0xff) &^ 0xff) // not less, so that no multiple is beyond 127
	for i := range q {
		q[i] = int8(math.RoundToEven(float64(x[i*step]) / float64(scale)))
	}
	return scale
}

// PackInt8 replaces what p holds by the k × n operand b, each column quantised as by
// QuantizeInt8, for products that are faster the fewer their rows are.
func (p *Packed) PackInt8(w *parallel.Workers, k, n int, b Matrix) {
	b.checkNumbers("B", k, n)
	nr := tilings[int8Implementation()].nr
	*p = Packed{k: k, n: n, impl: int8Implementation()}
	p.ints, p.scales = make([]int8, roundUp(n, nr)*k), make([]float32, roundUp(n, nr))
	spread(w, readWork*k*n < 2*taskWork, ceilDiv(n, nr), func(_, panel int) {
		column := make([]int8, k)
		for j := panel * nr; j < min(n, (panel+1)*nr); j++ {
			p.scales[j] = b.quantizeColumn(column, j)
			for i, v := range column {
				p.ints[panel*nr*k+i*nr+j%nr] = v
			}
		}
	})
}

// quantizeColumn quantises column j of m, which has len(q) rows.
func (m Matrix) quantizeColumn(q []int8, j int) (scale float32) {
	switch {
	case len(q) == 0:
		return 0
	case m.Transposed:
		return QuantizeInt8(q, m.Data[j*m.Stride:][:len(q)], 1)
	}
	return QuantizeInt8(q, m.Data[j:][:(len(q)-1)*m.Stride+1], m.Stride)
}

// runIntsGeneric computes a strip of bytes with panels of four columns.
func (s *strip) runIntsGeneric() {
	var panel [4 * depthMax]float32
	part := *s
	part.bs = 0
	for j := 0; j < s.n; j += 4 {
		part.n = min(4, s.n-j)
		part.b = panel[:4*s.k]
		for i := range part.b {
			part.b[i] = float32(s.ints[j/4*s.bs+i]) * s.scales[j+i%4]
		}
		part.c = s.c[j:]
		if s.bias != nil {
			part.bias = s.bias[j:]
		}
		part.runGeneric()
	}
}
