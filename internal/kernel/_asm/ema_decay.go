package main

import (
	"fmt"
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// emitDecay emits what makes decays of parameters. Like all that the
// coefficients are computed from, it is in float64: as many numbers at once as
// half a register's float32s.
func (s emaSet) emitDecay() {
	TEXT("emaDecay"+s.name, NOSPLIT, "func(n int, decay, p, a *float64, delta, alpha *float32)")
	Pragma("noescape")
	Doc("emaDecay"+s.name+" sets p = σ(delta), a = σ(alpha) and decay = 1 − p·a, to full relative precision.",
		fmt.Sprintf("n is a multiple of %d.", s.bytes()/8))
	n, decay := Load(Param("n"), GP64()), Load(Param("decay"), GP64())
	p, a := Load(Param("p"), GP64()), Load(Param("a"), GP64())
	delta, alpha := Load(Param("delta"), GP64()), Load(Param("alpha"), GP64())
	i := GP64()
	XORQ(i, i)
	Label("columns")
	at := func(base Register, size uint8) Mem { return Mem{Base: base, Index: i, Scale: size} }
	x := []VecVirtual{s.double(), s.double()}
	VCVTPS2PD(at(delta, 4), x[0])
	VCVTPS2PD(at(alpha, 4), x[1])
	e := s.expNegative(x)
	one := s.broadcast(1)
	sigmoid := make([]VecVirtual, len(e))
	for j := range e {
		d := s.double()
		VADDPD(one, e[j], d)
		sigmoid[j] = s.double()
		VDIVPD(d, one, sigmoid[j])
		VMULPD(sigmoid[j], e[j], e[j]) // 1 − σ
	}
	VMOVUPD(sigmoid[0], at(p, 8))
	VMOVUPD(sigmoid[1], at(a, 8))
	VFMADD213PD(e[0], sigmoid[0], e[1]) // 1 − p + p (1 − a)
	VMOVUPD(e[1], at(decay, 8))
	ADDQ(U8(uint8(s.bytes()/8)), i)
	CMPQ(i, n)
	JLT(LabelRef("columns"))
	VZEROUPPER()
	RET()
}

// double returns a register for float64s.
func (s emaSet) double() VecVirtual {
	if s.bytes() == 64 {
		return ZMM()
	}
	return YMM()
}

// broadcast returns a register of equal float64s.
func (s emaSet) broadcast(v float64) VecVirtual {
	bits := math.Float64bits(v)
	r := s.double()
	VBROADCASTSD(shared(fmt.Sprintf("double%016x", bits), U64(bits)), r)
	return r
}

// The parts of ln 2 that sum to more digits than a float64 has.
const (
	ln2High = math.Ln2
	ln2Low  = 2.3190468138462996e-17
)

// expNegative returns e^-x for each of some registers x, which it loses, taken
// at |x| <= 700 at most: with −x = n ln 2 + r, that is 2^n times a Taylor sum.
// Adding 1.5·2^52 rounds −x/ln 2 to n, and adding n's exponent with it leaves
// 2^n's in the low bits (see reduce).
func (s emaSet) expNegative(x []VecVirtual) []VecVirtual {
	each := func(f func(i int)) {
		for i := range x {
			f(i)
		}
	}
	greatest, least := s.broadcast(700), s.broadcast(-700)
	each(func(i int) { VMINPD(x[i], greatest, x[i]); VMAXPD(x[i], least, x[i]) }) // NaN stays
	n, power := make([]VecVirtual, len(x)), make([]VecVirtual, len(x))
	shifter, log2 := s.broadcast(3<<51+1023), s.broadcast(math.Log2E)
	each(func(i int) {
		n[i], power[i] = s.double(), s.double()
		VMOVAPD(shifter, n[i])
		VFNMADD231PD(log2, x[i], n[i])
		VPSLLQ(U8(52), n[i], power[i])
		VSUBPD(shifter, n[i], n[i])
	})
	high, low := s.broadcast(ln2High), s.broadcast(ln2Low)
	each(func(i int) {
		VFMADD231PD(high, n[i], x[i]) // −r
		VFMADD231PD(low, n[i], x[i])
	})
	sum := make([]VecVirtual, len(x))
	const degree = 13         // beyond it a term is less than the rounding
	factorial := -6227020800. // (−1)^k k! of k = 13
	last := s.broadcast(1 / factorial)
	each(func(i int) { sum[i] = s.double(); VMOVAPD(last, sum[i]) })
	for k := degree; k > 0; k-- {
		factorial /= -float64(k)
		term := s.broadcast(1 / factorial)
		each(func(i int) { VFMADD213PD(term, x[i], sum[i]) })
	}
	each(func(i int) { VMULPD(power[i], sum[i], sum[i]) })
	return sum
}
