package sentencepiece

import (
	"encoding/binary"
	"errors"
	"math"
)

// errCut is what is wrong with a message that ends too early.
var errCut = errors.New("the file ends in the middle of a message")

// field is one field of a protocol buffer message. Which of number and bytes
// holds its value depends on the wire type.
type field struct {
	tag    int
	number uint64 // varint or fixed
	bytes  []byte // length-delimited
}

// int returns the value of an int32, bool or enum.
func (f field) int() int { return int(int32(f.number)) }

// float returns the value of a float.
func (f field) float() float32 { return math.Float32frombits(uint32(f.number)) }

// eachField calls f with every field of a message.
func eachField(message []byte, f func(field) error) error {
	for len(message) > 0 {
		key, n := binary.Uvarint(message)
		if n <= 0 || key>>3 == 0 || key>>3 > 1<<29 {
			return errCut
		}
		message = message[n:]
		x := field{tag: int(key >> 3)}
		if n = x.read(message, key&7); n < 0 {
			return errCut
		}
		message = message[n:]
		if err := f(x); err != nil {
			return err
		}
	}
	return nil
}

// read takes the value of a wire type from the head of b and returns its length,
// -1 if it is not there.
func (f *field) read(b []byte, wire uint64) int {
	switch wire {
	case 0:
		n := 0
		if f.number, n = binary.Uvarint(b); n > 0 {
			return n
		}
	case 1:
		if len(b) >= 8 {
			f.number = binary.LittleEndian.Uint64(b)
			return 8
		}
	case 2:
		if size, n := binary.Uvarint(b); n > 0 && size <= uint64(len(b)-n) {
			f.bytes = b[n : n+int(size)]
			return n + int(size)
		}
	case 5:
		if len(b) >= 4 {
			f.number = uint64(binary.LittleEndian.Uint32(b))
			return 4
		}
	}
	return -1
}
