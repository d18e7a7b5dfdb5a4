package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/mega-go/mega/data/sentencepiece"
	"github.com/mega-go/mega/internal/merge"
	"github.com/mega-go/mega/internal/trie"
)

// modelFile is the model of a file. Which fields there are depends on the type.
type modelFile struct {
	Type         string            `json:"type"`
	Vocab        json.RawMessage   `json:"vocab"`
	Merges       []json.RawMessage `json:"merges"`
	UnkToken     string            `json:"unk_token"`
	UnkID        *int              `json:"unk_id"`
	Prefix       string            `json:"continuing_subword_prefix"`
	Suffix       string            `json:"end_of_word_suffix"`
	FuseUnk      bool              `json:"fuse_unk"`
	ByteFallback bool              `json:"byte_fallback"`
	IgnoreMerges bool              `json:"ignore_merges"`
}

// parseModel reads the model and returns the ids of its tokens.
func (t *Tokenizer) parseModel(raw json.RawMessage) (map[string]int, error) {
	var f modelFile
	if err := json.Unmarshal(raw, &f); err != nil {
		return nil, err
	}
	if f.Type == "" && f.Merges != nil { // files of old versions
		f.Type = "BPE"
	}
	t.fallback = f.ByteFallback
	switch f.Type {
	case "BPE":
		b, err := newBPE(f)
		t.model = b
		return b.ids, err
	case "Unigram":
		u, err := newUnigram(f)
		t.model = u
		return u.ids, err
	}
	return nil, fmt.Errorf("type %q is unknown, want BPE or Unigram", f.Type)
}

// byteTokens returns the ids of the tokens of bytes, whether all are there.
func byteTokens(ids map[string]int) (bytes [256]int, ok bool) {
	n := 0
	for text, id := range ids {
		if b, ok := sentencepiece.Byte(text); ok {
			bytes[b] = id
			n++
		}
	}
	return bytes, n == 256
}

// bpe is a byte pair encoding.
type bpe struct {
	modelFile
	ids     map[string]int
	merges  map[[2]int]rule
	unknown int // -1 if there is none
	bytes   [256]int
}

// rule is how two tokens become one.
type rule struct{ rank, id int }

func newBPE(f modelFile) (*bpe, error) {
	b := &bpe{modelFile: f, ids: map[string]int{}, merges: make(map[[2]int]rule, len(f.Merges)), unknown: -1}
	if err := json.Unmarshal(f.Vocab, &b.ids); err != nil {
		return b, fmt.Errorf("vocab: %w", err)
	}
	if f.UnkToken != "" {
		id, ok := b.ids[f.UnkToken]
		if !ok {
			return b, fmt.Errorf("unk_token %q is not in the vocabulary", f.UnkToken)
		}
		b.unknown = id
	}
	var all bool
	b.bytes, all = byteTokens(b.ids)
	b.ByteFallback = b.ByteFallback && all
	for rank, raw := range f.Merges {
		if err := b.addMerge(rank, raw); err != nil {
			return b, fmt.Errorf("merges: %d: %w", rank, err)
		}
	}
	b.modelFile.Merges, b.modelFile.Vocab = nil, nil
	return b, nil
}

// addMerge reads a merge: two tokens in a list, or with a space between.
func (b *bpe) addMerge(rank int, raw json.RawMessage) error {
	var pair []string
	if err := json.Unmarshal(raw, &pair); err != nil {
		var text string
		if err := json.Unmarshal(raw, &text); err != nil {
			return fmt.Errorf("%.60s is no pair of tokens", raw)
		}
		pair = strings.Split(text, " ")
	}
	if len(pair) != 2 {
		return fmt.Errorf("%.60s is no pair of tokens", raw)
	}
	left, ok := b.ids[pair[0]]
	right, ok2 := b.ids[pair[1]]
	whole, ok3 := b.ids[pair[0]+strings.TrimPrefix(pair[1], b.Prefix)]
	if !ok || !ok2 || !ok3 {
		return fmt.Errorf("%q, %q or both together are not in the vocabulary", pair[0], pair[1])
	}
	b.merges[[2]int{left, right}] = rule{rank, whole}
	return nil
}

// append implements model.
func (b *bpe) append(dst []int, word string) []int {
	if id, ok := b.ids[word]; ok && b.IgnoreMerges {
		return append(dst, id)
	}
	for _, s := range merge.Join(b.symbols(word), b.rank) {
		dst = append(dst, s.ID)
	}
	return dst
}

// rank implements the order of merges.
func (b *bpe) rank(left, right merge.Symbol) (float64, int, bool) {
	r, ok := b.merges[[2]int{left.ID, right.ID}]
	return float64(r.rank), r.id, ok
}

