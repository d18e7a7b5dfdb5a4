package data

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/mega-go/mega/internal/textfile"
)

// PixelOptions says how pixels become numbers. The zero Std stands for the
// reference's default, mean and deviation 0.5.
type PixelOptions struct {
	// Mean and Std normalise: (v/255 - Mean) / Std (--pixel-normalization).
	Mean, Std float32
	// MaxPositions is the number of pixels to which longer images are cut; 0 means no
	// limit.
	MaxPositions int
	// Classes is the model's number of classes; a label beyond is an error.
	// 0 means that any number from 0 is allowed.
	Classes int
}

// Pixels is a set of grey images read as sequences of pixels, row by row.
type Pixels struct {
	images [][]byte // grey values
	labels []int32
	limit  int          // MaxPositions
	value  [256]float32 // what the model sees for each grey
}

// NewPixels returns a set of images in memory. Each must hold at least one
// pixel. The set keeps both slices.
func NewPixels(images [][]byte, labels []int32, o PixelOptions) (*Pixels, error) {
	if len(images) != len(labels) {
		return nil, fmt.Errorf("%d images but %d labels", len(images), len(labels))
	}
	p := newPixels(o)
	for i, image := range images {
		if len(image) == 0 {
			return nil, fmt.Errorf("image %d is empty", i)
		}
		if err := checkLabel(int64(labels[i]), o.Classes); err != nil {
			return nil, fmt.Errorf("image %d: %w", i, err)
		}
	}
	p.images, p.labels = images, labels
	return p, nil
}

// OpenPixels reads DIR/input/SPLIT.src, an image a line, its pixels from 0 to
// 255 with spaces between, and DIR/label/SPLIT.label, a class number a line
// (data/pixel_sequence_dataset.py).
func OpenPixels(dir, split string, o PixelOptions) (*Pixels, error) {
	source := filepath.Join(dir, "input", split+".src")
	label := filepath.Join(dir, "label", split+".label")
	p := newPixels(o)
	if err := textfile.Open("pixel", source, p.readImages); err != nil {
		return nil, err
	}
	readLabels := func(r io.Reader, name string) error { return p.readLabels(r, name, o.Classes) }
	if err := textfile.Open("label", label, readLabels); err != nil {
		return nil, err
	}
	if len(p.images) == 0 {
		return nil, fmt.Errorf("%s: the file is empty", source)
	}
	if len(p.images) != len(p.labels) {
		return nil, fmt.Errorf("%s has %d images, %s %d labels", source, len(p.images), label, len(p.labels))
	}
	return p, nil
}

// newPixels returns an empty set with the table of normalised values, computed
// in float32 in the reference's order.
func newPixels(o PixelOptions) *Pixels {
	if o.Std == 0 {
		o.Mean, o.Std = 0.5, 0.5
	}
	p := &Pixels{limit: o.MaxPositions}
	for v := range p.value {
		p.value[v] = (float32(v)/255 - o.Mean) / o.Std
	}
	return p
}

func (p *Pixels) readImages(r io.Reader, name string) error {
	var image []byte
	return textfile.EachLine(r, name, func(line []byte) error {
		image = image[:0]
		for field := range bytes.FieldsSeq(line) {
			v, err := parsePixel(field)
			if err != nil {
				return fmt.Errorf("pixel %d %w", len(image)+1, err)
			}
			image = append(image, v)
		}
		if len(image) == 0 {
			return errors.New("an image without pixels")
		}
		p.images = append(p.images, bytes.Clone(image))
		return nil
	})
}

// parsePixel reads an integer from 0 to 255.
func parsePixel(field []byte) (byte, error) {
	v := 0
	for _, c := range field {
		v = v*10 + int(c) - '0'
		if c < '0' || c > '9' || v > 255 {
			return 0, fmt.Errorf("is %.20q, want an integer from 0 to 255", field)
		}
	}
	return byte(v), nil
}

func (p *Pixels) readLabels(r io.Reader, name string, classes int) error {
	return textfile.EachLine(r, name, func(line []byte) error {
		line = bytes.TrimSpace(line)
		v, err := strconv.ParseInt(string(line), 10, 64)
		if err != nil {
			return fmt.Errorf("label %.20q, want an integer", line)
		}
		if err := checkLabel(v, classes); err != nil {
			return err
		}
		p.labels = append(p.labels, int32(v))
		return nil
	})
}

// checkLabel checks a class number; classes 0 means any that fits.
func checkLabel(label int64, classes int) error {
	if classes > 0 && (label < 0 || label >= int64(classes)) {
		return fmt.Errorf("label %d is out of range for %d classes", label, classes)
	}
	if label < 0 || label != int64(int32(label)) {
		return fmt.Errorf("label %d is not a class number", label)
	}
	return nil
}

// Len returns the number of images.
func (p *Pixels) Len() int { return len(p.images) }

// Size returns the number of pixels of image i that the model sees.
func (p *Pixels) Size(i int) int {
	n := len(p.images[i])
	if p.limit > 0 {
		n = min(n, p.limit)
	}
	return n
}

// Labels returns every image's class; it must not be modified.
func (p *Pixels) Labels() []int32 { return p.labels }

// Collate implements [Dataset].
func (p *Pixels) Collate(indices []int) (*Batch, error) {
	if err := CheckIndices(indices, p.Len()); err != nil {
		return nil, err
	}
	lengths := make([]int32, len(indices))
	labels := make([]int32, len(indices))
	for row, i := range indices {
		lengths[row], labels[row] = int32(p.Size(i)), p.labels[i]
	}
	b := newSampleBatch(lengths, 1)
	for row, i := range indices {
		dst := b.sampleRow(row)
		for j, v := range p.images[i][:len(dst)] {
			dst[j] = p.value[v]
		}
	}
	b.IDs, b.Labels = slices.Clone(indices), labels
	return b, nil
}
