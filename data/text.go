package data

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mega-go/mega/data/lines"
)

// CLS is the word that the reference's lra-text task adds to the dictionary,
// after all others, whether the model uses it or not (tasks/long_range_arena.py:96).
const CLS = "<CLS>"

// TextDir is a directory of classified texts in the reference's layout:
// src-bin, label-bin and, for pairs, src1-bin, each with SPLIT.bin and
// SPLIT.idx; src-bin and label-bin with a dict.txt.
type TextDir struct {
	Path   string
	Source *Dictionary // src-bin/dict.txt, then CLS: the ids of both texts
	Labels *Dictionary // label-bin/dict.txt: label id - 4 is the class
	Bytes  bool        // BytesFile is there
}

// OpenTextDir reads the two dictionaries.
func OpenTextDir(path string) (*TextDir, error) {
	if info, err := os.Stat(path); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("%s: no such directory; want that of the data, which holds src-bin and label-bin", path)
	}
	d, err := OpenTextDictionaries(filepath.Join(path, "src-bin", "dict.txt"), filepath.Join(path, "label-bin", "dict.txt"))
	if err != nil {
		return nil, err
	}
	d.Path = path
	return d, nil
}

// OpenTextDictionaries reads the dictionaries of a TextDir that is not there: of
// its words and of its labels, "" for labels without names.
func OpenTextDictionaries(source, labels string) (*TextDir, error) {
	d := &TextDir{Labels: NewDictionary()}
	var err error
	if d.Source, err = LoadDictionary(source); err != nil {
		return nil, err
	}
	if labels != "" {
		if d.Labels, err = LoadDictionary(labels); err != nil {
			return nil, err
		}
	}
	d.Source.Add(CLS, 1)
	d.Bytes = BytesBeside(source)
	return d, nil
}

// Classes returns the labels' names in the order of the classes, which is that
// of the label dictionary (the most frequent label first), not of the names.
func (d *TextDir) Classes() []string {
	names := d.Labels.symbols[NumSpecial:]
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		return strings.HasPrefix(name, "madeupword")
	})
}

// TextOptions says how texts become batches.
type TextOptions struct {
	// MaxPositions is the number of tokens to which longer texts are cut. Like the
	// reference, this may cut </s>. 0 means no limit.
	MaxPositions int
	// PrependCLS puts CLS before every text (--sen-rep-type cls).
	PrependCLS bool
	// Classes is the model's number of classes; a label beyond is an error.
	// 0 means the number in the label dictionary.
	Classes int
	// Combine appends SPLIT1, SPLIT2, … as far as they are there, which the
	// reference does for the training split.
	Combine bool
}

// Text is one split of a TextDir. Its files are mapped, not read into memory.
type Text struct {
	dir           *TextDir
	first, second *lines.Files // second is nil unless there are pairs
	labels        []int32
	options       TextOptions
}

// Open opens a split (train, valid, test) and checks every label and token of
// it. Close it when done.
func (d *TextDir) Open(split string, o TextOptions) (*Text, error) {
	if o.Classes == 0 {
		o.Classes = len(d.Classes())
	}
	t := &Text{dir: d, options: o}
	if err := t.open(split); err != nil {
		t.Close()
		return nil, err
	}
	return t, nil
}

func (t *Text) open(split string) error {
	var err error
	prefix := func(kind string) string { return filepath.Join(t.dir.Path, kind, split) }
	if t.first, err = lines.OpenSplit(t.dir.Source.Encode, prefix("src-bin"), t.options.Combine); err != nil {
		return err
	}
	if lines.Exists(prefix("src1-bin")) {
		if t.second, err = lines.OpenSplit(t.dir.Source.Encode, prefix("src1-bin"), t.options.Combine); err != nil {
			return err
		}
	}
	labels, err := lines.OpenSplit(t.dir.Labels.Encode, prefix("label-bin"), t.options.Combine)
	if err != nil {
		return err
	}
	defer labels.Close()
	if err := t.checkCounts(prefix, labels); err != nil {
		return err
	}
	for _, texts := range []*lines.Files{t.first, t.second} {
		if err := checkTokens(texts, t.dir.Source.Len()); err != nil {
			return err
		}
	}
	return t.readLabels(labels)
}

