package images

import (
	"flag"
	"image"
	"image/jpeg"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/image/draw"

	"github.com/mega-go/mega/data"
	"github.com/mega-go/mega/data/shapes"
)

// drawn returns pictures of data/shapes.
func drawn(t testing.TB, size, n int) *Set {
	t.Helper()
	dir := t.TempDir()
	if err := (shapes.Config{Size: size}).Write(dir, data.SplitSizes{Train: n, Valid: 1, Test: 1}, 1); err != nil {
		t.Fatal(err)
	}
	s, err := Open(filepath.Join(dir, "train"), nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// BenchmarkBatch reads batches of 36 pictures and reports pictures a second: small
// ones, and of about ImageNet's size for the published models.
func BenchmarkBatch(b *testing.B) {
	for _, c := range []struct {
		name       string
		size, side int
	}{{"64", 64, 64}, {"224", 432, 224}} {
		s := drawn(b, c.size, 36)
		v := ImageNet
		v.Side = c.side
		for name, epoch := range map[string]func() *Batches{
			"evaluation": func() *Batches { return s.Evaluation(v, 36) },
			"training":   func() *Batches { return s.Training(v, DeiT, 36, 1, 1) },
		} {
			b.Run(c.name+"/"+name, func(b *testing.B) {
				batches := epoch()
				for b.Loop() {
					if _, err := batches.Batch(0); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(36*float64(b.N)/b.Elapsed().Seconds(), "pictures/s")
			})
		}
	}
}

// BenchmarkResize scales a picture of ImageNet's usual size, as this package does
// and as golang.org/x/image/draw does.
func BenchmarkResize(b *testing.B) {
	p := blank(500, 375)
	for i := range p.Pix {
		p.Pix[i] = byte(i * i >> 8)
	}
	b.Run("own", func(b *testing.B) {
		for b.Loop() {
			p.resize(224, 224)
		}
	})
	flat, out := image.NewRGBA(p.Bounds()), image.NewRGBA(image.Rect(0, 0, 224, 224))
	draw.Copy(flat, image.Point{}, p, p.Bounds(), draw.Src, nil)
	b.Run("draw", func(b *testing.B) {
		for b.Loop() {
			draw.CatmullRom.Scale(out, out.Rect, flat, flat.Rect, draw.Src, nil)
		}
	})
}

var sheet = flag.String("sheet", "", "JPEG `file` to draw augmented pictures into, to look at")

// TestSheet draws, with -sheet, each operation of RandAugment, pictures augmented
// as in training, and two batches of them mixed.
func TestSheet(t *testing.T) {
	if *sheet == "" {
		t.Skip("draws only with -sheet")
	}
	const columns, cell = 16, 66
	s, v := drawn(t, 64, 72), ImageNet
	v.Side = 64
	out := image.NewRGBA(image.Rect(0, 0, columns*cell, 6*cell))
	at := 0
	put := func(p *Picture) {
		draw.Copy(out, image.Pt(at%columns*cell, at/columns*cell), p, p.Bounds(), draw.Src, nil)
		at++
	}
	p, err := ReadFile(s.Path(8))
	if err != nil {
		t.Fatal(err)
	}
	put(p)
	for i, op := range operations {
		put(op.do(p.crop(0, 0, 64, 64), op.level(9, rand.New(rand.NewPCG(3, uint64(i)))), v.fill()))
	}
	for _, m := range []Mixing{{}, {}, {}, {Mixup: 0.8}, {Cutmix: 1}} {
		a := DeiT
		a.Repeats, a.Mixing = 1, m
		b, err := s.Training(v, a, columns, uint64(at), 1).Batch(0)
		if err != nil {
			t.Fatal(err)
		}
		for i := range b.Rows {
			put(v.picture(b.row(i)))
		}
	}
	f, err := os.Create(*sheet)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := jpeg.Encode(f, out, nil); err != nil {
		t.Fatal(err)
	}
}

// picture undoes normalise.
func (v View) picture(x []float32) *Picture {
	p := blank(v.Side, v.Side)
	for i := range p.Pix {
		c := i % 3
		p.Pix[i] = byte(min(max(255*(x[c*v.Side*v.Side+i/3]*v.Std[c]+v.Mean[c])+0.5, 0), 255))
	}
	return p
}
