package lra

import (
	"bytes"
	"errors"
	"fmt"
	"image/png"
	"io"
	"io/fs"
	"iter"
	"maps"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/mega-go/mega/data"
	"github.com/mega-go/mega/data/mt19937"
	"github.com/mega-go/mega/internal/textfile"
)

// splitSeed draws the reference's random splits (examples/mega/lra/data_process.py).
const splitSeed = 42

// The records of CIFAR-10's binary version: a label, then three colour planes.
const (
	cifarPixels = 32 * 32
	cifarRecord = 1 + 3*cifarPixels
)

// CIFAR10Classes names the classes of the images.
var CIFAR10Classes = []string{"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"}

// CIFAR10 returns the splits of the binary version of CIFAR-10 in DIR, or in
// DIR/cifar-10-batches-bin, as grey images: of the five training batches nine
// tenths are train and one is valid, by the reference's lot.
func CIFAR10(dir string) ([]data.PixelSplit, error) {
	if inner := filepath.Join(dir, "cifar-10-batches-bin"); isDir(inner) {
		dir = inner
	}
	var train []data.Image
	for i := 1; i <= 5; i++ {
		batch, err := readCIFAR(filepath.Join(dir, fmt.Sprintf("data_batch_%d.bin", i)))
		if err != nil {
			return nil, err
		}
		train = append(train, batch...)
	}
	test, err := readCIFAR(filepath.Join(dir, "test_batch.bin"))
	if err != nil {
		return nil, err
	}
	order := mt19937.New(splitSeed).TorchPermutation(len(train))
	cut := len(train) * 9 / 10
	inOrder := make([]int, len(test))
	for i := range inOrder {
		inOrder[i] = i
	}
	return []data.PixelSplit{
		{Name: "train", Images: selected(train, order[:cut])},
		{Name: "valid", Images: selected(train, order[cut:])},
		{Name: "test", Images: selected(test, inOrder)},
	}, nil
}

// readCIFAR reads one batch as grey images.
func readCIFAR(path string) ([]data.Image, error) {
	var images []data.Image
	err := textfile.Open("CIFAR-10", path, func(r io.Reader, name string) error {
		b, err := io.ReadAll(r)
		if err != nil {
			return fmt.Errorf("%s: cannot read: %w", name, err)
		}
		images, err = parseCIFAR(b)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	})
	return images, err
}

func parseCIFAR(b []byte) ([]data.Image, error) {
	if len(b) == 0 || len(b)%cifarRecord != 0 {
		return nil, fmt.Errorf("%d bytes, want a multiple of %d: CIFAR-10's binary version", len(b), cifarRecord)
	}
	var images []data.Image
	for record := range slices.Chunk(b, cifarRecord) {
		if record[0] > 9 {
			return nil, fmt.Errorf("image %d: label %d, want 0 to 9", len(images), record[0])
		}
		rgb := record[1:]
		pixels := make([]byte, cifarPixels)
		for i := range pixels {
			pixels[i] = data.Grey(rgb[i], rgb[cifarPixels+i], rgb[2*cifarPixels+i])
		}
		images = append(images, data.Image{Pixels: pixels, Label: int32(record[0])})
	}
	return images, nil
}

// selected yields the images with the given indices.
func selected(images []data.Image, indices []int) iter.Seq2[data.Image, error] {
	return func(yield func(data.Image, error) bool) {
		for _, i := range indices {
			if !yield(images[i], nil) {
				return
			}
		}
	}
}

// The difficulties of Pathfinder by the length of the curves; the arena's task,
// and the reference, take the longest.
const (
	Pathfinder6  = "curv_baseline"
	Pathfinder9  = "curv_contour_length_9"
	Pathfinder14 = "curv_contour_length_14"
)

// blacklist is a file of the original distribution that is empty.
const blacklist = Pathfinder6 + "/imgs/0/sample_172.png"

