package tokenizer

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode"

	"github.com/clipperhouse/uax29/v2/graphemes"
	"github.com/mega-go/mega/data/sentencepiece"
	"golang.org/x/text/unicode/norm"
)

// step changes a text.
type step func(string) string

// normaliser is a part of a file that changes text. Which fields there are
// depends on the type.
type normaliser struct {
	Type        string            `json:"type"`
	Normalizers []json.RawMessage `json:"normalizers"`
	Prepend     string            `json:"prepend"`
	Pattern     pattern           `json:"pattern"`
	Content     string            `json:"content"`
	Left        bool              `json:"strip_left"`
	Right       bool              `json:"strip_right"`
	Charsmap    []byte            `json:"precompiled_charsmap"`
}

func (t *Tokenizer) parseNormaliser(raw json.RawMessage) (step, error) {
	kind, err := typeOf(raw)
	if err != nil || kind == "" {
		return func(s string) string { return s }, err
	}
	var n normaliser
	if err := json.Unmarshal(raw, &n); err != nil {
		return nil, err
	}
	switch n.Type {
	case "Sequence":
		return t.sequence(n.Normalizers)
	case "NFC":
		return norm.NFC.String, nil
	case "NFD":
		return norm.NFD.String, nil
	case "NFKC":
		return norm.NFKC.String, nil
	case "NFKD":
		return norm.NFKD.String, nil
	case "Lowercase":
		return strings.ToLower, nil
	case "StripAccents":
		return func(s string) string { return strings.Map(withoutMark, s) }, nil
	case "Strip":
		return n.strip, nil
	case "Prepend":
		t.prefix = n.Prepend == space || n.Prepend == " "
		return n.prepend, nil
	case "Replace":
		return n.replacement()
	case "Precompiled":
		rules, err := sentencepiece.ParseCharsmap(n.Charsmap)
		return func(s string) string { return precompiled(rules, s) }, err
	case "ByteLevel":
		t.bytes = true
		return fromBytes, nil
	}
	return nil, fmt.Errorf("type %q is unknown, want Sequence, NFC, NFD, NFKC, NFKD, Lowercase, StripAccents, Strip, Prepend, Replace, Precompiled or ByteLevel", n.Type)
}

func (t *Tokenizer) sequence(parts []json.RawMessage) (step, error) {
	var steps []step
	for i, raw := range parts {
		s, err := t.parseNormaliser(raw)
		if err != nil {
			return nil, fmt.Errorf("%d: %w", i, err)
		}
		steps = append(steps, s)
	}
	return func(text string) string {
		for _, s := range steps {
			text = s(text)
		}
		return text
	}, nil
}

func withoutMark(r rune) rune {
	if unicode.Is(unicode.M, r) {
		return -1
	}
	return r
}

func (n normaliser) strip(s string) string {
	if n.Left {
		s = strings.TrimLeftFunc(s, unicode.IsSpace)
	}
	if n.Right {
		s = strings.TrimRightFunc(s, unicode.IsSpace)
	}
	return s
}

func (n normaliser) prepend(s string) string {
	if s == "" {
		return s
	}
	return n.Prepend + s
}

func (n normaliser) replacement() (step, error) {
	m, err := n.Pattern.compile()
	if err != nil {
		return nil, err
	}
	return func(s string) string {
		var b strings.Builder
		for _, part := range m.parts(s) {
			if part.matched {
				b.WriteString(n.Content)
			} else {
				b.WriteString(part.text)
			}
		}
		return b.String()
	}, nil
}

// precompiled applies the rules of a SentencePiece model as Hugging Face does:
// to whole graphemes of less than six bytes, else to characters, and of the rules
// that match the shortest.
func precompiled(rules sentencepiece.Charsmap, text string) string {
	var b strings.Builder
	for g := graphemes.FromString(text); g.Next(); {
		grapheme := g.Value()
		if len(grapheme) < 6 {
			if out, size := rules.Shortest(grapheme); size > 0 {
				b.WriteString(out)
				continue
			}
		}
		for grapheme != "" {
			char := grapheme[:runeSize(grapheme)]
			grapheme = grapheme[len(char):]
			if out, size := rules.Shortest(char); size > 0 {
				b.WriteString(out)
			} else {
				b.WriteString(char)
			}
		}
	}
	return b.String()
}
