// Package lines is one interface to texts of tokens, wherever they lie: in one
// token file, in several read as one, or in memory.
//
// It neither cuts lines into blocks nor pairs them; packages blocks and pairs do.
package lines

import (
	"fmt"
	"os"
	"slices"
	"strconv"

	"github.com/mega-go/mega/data/indexed"
)

// Lines is a text of numbered lines of token ids. Its methods may be called
// from several goroutines.
type Lines interface {
	// Len returns the number of lines.
	Len() int
	// Size returns the number of tokens of line i.
	Size(i int) int
	// Read copies the tokens of line i that begin at from to dst, which must
	// not reach beyond the line.
	Read(dst []int32, i, from int) error
	// Name tells where line i is from, for errors.
	Name(i int) string
}

// Memory is a text held in memory.
type Memory [][]int32

// Len implements [Lines].
func (m Memory) Len() int { return len(m) }

// Size implements [Lines].
func (m Memory) Size(i int) int { return len(m[i]) }

// Read implements [Lines]; its error is always nil.
func (m Memory) Read(dst []int32, i, from int) error {
	copy(dst, m[i][from:from+len(dst)])
	return nil
}

// Name implements [Lines].
func (m Memory) Name(i int) string { return "line " + strconv.Itoa(i+1) }

// Files is one or several token files, or files of raw text, read as one text.
type Files struct {
	prefixes []string
	encode   Encode
	files    []file
	ends     []int // number of lines in the files up to and including this one
}

// Encode appends the ids of a line's words and </s> to dst, as a dictionary does.
type Encode func(dst []int32, line string) []int32

// file is a token file or a raw text.
type file interface {
	Len() int
	Size(i int) int
	Read(dst []int32, i int) error
	Close() error
}

// Exists tells whether there are token files PREFIX.bin and PREFIX.idx, or raw
// text by the name of PREFIX.
func Exists(prefix string) bool {
	info, err := os.Stat(prefix)
	return indexed.Exists(prefix) || err == nil && info.Mode().IsRegular()
}

// Open opens the token files PREFIX.bin and PREFIX.idx of each prefix, or where
// there are none the raw text PREFIX (--dataset-impl raw), whose words encode
// reads. A prefix may stand there several times, and its lines are then read as
// often. Close the result when done.
func Open(encode Encode, prefixes ...string) (*Files, error) {
	f := &Files{prefixes: prefixes, encode: encode}
	n := 0
	for i, prefix := range prefixes {
		file, err := f.open(i, prefix)
		if err != nil {
			f.Close()
			return nil, err
		}
		n += file.Len()
		f.files = append(f.files, file)
		f.ends = append(f.ends, n)
	}
	return f, nil
}

// open opens the file of prefix i, or finds it among those already open.
func (f *Files) open(i int, prefix string) (file, error) {
	if k := slices.Index(f.prefixes[:i], prefix); k >= 0 {
		return f.files[k], nil
	}
	if !indexed.Exists(prefix) && Exists(prefix) {
		return openRaw(f.encode, prefix)
	}
	return indexed.Open(prefix)
}

// Numbered returns prefix(0), and where it is to combine also prefix(1),
// prefix(2), … as far as there are files (fairseq data/data_utils.py:70).
// What prefix(k) writes for 0 is the plain name.
func Numbered(prefix func(k int) string, combine bool) []string {
	prefixes := []string{prefix(0)}
	for combine && Exists(prefix(len(prefixes))) {
		prefixes = append(prefixes, prefix(len(prefixes)))
	}
	return prefixes
}

// OpenSplit opens a split of a text in one language: PREFIX and, where it is to
// combine, PREFIX1, PREFIX2, ….
func OpenSplit(encode Encode, prefix string, combine bool) (*Files, error) {
	return Open(encode, Numbered(func(k int) string { return prefix + Suffix(k) }, combine)...)
}

// Suffix returns what follows the name of a split in its k-th file: nothing for
// the first, then 1, 2, ….
func Suffix(k int) string {
	if k == 0 {
		return ""
	}
	return strconv.Itoa(k)
}

// Close closes the files.
func (f *Files) Close() error {
	var first error
	for i, file := range f.files {
		if slices.Index(f.prefixes, f.prefixes[i]) != i {
			continue
		}
		if err := file.Close(); err != nil && first == nil {
			first = err
		}
	}
	f.files = nil
	return first
}

// Len implements [Lines].
func (f *Files) Len() int {
	if len(f.ends) == 0 {
		return 0
	}
	return f.ends[len(f.ends)-1]
}

// at returns the number of the file that holds line i and the line's number
// there.
func (f *Files) at(i int) (file, line int) {
	if len(f.ends) == 1 {
		return 0, i
	}
	file, _ = slices.BinarySearch(f.ends, i+1)
	if file > 0 {
		i -= f.ends[file-1]
	}
	return file, i
}

// Size implements [Lines].
func (f *Files) Size(i int) int {
	file, line := f.at(i)
	return f.files[file].Size(line)
}

// Read implements [Lines].
func (f *Files) Read(dst []int32, i, from int) error {
	file, line := f.at(i)
	if from == 0 {
		return f.files[file].Read(dst, line)
	}
	whole := make([]int32, from+len(dst))
	if err := f.files[file].Read(whole, line); err != nil {
		return err
	}
	copy(dst, whole[from:])
	return nil
}

// Name implements [Lines].
func (f *Files) Name(i int) string {
	file, line := f.at(i)
	extension := ""
	if _, ok := f.files[file].(*indexed.Dataset); ok {
		extension = ".bin"
	}
	return fmt.Sprintf("%s%s: line %d", f.prefixes[file], extension, line+1)
}

// CheckTokens reports the first token of line i that is no id of a vocabulary
// of that many.
func CheckTokens(l Lines, i int, tokens []int32, vocabulary int) error {
	for _, token := range tokens {
		if token < 0 || int(token) >= vocabulary {
			return fmt.Errorf("%s: token %d is beyond the dictionary of %d; was the text made with another dictionary?",
				l.Name(i), token, vocabulary)
		}
	}
	return nil
}
