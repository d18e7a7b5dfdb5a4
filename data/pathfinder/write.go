package pathfinder

import (
	"bytes"
	"image/png"

	"github.com/mega-go/mega/data"
	"github.com/mega-go/mega/internal/atomicfile"
)

// Classes names the classes of the images.
var Classes = []string{"apart", "joined"}

// Write generates images and writes them to a directory in the layout that
// data.OpenPixels reads, and a sheet of the first of them to the PNG file sheet.
func (c Config) Write(dir, sheet string, sizes data.SplitSizes, seed uint64) error {
	if err := sizes.Validate(); err != nil {
		return err
	}
	images, labels, err := c.Generate(sizes.Total(), seed)
	if err != nil {
		return err
	}
	var splits []data.PixelSplit
	err = sizes.Each(func(name string, from, to int) error {
		splits = append(splits, data.PixelSplit{Name: name, Images: func(yield func(data.Image, error) bool) {
			for i := from; i < to && yield(data.Image{Pixels: images[i], Label: labels[i]}, nil); i++ {
			}
		}})
		return nil
	})
	if err != nil {
		return err
	}
	if err := data.WritePixels(dir, splits...); err != nil {
		return err
	}
	if err := data.WriteClasses(dir, Classes); err != nil {
		return err
	}
	const shown, columns, side = 64, 8, 128 // images, and the side of one in pixels
	n := min(shown, len(images))
	var picture bytes.Buffer
	if err := png.Encode(&picture, Sheet(images[:n], labels[:n], c.Size, columns, max(1, side/c.Size))); err != nil {
		return err
	}
	return atomicfile.WriteFile(sheet, picture.Bytes())
}
