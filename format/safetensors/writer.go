package safetensors

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"

	"github.com/mega-go/mega/format/dtype"
	"github.com/mega-go/mega/internal/atomicfile"
)

// headerAlignment is what the length of the header is padded to, as the
// reference implementation does, so that tensors lie aligned in the file.
const headerAlignment = 8

// A Tensor is what to write under a name.
type Tensor struct {
	Name  string
	DType dtype.DType
	Shape []int
	Data  []byte // little-endian numbers in row-major order

	// Fill, if not nil, is called before Data is written, to put the numbers there.
	// Tensors that have it may share memory. It is not called if an earlier tensor
	// could not be written.
	Fill func() error
}

// Of returns a tensor of values, which it does not copy. For F16 and BF16, fill
// a Tensor with the bytes of dtype.FromFloat32s.
func Of[T dtype.Number](name string, shape []int, values []T) Tensor {
	return Tensor{Name: name, DType: dtype.Of[T](), Shape: shape, Data: dtype.Bytes(values)}
}

// Write writes a file whole or not at all, replacing the one at path. Metadata
// may be nil. The same tensors and metadata give the same bytes.
func Write(path string, tensors []Tensor, metadata map[string]string) error {
	return atomicfile.Write(path, func(w io.Writer) error { return Encode(w, tensors, metadata) })
}

// Encode writes the format to w. Tensors come in the order given, except that
// those of larger element types go first, which keeps every one aligned.
func Encode(w io.Writer, tensors []Tensor, metadata map[string]string) error {
	tensors = slices.Clone(tensors)
	slices.SortStableFunc(tensors, func(a, b Tensor) int { return cmp.Compare(b.DType.Size(), a.DType.Size()) })
	head, err := encodeHeader(tensors, metadata)
	if err != nil {
		return err
	}
	if _, err := w.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(head)))); err != nil {
		return err
	}
	if _, err := w.Write(head); err != nil {
		return err
	}
	for _, t := range tensors {
		if t.Fill != nil {
			if err := t.Fill(); err != nil {
				return err
			}
		}
		if _, err := w.Write(t.Data); err != nil {
			return err
		}
	}
	return nil
}

// encodeHeader returns the padded JSON header.
func encodeHeader(tensors []Tensor, metadata map[string]string) ([]byte, error) {
	type entry struct {
		DType       string   `json:"dtype"`
		Shape       []int    `json:"shape"`
		DataOffsets [2]int64 `json:"data_offsets"`
	}
	o := objectWriter{seen: make(map[string]bool)}
	if len(metadata) > 0 {
		for key, value := range metadata {
			if !utf8.ValidString(key) || !utf8.ValidString(value) {
				return nil, fmt.Errorf("metadata %s is not UTF-8", quote(key))
			}
		}
		o.member(metadataKey, metadata)
	}
	var at int64
	for _, t := range tensors {
		info := Info{DType: t.DType, Shape: t.Shape, Start: at, End: at + int64(len(t.Data))}
		if err := checkTensor(t, info, o.seen); err != nil {
			return nil, fmt.Errorf("tensor %s: %w", quote(t.Name), err)
		}
		o.member(t.Name, entry{t.DType.String(), append([]int{}, t.Shape...), [2]int64{info.Start, info.End}})
		at = info.End
	}
	head := o.finish()
	if len(head) > maxHeaderSize {
		return nil, fmt.Errorf("the header is %d bytes, more than the format's limit of %d", len(head), maxHeaderSize)
	}
	return head, nil
}

// checkTensor refuses what the reader would.
func checkTensor(t Tensor, info Info, seen map[string]bool) error {
	switch {
	case t.Name == metadataKey:
		return fmt.Errorf("the format keeps this name for metadata")
	case seen[t.Name]:
		return fmt.Errorf("the name comes twice")
	case !utf8.ValidString(t.Name):
		return fmt.Errorf("the name is not UTF-8")
	case t.DType.Size() == 0:
		return fmt.Errorf("no dtype is given")
	}
	for _, d := range t.Shape {
		if d < 0 {
			return fmt.Errorf("shape %v has a negative dimension", t.Shape)
		}
	}
	return info.check()
}

// An objectWriter writes a JSON object whose members keep their order.
type objectWriter struct {
	buf  bytes.Buffer
	seen map[string]bool
}

func (o *objectWriter) member(key string, value any) {
	separator := byte(',')
	if len(o.seen) == 0 {
		separator = '{'
	}
	o.seen[key] = true
	o.buf.WriteByte(separator)
	o.value(key)
	o.buf.WriteByte(':')
	o.value(value)
}

// value writes strings, numbers, their arrays and maps, which cannot fail.
func (o *objectWriter) value(v any) {
	enc := json.NewEncoder(&o.buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err)
	}
	o.buf.Truncate(o.buf.Len() - 1) // Encode's newline
}

// finish closes the object and pads it with spaces.
func (o *objectWriter) finish() []byte {
	if len(o.seen) == 0 {
		o.buf.WriteByte('{')
	}
	o.buf.WriteByte('}')
	for o.buf.Len()%headerAlignment != 0 {
		o.buf.WriteByte(' ')
	}
	return o.buf.Bytes()
}
