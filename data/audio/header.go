package audio

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// unknownSize stands for samples that go on to the end.
const unknownSize = 1<<64 - 1

// streamSizes is the least of the sizes that programs write into a pipe, where they
// do not know how many samples there will be: a little less than 2^31, or 2^32-1.
// Others write 0.
const streamSizes = 0x7ffff000

// maxFormatChunk bounds the format chunk, which has 16 to 40 bytes.
const maxFormatChunk = 1 << 10

var errNotWAV = errors.New("not a WAV file")

// otherFormats are what recordings may be instead, by what they begin with, or
// MPEG-4 after a size.
var otherFormats = map[string]string{
	"riff\x2e\x91\xcf\x11": "Sony Wave64", "RIFX": "a big-endian RIFX file", "NIST_1A": "a NIST SPHERE file",
	"fLaC": "FLAC", "ID3": "MP3", "OggS": "Ogg", "FORM": "AIFF", ".snd": "AU", "caff": "Apple's CAF",
	"ftyp": "MPEG-4", "\x1aE\xdf\xa3": "Matroska or WebM", "#!AMR": "AMR",
}

// A headerReader reads the chunks of a WAV file that come before its samples.
type headerReader struct {
	in     *bufio.Reader
	at     uint64 // bytes read
	end    uint64 // of the file, by its header
	ds64   uint64 // bytes of samples by an RF64 file's header, or unknownSize
	format wav
}

// readHeader reads up to the samples and returns their format and how many bytes
// there are of them, unknownSize for all that come.
func readHeader(in *bufio.Reader) (format wav, size uint64, err error) {
	if _, err := in.Peek(1); err == io.EOF {
		return wav{}, 0, errors.New("the file is empty")
	}
	head, err := in.Peek(12)
	if err != nil || string(head[8:]) != "WAVE" || string(head[:4]) != "RIFF" && string(head[:4]) != "RF64" && string(head[:4]) != "BW64" {
		for start, name := range otherFormats {
			if bytes.HasPrefix(head, []byte(start)) || bytes.HasPrefix(head[min(4, len(head)):], []byte(start)) {
				return wav{}, 0, fmt.Errorf("%w but %s: convert it, with ffmpeg or sox", errNotWAV, name)
			}
		}
		return wav{}, 0, errNotWAV
	}
	h := &headerReader{in: in, end: 8 + uint64(binary.LittleEndian.Uint32(head[4:])), ds64: unknownSize}
	h.skip(12)
	for {
		id, size, err := h.chunk()
		if err != nil {
			return wav{}, 0, errors.New("no data chunk")
		}
		if id == "data" {
			return h.format, h.samples(size), h.format.checkFormat()
		}
		if err := h.read(id, size); err != nil {
			return wav{}, 0, err
		}
	}
}

// skip reads n bytes.
func (h *headerReader) skip(n uint64) error {
	m, err := io.CopyN(io.Discard, h.in, int64(n))
	h.at += uint64(m)
	return err
}

// chunk reads the head of a chunk.
func (h *headerReader) chunk() (id string, size uint64, err error) {
	head, err := h.in.Peek(8)
	if err != nil {
		return "", 0, err
	}
	id, size = string(head[:4]), uint64(binary.LittleEndian.Uint32(head[4:]))
	return id, size, h.skip(8)
}

// read reads a chunk before the samples; chunks begin at even bytes.
func (h *headerReader) read(id string, size uint64) error {
	if id == "fmt " && size > maxFormatChunk {
		return fmt.Errorf("a format chunk of %d bytes, want 16 to 40", size)
	}
	b, _ := h.in.Peek(int(min(size, maxFormatChunk))) // skip finds what is missing
	b = append([]byte(nil), b...)
	if h.skip(size) != nil {
		return fmt.Errorf("cut off: chunk %q claims %d bytes, %d are left", id, size, len(b))
	}
	h.skip(size % 2)
	switch {
	case id == "fmt ":
		return h.format.parseFormat(b)
	case id == "ds64" && len(b) >= 16:
		h.ds64 = binary.LittleEndian.Uint64(b[8:])
	}
	return nil
}

// samples returns how many bytes of samples there are, by the size of their chunk.
func (h *headerReader) samples(size uint64) uint64 {
	if size >= streamSizes {
		return h.ds64
	}
	if size > 0 {
		return size
	}
	// Either there are none and another chunk follows, up to the end that the file
	// declares, or the size was not known.
	next, err := h.in.Peek(8)
	if err != nil {
		return unknownSize
	}
	for _, c := range next[:4] {
		if c < ' ' || c > '~' {
			return unknownSize
		}
	}
	if after := h.at + 8 + uint64(binary.LittleEndian.Uint32(next[4:])); h.end >= streamSizes || after > h.end {
		return unknownSize
	}
	return 0
}
