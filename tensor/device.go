package tensor

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/mega-go/mega/internal/cuda/device"
	"github.com/mega-go/mega/internal/cuda/kernels"
)

// The numbers of a tensor are in the host's memory, or in that of a device, where only
// operations of package autograd reach them. They go from one to the other by the
// functions of host.go and by Move, and never by themselves.

// Device returns the memory that the numbers of t are in, nil for the host's.
func (t *Tensor) Device() device.Memory { return t.device }

// Address returns where the first number of t is on its device. It panics if t is in
// the host's memory.
func (t *Tensor) Address() device.Address {
	if t.device == nil {
		panic(fmt.Sprintf("tensor: the numbers of shape %v are in the host's memory, and an operation wants them on a device: Move them", t.shape))
	}
	return t.at
}

// NewLike returns a tensor of undefined numbers in the memory that those of like are in.
func NewLike(like *Tensor, shape ...int) *Tensor {
	if like.device == nil {
		return New(shape...)
	}
	t := new(Tensor).set(nil, width(shape), shape)
	t.allocateOn(like.device)
	return t
}

// Move moves the numbers of t, which must have memory of its own that nothing else
// shares, to a device, nil for the host.
func (t *Tensor) Move(to device.Memory) { MoveAll([]*Tensor{t}, to) }

// MoveAll is Move for several tensors. Where a device fails it panics with a
// device.Failure, and then all are where they were, and take no memory elsewhere. Only where
// it fails to take back memory have all moved.
func MoveAll(all []*Tensor, to device.Memory) {
	var from, copies []*Tensor
	arrived := false
	defer func() {
		if !arrived {
			_ = freeAll(copies) // the panic says what went wrong
		}
	}()
	for _, t := range all {
		if t.device == to {
			continue
		}
		c := &Tensor{shape: t.shape, rows: t.rows, cols: t.cols, stride: t.cols}
		from, copies = append(from, t), append(copies, c)
		if to == nil {
			c.data = t.Host()
			continue
		}
		c.allocateOn(to)
		c.write(t.Host())
	}
	arrived = true
	for i, t := range from {
		c := copies[i]
		t.stride = c.stride
		t.data, t.device, t.at, c.data, c.device, c.at = c.data, c.device, c.at, t.data, t.device, t.at
	}
	Free(copies...)
}

// Free gives devices back the memory of tensors whose numbers nobody needs any more. They
// have none then. On the host it does nothing.
func Free(all ...*Tensor) {
	if err := freeAll(all); err != nil {
		panic(err)
	}
}

// freeAll is Free that returns the first failure.
func freeAll(all []*Tensor) (first error) {
	for _, t := range all {
		if t.device == nil {
			continue
		}
		if err := t.device.Free(t.at); err != nil && first == nil {
			first = &device.Failure{Device: t.device.String(), Step: "free memory", Err: err}
		}
		t.device, t.at = nil, 0
	}
	return first
}

// allocateOn gives t memory on a device.
func (t *Tensor) allocateOn(d device.Memory) {
	at, err := d.Alloc(numberBytes * t.rows * t.stride)
	device.Must(d, fmt.Sprintf("allocate %d bytes for a tensor of shape %v", numberBytes*t.rows*t.stride, t.shape), err)
	t.device, t.at = d, at
}

// copyThere copies src within the device that both are on, and reports whether that
// device computes.
func (t *Tensor) copyThere(src *Tensor) bool {
	d, computes := t.device.(device.Device)
	if computes && t.Len() > 0 {
		device.Must(d, "copy", kernels.CopyRows(d, t.at, src.at, t.rows, t.cols, t.stride, src.stride))
	}
	return computes
}

// sumSquares returns the sum of the squares of numbers that lie together on a device
// which computes.
func (t *Tensor) sumSquares(d device.Device) float64 {
	blocks := kernels.SquareParts(t.Len())
	const step = "a sum of squares"
	bytes := make([]byte, 8*blocks)
	at, err := d.Alloc(len(bytes))
	device.Must(d, step, err)
	device.Must(d, step, kernels.SquareSums(d, at, t.at, t.Len()))
	device.Must(d, step, d.Read(bytes, at))
	device.Must(d, step, d.Free(at))
	sum := 0.0
	for ; len(bytes) > 0; bytes = bytes[8:] {
		sum += math.Float64frombits(binary.LittleEndian.Uint64(bytes))
	}
	return sum
}

// numberBytes is the size of a number.
const numberBytes = 4

// onDevice panics with a device.Failure: something of the host's asked for the numbers of
// t, so that a device lacks it. (Who only wants to see them takes Host.)
func (t *Tensor) onDevice() {
	device.Lacks(t.device, fmt.Sprintf("an operation of the CPU on numbers of shape %v", t.shape))
}

// part returns n numbers of a contiguous tensor on a device, from one on, as a row.
func (t *Tensor) part(from, n int) *Tensor {
	if from < 0 || n < 0 || from+n > t.Len() || !t.Contiguous() {
		panic(fmt.Sprintf("tensor: numbers [%d,%d) of shape %v, of rows %d apart", from, from+n, t.shape, t.stride))
	}
	p := new(Tensor).set(nil, n, []int{n})
	p.device, p.at = t.device, t.at+device.Address(numberBytes*from)
	return p
}

// read returns a copy of numbers that are on a device, row after row.
func (t *Tensor) read() []float32 {
	numbers := make([]float32, t.rows*t.Cols())
	t.readTo(numbers)
	return numbers
}

// readTo is read to memory of the caller's.
func (t *Tensor) readTo(numbers []float32) {
	cols := t.Cols()
	bytes := make([]byte, numberBytes*t.rows*cols)
	rows, width, apart := t.rows, numberBytes*cols, device.Address(numberBytes*t.stride)
	if t.Contiguous() {
		rows, width = 1, len(bytes)
	}
	for i := range rows {
		device.Must(t.device, "copy to the host", t.device.Read(bytes[i*width:][:width], t.at+device.Address(i)*apart))
	}
	for i := range numbers {
		numbers[i] = math.Float32frombits(binary.LittleEndian.Uint32(bytes[numberBytes*i:]))
	}
}

// write sets numbers that are on a device, row after row.
func (t *Tensor) write(numbers []float32) {
	cols := t.Cols()
	bytes := make([]byte, 0, numberBytes*len(numbers))
	for _, x := range numbers {
		bytes = binary.LittleEndian.AppendUint32(bytes, math.Float32bits(x))
	}
	rows, width, apart := t.rows, numberBytes*cols, device.Address(numberBytes*t.stride)
	if t.Contiguous() {
		rows, width = 1, len(bytes)
	}
	for i := range rows {
		device.Must(t.device, "copy from the host", t.device.Write(t.at+device.Address(i)*apart, bytes[i*width:][:width]))
	}
}
