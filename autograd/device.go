package autograd

import (
	"encoding/binary"
	"math"

	"github.com/mega-go/mega/internal/cuda/device"
	"github.com/mega-go/mega/internal/cuda/kernels"
	"github.com/mega-go/mega/tensor"
)

// SetDevice makes a tape that has computed nothing yet do so on a device, nil for the
// host. All that it works on must be there (tensor's Move). Operations panic with a
// device.Failure if the device fails, or if they have no kernels yet: nothing falls back
// to the host. device.Catch makes that an error.
func (t *Tape) SetDevice(d device.Device) {
	if d == nil || t.device != nil && t.device.Device == d {
		return
	}
	t.device = &deviceTape{Device: d, tape: t, pool: &t.pool, tables: make(map[[2]int]device.Address), uploads: make(map[string]*tensor.Tensor)}
	t.device.seeds.places = make(map[uint64]device.Address)
	t.device.kept.taken = make(map[*tensor.Tensor]bool)
	t.device.kept.pool.SetDevice(d)
	t.ops = t.device
	t.pool.SetDevice(d)
}

// Device returns what SetDevice has set.
func (t *Tape) Device() device.Device {
	if t.device == nil {
		return nil
	}
	return t.device.Device
}

// deviceTape computes on a device, by the kernels of package kernels. It waits for none
// but where numbers come back.
type deviceTape struct {
	device.Device
	tape    *Tape
	pool    *tensor.Pool
	tables  map[[2]int]device.Address // of rotary biases, by chunk and width
	seeds   seedTable
	scratch []*tensor.Tensor          // memory of the operation in progress
	uploads map[string]*tensor.Tensor // what was copied from the host since the last Reset, by its bytes
	copied  []*tensor.Tensor          // these, in order
	results []pending                 // what it is still to copy to where it belongs
	kept    keptMemory
}

// A pending is a copy whose numbers belong in dst.
type pending struct{ dst, copy *tensor.Tensor }

var _ operations = (*deviceTape)(nil)

// get returns memory for n numbers until the end of the operation.
func (d *deviceTape) get(n int) device.Address {
	s := d.pool.Get(n)
	d.scratch = append(d.scratch, s)
	return s.Address()
}

// zeros is get for numbers that are 0.
func (d *deviceTape) zeros(n int) device.Address {
	at := d.get(n)
	d.must("fill", kernels.Fill(d, at, 0, n))
	return at
}

// put returns the address of a copy of some bytes, which is there until the tape is reset:
// 0 for none. Layer after layer asks for the same tokens, lengths and masks, forward and
// backward, and a copy waits for all that the device is doing. So a batch's go over once.
func (d *deviceTape) put(bytes []byte) device.Address {
	if len(bytes) == 0 {
		return 0
	}
	if known := d.uploads[string(bytes)]; known != nil {
		return known.Address()
	}
	copied := d.pool.Get((len(bytes) + 3) / 4)
	d.copied = append(d.copied, copied)
	d.must("copy from the host", d.Write(copied.Address(), bytes))
	d.uploads[string(bytes)] = copied
	return copied.Address()
}

// reset forgets what is for the operations of one step, and gives back its memory: that of
// an operation, too, which has failed half-way.
func (d *deviceTape) reset() {
	for _, s := range d.scratch {
		d.pool.Put(s)
	}
	d.results, d.scratch = d.results[:0], d.scratch[:0]
	clear(d.seeds.places)
	for i := len(d.copied) - 1; i >= 0; i-- { // so that the next step finds each at its place
		d.pool.Put(d.copied[i])
	}
	d.copied = d.copied[:0]
	clear(d.uploads)
}

func (d *deviceTape) putFloats(x []float32) device.Address {
	bytes := make([]byte, 0, 4*len(x))
	for _, v := range x {
		bytes = binary.LittleEndian.AppendUint32(bytes, math.Float32bits(v))
	}
	return d.put(bytes)
}

func (d *deviceTape) putInts(x []int32) device.Address {
	bytes := make([]byte, 0, 4*len(x))
	for _, v := range x {
		bytes = binary.LittleEndian.AppendUint32(bytes, uint32(v))
	}
	return d.put(bytes)
}

func (d *deviceTape) putMask(mask []bool) device.Address {
	bytes := make([]byte, len(mask))
	for i, m := range mask {
		if m {
			bytes[i] = 1
		}
	}
	return d.put(bytes)
}

// in returns where x's numbers lie together: a copy if they do not in x.
func (d *deviceTape) in(x *tensor.Tensor) device.Address {
	if x.Contiguous() {
		return x.Address()
	}
	at := d.get(x.Len())
	d.copyRows(at, x.Address(), x.Rows(), x.Cols(), x.Cols(), x.Stride())
	return at
}

// out returns where to write x's numbers together: memory that the end of the operation
// copies to x if they do not lie so in x.
func (d *deviceTape) out(x *tensor.Tensor) device.Address {
	if x.Contiguous() {
		return x.Address()
	}
	s := d.pool.Get(x.Rows(), x.Cols())
	d.scratch, d.results = append(d.scratch, s), append(d.results, pending{x, s})
	return s.Address()
}

func (d *deviceTape) copyRows(dst, src device.Address, rows, cols, ldd, lds int) {
	d.must("copy", kernels.CopyRows(d, dst, src, rows, cols, ldd, lds))
}

// address is that of a tensor that may be nil: 0 then.
func address(x *tensor.Tensor) device.Address {
	if x == nil {
		return 0
	}
	return x.Address()
}

func (d *deviceTape) must(step string, err error) { device.Must(d, step, err) }

