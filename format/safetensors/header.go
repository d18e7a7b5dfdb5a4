package safetensors

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/mega-go/mega/format/dtype"
)

const (
	prefixSize    = 8           // bytes that hold the header's length
	maxHeaderSize = 100_000_000 // the format's limit
	metadataKey   = "__metadata__"
)

// What a header may hold of a kind: far more than models have, and few enough
// for reading 100 MB to take no more than seconds and some times its memory.
const (
	maxTensors    = 1 << 17
	maxMetadata   = 1 << 16
	maxDimensions = 64 // torch's own limit
)

// A header is what a file's header says.
type header struct {
	names    []string // in the order of their bytes
	infos    map[string]Info
	metadata map[string]string
}

// parseHeader reads the JSON text of a header that size bytes of tensors follow.
func parseHeader(text []byte, size int64) (*header, error) {
	if len(text) == 0 || text[0] != '{' {
		return nil, fmt.Errorf("the header begins with %q, want '{': not a safetensors file", text[:min(1, len(text))])
	}
	if !utf8.Valid(text) {
		return nil, errors.New("the header is not UTF-8")
	}
	h := &header{infos: make(map[string]Info), metadata: make(map[string]string)}
	p := parser{dec: json.NewDecoder(bytes.NewReader(text))}
	p.dec.UseNumber()
	if err := p.object(maxTensors, func(key string) error { return h.entry(&p, key) }); err != nil {
		return nil, fmt.Errorf("the header at byte %d: %w", prefixSize+p.dec.InputOffset(), err)
	}
	if rest := bytes.TrimLeft(text[p.dec.InputOffset():], " "); len(rest) > 0 {
		return nil, fmt.Errorf("the header has %q after its object, want nothing but spaces", rest[:1])
	}
	return h, h.checkRanges(size)
}

// entry reads the value of one key of the header.
func (h *header) entry(p *parser, key string) error {
	if key == metadataKey {
		return p.object(maxMetadata, func(key string) (err error) {
			h.metadata[key], err = p.str()
			return err
		})
	}
	info, err := p.info()
	if err == nil {
		err = info.check()
	}
	if err != nil {
		return fmt.Errorf("tensor %s: %w", quote(key), err)
	}
	h.names = append(h.names, key)
	h.infos[key] = info
	return nil
}

// check holds the byte range against the shape.
func (t Info) check() error {
	want := int64(t.DType.Size())
	for _, d := range t.Shape {
		if d > 0 && want > math.MaxInt64/int64(d) {
			return fmt.Errorf("shape %s is more elements than can be addressed", clip(fmt.Sprint(t.Shape)))
		}
		want *= int64(d)
	}
	if t.Start > t.End {
		return fmt.Errorf("data_offsets [%d, %d] end before they begin", t.Start, t.End)
	}
	if t.End-t.Start != want {
		return fmt.Errorf("data_offsets [%d, %d] hold %d bytes, want %d for %v of shape %s",
			t.Start, t.End, t.End-t.Start, want, t.DType, clip(fmt.Sprint(t.Shape)))
	}
	return nil
}

// checkRanges sorts the names by position and checks that their ranges follow
// one another without holes or overlap over all size bytes.
func (h *header) checkRanges(size int64) error {
	slices.SortStableFunc(h.names, func(a, b string) int {
		x, y := h.infos[a], h.infos[b]
		return cmp.Or(cmp.Compare(x.Start, y.Start), cmp.Compare(x.End, y.End))
	})
	var at int64
	for _, name := range h.names {
		info := h.infos[name]
		if info.Start != at {
			problem := "leave a hole: want a begin of"
			if info.Start < at {
				problem = "overlap the tensor before: want a begin of"
			}
			return fmt.Errorf("tensor %s: data_offsets [%d, %d] %s %d", quote(name), info.Start, info.End, problem, at)
		}
		if info.End > size {
			return fmt.Errorf("tensor %s: data_offsets [%d, %d] end after the file's %d bytes of data: is it truncated?",
				quote(name), info.Start, info.End, size)
		}
		at = info.End
	}
	if at != size {
		return fmt.Errorf("the file holds %d bytes of data, want %d as the tensors end there", size, at)
	}
	return nil
}

