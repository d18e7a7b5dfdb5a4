package main

import "math"

// expCoefficients are of q in e^r = 1 + r + r² q(r) for |r| <= ln(2)/2, fitted
// so that the relative error of e^r is least: 3.1e-9, an eighteenth of the
// rounding.
var expCoefficients = [5]float64{0.49999994, 0.166665196, 0.0416684039, 0.00836889911, 0.00138142216}

// reduce splits x into n ln 2 + r with integer n and |r| <= ln(2)/2. Besides r,
// which takes the registers of x, it returns 2^(n+scale) for n+scale+127 in [0, 255]: 0 at the lower end,
// infinity at the upper.
//
// Adding 1.5·2^23 to x/ln 2 leaves n in the low bits of the sum; so much more
// is added that these bits are the exponent of the result, and a shift makes it
// a number. ln 2 is subtracted in two parts, so that n ln 2 is exact enough.
func (k *kernel) reduce(x vec, scale int) (r, power vec) {
	shifter := constant(3<<22 + 127 + float64(scale))
	bits := k.fma(x, constant(math.Log2E), shifter)
	n := k.sub(bits, shifter)
	high := float64(float32(math.Ln2))
	k.fnmaInto(x, n, constant(high))
	k.fnmaInto(x, n, constant(math.Ln2-high))
	return x, k.shiftLeft(bits, 23)
}

// exp returns e^x: infinity above 88.72284, 0 below -87, NaN for NaN. It
// computes 2e^r · 2^(n-1), since 2^128 would be infinite where e^x is not yet.
func (k *kernel) exp(x any) vec {
	clamped := k.atMost(k.atLeast(x, constant(-87.5)), constant(89))
	r, power := k.reduce(clamped, -1)
	var c [7]float64
	c[0], c[1] = 2, 2
	for i, v := range expCoefficients {
		c[i+2] = 2 * v
	}
	return k.mul(byArchitecture(k.polynomial, k.halfTree)(r, c[:]...), power)
}

// halfTree returns c[0] + c[1] x + ... + c[6] x⁶: what is multiplied by x² by
// Estrin's scheme, as tree takes it, and the first two terms by Horner's rule, so that
// it is as precise as polynomial. The chain is two steps shorter.
func (k *kernel) halfTree(x vec, c ...float64) vec {
	square := k.mul(x, x)
	p := k.fma(x, constant(c[5]), constant(c[4]))
	k.fmaInto(p, square, constant(c[6]))
	k.hornerInto(p, square, k.fma(x, constant(c[3]), constant(c[2])))
	k.hornerInto(p, x, constant(c[1]))
	k.hornerInto(p, x, constant(c[0]))
	return p
}

// expm1Negative returns e^x - 1 for x <= 0, to the last bits near 0 too.
func (k *kernel) expm1Negative(x any) vec {
	r, power := k.reduce(k.atLeast(x, constant(-40)), 0)
	c := append([]float64{0, 1}, expCoefficients[:]...)
	p := k.mul(k.polynomial(r, c[1:]...), r)
	return k.fmaInto(k.sub(power, constant(1)), p, power)
}

// sigmoid returns 1 / (1 + e^-x).
func (k *kernel) sigmoid(x any) vec {
	return k.div(constant(1), k.add(k.exp(k.negate(x)), constant(1)))
}

// sigmoids returns σ(x) and 1 - σ(x) = e^-x σ(x), each to full relative
// precision, for |x| <= 87.
func (k *kernel) sigmoids(x any) (s, rest vec) {
	e := k.exp(k.negate(x))
	s = k.div(constant(1), k.add(e, constant(1)))
	return s, k.mul(e, s)
}

// silu returns x σ(x). It calls x twice: to read numbers again costs less than
// to keep them in registers.
func (k *kernel) silu(x func() vec) vec {
	e := k.exp(k.negate(x()))
	return k.div(x(), k.add(e, constant(1)))
}

// siluGrad returns the derivative of silu, σ + x σ (1 - σ), and silu itself,
// both taken at x clamped to |x| <= 87, beyond which they do not change (the
// derivative) or are of no use (silu).
func (k *kernel) siluGrad(x vec) (derivative, s vec) {
	x = k.within(x, 87)
	s, rest := k.sigmoids(x)
	return k.fma(k.mul(x, s), rest, s), s
}

