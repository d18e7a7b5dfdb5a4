package autograd

import (
	"encoding/binary"
	"fmt"

	"github.com/mega-go/mega/internal/cuda/device"
	"github.com/mega-go/mega/internal/cuda/kernels"
	"github.com/mega-go/mega/internal/kernel"
	"github.com/mega-go/mega/tensor"
)

// The device adds squares up over the blocks of an Adam.
var _ = [1]struct{}{}[AdamBlock-kernels.SquareBlock]

// A deviceAdam does what an Adam does where its parameters are on a device.
type deviceAdam struct {
	device.Device
	ranges []AdamRange
	sums   device.Address // of squares, a float64 for each block of each range
	bytes  []byte         // what the sums are copied to

	numbers device.Address // of a step, which kernels read from there
}

// newDeviceAdam returns what updates ranges of weights, nil if they are in the host's
// memory. It panics if they are not in one memory.
func newDeviceAdam(weights []*tensor.Tensor, ranges []AdamRange, blocks int) *deviceAdam {
	if len(weights) == 0 {
		return nil
	}
	memory := weights[0].Device()
	for i, w := range weights {
		if w.Device() != memory {
			panic(fmt.Sprintf("autograd: Adam of parameters in several memories: number %d is elsewhere than number 0", i))
		}
	}
	on, ok := memory.(device.Device)
	if !ok {
		return nil
	}
	sums, err := on.Alloc(8 * blocks)
	device.Must(on, "allocate sums of squares", err)
	numbers, err := on.Alloc(4 * kernels.AdamNumbers)
	device.Must(on, "allocate the numbers of a step", err)
	return &deviceAdam{Device: on, ranges: ranges, sums: sums, bytes: make([]byte, 8*blocks), numbers: numbers}
}

// close gives back the device's memory.
func (d *deviceAdam) close() {
	for _, at := range []device.Address{d.sums, d.numbers} {
		device.Must(d, "free memory", d.Free(at))
	}
}

// squares sets sums, one for each block, to those of the squared gradients. It waits for
// the device.
func (d *deviceAdam) squares(sums []float64, grads []*tensor.Tensor) {
	const op = "the norm of gradients"
	at := d.sums
	for _, r := range d.ranges {
		blocks := (r.To - r.From + AdamBlock - 1) / AdamBlock
		if grad := grads[r.Param]; grad != nil {
			device.Must(d, op, kernels.SquareSums(d, at, grad.Address()+device.Address(4*r.From), r.To-r.From))
		} else {
			device.Must(d, op, kernels.Fill(d, at, 0, 2*blocks))
		}
		at += device.Address(8 * blocks)
	}
	device.Must(d, op, d.Read(d.bytes, d.sums))
	if _, err := binary.Decode(d.bytes, binary.LittleEndian, sums); err != nil {
		panic(err) // of sizes, which are as they are
	}
}

// step updates the weights that have gradients.
func (d *deviceAdam) step(a *Adam, grads []*tensor.Tensor, n kernel.AdamParams) {
	const op = "a step of Adam"
	numbers, err := binary.Append(nil, binary.LittleEndian, kernels.AdamParams(n).Numbers())
	if err != nil {
		panic(err) // of a type that is as it is
	}
	device.Must(d, op, d.Write(d.numbers, numbers))
	for i, r := range d.ranges {
		if grads[r.Param] == nil {
			continue
		}
		decays := a.settings.Undecayed == nil || !a.settings.Undecayed[r.Param]
		from := device.Address(4 * r.From)
		device.Must(d, op, kernels.Adam(d, a.weights[r.Param].Address()+from, grads[r.Param].Address()+from,
			a.moments[2*i].Address(), a.moments[2*i+1].Address(), r.To-r.From, d.numbers, decays))
	}
	if r, ok := d.Device.(*device.Replayer); ok { // the step is done: the device need not wait for the next
		device.Must(d, op, r.Flush())
	}
}
