package autograd

import (
	"slices"

	"github.com/mega-go/mega/internal/cuda/device"
	"github.com/mega-go/mega/internal/cuda/kernels"
	"github.com/mega-go/mega/tensor"
)

// A deviceAttention is attention that a device is about to compute.
type deviceAttention struct {
	kernels.Attention
	call attentionCall
}

// newAttention describes attention by queries q to values v.
func (d *deviceTape) newAttention(q, v *tensor.Tensor, c attentionCall) *deviceAttention {
	a := &deviceAttention{call: c, Attention: kernels.Attention{
		Function: int(c.Function), Segments: q.Rows() / c.Queries, Queries: c.Queries, Keys: c.Keys, Z: q.Cols(), H: v.Cols(),
		Scale: float32(c.Scale), Causal: c.Causal,
	}}
	if c.State == nil {
		a.Format = d.format()
	}
	if c.drop > 0 {
		a.Dropout = kernels.Dropout{Seed: d.seedAt(c.seed), P: c.drop}
	}
	if c.bias != nil {
		a.Bias = d.in(c.bias) + device.Address(4*c.BiasZero)
	}
	if c.Mask != nil {
		a.Mask = d.putMask(a.hiddenKeys())
		if c.Function != AttentionSoftmax && !c.Causal {
			a.Lengths = d.putFloats(a.keyLengths())
		}
	}
	return a
}

// hiddenKeys returns the mask, but for segments of padding alone under softmax: they stay
// as they are (kernel.Attention).
func (a *deviceAttention) hiddenKeys() []bool {
	if a.call.Function != AttentionSoftmax {
		return a.call.Mask
	}
	mask := slices.Clone(a.call.Mask)
	for segment := range slices.Chunk(mask, a.Keys) {
		if !slices.Contains(segment, false) {
			clear(segment)
		}
	}
	return mask
}

// keyLengths counts the keys of each segment that are not padding, at least 1.
func (a *deviceAttention) keyLengths() []float32 {
	var lengths []float32
	for segment := range slices.Chunk(a.call.Mask, a.Keys) {
		n := 0
		for _, hidden := range segment {
			if !hidden {
				n++
			}
		}
		lengths = append(lengths, float32(max(1, n)))
	}
	return lengths
}

// deviceRows returns the rows of x as attention takes them.
func deviceRows(x *tensor.Tensor) kernels.Rows {
	return kernels.Rows{At: x.Address(), LD: x.Stride()}
}

func (d *deviceTape) attention(dst, q, k, v *tensor.Tensor, c attentionCall) {
	a := d.newAttention(q, v, c)
	logs := device.Address(0)
	if c.stats != nil && c.Function == AttentionSoftmax {
		logs = c.stats.Address()
	}
	d.end("attention", a.Forward(d, deviceRows(dst), deviceRows(q), deviceRows(k), deviceRows(v), logs))
}

func (d *deviceTape) attentionGrad(dq, dk, dv, dbias, dy, q, k, v, out *tensor.Tensor, c attentionCall) {
	a := d.newAttention(q, v, c)
	gradients := device.Address(0)
	if dbias != nil {
		gradients = dbias.Address() + device.Address(4*c.BiasZero)
	}
	err := a.Backward(d, deviceRows(dq), deviceRows(dk), deviceRows(dv), gradients, deviceRows(dy),
		deviceRows(q), deviceRows(k), deviceRows(v), deviceRows(out), c.stats.Address(), d.get(a.BackwardMemory(dbias != nil)))
	d.end("the gradient of attention", err)
}

// rotaryTable returns the address of a table of cosines and sines.
func (d *deviceTape) rotaryTable(chunk, z int) device.Address {
	key := [2]int{chunk, z}
	if at, ok := d.tables[key]; ok {
		return at
	}
	table := rotaryTable(nil, chunk, z).Clone()
	table.Move(d)
	d.tables[key] = table.Address()
	return table.Address()
}

func (d *deviceTape) rotaryBias(dst, alpha, beta *tensor.Tensor, chunk int) {
	z := alpha.Cols()
	d.end("a rotary bias", kernels.RotaryBias(d, d.out(dst), d.rotaryTable(chunk, z), d.in(alpha), d.in(beta), 2*chunk-1, z))
}

func (d *deviceTape) rotaryBiasGrad(dalpha, dbeta, dy, alpha, beta *tensor.Tensor, chunk int) {
	z, rows := alpha.Cols(), 2*chunk-1
	const op = "the gradient of a rotary bias"
	table := kernels.Matrix{At: d.rotaryTable(chunk, z), Row: z, Col: 1}
	dw := kernels.Matrix{At: d.get(z), Row: z, Col: 1}
	d.must(op, kernels.Product(d, kernels.Float32, dw, kernels.Matrix{At: d.in(dy), Row: rows, Col: 1}, table, kernels.Epilogue{}, 1, 1, z, rows))
	d.end(op, kernels.RotaryBiasGrad(d, d.out(dalpha), d.out(dbeta), dw.At, d.in(alpha), d.in(beta), z))
}

func (d *deviceTape) logSoftmax(dst, x *tensor.Tensor) {
	d.end("log-softmax", kernels.LogSoftmax(d, dst.Address(), x.Address(), x.Rows(), x.Cols(), dst.Stride(), x.Stride()))
}
