package plaintext

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/mega-go/mega/data"
	"github.com/mega-go/mega/data/bytetext"
	"github.com/mega-go/mega/data/pieces"
	"github.com/mega-go/mega/internal/textfile"
)

// A Codec translates between text and ids.
type Codec struct {
	dictionary *data.Dictionary
	bytes      *bytetext.Codec // nil for words and pieces
	pieces     *pieces.Set     // nil for words and bytes
}

// OfPieces returns the codec of the pieces of a model.
func OfPieces(s *pieces.Set) *Codec { return &Codec{dictionary: s.Dictionary(), pieces: s} }

// Dictionary returns the dictionary.
func (c *Codec) Dictionary() *data.Dictionary { return c.dictionary }

// New returns the codec of a dictionary, of bytes if it is certainly one of
// bytes or the caller knows that it is.
func New(d *data.Dictionary, bytes bool) (c *Codec, err error) {
	c = &Codec{dictionary: d}
	if bytes || bytetext.IsDictionary(d) {
		c.bytes, err = bytetext.NewCodec(d)
	}
	return c, err
}

// Bytes reports whether text is read byte by byte.
func (c *Codec) Bytes() bool { return c.bytes != nil }

// Pieces reports whether text is cut into pieces.
func (c *Codec) Pieces() bool { return c.pieces != nil }

// Vocabulary returns the number of ids.
func (c *Codec) Vocabulary() int { return c.dictionary.Len() }

// Newline returns the id that stands for the end of a line.
func (c *Codec) Newline() int32 {
	if c.bytes != nil {
		return c.bytes.Newline()
	}
	return data.EOS
}

// lineEnds turns the ends of lines, as Python has them, into line feeds.
var lineEnds = strings.NewReplacer("\r\n", "\n", "\r", "\n")

// Encode returns the ids of a text. Of bytes, all must be in the dictionary. Of
// words, those that are not become <unk> and are returned besides; of pieces, the
// lines that have characters without one.
func (c *Codec) Encode(text string) (ids []int32, unknown []string, err error) {
	if c.bytes != nil {
		ids, err = c.bytes.Append(nil, []byte(text))
		return ids, nil, err
	}
	if c.pieces != nil {
		ids, unknown = c.encodePieces(text)
		return ids, unknown, nil
	}
	if !utf8.ValidString(text) {
		return nil, nil, errors.New("the text is not UTF-8, and the model reads words")
	}
	text = lineEnds.Replace(text)
	for {
		line, rest, more := strings.Cut(text, "\n")
		for word := range strings.FieldsFuncSeq(line, textfile.IsSpace) {
			if !c.dictionary.Contains(word) {
				unknown = append(unknown, word)
			}
			ids = append(ids, c.dictionary.Index(word))
		}
		if !more {
			return ids, unknown, nil
		}
		ids, text = append(ids, data.EOS), rest
	}
}

// encodePieces cuts each line by itself; </s> stands for its end.
func (c *Codec) encodePieces(text string) (ids []int32, unknown []string) {
	for {
		line, rest, more := strings.Cut(text, "\n")
		from := len(ids)
		ids = c.pieces.Append(ids, line)
		if slices.Contains(ids[from:], data.Unknown) {
			unknown = append(unknown, line)
		}
		if !more {
			return ids, unknown
		}
		ids, text = append(ids, data.EOS), rest
	}
}

// Symbol returns what an id is called: the character of a byte, a word, or a
// special symbol such as </s>.
func (c *Codec) Symbol(id int32) string {
	if c.bytes != nil {
		if b := c.bytes.AppendText(nil, []int32{id}); len(b) == 1 {
			return string(b)
		}
	}
	return c.dictionary.Symbol(id)
}

// Append appends the text of an id that comes after another, which says whether
// a space separates them.
func (c *Codec) Append(dst []byte, before, id int32) []byte {
	switch {
	case c.bytes != nil:
		return c.bytes.AppendText(dst, []int32{id})
	case id == data.EOS:
		return append(dst, '\n')
	case id == data.BOS || id == data.Pad:
		return dst
	case c.pieces != nil:
		return c.pieces.AppendText(dst, id, before == data.EOS)
	}
	if before != data.EOS {
		dst = append(dst, ' ')
	}
	return append(dst, c.dictionary.Symbol(id)...)
}

// Decode returns the text of ids that come after another id.
func (c *Codec) Decode(before int32, ids []int32) string {
	var text []byte
	for _, id := range ids {
		text = c.Append(text, before, id)
		before = id
	}
	return string(text)
}

// Banned returns the ids that stand for no text: a model's choice of them means
// nothing. Of words <unk> is not one of them.
func (c *Codec) Banned() []int32 {
	banned := []int32{data.BOS, data.Pad}
	if c.pieces != nil {
		return append(banned, c.pieces.Silent()...)
	}
	if c.bytes == nil {
		return banned
	}
	for id := data.Unknown; int(id) < c.dictionary.Len(); id++ {
		if len(c.bytes.AppendText(nil, []int32{id})) != 1 {
			banned = append(banned, id)
		}
	}
	return banned
}

// A Line is a line of a text: its ids, that of the line's end included where
// there is one.
type Line struct {
	Number int // from 1
	IDs    []int32
	Text   string // without the line's end
}

// maxLine bounds the bytes of a line that Lines returns whole.
const maxLine = 1 << 16

// Lines calls each for the lines of a text, one by one. Of bytes and of pieces,
// longer lines than 64 KiB come in parts of the same number. A byte that is not in
// the dictionary is an error that says in which line; unknown words are counted.
func (c *Codec) Lines(r io.Reader, each func(Line) error) (unknown int, err error) {
	next := c.parts(r)
	for number := 1; ; {
		part, err := next()
		if part != "" {
			ids, missing, err := c.Encode(part)
			if err != nil {
				return unknown, fmt.Errorf("line %d: %w", number, err)
			}
			unknown += len(missing)
			if err := each(Line{number, ids, strings.TrimSuffix(part, "\n")}); err != nil {
				return unknown, err
			}
		}
		switch {
		case err == io.EOF:
			return unknown, nil
		case err != nil:
			return unknown, err
		case strings.HasSuffix(part, "\n"):
			number++
		}
	}
}

// parts returns a function that returns the next line with its end, or of bytes
// as much of it as the buffer holds.
func (c *Codec) parts(r io.Reader) func() (string, error) {
	if c.bytes == nil && c.pieces == nil {
		lines := textfile.NewReader(r)
		return func() (string, error) {
			line, err := lines.Next()
			if lines.Ended() {
				return string(line) + "\n", err
			}
			return string(line), err
		}
	}
	in := bufio.NewReaderSize(r, maxLine)
	return func() (string, error) {
		part, err := in.ReadSlice('\n')
		if err == bufio.ErrBufferFull {
			err = nil
		}
		return string(part), err
	}
}
