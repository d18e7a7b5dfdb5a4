package data

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestReferencePixelBatches: bit for bit the batches that the reference fed to
// its image models: seed 4, batches of 6.
func TestReferencePixelBatches(t *testing.T) {
	for _, c := range []struct {
		options PixelOptions
		crc     [2]uint32
	}{
		{PixelOptions{Mean: 0.48, Std: 0.24, MaxPositions: 256, Classes: 10}, [2]uint32{1228179733, 3678794001}},
		{PixelOptions{MaxPositions: 256, Classes: 10}, [2]uint32{2596626581, 2524953491}},
	} {
		p, err := OpenPixels("testdata/image", "valid", c.options)
		if err != nil {
			t.Fatal(err)
		}
		s := sampler(t, p, SamplerOptions{BatchSize: 6, Seed: 4})
		batches, _ := s.Batches(1)
		labels := [][]int32{{2, 7, 4, 4, 8, 8}, {8, 4, 4, 3, 8, 8}}
		for i := range 2 {
			b, err := p.Collate(batches[i])
			if err != nil {
				t.Fatal(err)
			}
			if b.Length != 256 || !slices.Equal(b.Labels, labels[i]) {
				t.Errorf("batch %d: length %d, labels %v; want 256, %v", i, b.Length, b.Labels, labels[i])
			}
			if crc := checksum(t, b.Samples); crc != c.crc[i] {
				t.Errorf("%+v, batch %d: the pixels differ from the reference's", c.options, i)
			}
		}
	}
}

// writePixels writes an image directory with one split, valid.
func writePixels(t *testing.T, source, label string) string {
	t.Helper()
	dir := t.TempDir()
	for path, text := range map[string]string{"input/valid.src": source, "label/valid.label": label} {
		path = filepath.Join(dir, path)
		os.MkdirAll(filepath.Dir(path), 0o755)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestPixelsOfSeveralLengths(t *testing.T) {
	p, err := OpenPixels(writePixels(t, "0 255 51\r\n 255\t0\n255 255 255 0", "1\n0\n2"), "valid", PixelOptions{Std: 1, MaxPositions: 3})
	if err != nil {
		t.Fatal(err)
	}
	b, err := p.Collate([]int{1, 2, 0})
	if err != nil {
		t.Fatal(err)
	}
	want := []float32{1, 0, 0, 1, 1, 1, 0, 1, 51. / 255}
	if !slices.Equal(b.Samples, want) || !slices.Equal(b.Lengths, []int32{2, 3, 3}) || p.Size(2) != 3 {
		t.Errorf("%v of lengths %v, want %v", b.Samples, b.Lengths, want)
	}
}

func TestNewPixels(t *testing.T) {
	p, err := NewPixels([][]byte{{0, 255}, {255, 0}}, []int32{1, 0}, PixelOptions{Std: 1})
	if err != nil {
		t.Fatal(err)
	}
	b, err := p.Collate([]int{1})
	if err != nil || !slices.Equal(b.Samples, []float32{1, 0}) || b.Labels[0] != 0 {
		t.Errorf("%+v, %v", b, err)
	}
	for want, f := range map[string]func() (*Pixels, error){
		"2 labels":          func() (*Pixels, error) { return NewPixels([][]byte{{1}}, []int32{0, 0}, PixelOptions{}) },
		"image 0 is empty":  func() (*Pixels, error) { return NewPixels([][]byte{{}}, []int32{0}, PixelOptions{}) },
		"image 0: label -1": func() (*Pixels, error) { return NewPixels([][]byte{{1}}, []int32{-1}, PixelOptions{}) },
	} {
		if _, err := f(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

func TestPixelErrors(t *testing.T) {
	for _, c := range []struct{ source, label, want string }{
		{"", "", "valid.src: the file is empty"},
		{"1 2\n3 x\n", "0\n0\n", `valid.src:2: pixel 2 is "x", want an integer from 0 to 255`},
		{"1 256\n", "0\n", `valid.src:1: pixel 2 is "256"`},
		{"-1\n", "0\n", `valid.src:1: pixel 1 is "-1"`},
		{"1.5\n", "0\n", `valid.src:1: pixel 1 is "1.5"`},
		{"1\n\n", "0\n0\n", "valid.src:2: an image without pixels"},
		{"1\n", "0\n1\n", "valid.src has 1 images"},
		{"1\n2\n", "0\nb\n", `valid.label:2: label "b", want an integer`},
		{"1\n", "10\n", "valid.label:1: label 10 is out of range for 10 classes"},
		{"1\n", "-1\n", "valid.label:1: label -1 is out of range for 10 classes"},
	} {
		if _, err := OpenPixels(writePixels(t, c.source, c.label), "valid", PixelOptions{Classes: 10}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want one with %q", err, c.want)
		}
	}
	if _, err := OpenPixels(t.TempDir(), "test", PixelOptions{}); err == nil || !strings.HasSuffix(err.Error(), "input/test.src: no such pixel file") {
		t.Errorf("missing split: %v", err)
	}
}

func FuzzPixels(f *testing.F) {
	f.Add([]byte("0 255\n1 2\n"), []byte("0\n1\n"))
	f.Fuzz(func(t *testing.T, source, label []byte) {
		p := newPixels(PixelOptions{})
		if p.readImages(bytes.NewReader(source), "src") != nil || p.readLabels(bytes.NewReader(label), "label", 0) != nil {
			return
		}
		if p.Len() > 0 && p.Len() == len(p.labels) {
			if _, err := p.Collate([]int{p.Len() - 1}); err != nil {
				t.Fatal(err)
			}
		}
	})
}
