package lines

import (
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/mega-go/mega/internal/textfile"
)

// raw is a raw text, held in memory as tokens, as the reference holds it
// (IndexedRawTextDataset).
type raw struct{ Memory }

func openRaw(encode Encode, path string) (file, error) {
	var r raw
	err := textfile.Open("text", path, func(in io.Reader, name string) error {
		return textfile.EachLine(in, name, func(line []byte) error {
			if !utf8.Valid(line) {
				return errors.New("not UTF-8")
			}
			r.Memory = append(r.Memory, encode(nil, string(line)))
			return nil
		})
	})
	if err == nil && r.Memory == nil {
		err = fmt.Errorf("%s: the file is empty", path)
	}
	return r, err
}

func (r raw) Read(dst []int32, i int) error { return r.Memory.Read(dst, i, 0) }
func (r raw) Close() error                  { return nil }
