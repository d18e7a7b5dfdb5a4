package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// A decoder reads the values of a page one after the other. They are valid up to the
// next call.
type decoder interface {
	next() ([]byte, error)
}

// The encodings.
const (
	plain                 = 0
	plainDictionary       = 2
	runs                  = 3
	deltaBinaryPacked     = 5
	deltaLengthByteArrays = 6
	deltaByteArrays       = 7
	runsDictionary        = 8
	byteStreamSplit       = 9
)

// newDecoder returns what reads the values of a page.
func newDecoder(encoding int, l *leaf, data []byte, d *dictionary) (decoder, error) {
	switch {
	case encoding == plain && l.kind == boolean:
		return &packedBooleans{data: data}, nil
	case encoding == plain:
		return &plainValues{data: data, size: l.length}, nil
	case encoding == plainDictionary || encoding == runsDictionary:
		return newIndexed(data, d)
	case encoding == runs && l.kind == boolean:
		return newBooleans(data)
	case encoding == deltaBinaryPacked && (l.kind == int32s || l.kind == int64s):
		d, err := newDeltas(data)
		return &deltaInts{deltas: d, size: l.length}, err
	case encoding == deltaLengthByteArrays && l.kind == byteArrays:
		return newDeltaLengths(data)
	case encoding == deltaByteArrays && l.kind >= byteArrays:
		return newDeltaBytes(data, l.length)
	case encoding == byteStreamSplit && l.length > 1:
		return &splitBytes{data: data, n: len(data) / l.length, value: make([]byte, l.length)}, nil
	}
	return nil, fmt.Errorf("values of the encoding %d, which is not read of this type", encoding)
}

// plainValues stand one after the other: of one size, or each with its own before it.
type plainValues struct {
	data []byte
	size int
}

func (p *plainValues) next() ([]byte, error) {
	size := p.size
	if size == 0 {
		if len(p.data) < 4 {
			return nil, errShort
		}
		size = int(binary.LittleEndian.Uint32(p.data))
		p.data = p.data[4:]
	}
	if size > len(p.data) {
		return nil, errShort
	}
	v := p.data[:size:size]
	p.data = p.data[size:]
	return v, nil
}

// packedBooleans are a bit each.
type packedBooleans struct {
	data []byte
	bit  int
	one  [1]byte
}

func (p *packedBooleans) next() ([]byte, error) {
	if p.bit >= 8*len(p.data) {
		return nil, errShort
	}
	p.one[0] = byte(bitsOf(p.data, p.bit, 1))
	p.bit++
	return p.one[:], nil
}

// booleans come in runs.
type booleans struct {
	hybrid
	one [1]byte
}

func newBooleans(data []byte) (decoder, error) {
	data, _, err := prefixed(data)
	return &booleans{hybrid: hybrid{data: data, width: 1}}, err
}

func (b *booleans) next() ([]byte, error) {
	x, err := b.hybrid.next()
	b.one[0] = byte(x)
	return b.one[:], err
}

// prefixed parts data that begins with its size from what is behind it.
func prefixed(data []byte) (it, rest []byte, err error) {
	if len(data) < 4 || uint64(binary.LittleEndian.Uint32(data)) > uint64(len(data)-4) {
		return nil, nil, errShort
	}
	end := 4 + int(binary.LittleEndian.Uint32(data))
	return data[4:end:end], data[end:], nil
}

// A dictionary holds the values that pages have indices of.
type dictionary struct {
	data []byte
	size int   // of a value; 0 where each has its own
	ends []int // of those
	n    int
}

func newDictionary(data []byte, n int, l *leaf) (*dictionary, error) {
	if l.kind == boolean {
		return nil, errors.New("a dictionary of booleans")
	}
	d := &dictionary{data: data, size: l.length, n: n}
	if d.size > 0 {
		if n > len(data)/d.size {
			return nil, errShort
		}
		return d, nil
	}
	values := plainValues{data: data}
	for range n {
		if _, err := values.next(); err != nil {
			return nil, err
		}
		d.ends = append(d.ends, len(data)-len(values.data))
	}
	return d, nil
}

