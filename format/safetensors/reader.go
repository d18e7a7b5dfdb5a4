package safetensors

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/mega-go/mega/format/dtype"
	"github.com/mega-go/mega/format/filemap"
)

// Info describes a tensor of a file.
type Info struct {
	DType dtype.DType
	Shape []int // empty for a scalar

	// Start and End delimit the tensor's bytes, counted from the first byte
	// after the header.
	Start, End int64
}

// Elements returns the number of elements, 1 for a scalar.
func (t Info) Elements() int { return int(t.End-t.Start) / t.DType.Size() }

// A Reader is an open file. It is safe for concurrent use.
type Reader struct {
	file *filemap.File
	head *header
	data int64 // where the tensors' bytes begin
}

// Open opens the file at path by mapping it into memory: the header is read and
// checked, tensors are read when asked for. Close the Reader after use.
func Open(path string) (*Reader, error) {
	file, err := filemap.Open(path)
	if err != nil {
		return nil, err
	}
	return OpenFile(file)
}

// OpenFile is Open for a file that is open already; it is closed by Close, or
// now if there is an error.
func OpenFile(file *filemap.File) (*Reader, error) {
	r, err := open(file)
	if err != nil {
		file.Close()
	}
	return r, err
}

// Parse opens a file that is in memory; data must not change while the Reader
// is used.
func Parse(data []byte) (*Reader, error) {
	return open(filemap.FromBytes("safetensors data", data))
}

// Read is Parse of all that r holds. What does not begin as a safetensors file is
// not read on, so that a device without an end gives an error.
func Read(r io.Reader) (*Reader, error) {
	in := bufio.NewReader(r)
	data, _ := in.Peek(prefixSize + 1) // an error shows again below, or there is too little
	if len(data) > prefixSize && data[prefixSize] == '{' && binary.LittleEndian.Uint64(data) <= maxHeaderSize {
		var err error
		if data, err = io.ReadAll(in); err != nil {
			return nil, err
		}
	}
	return Parse(data)
}

func open(file *filemap.File) (*Reader, error) {
	r := &Reader{file: file}
	length, err := headerLength(file)
	if err == nil {
		r.data = prefixSize + length
		err = file.View(prefixSize, length, func(text []byte) error {
			r.head, err = parseHeader(text, file.Size()-r.data)
			return err
		})
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file.Name(), err)
	}
	return r, nil
}

// headerLength reads and checks the first eight bytes.
func headerLength(file *filemap.File) (int64, error) {
	var length uint64
	if file.Size() < prefixSize {
		return 0, fmt.Errorf("%d bytes are too few for a safetensors file", file.Size())
	}
	err := file.View(0, prefixSize, func(b []byte) error {
		length = binary.LittleEndian.Uint64(b)
		return nil
	})
	switch {
	case err != nil:
		return 0, err
	case length > maxHeaderSize:
		return 0, fmt.Errorf("the header claims %d bytes, more than the format's limit of %d: not a safetensors file?", length, maxHeaderSize)
	case int64(length) > file.Size()-prefixSize:
		return 0, fmt.Errorf("the header claims %d bytes, but %d follow: is the file truncated?", length, file.Size()-prefixSize)
	}
	return int64(length), nil
}

// Close releases the file. Slices that Raw returned are invalid afterwards.
func (r *Reader) Close() error { return r.file.Close() }

// Names lists the tensors in the order of their bytes in the file.
func (r *Reader) Names() []string { return slices.Clone(r.head.names) }

// Metadata returns the strings of __metadata__, empty if there are none.
func (r *Reader) Metadata() map[string]string { return maps.Clone(r.head.metadata) }

// Info describes a tensor, and returns false if there is none of that name.
func (r *Reader) Info(name string) (Info, bool) {
	info, ok := r.head.infos[name]
	info.Shape = slices.Clone(info.Shape)
	return info, ok
}

// Shape returns a tensor's dimensions, and false if there is none of that name.
func (r *Reader) Shape(name string) ([]int, bool) {
	info, ok := r.Info(name)
	return info.Shape, ok
}

// DType returns the type of a tensor's elements, and false if there is no such
// tensor.
func (r *Reader) DType(name string) (dtype.DType, bool) {
	info, ok := r.head.infos[name]
	return info.DType, ok
}

// Raw returns a tensor's bytes: little-endian numbers in row-major order. They
// are the mapped file, to be read only and before Close.
func (r *Reader) Raw(name string) ([]byte, error) {
	info, err := r.find(name)
	if err != nil {
		return nil, err
	}
	b, err := r.file.Bytes(r.data+info.Start, info.End-info.Start)
	return b, r.wrap(name, err)
}

// Float32 returns a tensor's numbers, converted from F32, F16, BF16 or F64, in
// row-major order.
func (r *Reader) Float32(name string) ([]float32, error) {
	info, err := r.find(name)
	if err != nil {
		return nil, err
	}
	dst := make([]float32, info.Elements())
	return dst, r.Float32Into(name, dst)
}

// Float32Into is Float32 into dst, whose length must be the tensor's number of
// elements. It does not allocate.
func (r *Reader) Float32Into(name string, dst []float32) error {
	return convert(r, name, dst, dtype.Float32s)
}

// Int64 returns a tensor's numbers, converted from any integer type or BOOL, in
// row-major order.
func (r *Reader) Int64(name string) ([]int64, error) {
	info, err := r.find(name)
	if err != nil {
		return nil, err
	}
	dst := make([]int64, info.Elements())
	return dst, r.Int64Into(name, dst)
}

// Int64Into is Int64 into dst, whose length must be the tensor's number of
// elements.
func (r *Reader) Int64Into(name string, dst []int64) error {
	return convert(r, name, dst, dtype.Int64s)
}

// Int64Scalar returns the value of an integer tensor of one element, whatever
// its dimensions.
func (r *Reader) Int64Scalar(name string) (int64, error) {
	var one [1]int64
	err := r.Int64Into(name, one[:])
	return one[0], err
}

// convert reads a tensor into dst.
func convert[T any](r *Reader, name string, dst []T, to func([]T, dtype.DType, []byte) error) error {
	info, err := r.find(name)
	if err != nil {
		return err
	}
	if info.Elements() != len(dst) {
		return r.wrap(name, fmt.Errorf("shape %s is %d elements, want %d", clip(fmt.Sprint(info.Shape)), info.Elements(), len(dst)))
	}
	err = r.file.View(r.data+info.Start, info.End-info.Start, func(b []byte) error {
		return to(dst, info.DType, b)
	})
	return r.wrap(name, err)
}

func (r *Reader) find(name string) (Info, error) {
	info, ok := r.head.infos[name]
	if !ok {
		return info, fmt.Errorf("%s: no tensor %s", r.file.Name(), quote(name))
	}
	return info, nil
}

func (r *Reader) wrap(name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: tensor %s: %w", r.file.Name(), quote(name), err)
}
