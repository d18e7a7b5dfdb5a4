package tensor

import (
	"math"

	"github.com/mega-go/mega/internal/cuda/device"
	"github.com/mega-go/mega/internal/kernel"
)

// What above this package and autograd reads or writes the numbers of a tensor
// does so by the functions of this file. On the CPU they give the tensor's own
// memory; where tensors live on a device they are transfers.

// Host returns the numbers of t, row after row, to be read. They are valid until
// t is written to.
func (t *Tensor) Host() []float32 {
	if t.device != nil {
		return t.read()
	}
	if !t.Contiguous() {
		t = t.Clone()
	}
	return t.data
}

// HostRange sets dst to numbers from to from+len(dst) of t, which must be contiguous.
func (t *Tensor) HostRange(dst []float32, from int) {
	if t.device == nil {
		copy(dst, t.data[from:from+len(dst)])
		return
	}
	t.part(from, len(dst)).readTo(dst)
}

// WriteHostRange sets numbers from to from+len(src) of t, which must be contiguous, to src.
func (t *Tensor) WriteHostRange(from int, src []float32) {
	if t.device == nil {
		copy(t.data[from:from+len(src)], src)
		return
	}
	t.part(from, len(src)).write(src)
}

// WriteHost lets f change the numbers of t, which must be contiguous, row after
// row, and returns f's error.
func (t *Tensor) WriteHost(f func(numbers []float32) error) error {
	if t.device == nil {
		return f(t.data)
	}
	numbers := t.read()
	err := f(numbers)
	t.write(numbers)
	return err
}

// Generate sets the numbers of t, which must be contiguous, to next(0), next(1)
// and so on, row after row. next may read number i of t, as Host gave it before.
func (t *Tensor) Generate(next func(i int) float32) {
	numbers := t.data
	if t.device != nil {
		numbers = make([]float32, t.Len())
		defer func() { t.write(numbers) }()
	}
	for i := range numbers {
		numbers[i] = next(i)
	}
}

// Fill sets every number of t to x.
func (t *Tensor) Fill(x float32) {
	for i := range t.Rows() {
		kernel.Fill(t.Row(i), x)
	}
}

// ZeroRow sets the numbers of a row to 0.
func (t *Tensor) ZeroRow(row int) { clear(t.Row(row)) }

// AllFinite reports whether no number of t, which must be contiguous, is NaN or
// infinite: the sum of their squares is then finite in float64.
func (t *Tensor) AllFinite() bool {
	s := 0.0
	if d, computes := t.device.(device.Device); computes && t.Len() > 0 {
		s = t.sumSquares(d)
	} else {
		s = kernel.SumSquares(t.Host())
	}
	return !math.IsNaN(s) && !math.IsInf(s, 0)
}

// CopyRow sets row i of t to row j of src, which is as wide.
func (t *Tensor) CopyRow(i int, src *Tensor, j int) { copy(t.Row(i), src.Row(j)) }
