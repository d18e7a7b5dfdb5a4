package indexed

import (
	"encoding/binary"
	"fmt"
)

// The older format, which fairseq calls cached or lazy by how it reads it
// (IndexedDataset). Its tokens are one greater, for Lua's sake, and its .idx holds
//
//	8 bytes     "TNTIDX\0\0"
//	uint64      version, 1
//	uint64      number type
//	uint64      bytes of a number
//	uint64      n, the number of sequences
//	uint64      s, the number of sizes: as many, for sequences have one dimension
//	int64[n+1]  which size is the first of each sequence
//	int64[n+1]  where each begins in the .bin, in numbers
//	int64[s]    the sizes
const (
	legacyMagic  = "TNTIDX\x00\x00"
	legacyHeader = len(legacyMagic) + 5*8
)

// parseLegacy reads an index of the older format.
func (d *Dataset) parseLegacy(path string, index []byte) error {
	if len(index) < legacyHeader {
		return fmt.Errorf("%s: %d bytes, cut off inside the header of %d", path, len(index), legacyHeader)
	}
	field := func(i int) uint64 { return binary.LittleEndian.Uint64(index[len(legacyMagic)+8*i:]) }
	if v := field(0); v != version {
		return fmt.Errorf("%s: version %d, want %d", path, v, version)
	}
	code, n := field(1), field(3)
	if d.dtype = DType(code); code > uint64(maxDType) || d.dtype.size() == 0 || field(2) != uint64(d.dtype.size()) {
		return fmt.Errorf("%s: number type %d of %d bytes, want 1 to %d of their sizes", path, code, field(2), maxDType)
	}
	entries := index[legacyHeader:]
	if left := uint64(len(entries)); n > left/24 || field(4) != n || left != 8*(3*n+2) {
		return fmt.Errorf("%s: claims %d sequences of %d sizes, which %d bytes of index do not hold", path, n, field(4), left)
	}
	d.n = int(n)
	first := entries[:8*(n+1)]
	d.starts, d.lengths = entries[8*(n+1):8*(2*n+2)], entries[8*(2*n+2):]
	for i := range d.n + 1 {
		if k := binary.LittleEndian.Uint64(first[8*i:]); k != uint64(i) {
			return fmt.Errorf("%s: the sizes of sequence %d begin at %d, want one size a sequence", path, i, k)
		}
	}
	return d.checkEntries()
}

// CreateCached is Create for the older format, whose numbers are int32.
func CreateCached(prefix string) (*Writer, error) {
	w, err := Create(prefix, Int32)
	if err == nil {
		w.legacy = true
	}
	return w, err
}

// legacyIndex returns the bytes of PREFIX.idx in the older format.
func (w *Writer) legacyIndex() []byte {
	order := binary.LittleEndian
	n := len(w.lengths)
	b := append(make([]byte, 0, legacyHeader+8*(3*n+2)), legacyMagic...)
	for _, v := range []int{version, int(w.dtype), w.dtype.size(), n, n} {
		b = order.AppendUint64(b, uint64(v))
	}
	for i := range n + 1 {
		b = order.AppendUint64(b, uint64(i))
	}
	start := uint64(0)
	b = order.AppendUint64(b, start)
	for _, size := range w.lengths {
		start += uint64(size)
		b = order.AppendUint64(b, start)
	}
	for _, size := range w.lengths {
		b = order.AppendUint64(b, uint64(size))
	}
	return b
}