// symbols returns the characters of a word, or their bytes where they are no
// tokens.
func (b *bpe) symbols(word string) []merge.Symbol {
	symbols := make([]merge.Symbol, 0, len(word))
	wasUnknown := false
	for from := 0; from < len(word); {
		size := runeSize(word[from:])
		text := word[from : from+size]
		if from > 0 {
			text = b.Prefix + text
		}
		if from+size == len(word) {
			text += b.Suffix
		}
		id, ok := b.ids[text]
		switch {
		case ok:
			symbols = append(symbols, merge.Symbol{From: from, Size: size, ID: id})
		case b.ByteFallback:
			for i := range len(text) {
				symbols = append(symbols, merge.Symbol{From: from, Size: 1, ID: b.bytes[text[i]]})
			}
		case b.unknown < 0:
		case wasUnknown && b.FuseUnk:
			symbols[len(symbols)-1].Size += size
		default:
			symbols = append(symbols, merge.Symbol{From: from, Size: size, ID: b.unknown})
		}
		wasUnknown = !ok && !b.ByteFallback
		from += size
	}
	return symbols
}

// unigramModel is a Unigram model.
type unigramModel struct {
	ids      map[string]int
	scores   []float64
	lowest   float64
	trie     *trie.Trie
	unknown  int // -1 if there is none
	fallback bool
	bytes    [256]int
}

func newUnigram(f modelFile) (*unigramModel, error) {
	u := &unigramModel{ids: map[string]int{}, lowest: math.Inf(1), unknown: -1}
	var vocab []json.RawMessage
	if err := json.Unmarshal(f.Vocab, &vocab); err != nil {
		return u, fmt.Errorf("vocab: %w", err)
	}
	for i, raw := range vocab {
		var text string
		var score float64
		if err := json.Unmarshal(raw, &[2]any{&text, &score}); err != nil {
			return u, fmt.Errorf("vocab: %d: %w", i, err)
		}
		u.ids[text] = i
		u.scores = append(u.scores, score)
		u.lowest = min(u.lowest, score)
	}
	if len(vocab) == 0 {
		return u, errors.New("the vocabulary is empty")
	}
	if f.UnkID != nil {
		if u.unknown = *f.UnkID; u.unknown < 0 || u.unknown >= len(vocab) {
			return u, fmt.Errorf("unk_id is %d, and there are %d tokens", u.unknown, len(vocab))
		}
	}
	u.trie = trie.New(u.ids)
	u.bytes, u.fallback = byteTokens(u.ids)
	u.fallback = u.fallback && f.ByteFallback
	return u, nil
}

// unknownPenalty is how much less an unknown character scores than the worst
// token.
const unknownPenalty = 10

// best is the best way to cut the text up to a place: its score and last token.
type best struct {
	score    float64
	from, id int // from is -1 while there is none
}

// append implements model: the tokens with the greatest sum of scores. Unknown
// characters run together.
func (u *unigramModel) append(dst []int, word string) []int {
	ends := u.ends(word)
	begin := len(dst)
	unknownTo := -1 // where a run of unknown characters ends
	flush := func(from int) {
		if unknownTo >= 0 {
			dst = u.appendUnknown(dst, word[from:unknownTo])
		}
		unknownTo = -1
	}
	for to := len(word); to > 0; to = ends[to].from {
		switch id := ends[to].id; {
		case id == u.unknown && unknownTo < 0:
			unknownTo = to
		case id != u.unknown:
			flush(to)
			dst = append(dst, id)
		}
	}
	flush(0)
	for i, j := begin, len(dst)-1; i < j; i, j = i+1, j-1 {
		dst[i], dst[j] = dst[j], dst[i]
	}
	return dst
}

// appendUnknown appends the bytes of unknown characters from behind, or <unk>.
func (u *unigramModel) appendUnknown(dst []int, text string) []int {
	if id, ok := u.ids[text]; ok {
		return append(dst, id)
	}
	for i := len(text) - 1; u.fallback && i >= 0; i-- {
		dst = append(dst, u.bytes[text[i]])
	}
	if !u.fallback && u.unknown >= 0 {
		dst = append(dst, u.unknown)
	}
	return dst
}

// ends finds the best way to every place.
func (u *unigramModel) ends(word string) []best {
	ends := make([]best, len(word)+1)
	for i := range ends {
		ends[i].from = -1
	}
	ends[0] = best{}
	reach := func(from, to int, score float64, id int) {
		score += ends[from].score
		if end := &ends[to]; end.from < 0 || score > end.score {
			*end = best{score, from, id}
		}
	}
	for from := 0; from < len(word); {
		size, single := runeSize(word[from:]), false
		u.trie.Prefixes(word[from:], func(length, id int) {
			reach(from, from+length, u.scores[id], id)
			single = single || length == size
		})
		if !single {
			reach(from, from+size, u.lowest-unknownPenalty, u.unknown)
		}
		from += size
	}
	return ends
}
