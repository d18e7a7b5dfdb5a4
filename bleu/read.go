package bleu

import (
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/mega-go/mega/internal/textfile"
)

// ReadLines reads text, a sentence a line, in small letters if asked for. name is
// the file's, for errors.
func ReadLines(r io.Reader, name string, lower bool) ([]string, error) {
	var lines []string
	err := textfile.EachLine(r, name, func(text []byte) error {
		if !utf8.Valid(text) {
			return errors.New("the line is not UTF-8")
		}
		line := string(text)
		if lower {
			line = strings.ToLower(line)
		}
		lines = append(lines, line)
		return nil
	})
	return lines, err
}
