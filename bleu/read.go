package bleu

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// ReadLines reads text, a sentence a line, in small letters if asked for. name is
// the file's, for errors.
func ReadLines(r io.Reader, name string, lower bool) ([]string, error) {
	var lines []string
	for in := bufio.NewReader(r); ; {
		line, err := in.ReadString('\n')
		if line != "" {
			if !utf8.ValidString(line) {
				return nil, fmt.Errorf("%s:%d: the line is not UTF-8", name, len(lines)+1)
			}
			line = strings.TrimRight(line, "\r\n")
			if lower {
				line = strings.ToLower(line)
			}
			lines = append(lines, line)
		}
		if err == io.EOF {
			return lines, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
}
