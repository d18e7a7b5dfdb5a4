package sentencepiece

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// TrainOptions say which model a Trainer makes. The JSON names are those of
// SentencePiece's TrainerSpec.
type TrainOptions struct {
	Type     string  `json:"model_type" help:"bpe: merge the commonest neighbours; unigram: keep the pieces that make the text most likely"`
	Size     int     `json:"vocab_size" help:"pieces, those of single characters and bytes among them"`
	Coverage float64 `json:"character_coverage" help:"share of the text's characters that have pieces of their own; others are written as bytes"`
	MaxRunes int     `json:"max_sentencepiece_length" help:"most characters of a piece"`
}

// DefaultTrainOptions returns SentencePiece's defaults, for byte pairs.
func DefaultTrainOptions() TrainOptions {
	return TrainOptions{Type: "bpe", Size: 8000, Coverage: 0.9995, MaxRunes: 16}
}

// Validate reports options that no model can be made with.
func (o TrainOptions) Validate() error {
	switch {
	case o.Type != "bpe" && o.Type != "unigram":
		return fmt.Errorf("model_type is %q, want bpe or unigram", o.Type)
	case o.Size < 1 || o.Size > 1<<24:
		return fmt.Errorf("vocab_size is %d, want 1 to %d", o.Size, 1<<24)
	case !(o.Coverage > 0 && o.Coverage <= 1):
		return fmt.Errorf("character_coverage is %g, want a share above 0, at most 1", o.Coverage)
	case o.MaxRunes < 1 || o.MaxRunes > 256:
		return fmt.Errorf("max_sentencepiece_length is %d, want 1 to 256", o.MaxRunes)
	}
	return nil
}

// A Trainer makes a model whose pieces give back every text byte for byte:
// nothing is normalised, spaces stay as they are, and characters without a piece
// become pieces of bytes. It holds the different words of a text, not the text.
type Trainer struct {
	options TrainOptions
	words   map[string]int64
	runes   map[rune]int64
}

// NewTrainer returns a trainer that has seen nothing.
func NewTrainer(o TrainOptions) (*Trainer, error) {
	return &Trainer{o, map[string]int64{}, map[rune]int64{}}, o.Validate()
}

// longestLine bounds the bytes of a line that are read at once.
const longestLine = 1 << 16

// Read counts the words of a text's lines. Of a line longer than 64 KiB the parts
// count by themselves.
func (t *Trainer) Read(r io.Reader) error {
	in := bufio.NewReaderSize(r, longestLine)
	for {
		line, err := in.ReadSlice('\n')
		t.add(strings.TrimSuffix(string(line), "\n"))
		if err == io.EOF {
			return nil
		}
		if err != nil && err != bufio.ErrBufferFull {
			return err
		}
	}
}

// add counts the words of a line.
func (t *Trainer) add(line string) {
	for line != "" {
		size := wordSize(line)
		if _, ok := t.words[line[:size]]; ok {
			t.words[line[:size]]++
		} else {
			t.words[strings.Clone(line[:size])] = 1
		}
		line = line[size:]
	}
}

// class is what kind of character a word is made of.
func class(r rune) int {
	switch {
	case r == ' ':
		return 0
	case unicode.IsSpace(r):
		return 1
	case unicode.IsLetter(r), unicode.IsMark(r), r == '_':
		return 2
	case unicode.IsNumber(r):
		return 3
	}
	return 4
}

// maxWord bounds the characters of a word.
const maxWord = 64

// wordSize returns the size of a text's first word: characters of one class,
// with a space before them; of several spaces the last belongs to what follows.
func wordSize(text string) int {
	first, size := utf8.DecodeRuneInString(text)
	if next, n := utf8.DecodeRuneInString(text[size:]); first == ' ' && n > 0 && next != ' ' {
		first, size = next, size+n
	}
	for range maxWord - 2 {
		r, n := utf8.DecodeRuneInString(text[size:])
		if n == 0 || class(r) != class(first) {
			return size
		}
		if after := text[size+n:]; r == ' ' && after != "" && after[0] != ' ' {
			return size
		}
		size += n
	}
	return size
}

// A word is a stretch of text that pieces do not cross, and how often it is there.
type word struct {
	text  string
	count int64
}

// count returns the words of the text, spaces written as in pieces, and the
// characters that get pieces, the commonest first. Words end at other characters.
func (t *Trainer) count() (words []word, characters []string) {
	total := int64(0)
	for w, n := range t.words {
		for _, r := range w {
			t.runes[r] += n
			total += n
		}
	}
	for _, r := range space + "\x00" + string(utf8.RuneError) { // bytes write these
		total -= t.runes[r]
		delete(t.runes, r)
	}
	byCount := slices.SortedFunc(maps.Keys(t.runes), func(a, b rune) int {
		return cmp.Or(cmp.Compare(t.runes[b], t.runes[a]), cmp.Compare(a, b))
	})
	covered := int64(0)
	for i, r := range byCount {
		if float64(covered) >= t.options.Coverage*float64(total) {
			byCount = byCount[:i]
			break
		}
		covered += t.runes[r]
		characters = append(characters, strings.ReplaceAll(string(r), " ", space))
	}
	kept := make(map[rune]bool, len(byCount))
	for _, r := range byCount {
		kept[r] = true
	}
	counts := map[string]int64{}
	for w, n := range t.words {
		for _, part := range strings.FieldsFunc(w, func(r rune) bool { return !kept[r] }) {
			counts[strings.ReplaceAll(part, " ", space)] += n
		}
	}
	for _, text := range slices.Sorted(maps.Keys(counts)) {
		words = append(words, word{text, counts[text]})
	}
	return words, characters
}

// fixed are the pieces that every model begins with: <unk>, <s>, </s>, and bytes.
const fixed = 3 + 256

// Train makes the model and returns the bytes of its file. tick, if not nil, is
// told how many pieces of how many are decided.
func (t *Trainer) Train(tick func(done, total int)) ([]byte, error) {
	if tick == nil {
		tick = func(int, int) {}
	}
	words, characters := t.count()
	if len(words) == 0 {
		return nil, fmt.Errorf("the text is empty")
	}
	room := t.options.Size - fixed - len(characters)
	if room < 0 {
		return nil, fmt.Errorf("vocab_size is %d, and %d characters, %d bytes and 3 special pieces are to be in it: want %d or more, or a smaller character_coverage",
			t.options.Size, len(characters), 256, t.options.Size-room)
	}
	m := &Model{algorithm: bytePair, byteFallback: true, normaliser: normaliser{escape: true}}
	m.pieces = append(m.pieces, piece{"<unk>", 0, unknown}, piece{"<s>", 0, control}, piece{"</s>", 0, control})
	for b := range 256 {
		m.pieces = append(m.pieces, piece{bytePiece(byte(b)), 0, byteValue})
	}
	if t.options.Type == "unigram" {
		m.algorithm = unigram
		u := newUnigramTrainer(words, characters, t.options)
		m.pieces = append(m.pieces, u.train(room+len(characters), tick)...)
	} else {
		p := newPairTrainer(words, characters, t.options)
		m.pieces = append(m.pieces, p.train(room, tick)...)
	}
	return m.encode(), nil
}
