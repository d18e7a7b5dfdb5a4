package shapes

import (
	"bytes"
	"fmt"
	"image"
	stddraw "image/draw"
	"image/jpeg"
	"image/png"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/mega-go/mega/data"
	"github.com/mega-go/mega/internal/atomicfile"
	"github.com/mega-go/mega/internal/parallel"
)

// Config says what pictures look like.
type Config struct{ Size int } // their side in pixels

// Validate reports a size at which shapes cannot be told apart, or too large.
func (c Config) Validate() error {
	if c.Size < 16 || c.Size > 1024 {
		return fmt.Errorf("shapes: pictures of %d by %d pixels, want 16 to 1024", c.Size, c.Size)
	}
	return nil
}

// sheetName is the file with pictures of each class, to look at.
const sheetName = "sheet.png"

// Entries are the names of what Write makes.
var Entries = []string{"train", "valid", "test", sheetName}

// Write draws the pictures of a seed and writes them to DIR/train/CLASS/N.jpg,
// valid and test, and a sheet of some to DIR/sheet.png. Picture N is the same
// whatever the sizes are, and each class has as many as the others, or one more.
func (c Config) Write(dir string, sizes data.SplitSizes, seed uint64) error {
	if err := c.Validate(); err != nil {
		return err
	}
	err := sizes.Each(func(split string, from, to int) error {
		return c.writeSplit(filepath.Join(dir, split), from, to, seed)
	})
	if err != nil {
		return err
	}
	var sheet bytes.Buffer
	if err := png.Encode(&sheet, c.sheet(seed)); err != nil {
		return err
	}
	return atomicfile.WriteFile(filepath.Join(dir, sheetName), sheet.Bytes())
}

// picture returns picture i of a seed and its class.
func (c Config) picture(seed uint64, i int) (img image.Image, class int) {
	class = i % len(Classes())
	return draw(class, c.Size, rand.New(rand.NewPCG(seed, uint64(i)))), class
}

func (c Config) writeSplit(dir string, from, to int, seed uint64) error {
	names := Classes()
	for _, name := range names {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o777); err != nil {
			return err
		}
	}
	err := parallel.Each(to-from, func(i int) error {
		img, class := c.picture(seed, from+i)
		path := filepath.Join(dir, names[class], fmt.Sprintf("%06d.jpg", from+i))
		return atomicfile.WriteNew(path, func(w io.Writer) error { return jpeg.Encode(w, img, &jpeg.Options{Quality: 90}) })
	})
	for _, name := range names {
		if err == nil {
			err = atomicfile.SyncDir(filepath.Join(dir, name))
		}
	}
	return err
}

// sheet shows the first two pictures of each class, a column of twelve classes
// each.
func (c Config) sheet(seed uint64) image.Image {
	const columns, gap = 12, 2
	n, cell := 2*len(Classes()), c.Size+gap
	out := image.NewRGBA(image.Rect(0, 0, columns*cell, n/columns*cell))
	for i := range n {
		img, _ := c.picture(seed, i)
		corner := image.Pt(i%columns*cell, i/columns*cell)
		stddraw.Draw(out, img.Bounds().Add(corner), img, image.Point{}, stddraw.Src)
	}
	return out
}
