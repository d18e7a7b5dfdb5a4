// Package dtype names the types of the numbers that checkpoint files hold and
// converts between their little-endian bytes and Go slices.
//
// It knows no file format and no tensor: only element types, their sizes and
// their conversions.
package dtype

// A DType is the type of a tensor's elements.
type DType uint8

// The element types. C64 is a pair of F32; the F8 types are named and measured
// but not converted.
const (
	Invalid DType = iota
	Bool          // one byte, 0 or 1
	U8
	I8
	F8E5M2
	F8E4M3
	U16
	I16
	F16  // IEEE 754 binary16
	BF16 // the upper half of an F32
	U32
	I32
	F32
	C64
	U64
	I64
	F64
)

// kinds holds each type's name, as safetensors spells it, and its bytes an
// element.
var kinds = [...]struct {
	name string
	size int
}{
	Invalid: {"invalid", 0},
	Bool:    {"BOOL", 1},
	U8:      {"U8", 1},
	I8:      {"I8", 1},
	F8E5M2:  {"F8_E5M2", 1},
	F8E4M3:  {"F8_E4M3", 1},
	U16:     {"U16", 2},
	I16:     {"I16", 2},
	F16:     {"F16", 2},
	BF16:    {"BF16", 2},
	U32:     {"U32", 4},
	I32:     {"I32", 4},
	F32:     {"F32", 4},
	C64:     {"C64", 8},
	U64:     {"U64", 8},
	I64:     {"I64", 8},
	F64:     {"F64", 8},
}

// String returns the name that the safetensors format uses, such as "BF16".
func (d DType) String() string {
	if int(d) >= len(kinds) {
		d = Invalid
	}
	return kinds[d].name
}

// Size returns the bytes of one element, 0 for Invalid.
func (d DType) Size() int {
	if int(d) >= len(kinds) {
		d = Invalid
	}
	return kinds[d].size
}

// Parse returns the type that String names so, and false if there is none.
func Parse(name string) (DType, bool) {
	for d := Bool; int(d) < len(kinds); d++ {
		if kinds[d].name == name {
			return d, true
		}
	}
	return Invalid, false
}

// A Number is a Go type whose slices have the layout of a DType on
// little-endian machines.
type Number interface {
	bool | uint8 | int8 | uint16 | int16 | uint32 | int32 | float32 | uint64 | int64 | float64
}

// Of returns the element type of a []T.
func Of[T Number]() DType {
	var zero T
	switch any(zero).(type) {
	case bool:
		return Bool
	case uint8:
		return U8
	case int8:
		return I8
	case uint16:
		return U16
	case int16:
		return I16
	case uint32:
		return U32
	case int32:
		return I32
	case float32:
		return F32
	case uint64:
		return U64
	case int64:
		return I64
	default:
		return F64
	}
}
