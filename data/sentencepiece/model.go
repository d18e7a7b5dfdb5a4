package sentencepiece

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/mega-go/mega/internal/textfile"
	"github.com/mega-go/mega/internal/trie"
)

// kind is what a piece is for.
type kind int

const (
	normal      kind = 1
	unknown     kind = 2
	control     kind = 3
	userDefined kind = 4
	unused      kind = 5
	byteValue   kind = 6
)

// algorithm is how text is parted.
type algorithm int

const (
	unigram    algorithm = 1
	bytePair   algorithm = 2
	words      algorithm = 3
	characters algorithm = 4
)

// piece is an entry of the vocabulary.
type piece struct {
	text  string
	score float32
	kind  kind
}

// Model is a SentencePiece model. Its methods may be called from several
// goroutines.
type Model struct {
	pieces       []piece
	algorithm    algorithm
	byteFallback bool // unknown characters become one piece a byte
	spaceLast    bool // a space belongs to the word before it
	normaliser   normaliser

	ids      map[string]int // normal, user-defined and unused pieces
	reserved map[string]int // all others
	unknown  int
	bytes    [256]int   // pieces of bytes, with byteFallback
	trie     *trie.Trie // of ids
	lowest   float32
	highest  float32
}

// Load reads a .model file.
func Load(path string) (*Model, error) {
	b, err := textfile.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: no such SentencePiece model", path)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the SentencePiece model: %w", err)
	}
	return Parse(b, path)
}

// Parse reads the bytes of a .model file; name is the file's, for errors.
func Parse(b []byte, name string) (*Model, error) {
	m := &Model{algorithm: unigram, normaliser: defaultNormaliser}
	err := eachField(b, m.setField)
	if err == nil {
		err = m.index()
	}
	if err != nil {
		return nil, fmt.Errorf("%s: not a SentencePiece model: %w", name, err)
	}
	m.normaliser.spaceLast = m.spaceLast
	return m, nil
}

// setField takes up a field of ModelProto (sentencepiece_model.proto).
func (m *Model) setField(f field) error {
	switch f.tag {
	case 1:
		p := piece{kind: normal}
		err := eachField(f.bytes, p.setField)
		m.pieces = append(m.pieces, p)
		return err
	case 2:
		return eachField(f.bytes, m.setTraining)
	case 3:
		return eachField(f.bytes, m.normaliser.setField)
	}
	return nil
}

func (p *piece) setField(f field) error {
	switch f.tag {
	case 1:
		p.text = string(f.bytes)
	case 2:
		p.score = f.float()
	case 3:
		p.kind = kind(f.int())
	}
	return nil
}

// setTraining takes up a field of TrainerSpec.
func (m *Model) setTraining(f field) error {
	switch f.tag {
	case 3:
		m.algorithm = algorithm(f.int())
	case 24:
		m.spaceLast = f.int() != 0
	case 35:
		m.byteFallback = f.int() != 0
	}
	return nil
}

// index checks the pieces and makes them findable.
func (m *Model) index() error {
	if m.algorithm < unigram || m.algorithm > characters {
		return fmt.Errorf("unknown type %d", m.algorithm)
	}
	m.ids, m.reserved, m.unknown = map[string]int{}, map[string]int{}, -1
	m.lowest, m.highest = math.MaxFloat32, math.SmallestNonzeroFloat32
	var custom []string
	for id, p := range m.pieces {
		known := m.reserved
		switch p.kind {
		case normal:
			m.lowest, m.highest = min(m.lowest, p.score), max(m.highest, p.score)
			known = m.ids
		case userDefined:
			custom = append(custom, p.text)
			known = m.ids
		case unused:
			known = m.ids
		case unknown:
			if m.unknown >= 0 {
				return errors.New("two pieces for unknown characters")
			}
			m.unknown = id
		case byteValue:
			if _, ok := Byte(p.text); !ok {
				return fmt.Errorf("piece %d, %q, is to be a byte", id, p.text)
			}
		case control:
		default:
			return fmt.Errorf("piece %d is of unknown type %d", id, p.kind)
		}
		if _, ok := known[p.text]; ok || p.text == "" {
			return fmt.Errorf("piece %d, %q, is empty or there twice", id, p.text)
		}
		known[p.text] = id
	}
	if m.unknown < 0 {
		return errors.New("no piece for unknown characters")
	}
	m.trie = trie.New(m.ids)
	m.normaliser.custom = trie.New(identity(custom))
	return m.checkBytes()
}

// checkBytes checks that there is a piece for every byte where they are needed.
func (m *Model) checkBytes() error {
	for b := 0; m.byteFallback && b < 256; b++ {
		if id, ok := m.reserved[bytePiece(byte(b))]; !ok || m.pieces[id].kind != byteValue {
			return fmt.Errorf("no piece for byte %d", b)
		} else {
			m.bytes[b] = id
		}
	}
	return nil
}

func bytePiece(b byte) string { return fmt.Sprintf("<0x%02X>", b) }

// identity returns a map from strings to their places.
func identity(s []string) map[string]int {
	m := make(map[string]int, len(s))
	for i, x := range s {
		m[x] = i
	}
	return m
}

// Len returns the number of pieces.
func (m *Model) Len() int { return len(m.pieces) }

