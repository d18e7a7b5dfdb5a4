package main

import (
	"fmt"
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The family attention holds what attention does to a row of scores, with the
// vector kernels' means: each pass over a row does all that can be done in it.
func init() {
	families["attention"] = emitAttention
	families["attention_arm64"] = emitAttention
}

func emitAttention() {
	for _, set := range instructionSets() {
		emitScores(set)
		emitWeights(set)
		emitScoreGradients(set)
		emitDirect(set)
	}
}

// emitScores emits the two passes of a softmax.
func emitScores(set instructionSet) {
	k := newKernel(set, "attentionScores", "s, bias *float32, n int, scale float32", "float32",
		"sets s = scale s + bias and returns the greatest.")
	lowest := k.broadcastWord(math.Float32bits(float32(math.Inf(-1))))
	greatest := vec{k.register(), k.register()}
	for _, r := range greatest {
		move(lowest[0], r)
	}
	k.columns("n", 2, func() {
		x := k.score("s")
		k.store("s", x)
		x = k.liveOr(x, lowest)
		k.each(func(i int) { apply(opMax, greatest[i], greatest[i], x[i]) })
	})
	k.returnLowest(k.fold(opMax, greatest))

	k = newKernel(set, "attentionExp", "s *float32, n int, m float32", "float32",
		"sets s = e^(s - m) and returns the sum.")
	sum := k.zeros(set.inFlight(2, 4, 4))
	k.columns("n", len(sum), func() {
		x := k.expNegative(k.sub(k.load("s"), k.scalars["m"]))
		k.store("s", x)
		k.addInto(sum, k.live(x))
	})
	k.returnLowest(k.fold(opAdd, sum))
}

// score returns scale times the row that name points to, plus the bias.
func (k *kernel) score(name string) vec {
	x := k.load("bias")
	k.fmaInto(x, k.load(name), k.scalars["scale"])
	return x
}

// broadcastWord returns a constant in a register.
func (k *kernel) broadcastWord(bits uint32) vec { return k.vecOf(word(bits)) }

// emitWeights emits the functions that act on each score alone.
func emitWeights(set instructionSet) {
	emit := func(name, doc string, f func(k *kernel, x vec) vec) {
		k := newKernel(set, name, "s, bias *float32, n int, scale float32", "", doc)
		k.columns("n", set.inFlight(2, 4, 4), func() { k.store("s", f(k, k.score("s"))) })
		k.done()
	}
	emit("attentionReLU2", "sets s = max(scale s + bias, 0)².", func(k *kernel, x vec) vec {
		y := k.atLeast(x, word(0))
		return k.mul(y, y)
	})
	emit("attentionLaplace", "sets s = laplace(scale s + bias).", func(k *kernel, x vec) vec {
		weight, _ := k.laplace(x)
		return weight
	})
}

// emitScoreGradients emits, for each function, the pass over a row of products
// q·k, in p, and one of the derivatives by the weights, in ds: p becomes the
// weights and ds scale times the derivatives by the scores, which dbias gets
// too.
func emitScoreGradients(set instructionSet) {
	emit := func(name, params, doc string, f func(k *kernel, x vec) (weight, ds vec)) {
		k := newKernel(set, name, "p, ds, bias, dbias *float32, n int, scale"+params+" float32", "",
			doc+", ds = scale dS, and adds dS to dbias.")
		k.columns("n", set.inFlight(2, 4, 2), func() {
			weight, ds := f(k, k.score("p"))
			k.store("p", weight)
			k.addTo("dbias", ds)
			k.store("ds", k.mul(ds, k.scalars["scale"]))
		})
		k.done()
	}
	emit("attentionSoftmaxGrad", ", logSum, delta", "sets p = P = e^(scale p + bias - logSum), dS = P (ds - delta)",
		func(k *kernel, x vec) (weight, ds vec) {
			weight = k.expNegative(k.sub(x, k.scalars["logSum"]))
			return weight, k.mul(weight, k.sub(k.load("ds"), k.scalars["delta"]))
		})
	emit("attentionReLU2Grad", "", "sets p = r², dS = 2 r ds with r = max(scale p + bias, 0)",
		func(k *kernel, x vec) (weight, ds vec) {
			y := k.atLeast(x, word(0))
			return k.mul(y, y), k.mul(k.add(y, y), k.load("ds"))
		})
	emit("attentionLaplaceGrad", "", "sets p = laplace(x), dS = ds laplace'(x) with x = scale p + bias",
		func(k *kernel, x vec) (weight, ds vec) {
			weight, density := k.laplace(x)
			peak := constant(1 / (laplaceDeviation * math.Sqrt(2*math.Pi)))
			return weight, k.mul(k.mul(density, peak), k.load("ds"))
		})
}

// The lower tail of the normal distribution at −√(2 ln 2) w, for w >= 0, is
// 2^(−w²) k R(k) with k = 1 / (1 + laplaceTailScale w). R was fitted over
// [0, 10.2] for least relative error in proportion to 1 + 0.7 w²: 9.7e-8.
const laplaceTailScale = 0.3

var laplaceTail = [7]float64{
	0.101104584, 0.109330275, 0.0502851992, 0.221279105, -0.184820355, 0.285656506, -0.0828352691,
}

// exp2Coefficients are of 2^r for |r| <= ½, fitted for least relative error:
// 7.5e-8.
var exp2Coefficients = [6]float64{1.00000007, 0.693146967, 0.240221197, 0.0555071331, 0.00967554349, 0.00132764690}

// exp2 returns 2^t for t < 127, 0 below -126.5, NaN for NaN, by the given way
// to take a polynomial. How much a core can keep in flight is the limit here,
// so the chain of what depends on each other is short: the reduction is exact
// in one part.
func (k *kernel) exp2(t vec, polynomial func(x vec, c ...float64) vec) vec {
	t = k.atLeast(t, constant(-127))
	shifter := constant(3<<22 + 127) // see reduce
	bits := k.add(t, shifter)
	r := k.sub(t, k.sub(bits, shifter))
	return k.mul(polynomial(r, exp2Coefficients[:]...), k.shiftLeft(bits, 23))
}

// expNegative returns e^x for x < 88, to 2e-7 times 1 + |x|.
func (k *kernel) expNegative(x vec) vec { return k.exp2(k.mul(x, constant(math.Log2E)), k.tree) }

// tree returns c[0] + c[1] x + ... for six or seven coefficients by Estrin's
// scheme: a shorter chain than polynomial's, for two registers more.
func (k *kernel) tree(x vec, c ...float64) vec {
	square := k.mul(x, x)
	high := k.fma(x, constant(c[5]), constant(c[4]))
	if len(c) > 6 {
		k.fmaInto(high, square, constant(c[6]))
	}
	for i := 2; i >= 0; i -= 2 {
		k.hornerInto(high, square, k.fma(x, constant(c[i+1]), constant(c[i])))
	}
	return high
}

// laplace returns Φ(t) with t = (x - μ) / σ and its density e^(−t²/2), as
// normal does but at three quarters of the cost: the power is one of two, and
// nothing is done for the last bits. Beyond |t| = 12 it is that at 12, less
// than 1e-31.
func (k *kernel) laplace(x vec) (weight, density vec) {
	unit := 1 / (laplaceDeviation * math.Sqrt(2*math.Ln2))
	w := k.fma(x, constant(unit), constant(-laplaceMean*unit))
	a := k.atMost(k.abs(w), constant(10.2))
	inverse := k.div(constant(1), k.fma(a, constant(laplaceTailScale), constant(1)))
	density = k.exp2(k.mul(a, k.negate(a)), byArchitecture(k.polynomial, k.tree))
	tail := k.mul(k.tree(inverse, laplaceTail[:]...), k.mul(inverse, density))
	return k.whereNegative(w, tail, k.sub(constant(1), tail)), density
}

// emitDirect emits the products of one query with keys and of one row of
// weights with values, which are read as they lie; stride is in bytes.
func emitDirect(set instructionSet) {
	k := newKernel(set, "attentionDots", "s, q, k *float32, n, stride, rows int", "",
		"sets s[j] to the product of q and row j of k, n numbers each.")
	ahead := k.times("stride", keysAhead)
	k.rows(map[string]string{"s": "", "k": "stride"}, func() {
		sum := k.zeros(4)
		k.columns("n", 4, func() {
			k.prefetch(ahead, "k")
			k.fmaInto(sum, k.load("q"), k.load("k"))
		})
		k.put("s", vec{k.fold(opAdd, sum)})
	})
	k.done()

	k = newKernel(set, "attentionSum", "out, p, v *float32, n, stride, rows int", "",
		"adds p[j] times row j of v to out, n numbers each.")
	k.rowsBy(sumRows, map[string]string{"p": "", "v": "stride"}, k.sumOfRows)
	k.done()
}

const (
	keysAhead = 8 // rows of keys from the one at hand to the one that is asked for
	sumRows   = 4 // rows of values added up at a time, so that out is read and written less often
)

// sumOfRows emits the sum of out and of p[j] times so many rows of v, and asks
// for as many rows after them.
func (k *kernel) sumOfRows(rows int) {
	stride := k.times("stride", 1)
	weights, names := make([]vec, rows), make([]string, rows)
	for j := range rows {
		weights[j] = k.broadcastFrom(Mem{Base: k.pointers["p"], Disp: 4 * j})
		names[j] = "v"
		if j > 0 {
			names[j] = fmt.Sprintf("v+%d", j)
			k.pointers[names[j]] = GP64()
			sum64(k.pointers[names[j-1]], stride, 1, k.pointers[names[j]])
		}
	}
	ahead := k.times("stride", rows)
	k.columns("n", 4, func() {
		k.prefetch(ahead, names...)
		sum := k.load("out")
		for j, name := range names {
			k.fmaInto(sum, k.load(name), weights[j])
		}
		k.store("out", sum)
	})
}

// returnLowest ends a function that returns the lowest lane of r.
func (k *kernel) returnLowest(r reg.VecVirtual) {
	k.result(r)
	k.done()
}
