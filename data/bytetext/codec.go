package bytetext

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/mega-go/mega/data"
)

// Dictionary returns the vocabulary of plain byte text: the four special
// symbols, then the words 0, 1, … 255. The id of byte b is 4 + b.
func Dictionary() *data.Dictionary {
	d := data.NewDictionary()
	for b := range 256 {
		d.Add(strconv.Itoa(b), 1)
	}
	return d
}

// IsDictionary tells whether a dictionary is certainly one of byte text: it is
// Dictionary, or one made of bytes in the form of text. The numbers of speech
// units, pixels or notes are words, though each of them could be a byte: they
// lack the commonest letters, or have bytes that no text in UTF-8 has. Words
// that fill a dictionary up do not count, nor does data.CLS.
func IsDictionary(d *data.Dictionary) bool {
	var has [256]bool
	plain := true
	for id := data.NumSpecial; int(id) < d.Len(); id++ {
		word := d.Symbol(id)
		if word == data.CLS || strings.HasPrefix(word, "madeupword") {
			continue
		}
		b, err := strconv.ParseUint(word, 10, 8)
		if err != nil || word != strconv.FormatUint(b, 10) {
			return false
		}
		has[b] = true
		plain = plain && b == uint64(id-data.NumSpecial)
	}
	return plain && has[255] || ofText(&has)
}

// ofText tells whether a set of bytes is that of a text in UTF-8: with the
// commonest letters, and without control characters but tab and line ends.
func ofText(has *[256]bool) bool {
	for _, letter := range []byte(" aeinorst") {
		if !has[letter] {
			return false
		}
	}
	for b, is := range has {
		control := b < ' ' && b != '\t' && b != '\n' && b != '\r' || b == 0x7f
		foreign := b == 0xc0 || b == 0xc1 || b >= 0xf5
		if is && (control || foreign) {
			return false
		}
	}
	return true
}

// Codec translates between bytes and the ids of a dictionary.
type Codec struct {
	ids   [256]int32     // Unknown for a byte that is not in the dictionary
	bytes map[int32]byte // the other way round
	size  int
}

// NewCodec returns the codec of a dictionary whose words are decimal numbers of
// bytes. Where it lacks the newline's, 10, </s> stands for it: enwik8 was made
// so. The dictionary may lack other bytes, but not all.
func NewCodec(d *data.Dictionary) (*Codec, error) {
	c := &Codec{bytes: map[int32]byte{}, size: d.Len()}
	for b := range c.ids {
		id := d.Index(strconv.Itoa(b))
		c.ids[b] = id
		if id != data.Unknown {
			c.bytes[id] = byte(b)
		}
	}
	if len(c.bytes) == 0 {
		return nil, errors.New("the dictionary has no word that is the number of a byte (0 to 255): it is not one of byte text")
	}
	if c.ids['\n'] == data.Unknown {
		c.ids['\n'] = data.EOS
		c.bytes[data.EOS] = '\n'
	}
	return c, nil
}

// Vocabulary returns the number of ids of the dictionary.
func (c *Codec) Vocabulary() int { return c.size }

// Newline returns the id that stands for a line's end.
func (c *Codec) Newline() int32 { return c.ids['\n'] }

// Append appends the ids of a text to dst. It fails on a byte that is not in the
// dictionary.
func (c *Codec) Append(dst []int32, text []byte) ([]int32, error) {
	dst = slices.Grow(dst, len(text))
	for i, b := range text {
		id := c.ids[b]
		if id == data.Unknown {
			return dst, fmt.Errorf("byte %d (%q) at position %d is not in the dictionary of %d", b, b, i, c.size)
		}
		dst = append(dst, id)
	}
	return dst, nil
}

// unknown is written for ids that stand for no byte.
const unknown = "\uFFFD"

// AppendText appends the text of ids to dst. <s>, <pad> and a </s> that is no
// newline are left out; other ids that stand for no byte become U+FFFD.
func (c *Codec) AppendText(dst []byte, ids []int32) []byte {
	for _, id := range ids {
		switch b, ok := c.bytes[id]; {
		case ok:
			dst = append(dst, b)
		case id != data.BOS && id != data.Pad && id != data.EOS:
			dst = append(dst, unknown...)
		}
	}
	return dst
}
