package images

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	_ "image/gif"
	_ "image/jpeg"
	_ "image/png"
	"io"
	"os"
	"strings"

	"github.com/mega-go/mega/internal/textfile"
	_ "golang.org/x/image/webp"
)

// Limits on what is decoded. A JPEG file of one colour has some 340 pixels a
// byte, a photograph under 100: a header that claims more than the file can hold
// is refused before memory is taken for it. Small pictures may be as plain as
// they like.
const (
	maxFile       = 1 << 28 // bytes
	maxPixels     = 1 << 26
	pixelsPerByte = 512
	smallPicture  = 1 << 20 // pixels
)

// Decode decodes a JPEG, PNG or WebP file or the first frame of a GIF file, as
// its content says and not its name. It returns the picture as it is stored and
// the format. Memory is bounded by the length of b.
func Decode(b []byte) (image.Image, string, error) {
	config, format, err := image.DecodeConfig(bytes.NewReader(b))
	if errors.Is(err, image.ErrFormat) {
		return nil, "", errors.New("not a JPEG, PNG, WebP or GIF picture")
	}
	format = strings.ToUpper(format)
	if err == nil {
		err = checkSize(config.Width, config.Height, len(b))
	}
	if err != nil {
		return nil, format, broken(format, err)
	}
	img, _, err := image.Decode(bytes.NewReader(b))
	if err != nil {
		return nil, format, broken(format, err)
	}
	return img, format, nil
}

func broken(format string, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("the file ends too early")
	}
	return fmt.Errorf("broken %s picture: %w", format, err)
}

// checkSize holds a picture's size against the length of its file.
func checkSize(width, height, length int) error {
	switch {
	case width < 1 || height < 1:
		return fmt.Errorf("%d by %d pixels", width, height)
	case width > maxPixels/height:
		return fmt.Errorf("%d by %d pixels, want %d at most", width, height, maxPixels)
	case width*height > max(smallPicture, pixelsPerByte*length):
		return fmt.Errorf("%d by %d pixels cannot be in %d bytes", width, height, length)
	}
	return nil
}

// ReadFile reads a picture from a file. Errors name the file.
func ReadFile(path string) (*Picture, error) {
	b, err := readAll(path)
	if err != nil {
		return nil, err
	}
	p, err := Parse(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

func readAll(path string) ([]byte, error) {
	if err := textfile.Regular(path); err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("%s: %d MB, want %d at most", path, info.Size()>>20, maxFile>>20)
	}
	b := make([]byte, info.Size())
	if _, err := io.ReadFull(f, b); err != nil {
		return nil, fmt.Errorf("%s: cannot read: %w", path, err)
	}
	return b, nil
}

// Parse decodes a picture and turns it upright as its EXIF orientation says.
func Parse(b []byte) (*Picture, error) {
	img, format, err := Decode(b)
	if err != nil {
		return nil, err
	}
	return newPicture(img, format).oriented(orientation(b)), nil
}
