package torchfile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/mega-go/mega/format/dtype"
)

// A numPyType is a numpy.dtype.
type numPyType struct {
	code  string
	holds dtype.DType
}

// numPyTypes are NumPy's codes of the element types.
var numPyTypes = map[string]dtype.DType{
	"b1": dtype.Bool, "u1": dtype.U8, "u2": dtype.U16, "u4": dtype.U32, "u8": dtype.U64,
	"i1": dtype.I8, "i2": dtype.I16, "i4": dtype.I32, "i8": dtype.I64,
	"f2": dtype.F16, "f4": dtype.F32, "f8": dtype.F64,
}

// callNumPyDType makes a dtype of its code and two flags.
func callNumPyDType(_ *machine, a args) (any, error) {
	if err := a.count(1, 3); err != nil {
		return nil, err
	}
	code, err := argument[string](a, 0, "str")
	if err != nil {
		return nil, err
	}
	holds, ok := numPyTypes[code]
	if !ok {
		return nil, fmt.Errorf("%.20q elements are not read, only numbers and bools", code)
	}
	return &numPyType{code, holds}, nil
}

// build takes a dtype's state: version, byte order, then what only compound
// types have.
func (n *numPyType) build(state any) error {
	tuple, _ := state.(Tuple)
	if len(tuple) < 5 || tuple[2] != nil || tuple[3] != nil || tuple[4] != nil {
		return errors.New("the state of a numpy.dtype is not that of a number")
	}
	order, err := argument[string](args(tuple), 1, "str")
	if err == nil && order != "<" && order != "=" && order != "|" {
		err = fmt.Errorf("NumPy data of byte order %.20q, want \"<\" (little-endian)", order)
	}
	return err
}

// callNumPyScalar makes a bool, int or float of a dtype and its bytes.
func callNumPyScalar(_ *machine, a args) (any, error) {
	if err := a.count(2, 2); err != nil {
		return nil, err
	}
	n, err := argument[*numPyType](a, 0, "numpy.dtype")
	if err != nil {
		return nil, err
	}
	data, err := argument[[]byte](a, 1, "bytes")
	if err != nil {
		return nil, err
	}
	if len(data) != n.holds.Size() {
		return nil, fmt.Errorf("%d bytes for one %s", len(data), n.code)
	}
	switch n.holds {
	case dtype.F64:
		return math.Float64frombits(binary.LittleEndian.Uint64(data)), nil
	case dtype.F32, dtype.F16:
		var x [1]float32
		err := dtype.Float32s(x[:], n.holds, data)
		return float64(x[0]), err
	case dtype.Bool:
		return data[0] != 0, nil
	}
	var x [1]int64
	err = dtype.Int64s(x[:], n.holds, data)
	return x[0], err
}

// callNumPyArray makes an empty array, which build then fills in.
func callNumPyArray(_ *machine, a args) (any, error) {
	c, err := argument[*class](a, 0, "numpy.ndarray")
	if err == nil && c.name != "numpy.ndarray" {
		err = fmt.Errorf("makes a %s, want a numpy.ndarray", c.name)
	}
	return &Tensor{}, err
}

// buildNumPyArray takes an array's state: version, shape, dtype, whether it is
// in column-major order, and bytes.
func (m *machine) buildNumPyArray(t *Tensor, state any) error {
	a, ok := state.(Tuple)
	if !ok || len(a) != 5 || t.Storage != nil {
		return errors.New("a tensor takes no state, and a numpy.ndarray a tuple of 5, once")
	}
	shape, err := m.ints(args(a), 1)
	if err != nil {
		return err
	}
	n, err := argument[*numPyType](args(a), 2, "numpy.dtype")
	if err != nil {
		return err
	}
	columns, err := argument[bool](args(a), 3, "bool")
	if err != nil {
		return err
	}
	data, err := m.numPyData(a[4])
	if err != nil {
		return err
	}
	if len(data)%n.holds.Size() != 0 {
		return fmt.Errorf("%d bytes of %s", len(data), n.code)
	}
	*t = Tensor{Storage: NewStorage(n.holds, data), Shape: shape, Stride: contiguousStrides(shape)}
	if columns {
		t.Stride = columnStrides(shape)
	}
	if err := t.check(); err != nil {
		return err
	}
	if t.Elements() != t.Storage.Elements {
		return fmt.Errorf("%d elements for an array of shape %v", t.Storage.Elements, shape)
	}
	return nil
}

// numPyData returns an array's bytes. As Python 2 wrote them they can look like
// text.
func (m *machine) numPyData(v any) ([]byte, error) {
	switch v := v.(type) {
	case []byte:
		return v, nil
	case string:
		return []byte(v), m.charge(len(v))
	}
	return nil, fmt.Errorf("the data of an array is %s, want bytes", TypeName(v))
}

// columnStrides returns the strides of column-major order.
func columnStrides(shape []int) []int {
	stride := make([]int, len(shape))
	n := 1
	for i, d := range shape {
		stride[i] = n
		n *= max(1, d)
	}
	return stride
}
