package dtype

import (
	"encoding/binary"
	"fmt"
	"math"
	"unsafe"
)

// littleEndian tells whether a number's bytes in memory are those of the file.
var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// Bytes returns the little-endian bytes of v. On little-endian machines they
// are v's own memory, not a copy.
func Bytes[T Number](v []T) []byte {
	if len(v) == 0 {
		return nil
	}
	size := int(unsafe.Sizeof(v[0]))
	b := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(v))), len(v)*size)
	if littleEndian || size == 1 {
		return b
	}
	swapped := make([]byte, len(b))
	for i := range b {
		swapped[i] = b[i/size*size+size-1-i%size]
	}
	return swapped
}

// Float32s converts src, elements of type d, to float32. F32, F16 and BF16
// convert exactly, F64 rounds to nearest. Other types are an error: a weight
// that is not floating-point is a sign of the wrong tensor. The length of src
// must be len(dst) times d's size.
func Float32s(dst []float32, d DType, src []byte) error {
	checkLen(len(dst), d, src)
	switch d {
	case F32:
		float32sFromF32(dst, src)
	case F16:
		for i := range dst {
			dst[i] = FromHalf(binary.LittleEndian.Uint16(src[2*i:]))
		}
	case BF16:
		for i := range dst {
			dst[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(src[2*i:])) << 16)
		}
	case F64:
		for i := range dst {
			dst[i] = float32(math.Float64frombits(binary.LittleEndian.Uint64(src[8*i:])))
		}
	default:
		return fmt.Errorf("elements are %v, want F32, F16, BF16 or F64", d)
	}
	return nil
}

func float32sFromF32(dst []float32, src []byte) {
	if littleEndian {
		copy(Bytes(dst), src)
		return
	}
	for i := range dst {
		dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(src[4*i:]))
	}
}

// Int64s converts src, elements of type d, to int64. Integer types and Bool
// convert; a U64 beyond int64 and any other type is an error. The length of src
// must be len(dst) times d's size.
func Int64s(dst []int64, d DType, src []byte) error {
	checkLen(len(dst), d, src)
	le := binary.LittleEndian
	for i := range dst {
		at := src[i*d.Size():]
		switch d {
		case Bool, U8:
			dst[i] = int64(at[0])
		case I8:
			dst[i] = int64(int8(at[0]))
		case U16:
			dst[i] = int64(le.Uint16(at))
		case I16:
			dst[i] = int64(int16(le.Uint16(at)))
		case U32:
			dst[i] = int64(le.Uint32(at))
		case I32:
			dst[i] = int64(int32(le.Uint32(at)))
		case I64, U64:
			dst[i] = int64(le.Uint64(at))
			if d == U64 && dst[i] < 0 {
				return fmt.Errorf("element %d is %d, beyond the largest int64", i, uint64(dst[i]))
			}
		default:
			return fmt.Errorf("elements are %v, want an integer type or BOOL", d)
		}
	}
	return nil
}

// FromFloat32s returns src as the bytes of elements of type d: F32 (src's own
// memory, as Bytes does), F64, or F16 and BF16 rounded to nearest, ties to even.
func FromFloat32s(d DType, src []float32) ([]byte, error) {
	dst := make([]byte, 0, len(src)*d.Size())
	switch d {
	case F32:
		return Bytes(src), nil
	case F16:
		for _, x := range src {
			dst = binary.LittleEndian.AppendUint16(dst, toHalf(x))
		}
	case BF16:
		for _, x := range src {
			dst = binary.LittleEndian.AppendUint16(dst, toBFloat16(x))
		}
	case F64:
		for _, x := range src {
			dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(float64(x)))
		}
	default:
		return nil, fmt.Errorf("cannot write elements as %v, want F32, F16, BF16 or F64", d)
	}
	return dst, nil
}

func checkLen(n int, d DType, src []byte) {
	if len(src) != n*d.Size() {
		panic(fmt.Sprintf("dtype: %d bytes for %d elements of %v", len(src), n, d))
	}
}