// A parser reads the header's JSON token by token, so that repeated keys show
// and nothing is built that the format does not have.
type parser struct {
	dec *json.Decoder
}

// object reads an object of at most the given number of keys and calls value at each
// to read its value. A key that comes twice is an error.
func (p *parser) object(most int, value func(key string) error) error {
	if err := p.delim('{'); err != nil {
		return err
	}
	seen := make(map[string]bool)
	for p.dec.More() {
		key, err := p.str()
		if err != nil {
			return err
		}
		if seen[key] {
			return fmt.Errorf("the name %s comes twice", quote(key))
		}
		if len(seen) == most {
			return fmt.Errorf("an object of more than %d names", most)
		}
		seen[key] = true
		if err := value(key); err != nil {
			return err
		}
	}
	return p.delim('}')
}

// info reads a tensor's description. Every part of it must be there.
func (p *parser) info() (Info, error) {
	var t Info
	parts := 0
	err := p.object(3, func(key string) error {
		parts++
		switch key {
		case "dtype":
			return p.dtype(&t)
		case "shape":
			dims, err := p.numbers(maxDimensions, math.MaxInt)
			for _, d := range dims {
				t.Shape = append(t.Shape, int(d))
			}
			return err
		case "data_offsets":
			ends, err := p.numbers(2, math.MaxInt64)
			if err == nil && len(ends) != 2 {
				err = fmt.Errorf("data_offsets have %d numbers, want 2", len(ends))
			}
			if err == nil {
				t.Start, t.End = ends[0], ends[1]
			}
			return err
		}
		return fmt.Errorf("unknown field %s, want dtype, shape and data_offsets", quote(key))
	})
	if err == nil && parts != 3 {
		err = errors.New("a field is missing, want dtype, shape and data_offsets")
	}
	return t, err
}

func (p *parser) dtype(t *Info) error {
	name, err := p.str()
	if err != nil {
		return err
	}
	d, ok := dtype.Parse(name)
	if !ok {
		return fmt.Errorf("unknown dtype %s", quote(name))
	}
	t.DType = d
	return nil
}

// numbers reads an array of at most count integers from 0 to most.
func (p *parser) numbers(count int, most uint64) ([]int64, error) {
	if err := p.delim('['); err != nil {
		return nil, err
	}
	var out []int64
	for p.dec.More() {
		if len(out) == count {
			return nil, fmt.Errorf("more than %d numbers in a list", count)
		}
		token, err := p.dec.Token()
		if err != nil {
			return nil, err
		}
		text, _ := token.(json.Number)
		n, err := strconv.ParseUint(string(text), 10, 64)
		if err != nil || n > most {
			return nil, fmt.Errorf("%s is not a whole number from 0 to %d", quote(fmt.Sprint(token)), most)
		}
		out = append(out, int64(n))
	}
	return out, p.delim(']')
}

func (p *parser) delim(want json.Delim) error {
	token, err := p.dec.Token()
	if err == nil && token != want {
		err = fmt.Errorf("found %s, want %q", quote(fmt.Sprint(token)), want.String())
	}
	return err
}

func (p *parser) str() (string, error) {
	token, err := p.dec.Token()
	if err != nil {
		return "", err
	}
	s, ok := token.(string)
	if !ok {
		return "", fmt.Errorf("found %s, want a string", quote(fmt.Sprint(token)))
	}
	return s, nil
}

// quote quotes what came from a file for an error, shortened.
func quote(s string) string { return strconv.Quote(clip(s)) }

// clip shortens what came from a file for an error.
func clip(s string) string {
	const most = 100
	if len(s) > most {
		s = s[:most] + "…"
	}
	return s
}
