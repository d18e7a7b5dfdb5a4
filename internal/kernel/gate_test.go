package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

func gates() []operation {
	sigmoid, silu := Sigmoid.value, SiLU.value
	return []operation{
		{name: "GatedResidual", results: 1, sources: 3, roundings: 5,
			run:  func(o, x [][]float32) { GatedResidual(o[0], x[0], x[1], x[2]) },
			want: func(x []float64) []value { return []value{gateOf(x[0], x[1], x[2])} }},
		{name: "GatedResidualGrad", results: 3, sources: 4, roundings: 8,
			run: func(o, x [][]float32) { GatedResidualGrad(o[0], o[1], o[2], x[0], x[1], x[2], x[3]) },
			want: func(x []float64) []value {
				s, rest, d := sigmoid(x[2]), sigmoid(-x[2]), sumOf(x[3], -x[1])
				k := x[0] * s * rest
				return append(append(one(x[0]*rest), value{k * d.v, math.Abs(k) * d.size}), one(x[0]*s)...)
			}},
		{name: "SiLUMul", results: 1, sources: 2, roundings: 5,
			run:  func(o, x [][]float32) { SiLUMul(o[0], x[0], x[1]) },
			want: func(x []float64) []value { return one(silu(x[0]) * x[1]) }},
		{name: "SiLUMulGrad", results: 2, sources: 3, roundings: 8,
			run: func(o, x [][]float32) { SiLUMulGrad(o[0], o[1], x[0], x[1], x[2]) },
			want: func(x []float64) []value {
				k := x[0] * x[2]
				d := sumOf(sigmoid(x[1]), x[1]*sigmoid(x[1])*sigmoid(-x[1]))
				return append([]value{{k * d.v, math.Abs(k) * d.size}}, one(x[0]*silu(x[1]))...)
			}},
	}
}

// gateOf is residual + σ(u) (h - residual).
func gateOf(residual, u, h float64) value {
	s := Sigmoid.value(u)
	return sumOf(residual, s*h, -s*residual)
}

func TestGates(t *testing.T) { checkOperations(t, gates()) }

// TestGatesSaturate checks that gates far from 0 neither overflow nor make NaN.
func TestGatesSaturate(t *testing.T) {
	eachVec(t, func(t *testing.T) {
		u := []float32{-1e30, -200, -88, 88, 200, 1e30, float32(math.Inf(-1)), float32(math.Inf(1))}
		n := len(u)
		residual, h, dout, out := make([]float32, n), make([]float32, n), make([]float32, n), make([]float32, n)
		Fill(residual, 3)
		Fill(h, 5)
		Fill(dout, 1)
		GatedResidual(out, residual, u, h)
		dr, du, dh := make([]float32, n), make([]float32, n), make([]float32, n)
		GatedResidualGrad(dr, du, dh, dout, residual, u, h)
		for i, v := range u {
			want, open := float32(3), float32(0)
			if v > 0 {
				want, open = 5, 1
			}
			if out[i] != want || math.Abs(float64(dh[i]-open)) > 1e-30 || math.Abs(float64(dr[i]-1+open)) > 1e-30 || math.Abs(float64(du[i])) > 1e-30 {
				t.Errorf("u = %g: out %g, dresidual %g, du %g, dh %g", v, out[i], dr[i], du[i], dh[i])
			}
		}
	})
}

// TestSiLUScaleShift checks both directions on strided rows against float64.
func TestSiLUScaleShift(t *testing.T) {
	eachVec(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(5, 6))
		for i, cols := range append(lengths()[1:], 160, 200) {
			if cols < 300 {
				checkSiLUScaleShift(t, r, i%6, cols, i%4)
			}
		}
	})
}