// Vocabulary returns all pieces by id.
func (m *Model) Vocabulary() []string {
	all := make([]string, len(m.pieces))
	for i, p := range m.pieces {
		all[i] = p.text
	}
	return all
}

// id returns the id of a piece.
func (m *Model) id(text string) int {
	if id, ok := m.reserved[text]; ok {
		return id
	}
	if id, ok := m.ids[text]; ok {
		return id
	}
	return m.unknown
}

// Pieces parts a text into pieces. Characters that no piece covers stand
// together in pieces of their own, or as bytes where the model has those.
func (m *Model) Pieces(text string) []string {
	parts := m.parts(text)
	pieces := make([]string, len(parts))
	for i, p := range parts {
		pieces[i] = p.text
	}
	return pieces
}

// AppendIDs appends the ids of the pieces of a text.
func (m *Model) AppendIDs(dst []int, text string) []int {
	for _, p := range m.parts(text) {
		dst = append(dst, p.id)
	}
	return dst
}

// AppendExact is AppendIDs for models that normalise nothing, add nothing and
// have pieces of bytes, as Trainer makes them, but keeps every byte: those that
// are not UTF-8, and U+2581, which pieces have for a space, become bytes. With
// other models it is AppendIDs.
func (m *Model) AppendExact(dst []int, text string) []int {
	for m.exact() {
		at, size := odd(text)
		if size == 0 {
			break
		}
		dst = m.AppendIDs(dst, text[:at])
		for i := range size {
			dst = append(dst, m.bytes[text[at+i]])
		}
		text = text[at+size:]
	}
	return m.AppendIDs(dst, text)
}

// exact tells whether a text can be had back from its pieces.
func (m *Model) exact() bool {
	n := &m.normaliser
	return m.byteFallback && len(n.rules.units) == 0 && !n.dummyPrefix && !n.collapse && n.escape
}

// odd returns where the first character is that pieces cannot tell from others,
// and its size, 0 if there is none.
func odd(text string) (at, size int) {
	for i, r := range text {
		if r == utf8.RuneError || string(r) == space {
			if _, size := utf8.DecodeRuneInString(text[i:]); size == 1 || r != utf8.RuneError {
				return i, size
			}
		}
	}
	return 0, 0
}

// Token returns the text of a piece.
func (m *Model) Token(id int) string { return m.pieces[id].text }

// AppendText appends the text of a piece. The first of a text loses the space
// that was put before it.
func (m *Model) AppendText(dst []byte, id int, first bool) []byte {
	switch p := m.pieces[id]; p.kind {
	case control:
		return dst
	case unknown:
		return utf8.AppendRune(dst, utf8.RuneError)
	case byteValue:
		b, _ := Byte(p.text) // checked by index
		return append(dst, b)
	default:
		text := strings.ReplaceAll(p.text, space, " ")
		if first && m.normaliser.dummyPrefix && !m.spaceLast {
			text = strings.TrimPrefix(text, " ")
		}
		return append(dst, text...)
	}
}

// parts normalises a text and parts it.
func (m *Model) parts(text string) []part {
	text = m.normaliser.normalise(text)
	switch m.algorithm {
	case unigram:
		return m.surfaces(m.splitUnigram(text))
	case bytePair:
		return m.surfaces(m.splitPairs(text))
	case words:
		return m.surfaces(m.splitWords(text))
	}
	return m.surfaces(m.splitCharacters(text))
}

// Encode returns the pieces with spaces between: a line of text for a
// dictionary of pieces.
func (m *Model) Encode(text string) string { return strings.Join(m.Pieces(text), " ") }

// part is a stretch of normalised text and its piece.
type part struct {
	text string
	id   int
}

// surfaces runs unknown parts together, or makes bytes of them.
func (m *Model) surfaces(parts []part) []part {
	out := make([]part, 0, len(parts))
	wasUnknown := false
	for _, p := range parts {
		isUnknown := m.pieces[p.id].kind == unknown
		switch {
		case isUnknown && m.byteFallback:
			for i := range len(p.text) {
				id := m.bytes[p.text[i]]
				out = append(out, part{m.pieces[id].text, id})
			}
		case isUnknown && wasUnknown:
			out[len(out)-1].text += p.text
		default:
			out = append(out, p)
		}
		wasUnknown = isUnknown
	}
	return out
}

// Decode returns the text of pieces with spaces between. Bytes are joined to
// characters, control pieces left out.
func (m *Model) Decode(pieces string) string {
	var b []byte
	for p := range strings.SplitSeq(pieces, " ") {
		id, ok := m.reserved[p]
		switch {
		case ok && m.pieces[id].kind == control:
		case ok && m.pieces[id].kind == byteValue:
			value, _ := Byte(p) // checked by index
			b = append(b, value)
		default:
			b = append(b, strings.ReplaceAll(p, space, " ")...)
		}
	}
	return strings.Trim(strings.ToValidUTF8(string(b), "\uFFFD"), " ")
}

// Byte returns the byte of a piece like <0x0A>, and whether it is one.
func Byte(piece string) (b byte, ok bool) {
	if len(piece) != len("<0x0A>") {
		return 0, false
	}
	value, _ := strconv.ParseUint(piece[3:5], 16, 8)
	return byte(value), piece == bytePiece(byte(value))
}
