package audio

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"

	"github.com/mega-go/mega/internal/textfile"
)

// The rates a recording may have, in samples a second.
const (
	minRate = 1_000
	maxRate = 768_000
)

// Clip is a recording with one channel.
type Clip struct {
	Rate    int       // samples a second
	Samples []float32 // in [-1, 1]
}

// ReadWAV reads a WAV file: PCM of 8, 16, 24 or 32 bits or floating point of
// 32 or 64, any number of channels, which are averaged.
func ReadWAV(path string) (*Clip, error) {
	b, err := textfile.ReadFile(path)
	if err != nil {
		return nil, openError(path, err)
	}
	return DecodeWAV(b, path)
}

// MeasureWAV returns how many samples, of each channel, a WAV file has, and how
// many a second.
func MeasureWAV(path string) (frames, rate int, err error) {
	b, err := textfile.ReadFile(path)
	if err != nil {
		return 0, 0, openError(path, err)
	}
	w, err := parseWAV(b)
	if err != nil {
		return 0, 0, fmt.Errorf("%s: %w", path, err)
	}
	return w.frames(), w.rate, nil
}

// DecodeWAV is ReadWAV on a file's bytes; name is the file's, for errors.
func DecodeWAV(b []byte, name string) (*Clip, error) {
	w, err := parseWAV(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	samples, err := w.decode()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return &Clip{Rate: w.rate, Samples: samples}, nil
}

// wav is a file taken apart but not decoded.
type wav struct {
	format   uint16
	channels int
	rate     int
	bits     int
	block    int // bytes from a sample of all channels to the next
	data     []byte
}

// The formats of a wav; an extensible one says which of the others it is.
const (
	formatPCM        = 1
	formatFloat      = 3
	formatExtensible = 0xfffe
)

// otherEncodings are names of other formats.
var otherEncodings = map[uint16]string{2: " (Microsoft's ADPCM)", 6: " (A-law)", 7: " (µ-law)", 17: " (IMA ADPCM)", 49: " (GSM)", 85: " (MP3)"}

// ErrNoSamples is of a recording that is empty.
var ErrNoSamples = errors.New("no samples")

// parseWAV finds the samples of a file.
func parseWAV(b []byte) (*wav, error) {
	rest := bytes.NewReader(b)
	in := bufio.NewReaderSize(rest, maxFormatChunk)
	w, size, err := readHeader(in)
	if err != nil {
		return nil, err
	}
	w.data = b[len(b)-rest.Len()-in.Buffered():]
	if size != unknownSize {
		if size > uint64(len(w.data)) {
			return nil, cutOff(size, uint64(len(w.data)))
		}
		w.data = w.data[:size]
	}
	if w.frames() == 0 {
		return nil, ErrNoSamples
	}
	return &w, nil
}

// cutOff is what is wrong with a file of fewer samples than it tells.
func cutOff(want, have uint64) error {
	return fmt.Errorf("cut off: chunk %q claims %d bytes, %d are left", "data", want, have)
}

func (w *wav) parseFormat(b []byte) error {
	if len(b) < 16 {
		return fmt.Errorf("a format chunk of %d bytes, want 16 or more", len(b))
	}
	order := binary.LittleEndian
	w.format = order.Uint16(b)
	w.channels = int(order.Uint16(b[2:]))
	w.rate = int(order.Uint32(b[4:]))
	w.bits = int(order.Uint16(b[14:]))
	w.block = int(order.Uint16(b[12:]))
	if w.format == formatExtensible && len(b) >= 26 {
		w.format = order.Uint16(b[24:])
	}
	return nil
}

// checkFormat reports a format that this reader cannot decode.
func (w *wav) checkFormat() error {
	switch {
	case w.channels == 0:
		return errors.New("no format chunk before the data, or one without channels")
	case CheckRate(w.rate) != nil:
		return CheckRate(w.rate)
	case w.format == formatPCM && (w.bits == 8 || w.bits == 16 || w.bits == 24 || w.bits == 32):
	case w.format == formatFloat && (w.bits == 32 || w.bits == 64):
	default:
		return fmt.Errorf("format %d%s of %d bits; want PCM (1) of 8, 16, 24 or 32 bits or floating point (3) of 32 or 64", w.format, otherEncodings[w.format], w.bits)
	}
	if w.block > w.frameSize() {
		return fmt.Errorf("%d bytes for samples of %d, want no space between samples", w.block, w.frameSize())
	}
	return nil
}

// frameSize returns the bytes of one sample of all channels.
func (w *wav) frameSize() int { return w.channels * w.bits / 8 }

// frames returns the number of samples of one channel.
func (w *wav) frames() int { return len(w.data) / w.frameSize() }

// decode returns the mean of the channels.
func (w *wav) decode() ([]float32, error) {
	x := w.numbers()
	if w.channels > 1 {
		x = mix(x, w.channels)
	}
	for i, v := range x {
		if v-v != 0 { // NaN or infinite
			return nil, fmt.Errorf("sample %d is %v", i, v)
		}
	}
	return x, nil
}

// mix returns the means of groups of so many numbers, in place.
func mix(x []float32, channels int) []float32 {
	out := x[:len(x)/channels]
	for i := range out {
		sum := float32(0)
		for _, v := range x[i*channels:][:channels] {
			sum += v
		}
		out[i] = sum / float32(channels)
	}
	return out
}

// numbers returns the samples of all channels in turn.
func (w *wav) numbers() []float32 {
	b := w.data
	x := make([]float32, w.frames()*w.channels)
	order := binary.LittleEndian
	switch {
	case w.format == formatFloat && w.bits == 32:
		for i := range x {
			x[i] = math.Float32frombits(order.Uint32(b[4*i:]))
		}
	case w.format == formatFloat:
		for i := range x {
			x[i] = float32(math.Float64frombits(order.Uint64(b[8*i:])))
		}
	case w.bits == 8: // without sign, unlike the others
		for i := range x {
			x[i] = (float32(b[i]) - 128) / (1 << 7)
		}
	case w.bits == 16:
		for i := range x {
			x[i] = float32(int16(order.Uint16(b[2*i:]))) / (1 << 15)
		}
	case w.bits == 24:
		for i := range x {
			c := b[3*i:][:3]
			x[i] = float32(int32(uint32(c[0])<<8|uint32(c[1])<<16|uint32(c[2])<<24)>>8) / (1 << 23)
		}
	default:
		for i := range x {
			x[i] = float32(float64(int32(order.Uint32(b[4*i:]))) / (1 << 31))
		}
	}
	return x
}

// WriteWAV writes a clip as 16-bit PCM; samples beyond [-1, 1] are clipped.
func WriteWAV(w io.Writer, c *Clip) error {
	size := uint32(2 * len(c.Samples))
	var b bytes.Buffer
	b.Grow(44 + int(size))
	b.WriteString("RIFF")
	put := func(v any) { binary.Write(&b, binary.LittleEndian, v) } // to memory: cannot fail
	put(36 + size)
	b.WriteString("WAVEfmt ")
	put(uint32(16))
	put([]uint16{formatPCM, 1})
	put([]uint32{uint32(c.Rate), uint32(2 * c.Rate)})
	put([]uint16{2, 16})
	b.WriteString("data")
	put(size)
	for _, v := range c.Samples {
		n := math.RoundToEven(float64(v) * (1 << 15))
		put(int16(min(max(n, math.MinInt16), math.MaxInt16)))
	}
	_, err := b.WriteTo(w)
	return err
}

// openError words a failure to open a file.
func openError(path string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: no such sound file", path)
	}
	var e *fs.PathError
	if errors.As(err, &e) {
		err = e.Err
	}
	return fmt.Errorf("%s: cannot open sound file: %w", path, err)
}
