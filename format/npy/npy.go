// Package npy reads arrays of numpy: .npy files and the .npz archives of them.
// It knows numbers and shapes, and never what they mean.
package npy

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/mega-go/mega/format/dtype"
)

// A Header is what an array says of itself before its numbers.
type Header struct {
	Kind    byte // b, i, u, f of numpy's codes, or U and S for texts
	Size    int  // bytes of an element
	Shape   []int
	order   binary.ByteOrder
	columns bool // Fortran's order: the first index runs fastest
}

// maxHeader bounds the header, which is a line of text.
const maxHeader = 1 << 16

var fields = regexp.MustCompile(`'descr': *'([<>|=])([biufUS])(\d+)' *, *'fortran_order': *(True|False) *, *'shape': *\(([\d, ]*)\)`)

// ReadHeader reads the header of an array
// (numpy/lib/format.py, versions 1 to 3 of the format).
func ReadHeader(r io.Reader) (*Header, error) {
	var head [12]byte
	if _, err := io.ReadFull(r, head[:10]); err != nil || string(head[:6]) != "\x93NUMPY" {
		return nil, errors.New("not an array of numpy")
	}
	size := int(binary.LittleEndian.Uint16(head[8:]))
	if head[6] > 1 {
		if _, err := io.ReadFull(r, head[10:]); err != nil {
			return nil, errors.New("the header is cut off")
		}
		size = int(binary.LittleEndian.Uint32(head[8:]))
	}
	if size > maxHeader {
		return nil, fmt.Errorf("a header of %d bytes, want %d at most", size, maxHeader)
	}
	text := make([]byte, size)
	if _, err := io.ReadFull(r, text); err != nil {
		return nil, errors.New("the header is cut off")
	}
	return parseHeader(string(text))
}

func parseHeader(text string) (*Header, error) {
	m := fields.FindStringSubmatch(text)
	if m == nil {
		return nil, fmt.Errorf("the array is %.80q, want one of numbers or of texts, not of objects or records", strings.TrimSpace(text))
	}
	h := &Header{Kind: m[2][0], order: binary.LittleEndian, columns: m[4] == "True"}
	if m[1] == ">" {
		h.order = binary.BigEndian
	}
	var err error
	if h.Size, err = strconv.Atoi(m[3]); err != nil {
		return nil, err
	}
	if h.Kind == 'U' {
		h.Size *= 4
	}
	total := 1
	for dim := range strings.SplitSeq(m[5], ",") {
		if dim = strings.TrimSpace(dim); dim == "" {
			continue
		}
		n, err := strconv.Atoi(dim)
		if err != nil || n > 0 && total > math.MaxInt32*1024/n {
			return nil, fmt.Errorf("an array of the shape (%s) is too large", m[5])
		}
		total *= n
		h.Shape = append(h.Shape, n)
	}
	if h.columns && len(h.Shape) > 1 {
		return nil, errors.New("the array is in Fortran's order: want numpy.ascontiguousarray of it")
	}
	return h, nil
}

// An Array reads the elements of an array one after the other.
type Array struct {
	*Header
	in      *bufio.Reader
	element []byte
	value   func(b []byte, order binary.ByteOrder) float64
}

// values decode elements by kind and size.
var values = map[string]func(b []byte, order binary.ByteOrder) float64{
	"b1": func(b []byte, _ binary.ByteOrder) float64 { return float64(b[0]) },
	"u1": func(b []byte, _ binary.ByteOrder) float64 { return float64(b[0]) },
	"i1": func(b []byte, _ binary.ByteOrder) float64 { return float64(int8(b[0])) },
	"u2": func(b []byte, o binary.ByteOrder) float64 { return float64(o.Uint16(b)) },
	"i2": func(b []byte, o binary.ByteOrder) float64 { return float64(int16(o.Uint16(b))) },
	"u4": func(b []byte, o binary.ByteOrder) float64 { return float64(o.Uint32(b)) },
	"i4": func(b []byte, o binary.ByteOrder) float64 { return float64(int32(o.Uint32(b))) },
	"u8": func(b []byte, o binary.ByteOrder) float64 { return float64(o.Uint64(b)) },
	"i8": func(b []byte, o binary.ByteOrder) float64 { return float64(int64(o.Uint64(b))) },
	"f2": func(b []byte, o binary.ByteOrder) float64 { return float64(dtype.FromHalf(o.Uint16(b))) },
	"f4": func(b []byte, o binary.ByteOrder) float64 { return float64(math.Float32frombits(o.Uint32(b))) },
	"f8": func(b []byte, o binary.ByteOrder) float64 { return math.Float64frombits(o.Uint64(b)) },
}

// maxText bounds a text of an array, in bytes.
const maxText = 1 << 20

// NewArray reads the header of an array. Its elements follow.
func NewArray(r io.Reader) (*Array, error) {
	in := bufio.NewReaderSize(r, 1<<16)
	h, err := ReadHeader(in)
	if err != nil {
		return nil, err
	}
	a := &Array{Header: h, in: in, value: values[fmt.Sprintf("%c%d", h.Kind, h.Size)]}
	if a.value == nil && (h.Kind != 'U' && h.Kind != 'S' || h.Size > maxText) {
		return nil, fmt.Errorf("elements of the type %c%d, want whole numbers, numbers of 2, 4 or 8 bytes, or texts of %d at most", h.Kind, h.Size, maxText)
	}
	a.element = make([]byte, h.Size)
	return a, nil
}

func (a *Array) read() error {
	_, err := io.ReadFull(a.in, a.element)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return errors.New("the array is cut off")
	}
	return err
}

// Next returns the next number.
func (a *Array) Next() (float64, error) {
	if a.value == nil {
		return 0, errors.New("the array holds texts, want numbers")
	}
	if err := a.read(); err != nil {
		return 0, err
	}
	return a.value(a.element, a.order), nil
}

// NextText returns the next element as text: a whole number without a point.
func (a *Array) NextText() (string, error) {
	if a.value != nil {
		x, err := a.Next()
		return strconv.FormatFloat(x, 'f', -1, 64), err
	}
	if err := a.read(); err != nil {
		return "", err
	}
	if a.Kind == 'S' {
		return string(bytes.TrimRight(a.element, "\x00")), nil
	}
	var text strings.Builder
	for at := 0; at < len(a.element); at += 4 {
		if c := rune(a.order.Uint32(a.element[at:])); c != 0 {
			text.WriteRune(c)
		}
	}
	return text.String(), nil
}
