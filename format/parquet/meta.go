package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// The physical types.
const (
	boolean = iota
	int32s
	int64s
	int96s
	floats
	doubles
	byteArrays
	fixedArrays
)

// widths are the bytes of a value; 0 where each says its own.
var widths = [...]int{boolean: 1, int32s: 4, int64s: 8, int96s: 12, floats: 4, doubles: 8, byteArrays: 0, fixedArrays: 0}

// The repetition of an element of the schema.
const (
	required = iota
	optional
	repeated
)

// An element is a SchemaElement: a column, or a group of those that follow it.
type element struct {
	name       string
	kind       int // -1 of a group
	length     int // bytes of fixedArrays
	repetition int
	children   int
	meaning    meaning
}

// A rowGroup is rows whose columns lie one after the other.
type rowGroup struct {
	rows   int64
	chunks []chunk
}

// A chunk says where a column of a row group lies.
type chunk struct {
	kind, codec int
	values      int64
	begin, end  int64
	elsewhere   bool // in another file
}

// A footer is what a file says of itself.
type footer struct {
	schema    []element
	groups    []rowGroup
	encrypted bool
}

const magic = "PAR1"

// readFooter reads and checks the end of a file.
func readFooter(in io.ReaderAt, size int64) (*footer, error) {
	var head, tail [8]byte
	if size < 12 {
		return nil, fmt.Errorf("not a Parquet file: it has %d bytes", size)
	}
	if _, err := in.ReadAt(head[:4], 0); err != nil {
		return nil, err
	}
	if _, err := in.ReadAt(tail[:], size-8); err != nil {
		return nil, err
	}
	switch begin, end := string(head[:4]), string(tail[4:]); {
	case begin == "PARE" && end == "PARE":
		return nil, errEncrypted
	case begin != magic:
		return nil, fmt.Errorf("not a Parquet file: it begins with %q, want %q", begin, magic)
	case end != magic:
		return nil, fmt.Errorf("the Parquet file is cut off: it ends with %q, want %q", end, magic)
	}
	length := int64(binary.LittleEndian.Uint32(tail[:]))
	if length > size-12 {
		return nil, fmt.Errorf("the footer has %d bytes, and the file %d in all", length, size)
	}
	data := make([]byte, length)
	if _, err := in.ReadAt(data, size-8-length); err != nil {
		return nil, err
	}
	f, err := parseFooter(data)
	if err != nil {
		return nil, fmt.Errorf("the footer: %w", err)
	}
	return f, f.check(size - 8 - length)
}

var errEncrypted = errors.New("the Parquet file is encrypted, want one that is not")

// parseFooter reads a FileMetaData.
func parseFooter(data []byte) (*footer, error) {
	f, t := &footer{}, &thrift{data: data}
	t.fields(func(id int, _ byte) {
		switch id {
		case 2:
			t.list(func() { f.schema = append(f.schema, t.element()) })
		case 4:
			t.list(func() { f.groups = append(f.groups, t.rowGroup()) })
		case 8:
			f.encrypted = true
		}
	})
	return f, t.err
}

func (t *thrift) element() element {
	e := element{kind: -1}
	t.fields(func(id int, _ byte) {
		switch id {
		case 1:
			e.kind = int(t.int())
		case 2:
			e.length = int(t.int())
		case 3:
			e.repetition = int(t.int())
		case 4:
			e.name = t.string()
		case 5:
			e.children = int(t.int())
		case 6:
			e.meaning.convert(int(t.int()))
		case 7:
			e.meaning.scale = int(t.int())
		case 10:
			t.logicalType(&e.meaning)
		}
	})
	return e
}

func (t *thrift) rowGroup() (g rowGroup) {
	t.fields(func(id int, _ byte) {
		switch id {
		case 1:
			t.list(func() { g.chunks = append(g.chunks, t.chunk()) })
		case 3:
			g.rows = t.int()
		}
	})
	return g
}

func (t *thrift) chunk() (c chunk) {
	t.fields(func(id int, _ byte) {
		switch id {
		case 1:
			c.elsewhere = t.string() != ""
		case 3:
			t.metaData(&c)
		}
	})
	return c
}

// metaData reads a ColumnMetaData.
func (t *thrift) metaData(c *chunk) {
	var length, dictionary int64
	t.fields(func(id int, _ byte) {
		switch id {
		case 1:
			c.kind = int(t.int())
		case 4:
			c.codec = int(t.int())
		case 5:
			c.values = t.int()
		case 7:
			length = t.int()
		case 9:
			c.begin = t.int()
		case 11:
			dictionary = t.int()
		}
	})
	if dictionary > 0 && dictionary < c.begin {
		c.begin = dictionary
	}
	c.end = c.begin + length
}

// check reports what contradicts itself or the place that there is before the
// footer.
func (f *footer) check(size int64) error {
	if f.encrypted {
		return errEncrypted
	}
	if len(f.schema) == 0 {
		return errors.New("the footer has no schema")
	}
	leaves := 0
	for _, e := range f.schema {
		if e.kind >= 0 {
			leaves++
		}
	}
	for i, g := range f.groups {
		if g.rows < 0 || len(g.chunks) != leaves {
			return fmt.Errorf("row group %d has %d rows of %d columns, want %d columns", i+1, g.rows, len(g.chunks), leaves)
		}
		for k, c := range g.chunks {
			if c.elsewhere {
				return fmt.Errorf("row group %d: column %d lies in another file", i+1, k+1)
			}
			if c.begin < 0 || c.end < c.begin || c.end > size || c.values < 0 {
				return fmt.Errorf("row group %d: column %d lies at %d to %d with %d values, and the file has %d bytes before its footer", i+1, k+1, c.begin, c.end, c.values, size)
			}
		}
	}
	return nil
}