func (d *dictionary) at(i int) []byte {
	if d.size > 0 {
		return d.data[i*d.size : (i+1)*d.size : (i+1)*d.size]
	}
	begin := 4
	if i > 0 {
		begin += d.ends[i-1]
	}
	return d.data[begin:d.ends[i]:d.ends[i]]
}

// indexed values are indices of a dictionary.
type indexed struct {
	hybrid
	*dictionary
}

func newIndexed(data []byte, d *dictionary) (decoder, error) {
	if d == nil {
		return nil, errors.New("indices of a dictionary that is not there")
	}
	if len(data) == 0 { // a page of nulls
		return &indexed{dictionary: d, hybrid: hybrid{width: 1}}, nil
	}
	if data[0] > 32 {
		return nil, fmt.Errorf("indices of %d bits", data[0])
	}
	return &indexed{hybrid{data: data[1:], width: int(data[0])}, d}, nil
}

func (x *indexed) next() ([]byte, error) {
	i, err := x.hybrid.next()
	if err == nil && int64(i) >= int64(x.n) {
		err = fmt.Errorf("index %d of a dictionary of %d values", i, x.n)
	}
	if err != nil {
		return nil, err
	}
	return x.at(int(i)), nil
}

// deltaInts are numbers as differences.
type deltaInts struct {
	*deltas
	size int
	out  [8]byte
}

func (d *deltaInts) next() ([]byte, error) {
	x, err := d.deltas.next()
	binary.LittleEndian.PutUint64(d.out[:], uint64(x))
	return d.out[:d.size], err
}

// deltaLengths are arrays of bytes behind all their lengths.
type deltaLengths struct {
	lengths *deltas
	data    []byte
}

func newDeltaLengths(data []byte) (*deltaLengths, error) {
	lengths, rest, err := twice(data)
	return &deltaLengths{lengths, rest}, err
}

// twice returns a reader of numbers and what lies behind them.
func twice(data []byte) (numbers *deltas, rest []byte, err error) {
	ahead, err := newDeltas(data)
	if err == nil {
		rest, err = ahead.rest()
	}
	if err == nil {
		numbers, err = newDeltas(data)
	}
	return numbers, rest, err
}

func (d *deltaLengths) next() ([]byte, error) {
	n, err := d.lengths.next()
	if err == nil && (n < 0 || n > int64(len(d.data))) {
		err = errShort
	}
	if err != nil {
		return nil, err
	}
	v := d.data[:n:n]
	d.data = d.data[n:]
	return v, nil
}

// deltaBytes are arrays of bytes that share a beginning with the one before.
type deltaBytes struct {
	shared *deltas
	ends   *deltaLengths
	size   int // that each must have, or 0
	value  []byte
}

func newDeltaBytes(data []byte, size int) (decoder, error) {
	shared, rest, err := twice(data)
	if err != nil {
		return nil, err
	}
	ends, err := newDeltaLengths(rest)
	return &deltaBytes{shared: shared, ends: ends, size: size}, err
}

func (d *deltaBytes) next() ([]byte, error) {
	n, err := d.shared.next()
	if err != nil {
		return nil, err
	}
	end, err := d.ends.next()
	if err != nil {
		return nil, err
	}
	if n < 0 || n > int64(len(d.value)) || d.size > 0 && int(n)+len(end) != d.size {
		return nil, fmt.Errorf("a value of %d bytes of the one before, which has %d, and %d more", n, len(d.value), len(end))
	}
	d.value = append(d.value[:n], end...)
	return d.value, nil
}

// splitBytes are the first bytes of all values, then the second ones …
type splitBytes struct {
	data  []byte
	n, i  int
	value []byte
}

func (s *splitBytes) next() ([]byte, error) {
	if s.i >= s.n {
		return nil, errShort
	}
	for k := range s.value {
		s.value[k] = s.data[k*s.n+s.i]
	}
	s.i++
	return s.value, nil
}
