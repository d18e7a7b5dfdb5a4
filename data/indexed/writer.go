package indexed

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/mega-go/mega/internal/atomicfile"
)

// Writer writes a pair of files sequence by sequence, in fairseq's very bytes.
type Writer struct {
	prefix  string
	dtype   DType
	legacy  bool
	data    *atomicfile.File
	lengths []int32
	buf     []byte
}

// Create starts to write PREFIX.bin and PREFIX.idx. Neither is there before
// Close; Abort leaves none.
func Create(prefix string, dtype DType) (*Writer, error) {
	if dtype.size() == 0 {
		return nil, fmt.Errorf("%s: unknown number type %d, want 1 to %d", prefix, dtype, maxDType)
	}
	data, err := atomicfile.Create(prefix + ".bin")
	if err != nil {
		return nil, err
	}
	return &Writer{prefix: prefix, dtype: dtype, data: data}, nil
}

// Add writes one sequence. It fails on a token that the type cannot hold.
func (w *Writer) Add(ids []int32) error {
	if len(ids) > math.MaxInt32 {
		return fmt.Errorf("%s: sequence %d has %d tokens, more than the format holds", w.prefix, len(w.lengths), len(ids))
	}
	if w.legacy {
		ids = slices.Clone(ids)
		for i := range ids {
			ids[i]++
		}
	}
	var err error
	if w.buf, err = w.dtype.encode(w.buf[:0], ids); err != nil {
		return fmt.Errorf("%s: sequence %d: %w", w.prefix, len(w.lengths), err)
	}
	if _, err := w.data.Write(w.buf); err != nil {
		return fmt.Errorf("%s.bin: cannot write: %w", w.prefix, err)
	}
	w.lengths = append(w.lengths, int32(len(ids)))
	return nil
}

// Close writes the index and puts both files in place.
func (w *Writer) Close() error {
	defer w.Abort()
	index, err := atomicfile.Create(w.prefix + ".idx")
	if err != nil {
		return err
	}
	defer index.Abort()
	if _, err := index.Write(w.index()); err != nil {
		return fmt.Errorf("%s.idx: cannot write: %w", w.prefix, err)
	}
	if err := w.data.Commit(); err != nil {
		return err
	}
	return index.Commit()
}

// Abort removes what was written. After Close it does nothing.
func (w *Writer) Abort() { w.data.Abort() }

// index returns the bytes of PREFIX.idx.
func (w *Writer) index() []byte {
	if w.legacy {
		return w.legacyIndex()
	}
	order := binary.LittleEndian
	b := append(make([]byte, 0, headerSize+entrySize*len(w.lengths)), magic...)
	b = order.AppendUint64(b, version)
	b = append(b, byte(w.dtype))
	b = order.AppendUint64(b, uint64(len(w.lengths)))
	for _, n := range w.lengths {
		b = order.AppendUint32(b, uint32(n))
	}
	start := uint64(0)
	for _, n := range w.lengths {
		b = order.AppendUint64(b, start)
		start += uint64(n) * uint64(w.dtype.size())
	}
	return b
}
