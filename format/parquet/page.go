package parquet

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
)

// The kinds of pages.
const (
	dataPage       = 0
	dictionaryPage = 2
	dataPage2      = 3
)

// A header is a PageHeader.
type header struct {
	kind         int
	size, packed int64 // of the page, and as it lies
	crc          *uint32
	values       int64
	encoding     int
	defs, reps   int // encodings of the levels, of pages of the first version
	def, rep     int64
	plain        bool // not compressed
}

// parseHeader reads a header and returns how many bytes it takes.
func parseHeader(data []byte) (*header, int, error) {
	h, t := &header{kind: -1, defs: runs, reps: runs}, &thrift{data: data}
	t.fields(func(id int, _ byte) {
		switch id {
		case 1:
			h.kind = int(t.int())
		case 2:
			h.size = t.int()
		case 3:
			h.packed = t.int()
		case 4:
			crc := uint32(t.int())
			h.crc = &crc
		case 5, 7, 8:
			t.pageFields(h, id)
		}
	})
	return h, len(data) - len(t.data), t.err
}

// pageFields reads a DataPageHeader (5), DictionaryPageHeader (7) or DataPageHeaderV2
// (8) that suits the kind of the page.
func (t *thrift) pageFields(h *header, of int) {
	t.fields(func(id int, kind byte) {
		switch {
		case id == 1:
			h.values = t.int()
		case id == 2 && of != 8, id == 4 && of == 8:
			h.encoding = int(t.int())
		case id == 3 && of == 5:
			h.defs = int(t.int())
		case id == 4 && of == 5:
			h.reps = int(t.int())
		case id == 5 && of == 8:
			h.def = t.int()
		case id == 6 && of == 8:
			h.rep = t.int()
		case id == 7 && of == 8:
			h.plain = kind == thriftFalse
		}
	})
}

// Bounds of memory.
const (
	maxHeader = 1 << 24
	maxPage   = 1 << 28
	maxPages  = 1 << 29 // of all columns at once
)

// readHeader reads the header at the beginning of a chunk's rest.
func (f *File) readHeader(at, end int64) (h *header, size int, err error) {
	for n := int64(1 << 10); ; n *= 16 { // statistics may be long
		f.head = grow(f.head, int(min(n, end-at)))
		if _, err := f.in.ReadAt(f.head, at); err != nil {
			return nil, 0, err
		}
		h, size, err = parseHeader(f.head)
		if err != errShort || n >= min(maxHeader, end-at) {
			break
		}
	}
	if err != nil {
		return nil, 0, fmt.Errorf("the header of a page: %w", err)
	}
	return h, size, h.check(end - at - int64(size))
}

func (h *header) check(left int64) error {
	switch {
	case h.packed < 0 || h.packed > left:
		return fmt.Errorf("a page of %d bytes, and %d are left of the column", h.packed, left)
	case h.size < 0 || h.size > maxPage || h.packed > maxPage:
		return fmt.Errorf("a page of %d bytes, want %d at most", max(h.size, h.packed), maxPage)
	case h.values < 0 || h.def < 0 || h.rep < 0 || h.def > h.packed || h.rep > h.packed-h.def || h.def+h.rep > h.size:
		return errors.New("the header of a page contradicts itself")
	}
	return nil
}

// grow returns a buffer of n bytes.
func grow(b []byte, n int) []byte {
	if cap(b) < n {
		return make([]byte, n)
	}
	return b[:n]
}

// readPage reads a page at a place into a buffer, levels before values where they lie
// apart. The bytes of buffers of all columns are counted.
func (f *File) readPage(h *header, codec int, at int64, into []byte) ([]byte, error) {
	if f.pages += int(h.size) - cap(into); f.pages > maxPages {
		return into, fmt.Errorf("pages of more than %d MB at once, want a file of smaller ones", maxPages>>20)
	}
	into, err := f.fillPage(h, codec, at, into)
	f.pages += cap(into) - int(h.size)
	return into, err
}

func (f *File) fillPage(h *header, codec int, at int64, into []byte) ([]byte, error) {
	f.packed = grow(f.packed, int(h.packed))
	if _, err := f.in.ReadAt(f.packed, at); err != nil {
		return into, err
	}
	if h.crc != nil && crc32.ChecksumIEEE(f.packed) != *h.crc {
		return into, errors.New("the checksum of a page is wrong: the file is damaged")
	}
	apart := h.def + h.rep
	into = append(into[:0], f.packed[:apart]...)
	if codec == 0 || h.plain {
		into = append(into, f.packed[apart:]...)
	} else {
		var err error
		if into, err = unpack(into, codec, f.packed[apart:], int(h.size-apart)); err != nil {
			return into, fmt.Errorf("a page: %w", err)
		}
	}
	if len(into) != int(h.size) {
		return into, fmt.Errorf("a page of %d bytes, and it says %d", len(into), h.size)
	}
	return into, nil
}

// unpack appends what a codec packed, which is said to have a size.
func unpack(to []byte, codec int, data []byte, size int) ([]byte, error) {
	switch codec {
	case 1: // SNAPPY
		return unpackSnappy(to, data, size)
	case 2: // GZIP
		z, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			return to, err
		}
		b := bytes.NewBuffer(to)
		_, err = b.ReadFrom(io.LimitReader(z, int64(size)+1))
		return b.Bytes(), err
	case 6: // ZSTD
		z, err := zstdDecoder()
		if err != nil {
			return to, err
		}
		return z.DecodeAll(data, to)
	case 7: // LZ4_RAW
		block := binary.AppendUvarint(make([]byte, 0, 2*len(data)+64), uint64(size))
		block, n, err := new(s2.LZ4Converter).ConvertBlock(block, data)
		if err == nil && n != size {
			err = fmt.Errorf("%d bytes, and it says %d", n, size)
		}
		if err != nil {
			return to, err
		}
		return unpackSnappy(to, block, size)
	}
	names := map[int]string{3: "LZO", 4: "Brotli", 5: "LZ4 in Hadoop's frames"}
	if name := names[codec]; name != "" {
		return to, fmt.Errorf("packed by %s, which is not read: want snappy, gzip, zstd, lz4_raw or none", name)
	}
	return to, fmt.Errorf("packed by codec %d, which there is not", codec)
}

// unpackSnappy appends what Snappy packed, or S2, which knows all of Snappy.
func unpackSnappy(to, data []byte, size int) ([]byte, error) {
	n, err := s2.DecodedLen(data)
	if err == nil && n != size {
		err = fmt.Errorf("%d bytes, and it says %d", n, size)
	}
	if err != nil {
		return to, err
	}
	if cap(to)-len(to) < size {
		to = append(make([]byte, 0, len(to)+size), to...)
	}
	out, err := s2.Decode(to[len(to):len(to)+size], data)
	return to[:len(to)+len(out)], err
}

var zstdDecoder = sync.OnceValues(func() (*zstd.Decoder, error) {
	return zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxPage))
})
