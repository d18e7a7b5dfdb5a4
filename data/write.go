package data

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strconv"

	"github.com/mega-go/mega/data/indexed"
	"github.com/mega-go/mega/internal/atomicfile"
	"github.com/mega-go/mega/internal/textfile"
)

// Record is a labelled text, or pair of texts, before it is binarised: words
// with white space between.
type Record struct {
	Text  string
	Pair  string // the second text; empty where there are no pairs
	Label string
	Where string // file and line, for errors; empty for what is generated
}

// TextSplit is a split to be written. Records may be read more than once; an
// error ends them.
type TextSplit struct {
	Name    string
	Records iter.Seq2[Record, error]
	Bytes   bool // texts are ByteWords, which is recorded
}

// BytesFile, beside the dictionary of texts whose words are bytes, tells that they
// are. The reference has no such file; without it the dictionary must tell.
const BytesFile = "bytes"

// BytesBeside tells whether there is a BytesFile beside a dictionary.
func BytesBeside(dictionary string) bool {
	_, err := os.Stat(filepath.Join(filepath.Dir(dictionary), BytesFile))
	return err == nil
}

// ByteWords returns a text as the reference's byte-level tasks have it: each
// byte a word, a decimal number.
func ByteWords(text string) string {
	words := make([]byte, 0, 4*len(text))
	for i := range len(text) {
		if i > 0 {
			words = append(words, ' ')
		}
		words = strconv.AppendUint(words, uint64(text[i]), 10)
	}
	return string(words)
}

// TextEntries are the names of what WriteText makes.
var TextEntries = []string{"src-bin", "src1-bin", "label-bin"}

// WriteText writes splits in the layout that OpenTextDir reads, the bytes those
// of fairseq-preprocess: the dictionaries of words and labels are the first
// split's (the second text of a pair uses the first's). A label that the first
// split lacks is an error.
func WriteText(dir string, splits ...TextSplit) error {
	if len(splits) == 0 {
		return errors.New("no splits to write")
	}
	words, labels, pairs, err := countWords(splits[0])
	if err != nil {
		return err
	}
	dictionaries := map[string]*Dictionary{"src-bin": words, "label-bin": labels}
	if pairs {
		dictionaries["src1-bin"] = words
	}
	for kind, d := range dictionaries {
		if err := os.MkdirAll(filepath.Join(dir, kind), 0o755); err != nil {
			return err
		}
		if err := d.Save(filepath.Join(dir, kind, "dict.txt")); err != nil {
			return err
		}
	}
	if splits[0].Bytes {
		if err := atomicfile.WriteFile(filepath.Join(dir, "src-bin", BytesFile), nil); err != nil {
			return err
		}
	}
	for _, split := range splits {
		if err := writeTextSplit(dir, split, dictionaries); err != nil {
			return err
		}
	}
	return nil
}

// countWords returns the dictionaries of a split and whether it has pairs.
func countWords(split TextSplit) (words, labels *Dictionary, pairs bool, err error) {
	words, labels = NewDictionary(), NewDictionary()
	n := 0
	for record, err := range split.Records {
		if err != nil {
			return nil, nil, false, err
		}
		words.CountLine(record.Text)
		labels.CountLine(record.Label)
		pairs = record.Pair != ""
		n++
	}
	if n == 0 {
		return nil, nil, false, fmt.Errorf("split %q has no samples", split.Name)
	}
	words.Finalize(-1, 0, 8)
	labels.Finalize(-1, 0, 8)
	return words, labels, pairs, nil
}

