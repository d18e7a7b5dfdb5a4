package data

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/mega-go/mega/internal/atomicfile"
	"github.com/mega-go/mega/internal/textfile"
)

// overwriteFlag at the end of a line of dict.txt lets its word be given again.
const overwriteFlag = "#fairseq:overwrite"

// Dictionary maps words to consecutive ids as fairseq's does
// (data/dictionary.py): 0 <s>, 1 <pad>, 2 </s>, 3 <unk>, then the words.
type Dictionary struct {
	symbols []string
	counts  []int64
	index   map[string]int32
	again   map[int32]bool // ids whose word is an earlier id's too
	name    string         // of the file it was read from
}

// Name returns the file that the dictionary was read from, or says what it is.
func (d *Dictionary) Name() string { return cmp.Or(d.name, "a dictionary that was made") }

// Check reports a dictionary that is not of the size that a model has, which is
// want symbols.
func (d *Dictionary) Check(want int) error {
	if n := d.Len(); n != want {
		return fmt.Errorf("%s: the dictionary has %d symbols and the model %d: it is not the one that the model was trained with",
			d.Name(), n, want)
	}
	return nil
}

// NewDictionary returns a dictionary of the four special symbols.
func NewDictionary() *Dictionary {
	d := &Dictionary{index: map[string]int32{}, again: map[int32]bool{}}
	for _, s := range []string{"<s>", "<pad>", "</s>", "<unk>"} {
		d.Add(s, 1)
	}
	return d
}

// LoadDictionary reads a dict.txt, which must be a regular file.
func LoadDictionary(path string) (*Dictionary, error) {
	if err := textfile.Regular(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return OpenDictionary(path)
}

// OpenDictionary is LoadDictionary for a pipe too, which may never be written to.
func OpenDictionary(path string) (d *Dictionary, err error) {
	err = textfile.Open("dictionary", path, func(r io.Reader, name string) (err error) {
		d, err = ReadDictionary(r, name)
		return err
	})
	return d, err
}

// ReadDictionary reads lines of "<word> <count>"; name is the file's, for
// errors.
func ReadDictionary(r io.Reader, name string) (*Dictionary, error) {
	d := NewDictionary()
	d.name = name
	if err := textfile.EachLine(r, name, d.addLine); err != nil {
		return nil, err
	}
	return d, nil
}

// addLine adds the word of one line of dict.txt. The word is all before the
// last space, so it may hold spaces itself.
func (d *Dictionary) addLine(line []byte) error {
	if !utf8.Valid(line) {
		return errors.New("not UTF-8; rebuild the dictionary")
	}
	word, field, ok := cutLast(strings.TrimRightFunc(string(line), textfile.IsSpace))
	overwrite := field == overwriteFlag
	if overwrite {
		word, field, ok = cutLast(word)
	}
	count, err := strconv.ParseInt(field, 10, 64)
	if !ok || err != nil {
		return fmt.Errorf("want %q, have %q", "<word> <count>", line)
	}
	if d.Contains(word) {
		if !overwrite {
			return fmt.Errorf("the word %q is there twice; end the line with %s to replace the first", word, overwriteFlag)
		}
		delete(d.index, word)
		d.again[int32(len(d.symbols))] = true
	}
	d.Add(word, count)
	return nil
}

// cutLast cuts s around its last space.
func cutLast(s string) (before, after string, ok bool) {
	i := strings.LastIndexByte(s, ' ')
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

// Add adds n to a word's count and returns its id; a new word gets the next.
func (d *Dictionary) Add(word string, n int64) int32 {
	if id, ok := d.index[word]; ok {
		d.counts[id] += n
		return id
	}
	id := int32(len(d.symbols))
	d.index[word] = id
	d.symbols = append(d.symbols, word)
	d.counts = append(d.counts, n)
	return id
}

// Len returns the number of ids, the special ones included.
func (d *Dictionary) Len() int { return len(d.symbols) }

// Contains tells whether the word has an id.
func (d *Dictionary) Contains(word string) bool {
	_, ok := d.index[word]
	return ok
}

// Index returns the word's id, or Unknown.
func (d *Dictionary) Index(word string) int32 {
	if id, ok := d.index[word]; ok {
		return id
	}
	return Unknown
}

// Symbol returns the word of an id; <unk> for an id that is not there.
func (d *Dictionary) Symbol(id int32) string {
	if id < 0 || int(id) >= len(d.symbols) {
		return d.symbols[Unknown]
	}
	return d.symbols[id]
}

// Count returns the count of an id, which must be there.
func (d *Dictionary) Count(id int32) int64 { return d.counts[id] }

// Finalize orders the words by falling count, those of one count by the
// alphabet, drops words rarer than threshold and all but the first words-4
// (words counts the special symbols; 0 keeps all), and fills up with
// madeupword0000 … to a multiple (fairseq's default is 8; 0 or 1 leaves it).
func (d *Dictionary) Finalize(threshold int64, words, multiple int) {
	type entry struct {
		word  string
		count int64
	}
	var entries []entry
	for i := int(NumSpecial); i < len(d.symbols); i++ {
		if d.counts[i] >= threshold {
			entries = append(entries, entry{d.symbols[i], d.counts[i]})
		}
	}
	slices.SortFunc(entries, func(a, b entry) int {
		return cmp.Or(cmp.Compare(b.count, a.count), strings.Compare(a.word, b.word))
	})
	if words > 0 {
		entries = entries[:min(len(entries), max(words-int(NumSpecial), 0))]
	}
	special := d.counts[:NumSpecial]
	*d = *NewDictionary()
	copy(d.counts, special)
	for _, e := range entries {
		d.Add(e.word, e.count)
	}
	for i := 0; multiple > 1 && d.Len()%multiple != 0; i++ {
		d.Add(fmt.Sprintf("madeupword%04d", i), 0)
	}
}

// CountLine adds the words of a line of text and one </s>, as counting a file
// does before Finalize.
func (d *Dictionary) CountLine(line string) {
	for word := range strings.FieldsFuncSeq(line, textfile.IsSpace) {
		d.Add(word, 1)
	}
	d.counts[EOS]++
}

// Encode appends the ids of the words of a line, which white space parts, and
// EOS to dst. Words that are not there become Unknown.
func (d *Dictionary) Encode(dst []int32, line string) []int32 {
	for word := range strings.FieldsFuncSeq(line, textfile.IsSpace) {
		dst = append(dst, d.Index(word))
	}
	return append(dst, EOS)
}

// Decode returns the words of the ids with spaces between, <s> and </s> left out, and
// unknown for <unk>.
func (d *Dictionary) Decode(ids []int32, unknown string) string {
	words := make([]string, 0, len(ids))
	for _, id := range ids {
		switch id {
		case BOS, EOS:
		case Unknown:
			words = append(words, unknown)
		default:
			words = append(words, d.Symbol(id))
		}
	}
	return strings.Join(words, " ")
}

// WriteTo writes the words, without the special symbols, as dict.txt holds
// them.
func (d *Dictionary) WriteTo(w io.Writer) (int64, error) {
	var b bytes.Buffer
	for i := int(NumSpecial); i < len(d.symbols); i++ {
		flag := ""
		if d.again[int32(i)] {
			flag = " " + overwriteFlag
		}
		fmt.Fprintf(&b, "%s %d%s\n", d.symbols[i], d.counts[i], flag)
	}
	return b.WriteTo(w)
}

// Save writes dict.txt, whole or not at all.
func (d *Dictionary) Save(path string) error {
	return atomicfile.Write(path, func(w io.Writer) error {
		_, err := d.WriteTo(w)
		return err
	})
}
