package main

import (
	. "github.com/mmcloughlin/avo/build"
)

// emitArithmetic emits the elementwise sums and products.
func emitArithmetic(set instructionSet) {
	emit := func(name, params, doc string, body func(k *kernel) vec) {
		k := newKernel(set, name, params, "", doc)
		k.columns("n", 4, func() { k.store("dst", body(k)) })
		k.done()
	}
	emit("add", "dst, a, b *float32, n int", "sets dst = a + b.", func(k *kernel) vec {
		return k.add(k.load("a"), k.load("b"))
	})
	emit("mul", "dst, a, b *float32, n int", "sets dst = a b.", func(k *kernel) vec {
		return k.mul(k.load("a"), k.load("b"))
	})
	emit("scale", "dst, a *float32, s float32, n int", "sets dst = s a.", func(k *kernel) vec {
		return k.mul(k.load("a"), k.scalars["s"])
	})
	emit("axpy", "dst *float32, s float32, x *float32, n int", "adds s x to dst.", func(k *kernel) vec {
		return k.fmaInto(k.load("dst"), k.load("x"), k.scalars["s"])
	})
	emit("addScalar", "dst, a *float32, s float32, n int", "sets dst = a + s.", func(k *kernel) vec {
		return k.add(k.load("a"), k.scalars["s"])
	})
	emit("fill", "dst *float32, v float32, n int", "sets dst = v.", func(k *kernel) vec {
		return k.scalars["v"]
	})
	emitAdam(set)
}

// emitAdam emits the optimiser's step on one run of parameters.
func emitAdam(set instructionSet) {
	k := newKernel(set, "adamStep",
		"w, grad, m, v *float32, gradScale, beta1, rest1, beta2, rest2, eps, step, decay float32, n int", "",
		"sets g = gradScale grad, m = beta1 m + rest1 g, v = beta2 v + rest2 g²,\n"+
			"w = w - decay w - step m / (√v + eps).")
	k.columns("n", 1, func() { // the eight parameters leave few registers
		g := k.mul(k.load("grad"), k.scalars["gradScale"])
		m := k.fmaInto(k.mul(k.load("m"), k.scalars["beta1"]), g, k.scalars["rest1"])
		v := k.fmaInto(k.mul(k.load("v"), k.scalars["beta2"]), k.mul(g, g), k.scalars["rest2"])
		k.store("m", m)
		k.store("v", v)
		w := k.load("w")
		w = k.fnma(w, k.scalars["decay"], w)
		ratio := k.div(m, k.add(k.sqrt(v), k.scalars["eps"]))
		k.store("w", k.fnmaInto(w, ratio, k.scalars["step"]))
	})
	k.done()
}

// emitGates emits Mega's gates: each forward pass beside its backward pass.
func emitGates(set instructionSet) {
	k := newKernel(set, "gatedResidual", "out, residual, u, h *float32, n int", "",
		"sets out = residual + σ(u) (h - residual).")
	k.columns("n", 4, func() {
		s := k.sigmoid(k.load("u"))
		r := k.load("residual")
		k.store("out", k.fmaInto(r, s, k.sub(k.load("h"), r)))
	})
	k.done()

	k = newKernel(set, "gatedResidualGrad", "dresidual, du, dh, dout, residual, u, h *float32, n int", "",
		"sets dresidual = dout (1 - σ(u)), dh = dout σ(u),\ndu = dout (h - residual) σ(u) (1 - σ(u)).")
	k.columns("n", 3, func() {
		s, rest := k.sigmoids(k.within(k.load("u"), 87))
		dout := k.load("dout")
		dh := k.mul(dout, s)
		d := k.sub(k.load("h"), k.load("residual"))
		k.store("du", k.mul(k.mul(dh, rest), d))
		k.store("dresidual", k.mul(dout, rest))
		k.store("dh", dh)
	})
	k.done()

	k = newKernel(set, "siluMul", "out, r, a *float32, n int", "", "sets out = silu(r) a.")
	k.columns("n", 4, func() {
		s := k.silu(func() vec { return k.load("r") })
		k.store("out", k.mul(s, k.load("a")))
	})
	k.done()

	k = newKernel(set, "siluMulGrad", "dr, da, dout, r, a *float32, n int", "",
		"sets dr = dout a silu'(r), da = dout silu(r).")
	k.columns("n", 3, func() {
		derivative, s := k.siluGrad(k.load("r"))
		dout := k.load("dout")
		dr := k.mul(k.mul(dout, derivative), k.load("a"))
		k.store("da", k.mul(dout, k.mul(s, k.load("r"))))
		k.store("dr", dr)
	})
	k.done()
	emitScaleShift(set)
}

// emitScaleShift emits the step from z to queries and keys.
func emitScaleShift(set instructionSet) {
	k := newKernel(set, "siluScaleShift", "q, k, z, gamma, beta *float32, rows, cols, ldq, ldk, ldz int", "",
		"sets s = silu(z), q = s gamma[0] + beta[0], k = s gamma[1] + beta[1].")
	k.second("gamma", "beta")
	k.rows(map[string]string{"q": "ldq", "k": "ldk", "z": "ldz"}, func() {
		k.columns("cols", 4, func() {
			s := k.silu(func() vec { return k.load("z") })
			k.store("q", k.fmaInto(k.load("beta"), s, k.load("gamma")))
			k.store("k", k.fmaInto(k.load("beta1"), s, k.load("gamma1")))
		})
	})
	k.done()

	k = newKernel(set, "siluScaleShiftGrad",
		"dz, dgamma, dbeta, dq, dk, z, gamma *float32, rows, cols, lddz, lddq, lddk, ldz int", "",
		"sets dz = (dq gamma[0] + dk gamma[1]) silu'(z), and adds to dgamma and dbeta\nthe sums over rows of dq silu(z), dk silu(z), dq and dk.")
	k.second("gamma", "dgamma", "dbeta")
	k.rows(map[string]string{"dz": "lddz", "dq": "lddq", "dk": "lddk", "z": "ldz"}, func() {
		k.columns("cols", 2, func() {
			derivative, s := k.siluGrad(k.load("z"))
			s = k.mul(s, k.load("z"))
			dq, dk := k.load("dq"), k.load("dk")
			d := k.fmaInto(k.mul(dq, k.load("gamma")), dk, k.load("gamma1"))
			k.store("dgamma", k.fmaInto(k.load("dgamma"), dq, s))
			k.store("dgamma1", k.fmaInto(k.load("dgamma1"), dk, s))
			k.addTo("dbeta", dq)
			k.addTo("dbeta1", dk)
			k.store("dz", k.mul(d, derivative))
		})
	})
	k.done()
}

// second makes name1 point to the second of the two rows of cols columns that
// each name points to.
func (k *kernel) second(names ...string) {
	for _, name := range names {
		p := GP64()
		loadParam("cols", p)
		sum64(k.pointers[name], p, 4, p)
		k.pointers[name+"1"] = p
	}
}
