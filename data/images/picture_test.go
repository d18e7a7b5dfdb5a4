package images

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/image/draw"
)

// read reads a picture of testdata, all of which testdata/pillow.py made.
func read(t *testing.T, name string) *Picture {
	t.Helper()
	p, err := ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// part returns one of the pictures that stand below one another on a sheet.
func part(sheet *Picture, i, height int) *Picture {
	return sheet.crop(0, i*height, sheet.Width, height)
}

// difference returns the greatest difference of two pictures' bytes and its
// mean.
func difference(t *testing.T, got, want *Picture) (greatest int, mean float64) {
	t.Helper()
	if got.Width != want.Width || got.Height != want.Height {
		t.Fatalf("%d by %d pixels, want %d by %d", got.Width, got.Height, want.Width, want.Height)
	}
	sum := 0
	for i, v := range got.Pix {
		d := int(v) - int(want.Pix[i])
		d = max(d, -d)
		sum += d
		greatest = max(greatest, d)
	}
	return greatest, float64(sum) / float64(len(got.Pix))
}

// TestDecode holds decoded pictures against Pillow's. Decoders of JPEG and WebP
// round some colours differently.
func TestDecode(t *testing.T) {
	sheet := read(t, "decoded.png")
	for i, c := range []struct {
		name     string
		greatest int
	}{
		{"420.jpg", 3}, {"422.jpg", 3}, {"444.jpg", 3}, {"progressive.jpg", 3}, {"cmyk.jpg", 3}, {"grey.jpg", 1},
		{"palette.png", 0}, {"alpha.png", 0}, {"first.gif", 0}, {"lossy.webp", 3}, {"lossless.webp", 0},
	} {
		got, want := read(t, c.name), part(sheet, i, 39)
		greatest, mean := difference(t, got, want)
		if greatest > c.greatest || mean > 0.06 {
			t.Errorf("%s: differs by up to %d, %.3f on average", c.name, greatest, mean)
		}
	}
}

// TestOrientation reads the pictures of EXIF 2.3's table of the tag: the stored
// rows as letters, and what is seen.
func TestOrientation(t *testing.T) {
	stored := &Picture{3, 2, []byte("AAABBBCCCDDDEEEFFF")}
	for i, want := range strings.Fields("ABC/DEF CBA/FED FED/CBA DEF/ABC AD/BE/CF DA/EB/FC FC/EB/DA CF/BE/AD") {
		p := stored.oriented(i + 1)
		var rows []string
		for y := range p.Height {
			row := ""
			for x := range p.Width {
				row += string(p.at(x, y)[:1])
			}
			rows = append(rows, row)
		}
		if got := strings.Join(rows, "/"); got != want {
			t.Errorf("orientation %d: %s, want %s", i+1, got, want)
		}
	}
}

// exif is segment APP1 of a JPEG file that says an orientation.
func exif(orientation byte, little bool) string {
	tiff := "MM\x00*\x00\x00\x00\x08\x00\x02\x01\x0f\x00\x02\x00\x00\x00\x01a\x00\x00\x00\x01\x12\x00\x03\x00\x00\x00\x01\x00" + string(orientation) + "\x00\x00"
	if little {
		tiff = "II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00" + string(orientation) + "\x00\x00\x00"
	}
	return fmt.Sprintf("\xff\xe1\x00%cExif\x00\x00%s", 8+len(tiff), tiff)
}

func TestOrientationOfFiles(t *testing.T) {
	stored, err := os.ReadFile("testdata/444.jpg")
	if err != nil {
		t.Fatal(err)
	}
	plain := read(t, "444.jpg")
	for _, little := range []bool{false, true} {
		for o := range 9 {
			file := string(stored[:20]) + exif(byte(o), little) + string(stored[20:]) // after APP0
			p, err := Parse([]byte(file))
			if err != nil {
				t.Fatal(err)
			}
			want := plain.oriented(max(o, 1))
			if p.Width != want.Width || string(p.Pix) != string(want.Pix) {
				t.Errorf("orientation %d, little-endian %v: not turned", o, little)
			}
			for cut := range len(file) {
				orientation([]byte(file[:cut])) // must not panic
			}
		}
	}
}

// TestResize has Pillow's bytes.
func TestResize(t *testing.T) {
	base := read(t, "base.png")
	for _, size := range [][2]int{{20, 15}, {77, 80}, {51, 11}, {120, 39}, {3, 2}} {
		want := read(t, fmt.Sprintf("%dx%d.png", size[0], size[1]))
		if greatest, mean := difference(t, base.resize(size[0], size[1]), want); greatest != 0 {
			t.Errorf("%v: differs by up to %d, %.3f on average", size, greatest, mean)
		}
	}
}

// TestResizeDefinition holds scaling against weights computed in float64 where
// they are used, and against golang.org/x/image/draw, which neither rounds nor
// clips between rows and columns.
func TestResizeDefinition(t *testing.T) {
	base, dull := read(t, "base.png"), read(t, "dull.png")
	for _, size := range [][2]int{{64, 64}, {17, 29}, {102, 20}} {
		slow, library := blank(size[0], size[1]), image.NewRGBA(image.Rect(0, 0, size[0], size[1]))
		for y := range slow.Height {
			for x := range slow.Width {
				for c := range 3 {
					slow.at(x, y)[c] = slowResize(base, x, y, c, size[0], size[1])
				}
			}
		}
		if greatest, mean := difference(t, base.resize(size[0], size[1]), slow); greatest > 1 || mean > 0.001 {
			t.Errorf("%v: differs from the definition by up to %d, %.4f on average", size, greatest, mean)
		}
		draw.CatmullRom.Scale(library, library.Rect, dull, dull.Bounds(), draw.Src, nil)
		if greatest, mean := difference(t, dull.resize(size[0], size[1]), newPicture(library, "")); greatest > 2 || mean > 0.5 {
			t.Errorf("%v: differs from CatmullRom by up to %d, %.3f on average", size, greatest, mean)
		}
	}
}

// slowResize returns a byte of a scaled picture: of each row the weighted mean
// about x, of those the weighted mean about y.
func slowResize(p *Picture, x, y, c, width, height int) byte {
	return slowMean(p.Height, y, height, func(j int) byte {
		return slowMean(p.Width, x, width, func(i int) byte { return p.at(i, j)[c] })
	})
}

func slowMean(from, at, to int, value func(i int) byte) byte {
	scale := float64(from) / float64(to)
	sum, total := 0.0, 0.0
	for i := range from {
		d := math.Abs(float64(i)+0.5-(float64(at)+0.5)*scale) / max(scale, 1)
		w := 0.0
		switch {
		case d < 1:
			w = 1.5*d*d*d - 2.5*d*d + 1
		case d < 2:
			w = -0.5*d*d*d + 2.5*d*d - 4*d + 2
		}
		if w != 0 {
			sum, total = sum+w*float64(value(i)), total+w
		}
	}
	return byte(min(max(math.Round(sum/total), 0), 255))
}

// TestHostileFiles: a sentence, and no memory beyond what the file holds.
func TestHostileFiles(t *testing.T) {
	file := func(name string) string {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	size := func(name string, at int, bytes string) string {
		f := file(name)
		return f[:at] + bytes + f[at+len(bytes):]
	}
	frame := strings.Index(file("444.jpg"), "\xff\xc0")
	const million = "IHDR\x00\x0f\x42\x40\x00\x0f\x42\x40\x08\x02\x00\x00\x00"
	sum := binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(million)))
	for name, c := range map[string]struct{ content, want string }{
		"empty.jpg":   {"", "not a JPEG"},
		"zip.jpg":     {"PK\x03\x04 and more", "not a JPEG"},
		"cut.jpg":     {file("420.jpg")[:900], "broken JPEG"},
		"header.jpg":  {file("420.jpg")[:90], "ends too early"},
		"cut.png":     {file("base.png")[:900], "broken PNG"},
		"cut.gif":     {file("first.gif")[:900], "broken GIF"},
		"cut.webp":    {file("lossy.webp")[:900], "ends too early"},
		"claims.jpg":  {size("444.jpg", frame+5, "\xff\xff\xff\xff"), "65535 by 65535 pixels"},
		"million.png": {"\x89PNG\r\n\x1a\n\x00\x00\x00\r" + million + string(sum), "1000000 by 1000000 pixels"},
		"thin.jpg":    {size("444.jpg", frame+5, "\x08\x00\x08\x00"), "2048 by 2048 pixels cannot be in"},
		"flat.jpg":    {size("444.jpg", frame+5, "\x00\x00\x00\x10"), "broken JPEG"},
	} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(c.content), 0o600); err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := ReadFile(path)
		runtime.ReadMemStats(&after)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), path+": ") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if took := after.TotalAlloc - before.TotalAlloc; took > 1<<20 {
			t.Errorf("%s: %d bytes allocated for a file of %d", name, took, len(c.content))
		}
	}
}

// FuzzParse: no file makes the decoders panic, or gives a picture of another size
// than it says.
func FuzzParse(f *testing.F) {
	names, err := filepath.Glob("testdata/*.*")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		f.Add(b[:len(b)/2])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := Parse(b); err == nil && (len(p.Pix) != 3*p.Width*p.Height || p.Width < 1 || p.Height < 1) {
			t.Errorf("%d by %d pixels in %d bytes", p.Width, p.Height, len(p.Pix))
		}
	})
}
