package lra

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"path/filepath"
	"testing"

	"github.com/mega-go/mega/internal/textfile"
)

func FuzzTSV(f *testing.F) {
	f.Add([]byte("1.0\ta\tb\tc\td\n0\tx"))
	f.Add([]byte("neg\tbad\r\n\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, fields := range []int{2, 5} {
			textfile.EachLine(bytes.NewReader(text), "f", func(line []byte) error {
				r, err := parseLine(line, fields)
				if err == nil && (r.Text == "" || r.Label == "" || (fields == 5) != (r.Pair != "")) {
					t.Errorf("%q gives %+v", line, r)
				}
				return err
			})
		}
	})
}

func FuzzMetadata(f *testing.F) {
	f.Add([]byte("imgs/0 sample_0.png 0 1"))
	f.Add([]byte("imgs/0/../../x a.png 0 1 7.5\n"))
	f.Fuzz(func(t *testing.T, line []byte) {
		s, err := parseMetadata(line, Pathfinder14)
		if err != nil {
			return
		}
		within, err := filepath.Rel(Pathfinder14, s.path)
		if err != nil || !filepath.IsLocal(within) || s.label>>1 != 0 {
			t.Errorf("%q gives %+v", line, s)
		}
	})
}

func FuzzCIFAR(f *testing.F) {
	f.Add(make([]byte, 2*cifarRecord))
	f.Add(bytes.Repeat([]byte{9}, cifarRecord))
	f.Fuzz(func(t *testing.T, b []byte) {
		images, err := parseCIFAR(b)
		if err != nil {
			return
		}
		if len(images)*cifarRecord != len(b) {
			t.Errorf("%d images of %d bytes", len(images), len(b))
		}
	})
}

// FuzzPNG sets the checksums of the chunks right, as a file made with intent has
// them, so that the damage reaches what lies behind.
func FuzzPNG(f *testing.F) {
	palette := color.Palette{color.Black, color.White, color.NRGBA{1, 2, 3, 4}}
	r := image.Rect(0, 0, 4, 4)
	for _, img := range []image.Image{
		image.NewGray(r), image.NewGray16(r), image.NewNRGBA(r), image.NewNRGBA64(r), image.NewRGBA(r), image.NewPaletted(r, palette),
	} {
		var b bytes.Buffer
		if err := png.Encode(&b, img); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		mendChecksums(b)
		if pixels, err := decodePNG(b, 4); err == nil && len(pixels) != 16 {
			t.Errorf("%d pixels, want 16", len(pixels))
		}
	})
}

// mendChecksums sets the checksums of the chunks of a PNG file.
func mendChecksums(b []byte) {
	const signature, frame = 8, 12 // a frame is a length, a type and a checksum
	for rest := b[min(signature, len(b)):]; len(rest) >= frame; {
		n := uint64(binary.BigEndian.Uint32(rest))
		if n > uint64(len(rest)-frame) {
			return
		}
		binary.BigEndian.PutUint32(rest[8+n:], crc32.ChecksumIEEE(rest[4:8+n]))
		rest = rest[frame+n:]
	}
}
