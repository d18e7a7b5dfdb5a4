package audio

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// chunk returns a RIFF chunk.
func chunk(id string, body []byte) []byte {
	b := binary.LittleEndian.AppendUint32([]byte(id), uint32(len(body)))
	b = append(b, body...)
	if len(body)%2 == 1 {
		b = append(b, 0)
	}
	return b
}

// file returns a WAV file of the given chunks.
func file(chunks ...[]byte) []byte {
	return append([]byte("RIFF\x00\x00\x00\x00WAVE"), bytes.Join(chunks, nil)...)
}

// format returns a format chunk at 8000 samples a second.
func format(kind, channels, bits uint16) []byte {
	var b bytes.Buffer
	binary.Write(&b, binary.LittleEndian, []uint16{kind, channels})
	binary.Write(&b, binary.LittleEndian, []uint32{8000, 0})
	binary.Write(&b, binary.LittleEndian, []uint16{0, bits})
	if kind == formatExtensible {
		binary.Write(&b, binary.LittleEndian, []uint16{22, bits, 0, 0, formatPCM, 0, 0, 0, 0, 0, 0, 0})
	}
	return chunk("fmt ", b.Bytes())
}

func littleEndian(v any) []byte {
	var b bytes.Buffer
	binary.Write(&b, binary.LittleEndian, v)
	return b.Bytes()
}

func TestDecodeWAV(t *testing.T) {
	for name, c := range map[string]struct {
		file []byte
		want []float32
	}{
		"8 bits":       {file(format(1, 1, 8), chunk("data", []byte{0, 128, 255})), []float32{-1, 0, 127. / 128}},
		"16 bits":      {file(format(1, 1, 16), chunk("data", littleEndian([]int16{-32768, 0, 16384}))), []float32{-1, 0, .5}},
		"24 bits":      {file(format(1, 1, 24), chunk("data", []byte{0, 0, 0x80, 0, 0, 0x40, 0xff, 0xff, 0xff})), []float32{-1, .5, -1. / (1 << 23)}},
		"32 bits":      {file(format(1, 1, 32), chunk("data", littleEndian([]int32{math.MinInt32, 1 << 30}))), []float32{-1, .5}},
		"float":        {file(format(3, 1, 32), chunk("data", littleEndian([]float32{-.25, 1}))), []float32{-.25, 1}},
		"double":       {file(format(3, 1, 64), chunk("data", littleEndian([]float64{-.25, 1}))), []float32{-.25, 1}},
		"stereo":       {file(format(1, 2, 16), chunk("data", littleEndian([]int16{16384, 0, -32768, -32768}))), []float32{.25, -1}},
		"extensible":   {file(format(formatExtensible, 1, 16), chunk("data", littleEndian([]int16{16384}))), []float32{.5}},
		"other chunks": {file(chunk("JUNK", []byte("odd")), format(1, 1, 16), chunk("LIST", []byte("INFO")), chunk("data", littleEndian([]int16{16384})), []byte("tail")), []float32{.5}},
		"stream":       {file(format(1, 1, 16), []byte("data\xff\xff\xff\xff\x00\x40\x00")), []float32{.5}},
		"sox's pipe":   {file(format(1, 1, 16), []byte("data\x00\xf0\xff\x7f\x00\x40\x00")), []float32{.5}},
		"arecord":      {file(format(1, 1, 16), []byte("data\x00\x00\x00\x80\x00\x40")), []float32{.5}},
		"0":            {file(format(1, 1, 16), []byte("data\x00\x00\x00\x00\x00\x40")), []float32{.5}},
		"0, letters":   {file(format(1, 1, 16), []byte("data\x00\x00\x00\x00\x20\x20\x20\x20\x00\x40\x00\x40\x00\x40")), []float32{8224. / 32768, 8224. / 32768, .5, .5, .5}},
		"odd":          {file(format(1, 1, 16), []byte("data\x03\x00\x00\x00\x00\x40\x00")), []float32{.5}},
		"RF64":         {append([]byte("RF64"), file(chunk("ds64", append(make([]byte, 8), 2, 0, 0, 0, 0, 0, 0, 0)), format(1, 1, 16), []byte("data\xff\xff\xff\xff\x00\x40LIST"))[4:]...), []float32{.5}},
		"half a frame": {file(format(1, 2, 16), chunk("data", []byte{0, 0x40, 0, 0x40, 0, 0})), []float32{.5}},
	} {
		clip, err := DecodeWAV(c.file, name)
		if err != nil || clip.Rate != 8000 || !slices.Equal(clip.Samples, c.want) {
			t.Errorf("%s: %+v, %v; want %v", name, clip, err, c.want)
		}
		s, err := NewStream(iotest.OneByteReader(bytes.NewReader(c.file)), 8000, nil)
		if err != nil {
			t.Errorf("%s, streamed: %v", name, err)
		} else if got := readAll(t, s, 3); !slices.Equal(got, c.want) {
			t.Errorf("%s, streamed: %v; want %v", name, got, c.want)
		}
	}
}