// sigmoidGrad returns σ(x) (1 - σ(x)) = e / (1 + e)² with e = e^-|x|.
func (k *kernel) sigmoidGrad(x any) vec {
	e := k.exp(k.or(x, word(1<<31)))
	d := k.add(e, constant(1))
	return k.div(e, k.mul(d, d))
}

// tanh returns -sign(x) e / (e + 2) with e = e^-2|x| - 1.
func (k *kernel) tanh(x func() vec) vec {
	y := k.or(x(), word(1<<31))
	e := k.expm1Negative(k.add(y, y))
	t := k.div(e, k.add(e, constant(2)))
	return k.or(k.abs(t), k.and(x(), word(1<<31)))
}

// The upper tail of the normal distribution, 1 - Φ(t) for t >= 0, is
// e^(-t²/2) S(w) with w = tailScale t / (1 + tailScale t). S was fitted over
// t in [0, 13.2] for least relative error in proportion to 1 + t²/2: 3.6e-8.
const tailScale = 0.25

var tailCoefficients = [8]float64{
	0.5, -1.59576643, 2.40411901, -2.10488439, 0.860013247, 0.152094573, -0.313173443, 0.0978149846,
}

// normalTail returns 1 - Φ(|t|) and e^(-t²/2).
func (k *kernel) normalTail(t func() vec) (tail, density vec) {
	a := k.atMost(k.abs(t()), constant(14)) // both are 0 there
	u := k.mul(a, constant(tailScale))
	w := k.div(u, k.add(u, constant(1)))
	s := k.polynomial(w, tailCoefficients[:]...)
	a = k.atMost(k.abs(t()), constant(14))
	density = k.exp(k.mul(k.mul(a, a), constant(-0.5)))
	return k.mul(s, density), density
}

// normal returns the normal distribution Φ(t), precise in the lower tail too,
// and e^(-t²/2). It calls t anew for each use.
func (k *kernel) normal(t func() vec) (distribution, density vec) {
	tail, density := k.normalTail(t)
	return k.whereNegative(t(), tail, k.sub(constant(1), tail)), density
}

// laplaceArgument returns (x - μ) / σ, so that laplace(x) = Φ of it.
func (k *kernel) laplaceArgument(x vec) vec {
	return k.mul(k.sub(x, constant(laplaceMean)), constant(1/laplaceDeviation))
}

// The constants of the reference's laplace (fairseq/utils.py:455).
const (
	laplaceMean      = 0.707107
	laplaceDeviation = 0.282095
)

// geluTanhArgument returns u = 2 √(2/π) (x + 0.044715 x³): the approximation
// of GELU by tanh is x σ(u).
func (k *kernel) geluTanhArgument(x vec) vec {
	c := 2 * math.Sqrt(2/math.Pi)
	return k.mul(k.fma(k.mul(x, x), constant(c*0.044715), constant(c)), x)
}

// geluTanhGrad returns σ(u) + x u' σ(u) (1 - σ(u)), at x clamped to |x| <= 10,
// beyond which it does not change.
func (k *kernel) geluTanhGrad(x func() vec) vec {
	c := 2 * math.Sqrt(2/math.Pi)
	s, rest := k.sigmoids(k.geluTanhArgument(k.within(x(), 10)))
	y := k.within(x(), 10)
	xdu := k.mul(k.fma(k.mul(y, y), constant(3*c*0.044715), constant(c)), y)
	return k.fma(k.mul(xdu, s), rest, s)
}

// geluGrad returns Φ(x) + x φ(x), at x clamped to |x| <= 13, beyond which it
// does not change.
func (k *kernel) geluGrad(x func() vec) vec {
	clamped := func() vec { return k.within(x(), 13) }
	distribution, density := k.normal(clamped)
	return k.fmaInto(distribution, k.mul(clamped(), density), constant(1/math.Sqrt(2*math.Pi)))
}

