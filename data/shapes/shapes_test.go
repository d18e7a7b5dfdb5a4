package shapes

import (
	"image"
	"io/fs"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mega-go/mega/data"
	"github.com/mega-go/mega/data/images"
)

// TestWrite makes what data/images reads, of as many pictures as asked for.
func TestWrite(t *testing.T) {
	dir := t.TempDir()
	if err := (Config{Size: 16}).Write(dir, data.SplitSizes{Train: 80, Valid: 36, Test: 37}, 1); err != nil {
		t.Fatal(err)
	}
	train, valid, err := images.OpenSplits(dir, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(train.Classes, Classes()) || !slices.IsSorted(Classes()) || len(Classes()) != 36 {
		t.Errorf("classes %q", train.Classes)
	}
	if train.Len() != 80 || valid.Len() != 36 || len(train.Skipped()) != 0 {
		t.Errorf("%d and %d pictures, skipped %v", train.Len(), valid.Len(), train.Skipped())
	}
	entries := 0
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			entries++
		}
		return err
	})
	if err != nil || entries != 80+36+37+1 {
		t.Errorf("%d files, %v", entries, err)
	}
	p, err := images.ReadFile(valid.Path(0))
	if err != nil || p.Width != 16 || p.Height != 16 {
		t.Errorf("%v by %v, %v", p.Width, p.Height, err)
	}
}

// TestPictures: a seed makes a picture, whatever the others are, and the coloured
// thing shows more of its colour than of another.
func TestPictures(t *testing.T) {
	c := Config{Size: 32}
	for i := range 72 {
		img, class := c.picture(7, i)
		again, _ := c.picture(7, i)
		other, _ := c.picture(8, i)
		if !slices.Equal(img.(*image.RGBA).Pix, again.(*image.RGBA).Pix) || slices.Equal(img.(*image.RGBA).Pix, other.(*image.RGBA).Pix) {
			t.Errorf("picture %d does not depend on the seed alone", i)
		}
		counts := [3]int{} // pixels that are clearly of a colour
		for y := range 32 {
			for x := range 32 {
				r, g, b, _ := img.At(x, y).RGBA()
				for k, v := range []uint32{b, g, r} {
					if v == max(r, g, b) && v > 2*min(r, g, b) {
						counts[k]++
					}
				}
			}
		}
		colour := slices.Index(colours, strings.Split(Classes()[class], "-")[0])
		if slices.Max(counts[:]) != counts[colour] || counts[colour] < 20 {
			t.Errorf("picture %d, a %s: %v pixels of %v", i, Classes()[class], counts, colours)
		}
	}
}

// TestOutlines holds the shapes' areas against formulas of geometry.
func TestOutlines(t *testing.T) {
	for outline, want := range map[string]float64{
		"disc": math.Pi * 0.85 * 0.85, "square": 1.5 * 1.5, "triangle": 3 * math.Sqrt(3) * 0.25,
		"star": 5 * 0.4 * math.Sin(math.Pi/5),
	} {
		const n = 600
		hits := 0
		for i := range n * n {
			if inside(outline, point{2*(float64(i%n)+0.5)/n - 1, 2*(float64(i/n)+0.5)/n - 1}) {
				hits++
			}
		}
		if got := 4 * float64(hits) / (n * n); math.Abs(got/want-1) > 0.01 {
			t.Errorf("%s: an area of %.3f, want %.3f", outline, got, want)
		}
	}
}

func TestErrors(t *testing.T) {
	for _, size := range []int{0, 15, 1025} {
		if err := (Config{size}).Write(t.TempDir(), data.SplitSizes{Train: 1, Valid: 1, Test: 1}, 1); err == nil {
			t.Errorf("size %d: no error", size)
		}
	}
}
