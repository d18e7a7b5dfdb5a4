package audio

import (
	"bytes"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// readAll reads a stream in pieces of so many samples.
func readAll(t *testing.T, s *Stream, piece int) []float32 {
	t.Helper()
	var all []float32
	dst := make([]float32, piece)
	for {
		n, err := s.Read(dst)
		all = append(all, dst[:n]...)
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func noise(n int) []float32 {
	r := rand.New(rand.NewPCG(1, 2))
	x := make([]float32, n)
	for i := range x {
		x[i] = 2*r.Float32() - 1
	}
	return x
}

// TestStreamIsTheWhole: a stream gives bit for bit what the file as a whole
// gives, whatever the pieces that it comes and is asked for in.
func TestStreamIsTheWhole(t *testing.T) {
	for _, rate := range []int{8000, 16000, 44100} {
		for _, n := range []int{1, 100, 4500} {
			var file bytes.Buffer
			if err := WriteWAV(&file, &Clip{Rate: rate, Samples: noise(n)}); err != nil {
				t.Fatal(err)
			}
			clip, err := DecodeWAV(file.Bytes(), "x")
			if err != nil {
				t.Fatal(err)
			}
			want := Resample(clip.Samples, rate, 16000)
			for _, piece := range []int{1, 777, 5000} {
				s, err := NewStream(iotest.OneByteReader(bytes.NewReader(file.Bytes())), 16000, nil)
				if err != nil {
					t.Fatal(err)
				}
				if got := readAll(t, s, piece); !slices.Equal(got, want) {
					t.Errorf("%d samples at %d a second in pieces of %d: %d samples, want %d, the same", n, rate, piece, len(got), len(want))
				}
			}
		}
	}
}

func TestStreamHeaders(t *testing.T) {
	var file bytes.Buffer
	if err := WriteWAV(&file, &Clip{Rate: 16000, Samples: []float32{0.5, -0.5, 0.25}}); err != nil {
		t.Fatal(err)
	}
	whole := file.Bytes()
	for _, size := range []uint32{0, 0xffffffff, 0x7ffff024, 6} { // lengths that were not known, and the true one
		b := bytes.Clone(whole)
		binary.LittleEndian.PutUint32(b[40:], size)
		s, err := NewStream(bytes.NewReader(b), 16000, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := readAll(t, s, 2); !slices.Equal(got, []float32{0.5, -0.5, 0.25}) {
			t.Errorf("length %#x: %v", size, got)
		}
	}
	raw, err := NewStream(strings.NewReader("\x00\x40\x00\x00\x00\xc0\x00\x00\x01"), 8000, &PCM{Rate: 8000, Channels: 2})
	if err != nil {
		t.Fatal(err)
	}
	if got := readAll(t, raw, 5); !slices.Equal(got, []float32{0.25, -0.25}) {
		t.Errorf("raw samples: %v", got)
	}
	for want, text := range map[string]string{
		"not a WAV file":         "RIFX",
		"no data chunk":          string(whole[:36]),
		`cut off: chunk "fmt "`:  string(whole[:20]) + "x",
		`cut off: chunk "LIST"`:  string(whole[:12]) + "LIST\xff\x00\x00\x00ab",
		"a format chunk of 4096": string(whole[:12]) + "fmt \x00\x10\x00\x00",
		"no format chunk":        string(whole[:12]) + "data\x02\x00\x00\x00ab",
	} {
		if _, err := NewStream(strings.NewReader(text), 16000, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

// TestStreamForgets: memory does not grow with the stream.
func TestStreamForgets(t *testing.T) {
	const frames = 200_000
	s, err := NewStream(io.LimitReader(zeroReader{}, 2*frames), 16000, &PCM{Rate: 44100})
	if err != nil {
		t.Fatal(err)
	}
	dst := make([]float32, 1000)
	total := 0
	for {
		n, err := s.Read(dst)
		total += n
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if c := cap(s.resampler.pending); c > 4*blockFrames {
			t.Fatalf("after %d samples %d are kept", total, c)
		}
	}
	if want := resampledLen(frames, 44100, 16000); total != want {
		t.Errorf("%d samples, want %d", total, want)
	}
}

// TestStreamOfManyChannels: a header that claims 60,000 channels costs no more
// memory than one sample of them.
func TestStreamOfManyChannels(t *testing.T) {
	s, err := NewStream(io.LimitReader(zeroReader{}, 3*120_000), 16000, &PCM{Rate: 16000, Channels: 60_000})
	if err != nil {
		t.Fatal(err)
	}
	if len(s.block) > blockBytes {
		t.Errorf("a block of %d bytes, want %d at most", len(s.block), blockBytes)
	}
	if got := readAll(t, s, 2); len(got) != 3 {
		t.Errorf("%d samples, want 3", len(got))
	}
}

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func FuzzStream(f *testing.F) {
	var file bytes.Buffer
	if err := WriteWAV(&file, &Clip{Rate: 22050, Samples: noise(50)}); err != nil {
		f.Fatal(err)
	}
	f.Add(file.Bytes())
	f.Add(file.Bytes()[:40])
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := NewStream(bytes.NewReader(b), 16000, nil)
		if err != nil {
			return
		}
		dst := make([]float32, 512)
		for range 64 {
			if _, err := s.Read(dst); err != nil {
				return
			}
		}
	})
}