func TestDecodeWAVErrors(t *testing.T) {
	pcm := format(1, 1, 16)
	for want, b := range map[string][]byte{
		"x.wav: the file is empty":                                nil,
		"x.wav: not a WAV file but a big-endian RIFX file: conv":  []byte("RIFX\x00\x00\x00\x00WAVE"),
		"x.wav: not a WAV file but Sony Wave64":                   []byte("riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb"),
		"x.wav: not a WAV file but FLAC":                          []byte("fLaC"),
		"x.wav: not a WAV file but MPEG-4":                        []byte("\x00\x00\x00\x20ftypM4A "),
		"x.wav: not a WAV file ":                                  []byte("hello"),
		"x.wav: format 7 (µ-law) of 8 bits":                       file(format(7, 1, 8), chunk("data", []byte{0, 0})),
		"x.wav: 4 bytes for samples of 2":                         file(append(append(append([]byte{}, pcm[:20]...), 4, 0), pcm[22:]...), chunk("data", []byte{0, 0})),
		"x.wav: no data chunk":                                    file(pcm),
		"x.wav: no format chunk before the data":                  file(chunk("data", []byte{0, 0})),
		"x.wav: no samples":                                       file(pcm, chunk("data", []byte{0})),
		"x.wav: no samples ":                                      append([]byte("RIFF\x30\x00\x00\x00"), file(pcm, chunk("data", nil), chunk("LIST", []byte("INFO")))[8:]...),
		`x.wav: cut off: chunk "data" claims 1879048192 bytes, 2`: file(pcm, []byte("data\x00\x00\x00\x70\x00\x00")),
		`x.wav: cut off: chunk "LIST" claims`:                     file(pcm, []byte("LIST\x00\x00\x00\xf0\x00\x00")),
		"x.wav: a format chunk of 3 bytes":                        file(chunk("fmt ", []byte{1, 0, 1})),
		"x.wav: format 86 of 16 bits; want PCM":                   file(format(86, 1, 16), chunk("data", []byte{0, 0})),
		"x.wav: format 1 of 12 bits":                              file(format(1, 1, 12), chunk("data", []byte{0, 0})),
		"x.wav: sample 1 is NaN":                                  file(format(3, 1, 32), chunk("data", littleEndian([]float32{0, float32(math.NaN())}))),
		"x.wav: 0 samples a second":                               file(append(append([]byte{}, pcm[:12]...), append(make([]byte, 4), pcm[16:]...)...), chunk("data", []byte{0, 0})),
	} {
		want = strings.TrimSpace(want)
		if _, err := DecodeWAV(b, "x.wav"); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	if _, err := ReadWAV("absent.wav"); err == nil || err.Error() != "absent.wav: no such sound file" {
		t.Errorf("missing file: %v", err)
	}
}

func TestWriteWAV(t *testing.T) {
	want := &Clip{Rate: 44100, Samples: []float32{0, .5, -1, 1, 2, -3}}
	path := filepath.Join(t.TempDir(), "x.wav")
	var b bytes.Buffer
	if err := WriteWAV(&b, want); err != nil {
		t.Fatal(err)
	}
	os.WriteFile(path, b.Bytes(), 0o644)
	got, err := ReadWAV(path)
	top := float32(32767. / 32768)
	if err != nil || got.Rate != 44100 || !slices.Equal(got.Samples, []float32{0, .5, -1, top, top, -1}) {
		t.Errorf("%+v, %v", got, err)
	}
	if size := binary.LittleEndian.Uint32(b.Bytes()[4:]); int(size) != b.Len()-8 {
		t.Errorf("the header says %d bytes of %d", size, b.Len())
	}
}

func FuzzDecodeWAV(f *testing.F) {
	f.Add(file(format(1, 1, 16), chunk("data", []byte{0, 1, 2, 3})))
	f.Add(file(format(formatExtensible, 2, 24), chunk("LIST", []byte("INFO")), chunk("data", make([]byte, 12))))
	f.Add(file(format(3, 1, 64), []byte("data\xff\xff\xff\xff12345678")))
	f.Fuzz(func(t *testing.T, b []byte) {
		clip, err := DecodeWAV(b, "f")
		if err != nil {
			return
		}
		if len(clip.Samples) > len(b) {
			t.Fatalf("%d samples from %d bytes", len(clip.Samples), len(b))
		}
		Resample(clip.Samples, clip.Rate, 16000)
	})
}
