package labelled

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"unsafe"

	"github.com/mega-go/mega/data/table"
)

// The kinds of samples.
const (
	Texts  = "texts"
	Pairs  = "pairs of texts"
	Series = "series"
	Sound  = "recordings"
)

// A Sample is one sample as it lies. Its slices are valid during the call that
// it is given to.
type Sample struct {
	Kind     string
	Texts    [][]byte  // one, or two of a pair
	Values   []float32 // of a series, the channels of a step side by side: [L, Channels]
	Channels int
	Path     string // of a recording, which is read when it is needed
	Size     int    // samples of a recording
	Rate     int    // of a recording, in samples a second

	Label string
	Split string // the part that it belongs to, "" where the data does not say
	File  string // where it lies
	Line  int    // 0 in a file that is one sample

	LeftOut string // why it is none, "" if it is one
}

// Where says where a sample lies.
func (s *Sample) Where() string {
	if s.Line == 0 {
		return s.File
	}
	return fmt.Sprintf("%s:%d", s.File, s.Line)
}

// length returns the bytes, steps or recorded samples.
func (s *Sample) length() int {
	switch s.Kind {
	case Series:
		return len(s.Values) / s.Channels
	case Sound:
		return s.Size
	}
	n := 0
	for _, text := range s.Texts {
		n = max(n, len(text))
	}
	return n
}

// hash is a fingerprint of what a model reads of a sample.
func (s *Sample) hash() uint64 {
	h := fnvOffset
	for _, text := range s.Texts {
		h = fnv(h, text)
		h = fnv(h, binary.LittleEndian.AppendUint64(nil, uint64(len(text))))
	}
	if len(s.Values) > 0 {
		h = fnv(h, unsafe.Slice((*byte)(unsafe.Pointer(&s.Values[0])), 4*len(s.Values)))
	}
	return h
}

// FNV-1a with 64 bits, eight bytes a step: a fingerprint, no defence.
const (
	fnvOffset uint64 = 14695981039346656037
	fnvPrime  uint64 = 1099511628211
)

func fnv(h uint64, b []byte) uint64 {
	for ; len(b) >= 8; b = b[8:] {
		h = (h ^ binary.LittleEndian.Uint64(b)) * fnvPrime
		h ^= h >> 32
	}
	for _, c := range b {
		h = (h ^ uint64(c)) * fnvPrime
	}
	return h
}

func finite(x float32) bool { return !math.IsNaN(float64(x)) && !math.IsInf(float64(x), 0) }

// Read calls use with every sample of labelled data, in the order in which they
// lie, and with what is left out and why. Memory does not grow with the data.
func Read(path string, o Options, use func(*Sample) error) error {
	if err := o.Check(); err != nil {
		return err
	}
	for _, part := range []struct{ path, split string }{{path, ""}, {o.ValidFile, Valid}, {o.TestFile, Test}} {
		if part.path == "" {
			continue
		}
		if err := readPart(part.path, o, func(s *Sample) error {
			if part.split != "" {
				s.Split = part.split
			} else if o.ValidFile != "" && o.TestFile != "" && s.Split == "" {
				s.Split = Train
			}
			return use(s)
		}); err != nil {
			return err
		}
	}
	return nil
}

// ReadUnlabelled calls use with every sample of data that needs no labels: of a table,
// of an array, of all arrays x of an archive, or of the files in a directory and below
// it.
func ReadUnlabelled(path string, o Options, use func(*Sample) error) error {
	o.unlabelled, o.Labels, o.LabelColumn, o.SplitColumn = true, "", "", ""
	if err := o.Check(); err != nil {
		return err
	}
	return readPart(path, o, use)
}

// readPart reads a file or a folder.
func readPart(path string, o Options, use func(*Sample) error) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return fmt.Errorf("%s: no such file or directory of labelled data", path)
	case info.IsDir():
		return readFolder(path, o, use)
	case isArray(path):
		return readArray(path, o, use)
	}
	if o.Labels != "" {
		return fmt.Errorf("%s: labels is for .npy files: a table has its labels in a column", path)
	}
	if !table.Is(path) {
		return fmt.Errorf("%s: not labelled data by its name, want a directory, or a file that ends in %v or %v (and .gz or .zst if it is compressed)", path, table.Endings(), arrays)
	}
	return readTable(path, o, use)
}
