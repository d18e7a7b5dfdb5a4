package audio

import (
	"bufio"
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
	got       uint64 // bytes read of it
	read      uint64 // samples of one channel, for errors
	frames    int    // samples of each channel that block holds
	block     []byte
	resampler *resampler
	ended     bool
}

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
	} else {
		in := bufio.NewReader(r)
		s.in = in
		var err error
		if s.format, s.left, err = readHeader(in); errors.Is(err, errNotWAV) {
			err = fmt.Errorf("%w; samples without a header need their rate", err)
		}
		if err != nil {
			return nil, err
		}
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

// readBlock reads up to frames samples and averages their channels. An unfinished
// sample at the end is dropped.
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
		if s.ended && s.left > 0 {
			return nil, cutOff(s.left+s.got+uint64(n), s.got+uint64(n))
		}
		s.ended = s.ended || s.left == 0
	}
	s.got += uint64(n)
	part := s.format
	part.data = b[:n]
	x, err := part.decode()
	if err != nil {
		return nil, fmt.Errorf("after %d samples: %w", s.read, err)
	}
	s.read += uint64(len(x))
	return x, nil
}
