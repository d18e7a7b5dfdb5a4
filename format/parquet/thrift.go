package parquet

import (
	"cmp"
	"encoding/binary"
	"errors"
)

// errShort is of bytes that end before what they are to hold.
var errShort = errors.New("it is cut off")

// The types of Thrift's compact protocol.
const (
	thriftTrue, thriftFalse, thriftByte            = 1, 2, 3
	thriftInt16, thriftInt32, thriftInt64          = 4, 5, 6
	thriftDouble, thriftBinary                     = 7, 8
	thriftList, thriftSet, thriftMap, thriftStruct = 9, 10, 11, 12
)

// maxDepth bounds structures in structures, of Thrift and of schemas.
const maxDepth = 64

// A thrift reads what Thrift's compact protocol wrote
// (github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md). After
// the first error it reads zeros.
type thrift struct {
	data  []byte
	depth int
	err   error
}

// take returns the next n bytes.
func (t *thrift) take(n uint64) []byte {
	if t.err == nil && n > uint64(len(t.data)) {
		t.err = errShort
	}
	if t.err != nil {
		return nil
	}
	b := t.data[:n]
	t.data = t.data[n:]
	return b
}

func (t *thrift) byte() byte {
	if b := t.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (t *thrift) uvarint() uint64 {
	if t.err != nil {
		return 0
	}
	x, n := binary.Uvarint(t.data)
	if n == 0 {
		t.err = errShort
	} else if n < 0 {
		t.err = errors.New("a number of more than 64 bits")
	}
	t.take(uint64(max(n, 0)))
	return x
}

// int reads a number of 16 to 64 bits.
func (t *thrift) int() int64 {
	x := t.uvarint()
	return int64(x>>1) ^ -int64(x&1)
}

func (t *thrift) string() string { return string(t.take(t.uvarint())) }

// enter counts a level of nesting, unless there was an error.
func (t *thrift) enter() bool {
	if t.depth == maxDepth && t.err == nil {
		t.err = errors.New("structures are nested too deeply")
	}
	if t.err != nil {
		return false
	}
	t.depth++
	return true
}

func (t *thrift) leave() { t.depth-- }

// fields calls f with each field of a structure. What f does not read is skipped.
func (t *thrift) fields(f func(id int, kind byte)) {
	if !t.enter() {
		return
	}
	defer t.leave()
	for id := 0; ; {
		head := t.byte()
		if head == 0 {
			return
		}
		if delta := int(head >> 4); delta != 0 {
			id += delta
		} else {
			id = int(t.int())
		}
		before := len(t.data)
		if f(id, head&15); len(t.data) == before {
			t.skip(head & 15)
		}
	}
}

// list calls f for each element of a list, and skips those that it does not read.
func (t *thrift) list(f func()) {
	if !t.enter() {
		return
	}
	defer t.leave()
	head := t.byte()
	n := uint64(head >> 4)
	if n == 15 {
		n = t.uvarint()
	}
	if n > uint64(len(t.data)) && t.err == nil { // an element has a byte at least
		t.err = errShort
	}
	for ; n > 0 && t.err == nil; n-- {
		before := len(t.data)
		if f(); len(t.data) == before {
			t.skipElement(head & 15)
		}
	}
}

// skip passes over the value of a field.
func (t *thrift) skip(kind byte) {
	switch kind {
	case thriftTrue, thriftFalse:
	case thriftByte:
		t.byte()
	case thriftInt16, thriftInt32, thriftInt64:
		t.uvarint()
	case thriftDouble:
		t.take(8)
	case thriftBinary:
		t.take(t.uvarint())
	case thriftList, thriftSet:
		t.list(func() {})
	case thriftMap:
		t.skipMap()
	case thriftStruct:
		t.fields(func(int, byte) {})
	default:
		t.err = cmp.Or(t.err, errors.New("a field of no type"))
	}
}

// skipElement passes over an element, where booleans have a byte.
func (t *thrift) skipElement(kind byte) {
	if kind == thriftTrue || kind == thriftFalse {
		kind = thriftByte
	}
	t.skip(kind)
}

func (t *thrift) skipMap() {
	n := t.uvarint()
	if n == 0 || !t.enter() {
		return
	}
	defer t.leave()
	kinds := t.byte()
	for ; n > 0 && t.err == nil; n-- {
		t.skipElement(kinds >> 4)
		t.skipElement(kinds & 15)
	}
}
