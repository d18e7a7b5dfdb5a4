package autograd

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/mega-go/mega/internal/cuda/device"
	"github.com/mega-go/mega/internal/cuda/kernels"
	"github.com/mega-go/mega/internal/kernel"
	"github.com/mega-go/mega/tensor"
)

// A device's pieces are the blocks of an Adam.
var _ = [1]struct{}{}[AdamBlock-kernels.SquareBlock]

// A deviceAdam does what an Adam does where its parameters are on a device.
type deviceAdam struct {
	device.Device
	pieces  []kernels.AdamPiece // the blocks, with their gradients as of the last call
	table   device.Address      // of the pieces
	written []byte              // what the table holds
	sums    device.Address      // of squares, a float64 for each piece
	read    []byte              // what the sums are copied to

	numbers device.Address // of a step, which kernels read from there
}

// newDeviceAdam returns what updates a's weights, nil if they are in the host's memory. It
// panics if they are not in one memory.
func newDeviceAdam(a *Adam) *deviceAdam {
	if len(a.weights) == 0 {
		return nil
	}
	memory := a.weights[0].Device()
	for i, w := range a.weights {
		if w.Device() != memory {
			panic(fmt.Sprintf("autograd: Adam of parameters in several memories: number %d is elsewhere than number 0", i))
		}
	}
	on, ok := memory.(device.Device)
	if !ok {
		return nil
	}
	d := &deviceAdam{Device: on, read: make([]byte, 8*len(a.blocks))}
	for _, b := range a.blocks {
		d.pieces = append(d.pieces, a.piece(b))
	}
	table, numbers := len(d.pieces)*binary.Size(kernels.AdamPiece{}), 4*kernels.AdamNumbers
	at, err := on.Alloc(len(d.read) + table + numbers)
	device.Must(d, "allocate a table of weights", err)
	d.sums, d.table = at, at+device.Address(len(d.read))
	d.numbers = d.table + device.Address(table)
	return d
}

// piece returns a block as kernels take it, without its gradient.
func (a *Adam) piece(b adamBlock) kernels.AdamPiece {
	at := func(x *tensor.Tensor, from int) device.Address { return x.Address() + device.Address(4*from) }
	m := b.moments
	p := kernels.AdamPiece{
		Weights: at(a.weights[b.param.index], b.param.from), N: int32(b.param.to - b.param.from),
		Mean: at(a.moments[m.index], m.from), Square: at(a.moments[m.index+1], m.from), Decays: 1,
	}
	if a.settings.Undecayed != nil && a.settings.Undecayed[b.param.index] {
		p.Decays = 0
	}
	return p
}

// close gives back the device's memory.
func (d *deviceAdam) close() {
	device.Must(d, "free memory", d.Free(d.sums)) // with the rest, which lies behind them
}

// place writes the table of pieces with their gradients, unless it is there already.
func (d *deviceAdam) place(op string, blocks []adamBlock, grads []*tensor.Tensor) {
	for i, b := range blocks {
		d.pieces[i].Grad = 0
		if grad := grads[b.param.index]; grad != nil {
			d.pieces[i].Grad = grad.Address() + device.Address(4*b.param.from)
		}
	}
	table, err := binary.Append(nil, binary.LittleEndian, d.pieces)
	if err != nil {
		panic(err) // of a type that is as it is
	}
	if !bytes.Equal(table, d.written) {
		device.Must(d, op, d.Write(d.table, table))
		d.written = table
	}
}

// squares sets sums, one for each block, to those of the squared gradients. It waits for
// the device.
func (d *deviceAdam) squares(sums []float64, blocks []adamBlock, grads []*tensor.Tensor) {
	const op = "the norm of gradients"
	d.place(op, blocks, grads)
	device.Must(d, op, kernels.AdamSquares(d, d.sums, d.table, len(d.pieces)))
	device.Must(d, op, d.Read(d.read, d.sums))
	if _, err := binary.Decode(d.read, binary.LittleEndian, sums); err != nil {
		panic(err) // of sizes, which are as they are
	}
}

// step updates the weights that have gradients.
func (d *deviceAdam) step(blocks []adamBlock, grads []*tensor.Tensor, n kernel.AdamParams) {
	const op = "a step of Adam"
	numbers, err := binary.Append(nil, binary.LittleEndian, kernels.AdamParams(n).Numbers())
	if err != nil {
		panic(err) // of a type that is as it is
	}
	d.place(op, blocks, grads)
	device.Must(d, op, d.Write(d.numbers, numbers))
	device.Must(d, op, kernels.Adam(d, d.table, len(d.pieces), d.numbers))
	if r, ok := d.Device.(*device.Replayer); ok { // the step is done: the device need not wait for the next
		device.Must(d, op, r.Flush())
	}
}