func checkSiLUScaleShift(t *testing.T, r *rand.Rand, rows, cols, slack int) {
	t.Helper()
	normal := func() float32 { return float32(r.NormFloat64()) }
	matrix := func(gap int) *block { return newBlock(rows, cols, cols+gap*slack, slack, normal) }
	pair := func() *block { return newBlock(2, cols, cols, slack, normal) }
	q, k, z, dz, dq, dk := matrix(1), matrix(2), matrix(3), matrix(1), matrix(2), matrix(0)
	gamma, beta, dgamma, dbeta := pair(), pair(), pair(), pair()
	SiLUScaleShift(q.data, k.data, z.data, gamma.data, beta.data, rows, cols, q.ld, k.ld, z.ld)
	before := append([]float32(nil), append(dgamma.data, dbeta.data...)...)
	SiLUScaleShiftGrad(dz.data, dgamma.data, dbeta.data, dq.data, dk.data, z.data, gamma.data, rows, cols, dz.ld, dq.ld, dk.ld, z.ld)
	for c := range cols {
		g0, g1 := float64(gamma.data[c]), float64(gamma.data[cols+c])
		sums := [4]value{} // dgamma[0], dgamma[1], dbeta[0], dbeta[1]
		for i := range sums {
			sums[i] = sumOf(float64(before[i*cols+c]))
		}
		for row := range rows {
			x, d0, d1 := z.at(row, c), dq.at(row, c), dk.at(row, c)
			s := SiLU.value(x)
			where := fmt.Sprintf("of row %d of %d, column %d of %d", row, rows, c, cols)
			sumOf(s*g0, float64(beta.data[c])).check(t, "q "+where, q.at(row, c), 5)
			sumOf(s*g1, float64(beta.data[cols+c])).check(t, "k "+where, k.at(row, c), 5)
			d := sumOf(d0*g0, d1*g1)
			slope := SiLU.derivative(x)
			value{d.v * slope, d.size * (math.Abs(slope) + 0.5)}.check(t, "dz "+where, dz.at(row, c), 8)
			for i, term := range []float64{d0 * s, d1 * s, d0, d1} {
				sums[i] = sums[i].plus(term)
			}
		}
		for i, got := range []float32{dgamma.data[c], dgamma.data[cols+c], dbeta.data[c], dbeta.data[cols+c]} {
			sums[i].check(t, fmt.Sprintf("sum %d of column %d of %d", i, c, cols), float64(got), 10)
		}
	}
	for i, b := range []*block{q, k, z, dz, dq, dk, gamma, beta, dgamma, dbeta} {
		if !b.intact() {
			t.Errorf("%d rows of %d: wrote outside of argument %d", rows, cols, i)
		}
	}
	if t.Failed() {
		t.FailNow()
	}
}

func BenchmarkGates(b *testing.B) {
	const n, cols = 8192, 64
	s := make([][]float32, 8)
	for i := range s {
		s[i] = make([]float32, n)
		for j := range s[i] {
			s[i][j] = float32((i+j)%60)/10 - 3
		}
	}
	benchVec(b, "GatedResidual", n, func() { GatedResidual(s[0], s[1], s[2], s[3]) })
	benchVec(b, "GatedResidualGrad", n, func() { GatedResidualGrad(s[0], s[1], s[2], s[3], s[4], s[5], s[6]) })
	benchVec(b, "SiLUMul", n, func() { SiLUMul(s[0], s[1], s[2]) })
	benchVec(b, "SiLUMulGrad", n, func() { SiLUMulGrad(s[0], s[1], s[2], s[3], s[4]) })
	gamma, beta := s[0][:2*cols], s[0][2*cols:4*cols]
	benchVec(b, "SiLUScaleShift", n, func() {
		SiLUScaleShift(s[1], s[2], s[3], gamma, beta, n/cols, cols, cols, cols, cols)
	})
	benchVec(b, "SiLUScaleShiftGrad", n, func() {
		SiLUScaleShiftGrad(s[1], s[7][:2*cols], s[7][2*cols:4*cols], s[2], s[3], s[4], gamma, n/cols, cols, cols, cols, cols, cols)
	})
}
