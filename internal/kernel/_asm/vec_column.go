package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// one returns the address of the number of the row at hand in an array that
// holds one a row.
func (k *kernel) one(name string) Mem { return Mem{Base: k.pointers[name]} }

// emitColumns emits what works on the columns of a matrix: their sums, and the
// norm by statistics of columns (batch norm).
func emitColumns(set instructionSet) {
	emitColumnSums(set)
	emitColumnMoments(set)

	k := newKernel(set, "columnAffine", "y, x, scale, shift *float32, rows, cols, ldy, ldx int", "",
		"sets y = x scale + shift, row by row.")
	k.rows(map[string]string{"y": "ldy", "x": "ldx"}, func() {
		k.columns("cols", 4, func() {
			k.store("y", k.fmaInto(k.load("shift"), k.load("x"), k.load("scale")))
		})
	})
	k.done()

	k = newKernel(set, "batchNormGrad",
		"dx, dy, x, mean, factor, meanDy, slope, rest *float32, rows, cols, lddx, lddy, ldx int, keep uint32", "",
		"sets dx = (dx & keep) + factor (dy - meanDy - (x - mean) slope - rest), row by row.")
	k.rows(map[string]string{"dx": "lddx", "dy": "lddy", "x": "ldx"}, func() {
		k.columns("cols", 2, func() {
			d := k.sub(k.load("x"), k.load("mean"))
			g := k.sub(k.fnmaInto(k.sub(k.load("dy"), k.load("meanDy")), d, k.load("slope")), k.load("rest"))
			k.store("dx", k.accumulate("dx", k.mul(g, k.load("factor"))))
		})
	})
	k.done()
}

// emitColumnSums emits sums over a few rows in registers, added to dst at the
// end: the caller takes few rows at a time, so that no sum is long.
func emitColumnSums(set instructionSet) {
	k := newKernel(set, "columnSums", "dst, x *float32, rows, cols, ldx int", "", "adds to dst the sums of x over its rows.")
	start := k.pointers["x"]
	k.columns("cols", 4, func() {
		total := k.zeros(k.flight)
		k.pointers["x"] = GP64()
		move64(start, k.pointers["x"])
		k.rows(map[string]string{"x": "ldx"}, func() { k.addInto(total, k.load("x")) })
		k.addTo("dst", total)
	})
	k.done()
}

// emitColumnMoments emits sums in float64, wide enough for raw moments.
func emitColumnMoments(set instructionSet) {
	k := newKernel(set, "columnMoments", "sum, squares *float64, x *float32, rows, cols, ldx int", "",
		"adds to sum and squares the sums of x and of x² over its rows.")
	k.rows(map[string]string{"x": "ldx"}, func() {
		k.columns("cols", 1, func() {
			v := k.widen(k.load("x"))
			k.addWide("sum", v)
			k.updateWide("squares", func(i int, r VecVirtual) { fmaWide(v[i], v[i], r) })
		})
	})
	k.done()

	k = newKernel(set, "batchNormSums", "sumDy, sumDyX *float64, dy, x, mean *float32, rows, cols, lddy, ldx int", "",
		"adds to sumDy and sumDyX the sums of dy and of dy (x - mean) over the rows.")
	k.rows(map[string]string{"dy": "lddy", "x": "ldx"}, func() {
		k.columns("cols", 1, func() {
			dy := k.load("dy")
			product := k.mul(dy, k.sub(k.load("x"), k.load("mean")))
			k.addWide("sumDy", k.widen(dy))
			k.addWide("sumDyX", k.widen(product))
		})
	})
	k.done()
}

// addWide adds v, as widen returns it, to the float64s that name points to.
func (k *kernel) addWide(name string, v vec) {
	k.updateWide(name, func(i int, r VecVirtual) { apply(opAddWide, r, r, v[i]) })
}

// updateWide loads the two registers of float64s of the columns at hand, lets
// update change each, and stores them.
func (k *kernel) updateWide(name string, update func(i int, r VecVirtual)) {
	if onARM {
		k.updateWideARM(name, update)
		return
	}
	for i := range 2 {
		m := Mem{Base: k.pointers[name], Index: k.column, Scale: 2, Disp: i * 4 * k.lanes}
		r := k.register()
		load, store := func() { VMOVUPD(m, r) }, func() { VMOVUPD(r, m) }
		if k.partial {
			load, store = k.partialWide(i, m, r)
		}
		load()
		update(i, r)
		store()
	}
}

// partialWide returns the masked load and store of register i of the two that
// hold the row's last few columns as float64s.
func (k *kernel) partialWide(i int, m Mem, r VecVirtual) (load, store func()) {
	if k.lanes == 16 {
		mask := K()
		KMOVW(k.maskK, mask)
		if i == 1 {
			KSHIFTRW(Imm(8), mask, mask)
		}
		return func() { VMOVUPD_Z(m, mask, r) }, func() { VMOVUPD(r, mask, m) }
	}
	half, mask := k.maskY.AsX(), YMM()
	if i == 1 {
		half = XMM()
		VEXTRACTF128(Imm(1), k.maskY, half)
	}
	VPMOVSXDQ(half, mask)
	return func() { VMASKMOVPD(m, mask, r) }, func() { VMASKMOVPD(r, mask, m) }
}
