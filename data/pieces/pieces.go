// Package pieces gives the pieces of a SentencePiece model or of a Hugging Face
// tokenizer the ids of a dictionary, which begins with the four special symbols
// that every model here has.
//
// It knows nothing of lines: what it encodes is the text of one.
package pieces

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"unicode/utf8"

	"github.com/mega-go/mega/data"
	"github.com/mega-go/mega/data/sentencepiece"
	"github.com/mega-go/mega/data/tokenizer"
	"github.com/mega-go/mega/internal/textfile"
)

// cutter is what both kinds of models do.
type cutter interface {
	Len() int
	Token(id int) string
	AppendText(dst []byte, id int, first bool) []byte
}

// A Set is the pieces of a model. Its methods may be called from several
// goroutines.
type Set struct {
	cutter     cutter
	append     func(dst []int, line string) []int
	words      func(line string) string
	dictionary *data.Dictionary
	ids        []int32 // in the dictionary, of each piece
	pieces     []int   // the other way round; -1 for special symbols
	file       []byte  // of the model
}

// InData is the file of the pieces that the lines of a directory of data are cut
// into.
const InData = "dict.pieces"

// Open reads a file of pieces: a SentencePiece model or a tokenizer.json.
func Open(path string) (*Set, error) {
	b, err := textfile.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: no such file of pieces, want a SentencePiece model, such as mega data pieces makes, or a tokenizer.json", path)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the pieces: %w", err)
	}
	return Parse(b, path)
}

// Parse reads the bytes of such a file, which must stay as they are; name is the file's,
// for errors.
func Parse(b []byte, name string) (*Set, error) {
	s := &Set{dictionary: data.NewDictionary(), file: b}
	var err error
	if IsTokenizer(b) {
		var t *tokenizer.Tokenizer
		if t, err = tokenizer.Parse(b, name); err == nil {
			s.cutter, s.append, s.words = t, t.AppendIDs, s.tokens
		}
	} else {
		var m *sentencepiece.Model
		if m, err = sentencepiece.Parse(b, name); err == nil {
			s.cutter, s.append, s.words = m, m.AppendExact, m.Encode
		}
	}
	if err != nil {
		return nil, err
	}
	if err := s.index(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return s, nil
}

// IsTokenizer tells whether a file is a tokenizer.json rather than a SentencePiece
// model.
func IsTokenizer(b []byte) bool { return bytes.HasPrefix(bytes.TrimLeft(b, " \t\r\n"), []byte("{")) }

// special are the ids of pieces that are symbols of every dictionary.
var special = map[string]int32{"<s>": data.BOS, "<pad>": data.Pad, "</s>": data.EOS, "<unk>": data.Unknown}

// index gives the pieces ids in their order, the special ones those that every
// dictionary has.
func (s *Set) index() error {
	for range data.NumSpecial {
		s.pieces = append(s.pieces, -1)
	}
	for i := range s.cutter.Len() {
		text := s.cutter.Token(i)
		if id, ok := special[text]; ok {
			s.ids = append(s.ids, id)
			continue
		}
		if text == "" { // a gap in the ids
			text = fmt.Sprintf("madeupword%04d", i)
		}
		if s.dictionary.Contains(text) {
			return fmt.Errorf("pieces %d and another are both called %q", i, text)
		}
		s.ids = append(s.ids, s.dictionary.Add(text, 1))
		s.pieces = append(s.pieces, i)
	}
	return nil
}

// Dictionary returns the pieces as a dictionary.
func (s *Set) Dictionary() *data.Dictionary { return s.dictionary }

// Append appends the ids of a line's pieces. Of models that give back every byte
// it keeps also those that are not UTF-8.
func (s *Set) Append(dst []int32, line string) []int32 {
	var buf [256]int
	for _, id := range s.append(buf[:0], line) {
		dst = append(dst, s.ids[id])
	}
	return dst
}

// Words returns the pieces of a line as the dictionary has them, with spaces
// between. Of a SentencePiece model those that it lacks are as they were.
func (s *Set) Words(line string) string { return s.words(line) }

func (s *Set) tokens(line string) string {
	var words []string
	for _, id := range s.append(nil, line) {
		words = append(words, s.cutter.Token(id))
	}
	return strings.Join(words, " ")
}

// Join returns the line of text of pieces with spaces between; words that are no
// pieces stay as they are. Bytes that are no text, or end a line, are replaced.
func (s *Set) Join(words string) string {
	var text []byte
	for word := range strings.SplitSeq(words, " ") {
		if id := s.dictionary.Index(word); id == data.Unknown {
			text = append(text, word...)
		} else {
			text = s.AppendText(text, id, len(text) == 0)
		}
	}
	return strings.ToValidUTF8(lineEnds.Replace(string(text)), string(utf8.RuneError))
}

// lineEnds keeps what a model writes in a line.
var lineEnds = strings.NewReplacer("\n", " ", "\r", " ")

// AppendText appends the text of an id: nothing for special symbols, U+FFFD for
// what is unknown. The first of a line loses the space that was put before it.
func (s *Set) AppendText(dst []byte, id int32, first bool) []byte {
	if id == data.Unknown {
		return utf8.AppendRune(dst, utf8.RuneError)
	}
	if p := s.pieces[id]; p >= 0 {
		return s.cutter.AppendText(dst, p, first)
	}
	return dst
}

// Silent returns the ids that stand for no text.
func (s *Set) Silent() []int32 {
	silent := []int32{data.Unknown}
	for id := data.NumSpecial; int(id) < len(s.pieces); id++ {
		if len(s.AppendText(nil, id, false)) == 0 {
			silent = append(silent, id)
		}
	}
	return silent
}

// Packed returns the file, compressed: what checkpoints hold.
func (s *Set) Packed() []byte {
	var out bytes.Buffer
	z, _ := gzip.NewWriterLevel(&out, gzip.BestCompression) // there is such a level
	z.Write(s.file)                                         // memory takes it all
	z.Close()
	return out.Bytes()
}

// File returns the file, which must not be changed.
func (s *Set) File() []byte { return s.file }

// Equal tells whether two sets are of the same file.
func (s *Set) Equal(o *Set) bool { return bytes.Equal(s.file, o.file) }

// Check names a checkpoint whose pieces, what Packed returned, cannot be read. It
// may have none.
func Check(packed []byte, checkpoint string) error {
	if packed == nil {
		return nil
	}
	if _, err := Unpack(packed); err != nil {
		return fmt.Errorf("%s: %w", checkpoint, err)
	}
	return nil
}

// maxPacked bounds the size of a file that Unpack takes.
const maxPacked = 1 << 28

// Unpack reads what Packed returned.
func Unpack(packed []byte) (*Set, error) {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("the checkpoint's pieces: %w", err)
	}
	b, err := io.ReadAll(io.LimitReader(z, maxPacked))
	if err != nil {
		return nil, fmt.Errorf("the checkpoint's pieces: %w", err)
	}
	return Parse(b, "the checkpoint's pieces")
}
