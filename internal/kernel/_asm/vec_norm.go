package main

// emitNorms emits the norms over rows. The registers that hold one number of a
// row hold it in all lanes.
func emitNorms(set instructionSet) {
	for _, affine := range []bool{true, false} {
		emitLayerNorm(set, affine)
		emitLayerNormGrad(set, affine)
	}
	emitRMSNorm(set)
	emitRMSNormGrad(set)
	emitScaleNorm(set)
	emitScaleNormGrad(set)
}

// mean returns Σ v / cols in all lanes.
func (k *kernel) mean(v vec) vec {
	total := k.broadcast(k.fold(opAdd, v))
	k.flight = 1
	return k.mul(total, k.scalars["inverse"])
}

// reciprocalRoot returns 1 / √(v + eps).
func (k *kernel) reciprocalRoot(v vec) vec {
	k.flight = 1
	return k.div(constant(1), k.sqrt(k.add(v, k.scalars["eps"])))
}

// put stores the lowest lane of v where name points to, get reads it.
func (k *kernel) put(name string, v vec) { storeLowest(v[0], k.one(name)) }
func (k *kernel) get(name string) vec    { return k.broadcastFrom(k.one(name)) }

// accumulate adds to v what the row that name points to holds, if the parameter
// keep is all ones; it is zero where that row is to be overwritten, whatever it
// holds.
func (k *kernel) accumulate(name string, v vec) vec {
	return k.add(v, k.and(k.load(name), k.scalars["keep"]))
}

// emitLayerNorm emits, for each row, two passes over x for the mean and the
// variance and a third that writes y. The first mean is off by a rounding of
// the sum; the second pass finds by how much.
func emitLayerNorm(set instructionSet, affine bool) {
	name, params, doc := "layerNormPlain", "y, x, mean, rstd", "sets y = (x - mean) rstd, row by row."
	if affine {
		name, params, doc = "layerNorm", "y, x, weight, bias, mean, rstd", "sets y = (x - mean) rstd weight + bias, row by row."
	}
	k := newKernel(set, name, params+" *float32, rows, cols, ldy, ldx int, inverse, eps float32", "", doc)
	k.rows(map[string]string{"y": "ldy", "x": "ldx", "mean": "", "rstd": ""}, func() {
		total := k.zeros(4)
		k.columns("cols", 4, func() { k.addInto(total, k.load("x")) })
		first := k.mean(total)

		total, squares := k.zeros(4), k.zeros(4)
		k.columns("cols", 4, func() {
			d := k.live(k.sub(k.load("x"), first))
			k.addInto(total, d)
			k.fmaInto(squares, d, d)
		})
		off := k.mean(total)
		variance := k.fnma(off, off, k.mean(squares))
		mean, rstd := k.add(first, off), k.reciprocalRoot(variance)
		k.put("mean", mean)
		k.put("rstd", rstd)

		k.columns("cols", 4, func() {
			y := k.mul(k.sub(k.load("x"), mean), rstd)
			if affine {
				y = k.fmaInto(k.load("bias"), y, k.load("weight"))
			}
			k.store("y", y)
		})
	})
	k.done()
}

// emitLayerNormGrad emits, for each row, a pass for the means of the gradient
// g = dy weight and of g x̂, which also adds to dweight and dbias, and one that
// writes dx.
func emitLayerNormGrad(set instructionSet, affine bool) {
	name, params, doc := "layerNormPlainGrad", "dx, dy, x, mean, rstd", ""
	if affine {
		name, params, doc = "layerNormGrad", "dx, dweight, dbias, dy, x, weight, mean, rstd", ", dweight += dy x̂, dbias += dy"
	}
	k := newKernel(set, name, params+" *float32, rows, cols, lddx, lddy, ldx int, inverse float32, keep uint32", "",
		"sets dx = (dx & keep) + rstd (g - mean(g) - x̂ mean(g x̂))"+doc+", row by row.")
	k.rows(map[string]string{"dx": "lddx", "dy": "lddy", "x": "ldx", "mean": "", "rstd": ""}, func() {
		mean, rstd := k.get("mean"), k.get("rstd")
		normalised := func() vec { return k.mul(k.sub(k.load("x"), mean), rstd) }
		gradient := func() vec {
			if affine {
				return k.mul(k.load("dy"), k.load("weight"))
			}
			return k.load("dy")
		}
		sumG, sumGX := k.zeros(2), k.zeros(2)
		k.columns("cols", 2, func() {
			xhat, dy := normalised(), k.load("dy")
			g := dy
			if affine {
				k.store("dweight", k.fmaInto(k.load("dweight"), dy, xhat))
				k.addTo("dbias", dy)
				g = k.mul(dy, k.load("weight"))
			}
			k.addInto(sumG, g)
			k.fmaInto(sumGX, g, xhat)
		})
		meanG, meanGX := k.mean(sumG), k.mean(sumGX)
		k.columns("cols", 2, func() {
			g := k.fnmaInto(k.sub(gradient(), meanG), normalised(), meanGX)
			k.store("dx", k.accumulate("dx", k.mul(g, rstd)))
		})
	})
	k.done()
}

