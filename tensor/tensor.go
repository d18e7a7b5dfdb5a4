package tensor

import (
	"fmt"
	"math"
	"slices"

	"github.com/mega-go/mega/internal/cuda/device"
	"github.com/mega-go/mega/internal/parallel"
)

// A Tensor is a dense float32 array, row-major, seen as rows of channels: all
// dimensions but the last count rows, the last is the row's width. Rows may lie
// apart (a Tensor can be a range of the columns of another), the numbers of a
// row never.
type Tensor struct {
	shape  []int
	rows   int // product of all dimensions but the last
	cols   int // the last dimension, 1 for a scalar
	stride int // elements from one row to the next, at least the width
	data   []float32
	dims   [inlineDims]int // where shape lies if it has no more dimensions
	slot   int             // of a Pool that the memory is from

	device device.Memory  // where the numbers are, nil for data
	at     device.Address // of the first one
	whole  *Tensor        // of which this is a view on a device, whose memory may end with it
}

// inlineDims is how many dimensions a tensor holds without memory of their own.
const inlineDims = 4

// New returns a tensor of zeros. It panics if a dimension is negative.
func New(shape ...int) *Tensor {
	return FromSlice(parallel.Aligned(Size(shape)), shape...)
}

// Unallocated returns a tensor that has a shape but no memory until Allocate.
func Unallocated(shape ...int) *Tensor {
	return new(Tensor).set(nil, width(shape), shape)
}

// Allocate gives a tensor of Unallocated its memory, zeros; it leaves others as
// they are.
func (t *Tensor) Allocate() {
	if t.data == nil && t.device == nil {
		t.data = parallel.Aligned(Size(t.shape))
	}
}

// FromSlice returns a tensor over data, which is not copied. It panics unless
// the length of data is the product of the shape.
func FromSlice(data []float32, shape ...int) *Tensor {
	if len(data) != Size(shape) {
		panic(fmt.Sprintf("tensor: %d numbers for shape %v, which holds %d", len(data), slices.Clone(shape), Size(shape)))
	}
	return new(Tensor).set(data, width(shape), shape)
}

// set makes t a tensor over data and returns it.
func (t *Tensor) set(data []float32, stride int, shape []int) *Tensor {
	t.data, t.stride, t.rows, t.cols = data, stride, 1, width(shape)
	t.device, t.at, t.whole = nil, 0, nil
	if len(shape) > inlineDims {
		t.shape = slices.Clone(shape)
	} else {
		t.shape = t.dims[:len(shape)]
	}
	for i, d := range shape {
		t.shape[i] = d
		if i > 0 {
			t.rows *= shape[i-1]
		}
	}
	return t
}

// like gives t the shape of x with rows of cols numbers that lie together.
func (t *Tensor) like(x *Tensor, cols int) {
	t.rows, t.cols, t.stride, t.dims = x.rows, cols, cols, x.dims
	t.device, t.at, t.whole = nil, 0, nil
	last := len(x.shape) - 1
	if last >= inlineDims {
		t.shape = slices.Clone(x.shape)
	} else {
		t.shape = t.dims[:last+1]
	}
	t.shape[last] = cols
}

// Size returns the product of shape, 1 for a scalar's empty shape. It panics if
// a dimension is negative or the product cannot be addressed.
func Size(shape []int) int {
	n := 1
	for _, d := range shape {
		if d < 0 {
			// A clone, so that the shapes that callers list need no memory on the heap.
			panic(fmt.Sprintf("tensor: negative dimension in shape %v", slices.Clone(shape)))
		}
		if d > 0 && n > math.MaxInt/4/d {
			panic(fmt.Sprintf("tensor: shape %v is more numbers than can be addressed", slices.Clone(shape)))
		}
		n *= d
	}
	return n
}

// width is the last dimension, 1 for a scalar.
func width(shape []int) int {
	if len(shape) == 0 {
		return 1
	}
	return shape[len(shape)-1]
}

// Shape returns the dimensions; the caller must not change them.
func (t *Tensor) Shape() []int { return t.shape }

// Len returns the number of elements.
func (t *Tensor) Len() int { return t.rows * t.Cols() }

// Rows returns the product of all dimensions but the last.
func (t *Tensor) Rows() int { return t.rows }

// Cols returns the last dimension, the width of a row.
func (t *Tensor) Cols() int { return t.cols }

// Stride returns the distance in elements from a row to the next.
func (t *Tensor) Stride() int { return t.stride }

// Contiguous reports whether the rows lie next to each other.
func (t *Tensor) Contiguous() bool { return t.stride == t.Cols() || t.Rows() <= 1 }