// checkCounts checks that texts and labels are as many, and some.
func (t *Text) checkCounts(prefix func(kind string) string, labels *lines.Files) error {
	n := t.first.Len()
	if n == 0 {
		return fmt.Errorf("%s.idx: no samples", prefix("src-bin"))
	}
	if labels.Len() != n {
		return fmt.Errorf("%s.idx has %d labels, %s.idx %d texts", prefix("label-bin"), labels.Len(), prefix("src-bin"), n)
	}
	if t.second != nil && t.second.Len() != n {
		return fmt.Errorf("%s.idx has %d texts, %s.idx %d", prefix("src1-bin"), t.second.Len(), prefix("src-bin"), n)
	}
	return nil
}

// readLabels reads every label: one word, </s> around it dropped, its id less
// the number of special symbols (tasks/long_range_arena.py:159).
func (t *Text) readLabels(labels *lines.Files) error {
	t.labels = make([]int32, labels.Len())
	var ids []int32
	for i := range t.labels {
		ids = slices.Grow(ids[:0], labels.Size(i))[:labels.Size(i)]
		if err := labels.Read(ids, i, 0); err != nil {
			return err
		}
		words := slices.DeleteFunc(ids, func(id int32) bool { return id == EOS })
		if len(words) != 1 {
			return fmt.Errorf("%s: the label has %d words, want 1", labels.Name(i), len(words))
		}
		t.labels[i] = words[0] - NumSpecial
		if t.labels[i] < 0 || int(t.labels[i]) >= t.options.Classes {
			return fmt.Errorf("%s: label %q (id %d) is class %d, out of range for %d classes",
				labels.Name(i), t.dir.Labels.Symbol(words[0]), words[0], t.labels[i], t.options.Classes)
		}
	}
	return nil
}

// checkTokens checks that every text has tokens and every token an entry in a
// dictionary of that many.
func checkTokens(texts *lines.Files, vocabulary int) error {
	if texts == nil {
		return nil
	}
	var ids []int32
	for i := range texts.Len() {
		n := texts.Size(i)
		if n == 0 {
			return fmt.Errorf("%s: the text is empty", texts.Name(i))
		}
		ids = slices.Grow(ids[:0], n)[:n]
		if err := texts.Read(ids, i, 0); err != nil {
			return err
		}
		if err := lines.CheckTokens(texts, i, ids, vocabulary); err != nil {
			return err
		}
	}
	return nil
}

// Close unmaps the files.
func (t *Text) Close() error {
	var err error
	for _, texts := range []*lines.Files{t.first, t.second} {
		if texts != nil {
			err = errors.Join(err, texts.Close())
		}
	}
	return err
}

// Len returns the number of samples.
func (t *Text) Len() int { return len(t.labels) }

// Size returns the number of tokens of text i that the model sees.
func (t *Text) Size(i int) int { return t.size(t.first, i) }

// Labels returns every sample's class; it must not be modified.
func (t *Text) Labels() []int32 { return t.labels }

func (t *Text) size(texts *lines.Files, i int) int {
	n := texts.Size(i)
	if t.options.PrependCLS {
		n++
	}
	if t.options.MaxPositions > 0 {
		n = min(n, t.options.MaxPositions)
	}
	return n
}

// Collate implements [Dataset].
func (t *Text) Collate(indices []int) (*Batch, error) {
	if err := CheckIndices(indices, t.Len()); err != nil {
		return nil, err
	}
	b, err := t.collate(t.first, indices)
	if err != nil {
		return nil, err
	}
	if t.second != nil {
		if b.Pair, err = t.collate(t.second, indices); err != nil {
			return nil, err
		}
	}
	b.IDs = slices.Clone(indices)
	b.Labels = make([]int32, len(indices))
	for row, i := range indices {
		b.Labels[row] = t.labels[i]
	}
	return b, nil
}

func (t *Text) collate(texts *lines.Files, indices []int) (*Batch, error) {
	lengths := make([]int32, len(indices))
	for row, i := range indices {
		lengths[row] = int32(t.size(texts, i))
	}
	b := newTokenBatch(lengths)
	for row, i := range indices {
		dst := b.tokenRow(row)
		if t.options.PrependCLS {
			dst[0] = int32(t.dir.Source.Len() - 1)
			dst = dst[1:]
		}
		if err := texts.Read(dst, i, 0); err != nil {
			return nil, err
		}
	}
	return b, nil
}