// emitActivations emits the elementwise functions y = f(x) and the products
// dx = dy f'(x). x and dy read their columns anew with each call.
func emitActivations(set instructionSet) {
	unary := func(name, doc string, flight int, f func(k *kernel, x func() vec) vec) {
		k := newKernel(set, name, "dst, x *float32, n int", "", doc)
		x := func() vec { return k.load("x") }
		k.columns("n", byArchitecture(flight, flight+2), func() { k.store("dst", f(k, x)) })
		k.done()
	}
	zero := word(0)
	unary("exp", "sets dst = e^x.", 4, func(k *kernel, x func() vec) vec { return k.exp(x()) })
	unary("sigmoid", "sets dst = σ(x).", 4, func(k *kernel, x func() vec) vec { return k.sigmoid(x()) })
	unary("silu", "sets dst = x σ(x).", 4, (*kernel).silu)
	unary("gelu", "sets dst = x Φ(x).", 3, func(k *kernel, x func() vec) vec {
		distribution, _ := k.normal(x)
		return k.mul(x(), distribution)
	})
	unary("relu", "sets dst = max(x, 0).", 4, func(k *kernel, x func() vec) vec { return k.atLeast(x(), zero) })
	unary("relu2", "sets dst = max(x, 0)².", 4, func(k *kernel, x func() vec) vec {
		y := k.atLeast(x(), zero)
		return k.mul(y, y)
	})
	unary("tanh", "sets dst = tanh(x).", 4, (*kernel).tanh)
	unary("laplace", "sets dst = Φ((x - μ) / σ).", 3, func(k *kernel, x func() vec) vec {
		distribution, _ := k.normal(func() vec { return k.laplaceArgument(x()) })
		return distribution
	})
	unary("geluTanh", "sets dst = x σ(u(x)).", 4, func(k *kernel, x func() vec) vec {
		e := k.exp(k.negate(k.geluTanhArgument(x())))
		return k.div(x(), k.add(e, constant(1)))
	})
	emitActivationGrads(set)
}

func emitActivationGrads(set instructionSet) {
	grad := func(name, doc string, flight int, f func(k *kernel, x, dy func() vec) vec) {
		k := newKernel(set, name+"Grad", "dx, dy, x *float32, n int", "", doc)
		x, dy := func() vec { return k.load("x") }, func() vec { return k.load("dy") }
		k.columns("n", flight, func() { k.store("dx", f(k, x, dy)) })
		k.done()
	}
	zero := word(0)
	grad("sigmoid", "sets dx = dy σ(x) (1 - σ(x)).", 4, func(k *kernel, x, dy func() vec) vec {
		return k.mul(k.sigmoidGrad(x()), dy())
	})
	grad("silu", "sets dx = dy (σ(x) + x σ(x) (1 - σ(x))).", 3, func(k *kernel, x, dy func() vec) vec {
		derivative, _ := k.siluGrad(x())
		return k.mul(derivative, dy())
	})
	grad("gelu", "sets dx = dy (Φ(x) + x φ(x)).", 3, func(k *kernel, x, dy func() vec) vec {
		return k.mul(k.geluGrad(x), dy())
	})
	grad("relu", "sets dx = dy where x > 0, and 0 elsewhere.", 4, func(k *kernel, x, dy func() vec) vec {
		return k.keepWhere(notLessOrEqual, x(), zero, dy())
	})
	grad("relu2", "sets dx = 2 dy max(x, 0).", 4, func(k *kernel, x, dy func() vec) vec {
		y := k.atLeast(x(), zero)
		return k.mul(k.add(y, y), dy())
	})
	grad("tanh", "sets dx = dy (1 - tanh²(x)).", 4, func(k *kernel, x, dy func() vec) vec {
		y := x()
		return k.mul(k.mul(k.sigmoidGrad(k.add(y, y)), constant(4)), dy())
	})
	grad("laplace", "sets dx = dy φ((x - μ) / σ) / σ.", 4, func(k *kernel, x, dy func() vec) vec {
		t := k.laplaceArgument(x())
		density := k.exp(k.mul(k.mul(t, t), constant(-0.5)))
		return k.mul(k.mul(density, constant(1/(laplaceDeviation*math.Sqrt(2*math.Pi)))), dy())
	})
	grad("geluTanh", "sets dx = dy (σ(u) + x u' σ(u) (1 - σ(u))).", 3, func(k *kernel, x, dy func() vec) vec {
		return k.mul(k.geluTanhGrad(x), dy())
	})
}