// Data returns the storage from the first element on. For a tensor that is not
// contiguous it spans the gaps between rows too. It panics if the numbers are on a
// device.
func (t *Tensor) Data() []float32 {
	if t.device != nil {
		t.onDevice()
	}
	return t.data
}

// Row returns row i. Tensors on a device have none: an index is then out of range (a
// check like that of Data would make every loop over rows slower).
func (t *Tensor) Row(i int) []float32 {
	from, end := i*t.stride, i*t.stride+t.cols
	return t.data[from:end:end]
}

// Columns returns columns [from, to) of t, sharing its storage.
func (t *Tensor) Columns(from, to int) *Tensor {
	c := new(Tensor)
	c.SetColumns(t, from, to)
	return c
}

// SetColumns makes t what x.Columns returns.
func (t *Tensor) SetColumns(x *Tensor, from, to int) {
	if from < 0 || to < from || to > x.Cols() {
		panic(fmt.Sprintf("tensor: columns [%d,%d) of a row of %d", from, to, x.Cols()))
	}
	t.like(x, to-from)
	t.device, t.at, t.stride = x.device, x.at, x.stride
	if x.device != nil {
		t.data, t.at, t.whole = nil, x.at+device.Address(numberBytes*from), x
		return
	}
	end := len(x.data)
	if rows := x.Rows(); rows > 0 {
		end = (rows-1)*x.stride + to
	}
	t.data = x.data[min(from, end):end]
}

// Reshape returns t with another shape of the same size, sharing its storage.
// It panics unless t is contiguous.
func (t *Tensor) Reshape(shape ...int) *Tensor {
	if !t.Contiguous() {
		panic("tensor: reshape of a tensor that is not contiguous")
	}
	if t.Len() != Size(shape) {
		panic(fmt.Sprintf("tensor: %d numbers for shape %v, which holds %d", t.Len(), slices.Clone(shape), Size(shape)))
	}
	r := new(Tensor).set(nil, width(shape), shape)
	if r.device, r.at, r.slot = t.device, t.at, t.slot; t.device == nil {
		r.data = t.data[:t.Len()]
	} else {
		r.whole = t
	}
	return r
}

// RowRange returns rows [from, to) of t as a matrix that shares its storage.
func (t *Tensor) RowRange(from, to int) *Tensor {
	if from < 0 || to < from || to > t.rows {
		panic(fmt.Sprintf("tensor: rows [%d,%d) of %d", from, to, t.rows))
	}
	r := new(Tensor).set(nil, t.stride, []int{to - from, t.cols})
	if t.device == nil {
		end := min(to*t.stride, len(t.data)) // of the last row there may be no gap
		r.data = t.data[min(from*t.stride, end):end]
		return r
	}
	r.device, r.at, r.whole = t.device, t.at+device.Address(numberBytes*from*t.stride), t
	return r
}

// Copy copies the elements of src, which must have the same number of rows and
// columns, by way of the host if one of them is on a device that the other is not on.
func (t *Tensor) Copy(src *Tensor) {
	if t.Rows() != src.Rows() || t.Cols() != src.Cols() {
		panic(fmt.Sprintf("tensor: copy of shape %v to %v", src.shape, t.shape))
	}
	switch {
	case t.device != nil && t.device == src.device && t.copyThere(src):
		return
	case t.device != nil:
		t.write(src.Host())
		return
	case src.device != nil:
		src = FromSlice(src.read(), src.shape...)
	}
	if t.Contiguous() && src.Contiguous() {
		copy(t.data[:t.Len()], src.data)
		return
	}
	for i := range t.Rows() {
		copy(t.Row(i), src.Row(i))
	}
}

// Swap exchanges the numbers of t and o, which have one shape.
func (t *Tensor) Swap(o *Tensor) {
	if !slices.Equal(t.shape, o.shape) {
		panic(fmt.Sprintf("tensor: swap of %v and %v", t.shape, o.shape))
	}
	t.data, o.data, t.stride, o.stride = o.data, t.data, o.stride, t.stride
	t.device, o.device, t.at, o.at, t.whole, o.whole = o.device, t.device, o.at, t.at, o.whole, t.whole
}

// Clone returns a contiguous copy of t in the host's memory.
func (t *Tensor) Clone() *Tensor {
	c := New(t.shape...)
	c.Copy(t)
	return c
}

// Zero sets every element to 0.
func (t *Tensor) Zero() {
	if t.device != nil {
		t.write(make([]float32, t.Len()))
		return
	}
	if t.Contiguous() {
		clear(t.data[:t.Len()])
		return
	}
	for i := range t.Rows() {
		clear(t.Row(i))
	}
}