// end ends an operation.
func (d *deviceTape) end(op string, err error) {
	d.must(op, err)
	for _, r := range d.results {
		d.copyRows(r.dst.Address(), r.copy.Address(), r.dst.Rows(), r.dst.Cols(), r.dst.Stride(), r.dst.Cols())
	}
	for _, s := range d.scratch {
		d.pool.Put(s)
	}
	d.results, d.scratch = d.results[:0], d.scratch[:0]
}

func (d *deviceTape) fill(dst *tensor.Tensor, x float32) {
	if dst.Len() == 1 { // such as a loss, which a launch's argument would tell from those of other steps
		d.must("fill", d.Write(dst.Address(), binary.LittleEndian.AppendUint32(nil, math.Float32bits(x))))
		return
	}
	d.end("fill", kernels.Fill(d, d.out(dst), x, dst.Len()))
}

func (d *deviceTape) copy(dst, src *tensor.Tensor) {
	d.copyRows(dst.Address(), src.Address(), dst.Rows(), dst.Cols(), dst.Stride(), src.Stride())
}

func (d *deviceTape) add(dst, a, b *tensor.Tensor) {
	d.end("add", kernels.Add(d, d.out(dst), d.in(a), d.in(b), dst.Len()))
}

// ending returns an ending as kernels take it.
func (d *deviceTape) ending(e ending) kernels.Ending {
	return kernels.Ending{Activation: int(e.act), Dropout: d.dropout(e)}
}

// dropout returns an ending's dropout as kernels take it.
func (d *deviceTape) dropout(e ending) kernels.Dropout {
	if e.p == 0 {
		return kernels.Dropout{}
	}
	return kernels.Dropout{Seed: d.seedAt(e.seed), P: e.p}
}

func (d *deviceTape) finish(dst, x *tensor.Tensor, e ending) {
	d.end("an activation and dropout", d.ending(e).Apply(d, d.out(dst), d.in(x), dst.Len()))
}

func (d *deviceTape) finishGrad(dx, dy, x *tensor.Tensor, e ending) {
	at := device.Address(0)
	if e.act != Identity {
		at = d.in(x)
	}
	d.end("the gradient of an activation and dropout", d.ending(e).Grad(d, d.out(dx), d.in(dy), at, dx.Len()))
}

func (d *deviceTape) addFinished(dst, a, x *tensor.Tensor, e ending) {
	d.end("dropout and a sum", d.ending(e).Add(d, d.out(dst), d.in(a), d.in(x), dst.Len()))
}

// drawFeatures does nothing: dropFeatures draws the same numbers each time.
func (d *deviceTape) drawFeatures(featureDrop) {}

func (d *deviceTape) dropFeatures(dst, x *tensor.Tensor, f featureDrop) {
	length := x.Rows() / max(1, f.mask.Rows())
	d.end("dropout of whole features", kernels.FeatureDropout(d, dst.Address(), x.Address(), x.Rows(), x.Cols(), dst.Stride(), x.Stride(), length, f.whole, d.seedAt(f.seed), f.p))
}

func (d *deviceTape) copyUnmasked(dst, src *tensor.Tensor, mask []bool) {
	err := kernels.MaskRows(d, dst.Address(), src.Address(), d.putMask(mask), dst.Rows(), dst.Cols(), dst.Stride(), src.Stride())
	d.end("mask", err)
}

func (d *deviceTape) queryKey(dst, z, gamma, beta *tensor.Tensor) {
	d.end("queries and keys", kernels.QueryKey(d, dst.Address(), z.Address(), d.in(gamma), d.in(beta), z.Rows(), z.Cols(), dst.Stride(), z.Stride()))
}

func (d *deviceTape) queryKeyGrad(dz, dgamma, dbeta, dy, z, gamma *tensor.Tensor) {
	rows, n := z.Rows(), z.Cols()
	const op = "the gradient of queries and keys"
	d.end(op, kernels.QueryKeyGrad(d, dz.Address(), d.out(dgamma), d.out(dbeta), dy.Address(), z.Address(), d.in(gamma),
		d.get(4*n*kernels.Parts(rows)), rows, n, dz.Stride(), dy.Stride(), z.Stride()))
}

func (d *deviceTape) siluMul(dst, r, a *tensor.Tensor) {
	d.end("the reset gate", kernels.SiLUMultiply(d, deviceRows(dst), deviceRows(r), deviceRows(a), dst.Rows(), dst.Cols()))
}

func (d *deviceTape) siluMulGrad(dr, da, dy, r, a *tensor.Tensor) {
	err := kernels.SiLUMultiplyGrad(d, deviceRows(dr), deviceRows(da), deviceRows(dy), deviceRows(r), deviceRows(a), dy.Rows(), dy.Cols())
	d.end("the gradient of the reset gate", err)
}

func (d *deviceTape) gatedResidual(dst, residual, u, h *tensor.Tensor, e ending) {
	err := d.ending(e).GatedResidual(d, deviceRows(dst), deviceRows(residual), deviceRows(u), deviceRows(h), dst.Rows(), dst.Cols())
	d.end("the update gate", err)
}

func (d *deviceTape) gatedResidualGrad(dresidual, du, dh, dy, residual, u, h *tensor.Tensor, e ending) {
	err := d.ending(e).GatedResidualGrad(d, deviceRows(dresidual), deviceRows(du), deviceRows(dh), deviceRows(dy),
		deviceRows(residual), deviceRows(u), deviceRows(h), dy.Rows(), dy.Cols())
	d.end("the gradient of the update gate", err)
}
