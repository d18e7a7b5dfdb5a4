package kernels

import "math"

// A Dropout is kernel.Dropout of probability P, in (0, 1), by a seed, a uint64 at an address.
// Seed 0 stands for none.
type Dropout struct {
	Seed Address
	P    float32
}

// arguments returns d as kernels take it: the words below a threshold drop out, and other
// numbers are multiplied by a factor.
func (d Dropout) arguments() []any {
	if d.Seed == 0 {
		return []any{d.Seed, uint32(0), float32(1)}
	}
	return []any{d.Seed, uint32(math.Round(float64(d.P) * (1 << 32))), float32(1 / (1 - float64(d.P)))}
}

// An Ending is what becomes of a layer's result: Activation, the number of a
// kernel.Activation, and then dropout.
type Ending struct {
	Activation int
	Dropout
}

// launch launches a kernel for n elements, whose arguments are args and then the dropout.
func (e Ending) launch(d Device, kernel string, n int, args ...any) error {
	if e.Seed != 0 {
		n = ceilDiv(n, 64) * 16 // a thread has four of 64
	}
	return elements(d, kernel, n, append(args, e.arguments()...)...)
}

// Apply sets y = dropout(f(x)), of n numbers.
func (e Ending) Apply(d Device, y, x Address, n int) error {
	return e.launch(d, "activate_dropout", n, int32(e.Activation), y, x, int64(n))
}

// Grad sets dx = dropout(dy) f'(x). Where f is the identity, x may be 0.
func (e Ending) Grad(d Device, dx, dy, x Address, n int) error {
	return e.launch(d, "activate_dropout_grad", n, int32(e.Activation), dx, dy, x, int64(n))
}

// Add sets out = dropout(f(y)) + r.
func (e Ending) Add(d Device, out, r, y Address, n int) error {
	return e.launch(d, "add_dropout", n, int32(e.Activation), out, r, y, int64(n))
}

// GatedResidual sets out = r + σ(u) (h - r) with h = dropout(f(y)), all [rows, cols].
func (e Ending) GatedResidual(d Device, out, r, u, y Rows, rows, cols int) error {
	return e.launch(d, "gated_residual", rows*cols, int32(e.Activation), out.At, r.At, u.At, y.At, int64(rows*cols), int32(cols),
		int32(out.LD), int32(r.LD), int32(u.LD), int32(y.LD))
}

// GatedResidualGrad sets the gradients of GatedResidual's r, u and y.
func (e Ending) GatedResidualGrad(d Device, dr, du, dy, dout, r, u, y Rows, rows, cols int) error {
	return e.launch(d, "gated_residual_grad", rows*cols, int32(e.Activation), dr.At, du.At, dy.At, dout.At, r.At, u.At, y.At, int64(rows*cols), int32(cols),
		int32(dr.LD), int32(du.LD), int32(dy.LD), int32(dout.LD), int32(r.LD), int32(u.LD), int32(y.LD))
}

// SiLUMultiply sets out = silu(r) a, all [rows, cols].
func SiLUMultiply(d Device, out, r, a Rows, rows, cols int) error {
	return elements(d, "silu_multiply", rows*cols, out.At, r.At, a.At, int64(rows*cols), int32(cols), int32(out.LD), int32(r.LD), int32(a.LD))
}

// SiLUMultiplyGrad sets the gradients of SiLUMultiply's r and a.
func SiLUMultiplyGrad(d Device, dr, da, dout, r, a Rows, rows, cols int) error {
	return elements(d, "silu_multiply_grad", rows*cols, dr.At, da.At, dout.At, r.At, a.At, int64(rows*cols), int32(cols),
		int32(dr.LD), int32(da.LD), int32(dout.LD), int32(r.LD), int32(a.LD))
}