// writeTextSplit writes one split's files, all of them or none.
func writeTextSplit(dir string, split TextSplit, dictionaries map[string]*Dictionary) error {
	writers := map[string]*indexed.Writer{}
	for kind, d := range dictionaries {
		w, err := indexed.Create(filepath.Join(dir, kind, split.Name), indexed.BestDType(d.Len()))
		if err != nil {
			return err
		}
		defer w.Abort()
		writers[kind] = w
	}
	var ids []int32
	n := 0
	for record, err := range split.Records {
		if err != nil {
			return err
		}
		if err := record.check(dictionaries); err != nil {
			return fmt.Errorf("%s: %w", cmp.Or(record.Where, fmt.Sprintf("split %q, sample %d", split.Name, n)), err)
		}
		for kind, w := range writers {
			line := map[string]string{"src-bin": record.Text, "src1-bin": record.Pair, "label-bin": record.Label}[kind]
			ids = dictionaries[kind].Encode(ids[:0], line)
			if err := w.Add(ids); err != nil {
				return err
			}
		}
		n++
	}
	if n == 0 {
		return fmt.Errorf("split %q has no samples", split.Name)
	}
	for _, w := range writers {
		if err := w.Close(); err != nil {
			return err
		}
	}
	return nil
}

// check reports what cannot be a sample of the task that the dictionaries are
// for.
func (r *Record) check(dictionaries map[string]*Dictionary) error {
	_, pairs := dictionaries["src1-bin"]
	switch {
	case pairs != (r.Pair != ""):
		return errors.New("either all samples or none must be pairs")
	case !dictionaries["label-bin"].Contains(r.Label):
		return fmt.Errorf("the label %q does not occur in the training split", r.Label)
	}
	return nil
}

// Image is a labelled grey image, its pixels row by row.
type Image struct {
	Pixels []byte
	Label  int32
}

// ClassesFile, in a directory of images, names their classes, a line each. The
// reference has no such file; without it classes are numbers.
const ClassesFile = "classes.txt"

// WriteClasses writes the names of classes into a directory of images.
func WriteClasses(dir string, names []string) error {
	text := ""
	for _, name := range names {
		text += name + "\n"
	}
	return atomicfile.WriteFile(filepath.Join(dir, ClassesFile), []byte(text))
}

// ReadClasses reads the names of classes; it returns none if there is no such
// file.
func ReadClasses(path string) ([]string, error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var names []string
	err := textfile.Open("classes", path, func(r io.Reader, name string) error {
		return textfile.EachLine(r, name, func(line []byte) error {
			name := textfile.Trim(string(line))
			if name == "" {
				return errors.New("a class without a name")
			}
			names = append(names, name)
			return nil
		})
	})
	return names, err
}

// PixelSplit is a split of images to be written. An error ends them.
type PixelSplit struct {
	Name   string
	Images iter.Seq2[Image, error]
}

// PixelEntries are the names of what WritePixels and WriteClasses make.
var PixelEntries = []string{"input", "label", ClassesFile}

// WritePixels writes splits in the layout that OpenPixels reads.
func WritePixels(dir string, splits ...PixelSplit) error {
	for _, kind := range []string{"input", "label"} {
		if err := os.MkdirAll(filepath.Join(dir, kind), 0o755); err != nil {
			return err
		}
	}
	for _, split := range splits {
		if err := writePixelSplit(dir, split); err != nil {
			return err
		}
	}
	return nil
}

func writePixelSplit(dir string, split PixelSplit) error {
	source, err := atomicfile.Create(filepath.Join(dir, "input", split.Name+".src"))
	if err != nil {
		return err
	}
	defer source.Abort()
	label, err := atomicfile.Create(filepath.Join(dir, "label", split.Name+".label"))
	if err != nil {
		return err
	}
	defer label.Abort()
	n := 0
	var line []byte
	for image, err := range split.Images {
		if err != nil {
			return err
		}
		line = appendPixels(line[:0], image.Pixels)
		if _, err := source.Write(line); err != nil {
			return fmt.Errorf("%s: cannot write split %q: %w", dir, split.Name, err)
		}
		fmt.Fprintf(label, "%d\n", image.Label) // an error shows at Commit
		n++
	}
	if n == 0 {
		return fmt.Errorf("split %q has no images", split.Name)
	}
	if err := source.Commit(); err != nil {
		return err
	}
	return label.Commit()
}

// appendPixels appends a line of a .src file.
func appendPixels(line, pixels []byte) []byte {
	for i, v := range pixels {
		if i > 0 {
			line = append(line, ' ')
		}
		line = strconv.AppendUint(line, uint64(v), 10)
	}
	return append(line, '\n')
}
