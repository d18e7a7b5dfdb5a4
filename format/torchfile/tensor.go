package torchfile

import (
	"errors"
	"fmt"
	"math"
	"math/bits"

	"github.com/mega-go/mega/format/dtype"
	"github.com/mega-go/mega/format/filemap"
)

// A Storage is the memory of one or several tensors. It is safe for concurrent
// use.
type Storage struct {
	DType    dtype.DType
	Elements int

	content *section
}

// NewStorage returns a storage of little-endian numbers, whose bytes it does not
// copy. It panics if they are not a whole number of elements.
func NewStorage(d dtype.DType, data []byte) *Storage {
	if d.Size() == 0 || len(data)%d.Size() != 0 {
		panic(fmt.Sprintf("torchfile: a storage of %d bytes of %v", len(data), d))
	}
	file := filemap.FromBytes("memory", data)
	return &Storage{d, len(data) / d.Size(), &section{name: "memory", file: file, size: file.Size()}}
}

// FileStorage returns a storage whose bytes are those of a file, little-endian
// numbers, which it maps rather than reads. Close it after use.
func FileStorage(path string, d dtype.DType) (s *Storage, close func() error, err error) {
	file, err := filemap.Open(path)
	if err != nil {
		return nil, nil, err
	}
	if d.Size() == 0 || file.Size()%int64(d.Size()) != 0 {
		return nil, nil, errors.Join(fmt.Errorf("%s: %d bytes are no whole number of %v", path, file.Size(), d), file.Close())
	}
	content := &section{name: path, file: file, size: file.Size()}
	return &Storage{d, int(file.Size()) / d.Size(), content}, file.Close, nil
}

// View calls use with the storage's bytes: little-endian numbers, to be read
// only, and only until use returns. The first call compares the content with
// the file's checksum.
func (s *Storage) View(use func([]byte) error) error { return s.content.view(use) }

// A Tensor is a view of a Storage: element [i, j, …] is number
// Offset + i·Stride[0] + j·Stride[1] + … of it. In a tensor that was read,
// every element lies in the storage, and there are no more elements than the
// storage has. NumPy arrays are read as tensors.
type Tensor struct {
	Storage      *Storage
	Offset       int
	Shape        []int // empty for a scalar
	Stride       []int // as long as Shape
	RequiresGrad bool
	Parameter    bool // whether it is a torch.nn.Parameter
}

// Of returns a contiguous tensor of values, which it does not copy. It panics if
// the shape is not that of len(values) elements.
func Of[T dtype.Number](shape []int, values []T) *Tensor {
	return NewTensor(NewStorage(dtype.Of[T](), dtype.Bytes(values)), shape)
}

// NewTensor returns the tensor of all elements of s in row-major order. It
// panics if the shape is of another number of elements.
func NewTensor(s *Storage, shape []int) *Tensor {
	t := &Tensor{Storage: s, Shape: shape, Stride: contiguousStrides(shape)}
	if err := t.check(); err != nil || t.Elements() != s.Elements {
		panic(fmt.Sprintf("torchfile: shape %v for %d elements", shape, s.Elements))
	}
	return t
}

// Part returns the part of a tensor whose first index is i, without it; of a
// matrix, row i. It shares the storage. i must be from 0 to Shape[0]-1.
func (t *Tensor) Part(i int) *Tensor {
	return &Tensor{Storage: t.Storage, Offset: t.Offset + i*t.Stride[0], Shape: t.Shape[1:], Stride: t.Stride[1:]}
}

// Cut returns the elements of a contiguous tensor from number at on as one of a shape. It
// shares the storage, which must hold as many.
func (t *Tensor) Cut(at int, shape []int) *Tensor {
	return &Tensor{Storage: t.Storage, Offset: t.Offset + at, Shape: shape, Stride: contiguousStrides(shape)}
}

// contiguousStrides returns the strides of row-major order.
func contiguousStrides(shape []int) []int {
	stride := make([]int, len(shape))
	n := 1
	for i := len(shape) - 1; i >= 0; i-- {
		stride[i] = n
		n *= max(1, shape[i])
	}
	return stride
}

// Elements returns the number of elements, 1 for a scalar.
func (t *Tensor) Elements() int {
	n := 1
	for _, d := range t.Shape {
		n *= d
	}
	return n
}

// DType returns the type of the elements.
func (t *Tensor) DType() dtype.DType { return t.Storage.DType }

// Contiguous reports whether the elements lie in row-major order without gaps.
func (t *Tensor) Contiguous() bool {
	n := 1
	for i := len(t.Shape) - 1; i >= 0; i-- {
		if t.Shape[i] != 1 && t.Stride[i] != n {
			return false
		}
		n *= t.Shape[i]
	}
	return true
}

// maxDims is the most dimensions that torch gives a tensor.
const maxDims = 64

