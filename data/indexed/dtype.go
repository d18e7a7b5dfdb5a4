package indexed

import (
	"encoding/binary"
	"fmt"
	"math"
)

// DType is a number type by fairseq's code.
type DType uint8

// The number types. Float64 has two codes; fairseq writes the second.
const (
	Uint8      DType = 1
	Int8       DType = 2
	Int16      DType = 3
	Int32      DType = 4
	Int64      DType = 5
	OldFloat64 DType = 6
	Float64    DType = 7
	Uint16     DType = 8
	Uint32     DType = 9  // of fairseq 0.12
	Uint64     DType = 10 // of fairseq 0.12

	maxDType = Uint64
)

// BestDType returns the type that fairseq-preprocess uses for a vocabulary of
// that many ids (data/indexed_dataset.py:17).
func BestDType(vocabulary int) DType {
	if vocabulary < 65500 {
		return Uint16
	}
	return Int32
}

// size returns the bytes of a number, or 0 for a code that does not exist.
func (t DType) size() int {
	switch t {
	case Uint8, Int8:
		return 1
	case Int16, Uint16:
		return 2
	case Int32, Uint32:
		return 4
	case Int64, Uint64, OldFloat64, Float64:
		return 8
	}
	return 0
}

// decode converts the numbers in src to token ids. It fails on one that is not
// whole or does not fit.
func (t DType) decode(dst []int32, src []byte) error {
	order := binary.LittleEndian
	switch t {
	case Uint8:
		for i := range dst {
			dst[i] = int32(src[i])
		}
	case Int8:
		for i := range dst {
			dst[i] = int32(int8(src[i]))
		}
	case Int16:
		for i := range dst {
			dst[i] = int32(int16(order.Uint16(src[2*i:])))
		}
	case Uint16:
		for i := range dst {
			dst[i] = int32(order.Uint16(src[2*i:]))
		}
	case Int32:
		for i := range dst {
			dst[i] = int32(order.Uint32(src[4*i:]))
		}
	case Uint32:
		for i := range dst {
			if dst[i] = int32(order.Uint32(src[4*i:])); dst[i] < 0 {
				return fmt.Errorf("token %d is %d, beyond 31 bits", i, uint32(dst[i]))
			}
		}
	case Uint64:
		for i := range dst {
			v := order.Uint64(src[8*i:])
			if v > math.MaxInt32 {
				return fmt.Errorf("token %d is %d, beyond 31 bits", i, v)
			}
			dst[i] = int32(v)
		}
	case Int64:
		for i := range dst {
			v := int64(order.Uint64(src[8*i:]))
			if v != int64(int32(v)) {
				return fmt.Errorf("token %d is %d, beyond 32 bits", i, v)
			}
			dst[i] = int32(v)
		}
	default:
		for i := range dst {
			v := math.Float64frombits(order.Uint64(src[8*i:]))
			if v != math.Trunc(v) || math.Abs(v) > math.MaxInt32 {
				return fmt.Errorf("token %d is %v, not a token id", i, v)
			}
			dst[i] = int32(v)
		}
	}
	return nil
}

// encode appends token ids to dst as numbers of the type. It fails on one that
// does not fit.
func (t DType) encode(dst []byte, ids []int32) ([]byte, error) {
	order := binary.LittleEndian
	for i, id := range ids {
		n := len(dst)
		switch t {
		case Uint8, Int8:
			dst = append(dst, byte(id))
		case Int16, Uint16:
			dst = order.AppendUint16(dst, uint16(id))
		case Int32, Uint32:
			dst = order.AppendUint32(dst, uint32(id))
		case Int64, Uint64:
			dst = order.AppendUint64(dst, uint64(id))
		default:
			dst = order.AppendUint64(dst, math.Float64bits(float64(id)))
		}
		var back [1]int32
		if err := t.decode(back[:], dst[n:]); err != nil || back[0] != id {
			return dst, fmt.Errorf("token %d is %d, which %d bytes cannot hold", i, id, t.size())
		}
	}
	return dst, nil
}