// emitRMSNorm emits the norm by the root of the mean square, with a weight a
// column.
func emitRMSNorm(set instructionSet) {
	k := newKernel(set, "rmsNorm", "y, x, weight, rstd *float32, rows, cols, ldy, ldx int, inverse, eps float32", "",
		"sets y = x rstd weight, row by row.")
	k.rows(map[string]string{"y": "ldy", "x": "ldx", "rstd": ""}, func() {
		rstd := k.meanSquareRoot()
		k.columns("cols", 4, func() {
			k.store("y", k.mul(k.mul(k.load("x"), rstd), k.load("weight")))
		})
	})
	k.done()
}

// emitScaleNorm emits the same with one weight for all columns.
func emitScaleNorm(set instructionSet) {
	k := newKernel(set, "scaleNorm", "y, x, rstd *float32, rows, cols, ldy, ldx int, scale, inverse, eps float32", "",
		"sets y = x rstd scale, row by row.")
	k.rows(map[string]string{"y": "ldy", "x": "ldx", "rstd": ""}, func() {
		rstd := k.meanSquareRoot()
		factor := k.mul(rstd, k.scalars["scale"])
		k.columns("cols", 4, func() { k.store("y", k.mul(k.load("x"), factor)) })
	})
	k.done()
}

// meanSquareRoot emits the first pass of both: it stores and returns
// rstd = 1 / √(mean(x²) + eps) of the row.
func (k *kernel) meanSquareRoot() vec {
	squares := k.zeros(4)
	k.columns("cols", 4, func() {
		x := k.load("x")
		k.fmaInto(squares, x, x)
	})
	rstd := k.reciprocalRoot(k.mean(squares))
	k.put("rstd", rstd)
	return rstd
}

// emitRMSNormGrad emits the backward pass, with g = dy weight and x̂ = x rstd.
func emitRMSNormGrad(set instructionSet) {
	k := newKernel(set, "rmsNormGrad",
		"dx, dweight, dy, x, weight, rstd *float32, rows, cols, lddx, lddy, ldx int, inverse float32, keep uint32", "",
		"sets dx = (dx & keep) + rstd (g - x̂ mean(g x̂)), dweight += dy x̂, row by row.")
	k.rows(map[string]string{"dx": "lddx", "dy": "lddy", "x": "ldx", "rstd": ""}, func() {
		rstd := k.get("rstd")
		sumGX := k.zeros(2)
		k.columns("cols", 2, func() {
			dyx := k.mul(k.load("dy"), k.mul(k.load("x"), rstd))
			k.addTo("dweight", dyx)
			k.fmaInto(sumGX, dyx, k.load("weight"))
		})
		c := k.mul(k.mean(sumGX), rstd)
		k.columns("cols", 2, func() {
			g := k.fnmaInto(k.mul(k.load("dy"), k.load("weight")), k.load("x"), c)
			k.store("dx", k.accumulate("dx", k.mul(g, rstd)))
		})
	})
	k.done()
}

// emitScaleNormGrad emits the same with one weight, whose gradient it returns.
func emitScaleNormGrad(set instructionSet) {
	k := newKernel(set, "scaleNormGrad",
		"dx, dy, x, rstd *float32, rows, cols, lddx, lddy, ldx int, scale, inverse float32, keep uint32", "float32",
		"sets dx = (dx & keep) + rstd scale (dy - x̂ mean(dy x̂)), row by row, and\nreturns Σ dy x̂.")
	dscale := k.zeros(1)
	k.rows(map[string]string{"dx": "lddx", "dy": "lddy", "x": "ldx", "rstd": ""}, func() {
		rstd := k.get("rstd")
		sumDX := k.zeros(2)
		k.columns("cols", 2, func() { k.fmaInto(sumDX, k.load("dy"), k.load("x")) })
		k.flight = 1
		sum := k.mul(k.broadcast(k.fold(opAdd, sumDX)), rstd)
		k.addInto(dscale, sum)
		c := k.mul(k.mul(sum, k.scalars["inverse"]), rstd)
		factor := k.mul(rstd, k.scalars["scale"])
		k.columns("cols", 2, func() {
			g := k.fnmaInto(k.load("dy"), k.load("x"), c)
			k.store("dx", k.accumulate("dx", k.mul(g, factor)))
		})
	})
	k.result(dscale[0])
	k.done()
}
