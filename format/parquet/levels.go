package parquet

import (
	"encoding/binary"
	"errors"
)

// A hybrid reads whole numbers of a width in bits, in runs of one number and of
// packed ones (Encodings.md, RLE/Bit-packing hybrid).
type hybrid struct {
	data   []byte
	width  int
	run    uint64 // numbers left of the run
	value  uint32 // of a run of one number
	packed []byte // of a run of packed ones
	bit    int    // where the next of them begins
}

// next returns the next number.
func (h *hybrid) next() (uint32, error) {
	if h.width == 0 {
		return 0, nil
	}
	for h.run == 0 {
		if err := h.begin(); err != nil {
			return 0, err
		}
	}
	h.run--
	if h.packed == nil {
		return h.value, nil
	}
	if h.bit+h.width > 8*len(h.packed) {
		return 0, errShort
	}
	x := uint32(bitsOf(h.packed, h.bit, h.width))
	h.bit += h.width
	return x, nil
}

// begin reads the head of a run.
func (h *hybrid) begin() error {
	u, n := binary.Uvarint(h.data)
	if n <= 0 {
		return errShort
	}
	h.data, h.packed = h.data[n:], nil
	if u&1 == 0 {
		size := (h.width + 7) / 8
		if len(h.data) < size {
			return errShort
		}
		h.run, h.value = u>>1, uint32(bitsOf(h.data, 0, 8*size))
		h.data = h.data[size:]
		return nil
	}
	eights := min(u>>1, uint64(len(h.data)/h.width+1)) // the last may be cut off
	size := min(int(eights)*h.width, len(h.data))
	h.run, h.bit = 8*eights, 0
	h.packed, h.data = h.data[:size:size], h.data[size:]
	if size == 0 {
		return errShort
	}
	return nil
}

// bitsOf returns the number of width bits, 64 at most, that begins at a bit of data,
// the lowest first.
func bitsOf(data []byte, at, width int) (x uint64) {
	for got := 0; got < width; {
		from := at % 8
		n := min(8-from, width-got)
		x |= uint64(data[at/8]>>from&(1<<n-1)) << got
		at += n
		got += n
	}
	return x
}

// Bounds of the blocks of deltas, well above those that writers use.
const maxBlock = 1 << 16

// A deltas reads whole numbers as differences in packed blocks (Encodings.md,
// DELTA_BINARY_PACKED).
type deltas struct {
	thrift          // whose numbers these blocks have too
	perMini  int    // numbers of a miniblock
	minis    int    // miniblocks of a block
	left     uint64 // numbers
	value    int64  // the last
	first    bool   // it has not been returned
	least    int64  // difference of the block
	widths   []byte // of the miniblocks that are left of the block
	mini     []byte // the packed differences of one
	miniLeft int
	width    int
	bit      int
}

func newDeltas(data []byte) (*deltas, error) {
	d := &deltas{thrift: thrift{data: data}, first: true}
	block, minis := d.uvarint(), d.uvarint()
	d.left, d.value = d.uvarint(), d.int()
	if d.err == nil && (minis == 0 || block > maxBlock || block%(32*minis) != 0 || block == 0) {
		d.err = errors.New("blocks of differences that are none")
	}
	if d.err == nil {
		d.minis, d.perMini = int(minis), int(block/minis)
	}
	return d, d.err
}

func (d *deltas) next() (int64, error) {
	if d.left == 0 {
		return 0, errShort
	}
	d.left--
	if d.first {
		d.first = false
		return d.value, nil
	}
	if d.miniLeft == 0 {
		d.beginMini()
	}
	if d.err == nil && d.bit+d.width > 8*len(d.mini) {
		d.err = errShort
	}
	if d.err != nil {
		return 0, d.err
	}
	d.value += d.least + int64(bitsOf(d.mini, d.bit, d.width))
	d.bit += d.width
	d.miniLeft--
	return d.value, nil
}

func (d *deltas) beginMini() {
	if len(d.widths) == 0 {
		d.least = d.int()
		d.widths = d.take(uint64(d.minis))
	}
	if d.err != nil {
		return
	}
	d.width, d.widths = int(d.widths[0]), d.widths[1:]
	if d.width > 64 {
		d.err = errors.New("differences of more than 64 bits")
		return
	}
	size := min(d.perMini*d.width/8, len(d.data)) // the last may be cut off
	d.mini = d.take(uint64(size))
	d.miniLeft, d.bit = d.perMini, 0
}

// rest returns the bytes behind the numbers.
func (d *deltas) rest() ([]byte, error) {
	for d.left > 0 {
		if _, err := d.next(); err != nil {
			return nil, err
		}
	}
	return d.data, nil
}