// check holds shape, stride and offset against the storage.
func (t *Tensor) check() error {
	if t.Storage == nil {
		return errors.New("the tensor has no storage")
	}
	if len(t.Shape) != len(t.Stride) || len(t.Shape) > maxDims {
		return fmt.Errorf("%d dimensions and %d strides, want as many and at most %d", len(t.Shape), len(t.Stride), maxDims)
	}
	elements, last, overflow := uint64(1), uint64(t.Offset), false
	for i, d := range t.Shape {
		if d < 0 || t.Stride[i] < 0 {
			return fmt.Errorf("shape %v and strides %v, want no negative number", t.Shape, t.Stride)
		}
		elements = mul(elements, uint64(d), &overflow)
		last = add(last, mul(uint64(max(0, d-1)), uint64(t.Stride[i]), &overflow), &overflow)
	}
	have := uint64(t.Storage.Elements)
	switch {
	case t.Offset < 0 || uint64(t.Offset) > have:
		return fmt.Errorf("offset %d, want 0 to %d", t.Offset, have)
	case overflow:
		return fmt.Errorf("shape %v and strides %v overflow", t.Shape, t.Stride)
	case elements > have:
		return fmt.Errorf("shape %v is %d elements, but the storage holds %d (an expanded tensor? clone it before saving)", t.Shape, elements, have)
	case elements > 0 && last >= have:
		return fmt.Errorf("shape %v, strides %v and offset %d reach element %d of a storage of %d", t.Shape, t.Stride, t.Offset, last, have)
	}
	return nil
}

// mul and add note an overflow of int beside their result.
func mul(a, b uint64, overflow *bool) uint64 {
	hi, lo := bits.Mul64(a, b)
	*overflow = *overflow || hi > 0 || lo > math.MaxInt
	return lo
}

func add(a, b uint64, overflow *bool) uint64 {
	sum, carry := bits.Add64(a, b, 0)
	*overflow = *overflow || carry > 0 || sum > math.MaxInt
	return sum
}

// Float32 returns the numbers, converted from F32, F16, BF16 or F64, in
// row-major order.
func (t *Tensor) Float32() ([]float32, error) {
	dst := make([]float32, t.Elements())
	return dst, t.Float32Into(dst)
}

// Float32Into is Float32 into dst, whose length must be the number of elements.
func (t *Tensor) Float32Into(dst []float32) error { return convert(t, dst, dtype.Float32s) }

// Int64 returns the numbers, converted from any integer type or Bool, in
// row-major order.
func (t *Tensor) Int64() ([]int64, error) {
	dst := make([]int64, t.Elements())
	return dst, t.Int64Into(dst)
}

// Int64Into is Int64 into dst, whose length must be the number of elements.
func (t *Tensor) Int64Into(dst []int64) error { return convert(t, dst, dtype.Int64s) }

// Bytes returns a copy of the elements: little-endian numbers in row-major
// order.
func (t *Tensor) Bytes() ([]byte, error) {
	dst := make([]byte, 0, t.Elements()*t.DType().Size())
	err := t.each(func(b []byte, n int) error {
		dst = append(dst, b...)
		return nil
	})
	return dst, err
}

// convert reads a tensor into dst.
func convert[T any](t *Tensor, dst []T, to func([]T, dtype.DType, []byte) error) error {
	if len(dst) != t.Elements() {
		return fmt.Errorf("shape %v is %d elements, want %d", t.Shape, t.Elements(), len(dst))
	}
	return t.each(func(b []byte, n int) error {
		err := to(dst[:n], t.DType(), b)
		dst = dst[n:]
		return err
	})
}

// each calls use with the bytes of all elements in row-major order, as many (n)
// at a time as lie together. It stops at the first error.
func (t *Tensor) each(use func(b []byte, n int) error) error {
	size := t.DType().Size()
	return t.Storage.View(func(b []byte) error {
		return t.runs(func(from, n, step int) error {
			if step == 1 {
				return use(b[from*size:(from+n)*size], n)
			}
			for i := range n {
				at := (from + i*step) * size
				if err := use(b[at:at+size], 1); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// runs calls run for the elements in row-major order: n at a time, which lie
// step apart from number from of the storage on. It stops at the first error.
func (t *Tensor) runs(run func(from, n, step int) error) error {
	if t.Elements() == 0 {
		return nil
	}
	if t.Contiguous() {
		return run(t.Offset, t.Elements(), 1)
	}
	last := len(t.Shape) - 1
	index := make([]int, last)
	for from := t.Offset; ; {
		if err := run(from, t.Shape[last], t.Stride[last]); err != nil {
			return err
		}
		axis := last - 1
		for ; axis >= 0; axis-- {
			index[axis]++
			from += t.Stride[axis]
			if index[axis] < t.Shape[axis] {
				break
			}
			from -= t.Shape[axis] * t.Stride[axis]
			index[axis] = 0
		}
		if axis < 0 {
			return nil
		}
	}
}