// Pathfinder returns the splits of one difficulty of the original images in
// DIR, or in DIR/pathfinderN, which holds DIFFICULTY/metadata/*.npy (text files)
// and DIFFICULTY/imgs. Images are size by size pixels. Train, valid and test
// are 80/10/10 by the reference's lot.
func Pathfinder(dir, difficulty string, size int) ([]data.PixelSplit, error) {
	if inner := filepath.Join(dir, fmt.Sprintf("pathfinder%d", size)); isDir(inner) {
		dir = inner
	}
	samples, err := readMetadata(dir, difficulty)
	if err != nil {
		return nil, err
	}
	order := mt19937.New(splitSeed).TorchPermutation(len(samples))
	held := len(samples) / 10
	cut := len(samples) - 2*held
	images := func(indices []int) iter.Seq2[data.Image, error] {
		return func(yield func(data.Image, error) bool) {
			for _, i := range indices {
				pixels, err := readPNG(filepath.Join(dir, samples[i].path), size)
				if !yield(data.Image{Pixels: pixels, Label: samples[i].label}, err) || err != nil {
					return
				}
			}
		}
	}
	return []data.PixelSplit{
		{Name: "train", Images: images(order[:cut])},
		{Name: "valid", Images: images(order[cut : cut+held])},
		{Name: "test", Images: images(order[cut+held:])},
	}, nil
}

// labelled is a file and its class.
type labelled struct {
	path  string
	label int32
}

// readMetadata lists the images that the numbered metadata files name.
func readMetadata(dir, difficulty string) ([]labelled, error) {
	paths, err := filesIn(filepath.Join(dir, difficulty, "metadata"), ".npy")
	if err != nil {
		return nil, err
	}
	numbers := map[int]string{}
	for _, path := range paths {
		name := filepath.Base(path)
		n, err := strconv.Atoi(name[:len(name)-len(".npy")])
		if err != nil {
			return nil, fmt.Errorf("%s: want a number for a name", path)
		}
		numbers[n] = path
	}
	var samples []labelled
	for _, n := range slices.Sorted(maps.Keys(numbers)) {
		err := textfile.Open("metadata", numbers[n], func(r io.Reader, name string) error {
			return textfile.EachLine(r, name, func(line []byte) error {
				s, err := parseMetadata(line, difficulty)
				if err == nil && s.path != filepath.FromSlash(blacklist) {
					samples = append(samples, s)
				}
				return err
			})
		})
		if err != nil {
			return nil, err
		}
	}
	return samples, nil
}

// parseMetadata reads a line: directory, file, number, label and more.
func parseMetadata(line []byte, difficulty string) (labelled, error) {
	fields := bytes.Fields(line)
	if len(fields) < 4 {
		return labelled{}, fmt.Errorf("%d fields, want a directory, a file, a number and a label", len(fields))
	}
	label := string(fields[3])
	if label != "0" && label != "1" {
		return labelled{}, fmt.Errorf("label %.20q, want 0 or 1", label)
	}
	local := filepath.Join(string(fields[0]), string(fields[1]))
	if !filepath.IsLocal(local) {
		return labelled{}, fmt.Errorf("%.60q leads out of the data set", local)
	}
	return labelled{filepath.Join(difficulty, local), int32(label[0] - '0')}, nil
}

// readPNG reads an image of a known size as grey pixels, row by row.
func readPNG(path string, size int) ([]byte, error) {
	b, err := textfile.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%s: no such image", path)
	}
	if err != nil {
		return nil, err
	}
	pixels, err := decodePNG(b, size)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return pixels, nil
}

func decodePNG(b []byte, size int) ([]byte, error) {
	config, err := png.DecodeConfig(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("not a PNG image: %w", err)
	}
	if config.Width != size || config.Height != size {
		return nil, fmt.Errorf("%d by %d pixels, want %d by %d", config.Width, config.Height, size, size)
	}
	img, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("broken PNG image: %w", err)
	}
	return data.GreyPixels(img), nil
}
