// Package tokenizer cuts text into the pieces of Hugging Face's tokenizer.json
// (github.com/huggingface/tokenizers): byte pair encodings, by bytes or by
// characters, and Unigram models, with their added tokens, normalisers and
// pre-tokenizers.
//
// It reads tokenizers and does not train them. What a post-processor adds around
// a text is left out. One difference to Hugging Face is known: where normalisation
// makes several characters of a text's first one, and a pre-tokenizer before
// Metaspace parts them, prepend_scheme "first" marks the first of these words, and
// there all of them.
package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mega-go/mega/data/sentencepiece"
)

// A Tokenizer is a tokenizer.json. Its methods may be called from several
// goroutines.
type Tokenizer struct {
	tokens    []string // by id; "" where there is none
	added     addedTokens
	normalise step
	cut       cutter
	model     model
	bytes     bool // tokens are written by characters that stand for bytes
	fallback  bool // tokens such as <0x0A> are bytes
	prefix    bool // a space goes before a text
}

// model cuts a word into tokens.
type model interface {
	// append appends the ids of a word's tokens.
	append(dst []int, word string) []int
}

// file is a tokenizer.json.
type file struct {
	AddedTokens  []addedToken    `json:"added_tokens"`
	Normalizer   json.RawMessage `json:"normalizer"`
	PreTokenizer json.RawMessage `json:"pre_tokenizer"`
	Decoder      json.RawMessage `json:"decoder"`
	Model        json.RawMessage `json:"model"`
}

// Parse reads the bytes of a tokenizer.json; name is the file's, for errors.
func Parse(b []byte, name string) (*Tokenizer, error) {
	t := &Tokenizer{}
	if err := t.parse(b); err != nil {
		return nil, fmt.Errorf("%s: not a tokenizer.json that can be read: %w", name, err)
	}
	return t, nil
}

func (t *Tokenizer) parse(b []byte) error {
	var f file
	if err := json.Unmarshal(b, &f); err != nil {
		return err
	}
	if len(f.Model) == 0 {
		return errors.New("no model")
	}
	ids, err := t.parseModel(f.Model)
	if err != nil {
		return fmt.Errorf("model: %w", err)
	}
	if t.normalise, err = t.parseNormaliser(f.Normalizer); err != nil {
		return fmt.Errorf("normalizer: %w", err)
	}
	if t.cut, err = t.parsePreTokenizer(f.PreTokenizer); err != nil {
		return fmt.Errorf("pre_tokenizer: %w", err)
	}
	if kind, err := typeOf(f.Decoder); err != nil {
		return fmt.Errorf("decoder: %w", err)
	} else if kind == "ByteLevel" {
		t.bytes = true
	}
	if err := t.number(ids, f.AddedTokens); err != nil {
		return err
	}
	t.added, err = newAddedTokens(f.AddedTokens, t.normalise)
	return err
}

// number notes the text of every id.
func (t *Tokenizer) number(ids map[string]int, added []addedToken) error {
	limit := 2*(len(ids)+len(added)) + 1 // so that a small file takes little memory
	set := func(id int, text string) error {
		if id < 0 || id >= limit {
			return fmt.Errorf("token %q has the id %d, and there are %d tokens", text, id, len(ids)+len(added))
		}
		if id >= len(t.tokens) {
			t.tokens = append(t.tokens, make([]string, id+1-len(t.tokens))...)
		}
		if t.tokens[id] != "" && t.tokens[id] != text {
			return fmt.Errorf("tokens %q and %q have the same id %d", t.tokens[id], text, id)
		}
		t.tokens[id] = text
		return nil
	}
	for text, id := range ids {
		if err := set(id, text); err != nil {
			return err
		}
	}
	for _, a := range added {
		if err := set(a.ID, a.Content); err != nil {
			return fmt.Errorf("added_tokens: %w", err)
		}
	}
	return nil
}

// typeOf returns the type of a part of the file, "" if it is not there.
func typeOf(raw json.RawMessage) (string, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return "", nil
	}
	var head struct {
		Type string `json:"type"`
	}
	err := json.Unmarshal(raw, &head)
	return head.Type, err
}

// Len returns the number of ids.
func (t *Tokenizer) Len() int { return len(t.tokens) }

// Token returns the text of an id as the file has it, "" if there is none.
func (t *Tokenizer) Token(id int) string { return t.tokens[id] }

// AppendIDs appends the ids of the tokens of a text.
func (t *Tokenizer) AppendIDs(dst []int, text string) []int {
	first := true // of the text as it came
	t.added.split(text, t.normalise, func(part string, id int) {
		switch {
		case id >= 0:
			dst = append(dst, id)
		default:
			for _, word := range t.cut([]string{part}, first) {
				dst = t.model.append(dst, word)
			}
		}
		first = false
	})
	return dst
}

// AppendText appends the text of a token. It is the inverse of AppendIDs for
// tokenizers that lose nothing. The first token of a text loses the space that
// was put before it.
func (t *Tokenizer) AppendText(dst []byte, id int, first bool) []byte {
	text := t.tokens[id]
	from := len(dst)
	switch b, isByte := sentencepiece.Byte(text); {
	case t.added.has(id):
		return append(dst, text...)
	case t.fallback && isByte:
		return append(dst, b)
	case t.bytes:
		dst = appendBytes(dst, text)
	default:
		dst = append(dst, strings.ReplaceAll(text, space, " ")...)
	}
	if first && t.prefix && len(dst) > from && dst[from] == ' ' {
		dst = slices.Delete(dst, from, from+1)
	}
	return dst
}

// space is how a space is written in tokens that are not of bytes.
const space = "\u2581"
