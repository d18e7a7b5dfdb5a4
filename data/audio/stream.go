package audio

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// PCM says what raw samples without a header are: signed little-endian of 16
// bits, as sox and ffmpeg call s16le.
type PCM struct {
	Rate     int // samples a second
	Channels int // which are averaged; 0 means 1
}

// A Stream reads sound of any length in little memory, resampled to one rate.
// Its samples are those that ReadWAV and Resample give of the whole.
type Stream struct {
	in        io.Reader
	format    wav
	left      uint64 // bytes left of the data chunk, or unknownSize
	read      uint64 // samples of one channel, for errors
	frames    int    // samples of each channel that block holds
	block     []byte
	resampler *resampler
	ended     bool
}

// unknownSize stands for data that goes on to the end of the stream.
const unknownSize = 1<<64 - 1

// blockFrames is how many samples of each channel are read at a time, and
// blockBytes bounds them all, whatever number of channels a header claims.
const (
	blockFrames = 4096
	blockBytes  = 1 << 18
)

// NewStream begins to read a WAV file from r, or raw samples if raw is given,
// to be had at the given rate.
func NewStream(r io.Reader, rate int, raw *PCM) (*Stream, error) {
	if err := CheckRate(rate); err != nil {
		return nil, err
	}
	s := &Stream{in: r, left: unknownSize}
	if raw != nil {
		s.format = wav{format: formatPCM, channels: max(raw.Channels, 1), rate: raw.Rate, bits: 16}
	} else if err := s.readHeader(); err != nil {
		return nil, err
	}
	if err := s.format.checkFormat(); err != nil {
		return nil, err
	}
	s.frames = max(1, min(blockFrames, blockBytes/s.format.frameSize()))
	s.block = make([]byte, s.frames*s.format.frameSize())
	if s.format.rate != rate {
		s.resampler = newResampler(s.format.rate, rate)
	}
	return s, nil
}

// CheckRate reports a number of samples a second that no recording has.
func CheckRate(rate int) error {
	if rate < minRate || rate > maxRate {
		return fmt.Errorf("%d samples a second, want %d to %d", rate, minRate, maxRate)
	}
	return nil
}

// maxFormatChunk bounds the format chunk, which has 16 to 40 bytes.
const maxFormatChunk = 1 << 10

// readHeader reads up to the samples.
func (s *Stream) readHeader() error {
	var head [12]byte
	if _, err := io.ReadFull(s.in, head[:]); err != nil || string(head[:4]) != "RIFF" || string(head[8:]) != "WAVE" {
		return errors.New("the stream does not begin with the header of a WAV file; samples without one need their rate")
	}
	for {
		var chunk [8]byte
		if _, err := io.ReadFull(s.in, chunk[:]); err != nil {
			return errors.New("no data chunk")
		}
		id, size := string(chunk[:4]), uint64(binary.LittleEndian.Uint32(chunk[4:]))
		if id == "data" {
			if size < streamSizes && size > 0 {
				s.left = size
			}
			return nil
		}
		if err := s.readChunk(id, size); err != nil {
			return err
		}
	}
}

// streamSizes are what programs write for a length that they do not know yet:
// 0, 2^32-1, or a little less than 2^31.
const streamSizes = 0x7ffff000

// readChunk reads a chunk before the samples; chunks begin at even bytes.
func (s *Stream) readChunk(id string, size uint64) error {
	if id != "fmt " {
		if _, err := io.CopyN(io.Discard, s.in, int64(size+size%2)); err != nil {
			return fmt.Errorf("cut off in chunk %q of %d bytes", id, size)
		}
		return nil
	}
	if size > maxFormatChunk {
		return fmt.Errorf("a format chunk of %d bytes, want 16 to 40", size)
	}
	b := make([]byte, size+size%2)
	if _, err := io.ReadFull(s.in, b); err != nil {
		return errors.New("cut off in the format chunk")
	}
	return s.format.parseFormat(b[:size])
}

// Read fills dst with the next samples and returns how many; fewer only at the
// end, where it returns io.EOF with none.
func (s *Stream) Read(dst []float32) (int, error) {
	n := 0
	for n < len(dst) {
		if s.resampler != nil {
			n += s.resampler.read(dst[n:], s.ended)
			if n == len(dst) {
				break
			}
		}
		if s.ended {
			break
		}
		want := s.frames
		if s.resampler == nil {
			want = min(want, len(dst)-n)
		}
		x, err := s.readBlock(want)
		if err != nil {
			return n, err
		}
		if s.resampler != nil {
			s.resampler.write(x)
		} else {
			n += copy(dst[n:], x)
		}
	}
	if n == 0 && len(dst) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// readBlock reads up to so many samples, the channels averaged. What is left of
// an unfinished sample at the end is dropped.
func (s *Stream) readBlock(frames int) ([]float32, error) {
	b := s.block[:frames*s.format.frameSize()]
	b = b[:min(uint64(len(b)), s.left)]
	n, err := io.ReadFull(s.in, b)
	if err == io.EOF || err == io.ErrUnexpectedEOF || len(b) == 0 {
		s.ended, err = true, nil
	}
	if err != nil {
		return nil, err
	}
	if s.left != unknownSize {
		s.left -= uint64(n)
		s.ended = s.ended || s.left == 0
	}
	part := s.format
	part.data = b[:n]
	x, err := part.decode()
	if err != nil {
		return nil, fmt.Errorf("after %d samples: %w", s.read, err)
	}
	s.read += uint64(len(x))
	return x, nil
}
