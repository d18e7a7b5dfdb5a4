package tokenizer

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A cutter cuts the words of a text further. first tells that the first of them
// begins the text.
type cutter func(words []string, first bool) []string

// preTokenizer is a part of a file that cuts text. Which fields there are depends
// on the type.
type preTokenizer struct {
	PreTokenizers  []json.RawMessage `json:"pretokenizers"`
	AddPrefixSpace *bool             `json:"add_prefix_space"`
	UseRegex       *bool             `json:"use_regex"`
	Replacement    string            `json:"replacement"`
	PrependScheme  string            `json:"prepend_scheme"`
	Split          *bool             `json:"split"`
	Pattern        pattern           `json:"pattern"`
	Behavior       string            `json:"behavior"`
	Invert         bool              `json:"invert"`
	Individual     bool              `json:"individual_digits"`
}

// gpt2 is the pattern of a ByteLevel pre-tokenizer.
const gpt2 = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`

func (t *Tokenizer) parsePreTokenizer(raw json.RawMessage) (cutter, error) {
	kind, err := typeOf(raw)
	if err != nil || kind == "" {
		return func(words []string, _ bool) []string { return words }, err
	}
	var p preTokenizer
	if err := json.Unmarshal(raw, &p); err != nil {
		return nil, err
	}
	switch kind {
	case "Sequence":
		return t.cutters(p.PreTokenizers)
	case "ByteLevel":
		return t.byteLevel(p)
	case "Metaspace":
		return t.metaspace(p)
	case "Split":
		m, err := p.Pattern.compile()
		if err != nil {
			return nil, err
		}
		return splitter(m.parts, p.Behavior, p.Invert)
	case "Digits":
		behavior := "Contiguous"
		if p.Individual {
			behavior = "Isolated"
		}
		return splitter(runes(unicode.IsNumber), behavior, false)
	case "Punctuation":
		if p.Behavior == "" {
			p.Behavior = "Isolated"
		}
		return splitter(runes(isPunctuation), p.Behavior, false)
	case "WhitespaceSplit":
		return splitter(runes(unicode.IsSpace), "Removed", false)
	case "Whitespace":
		m, err := compile(`[\w\x{200c}\x{200d}]+|[^\w\s\x{200c}\x{200d}]+`) // there \w has joiners
		if err != nil {
			return nil, err
		}
		return splitter(m.parts, "Removed", true)
	}
	return nil, fmt.Errorf("type %q is unknown, want Sequence, ByteLevel, Metaspace, Split, Digits, Punctuation, Whitespace or WhitespaceSplit", kind)
}

// cutters returns a sequence of pre-tokenizers.
func (t *Tokenizer) cutters(raw []json.RawMessage) (cutter, error) {
	var all []cutter
	for i, r := range raw {
		c, err := t.parsePreTokenizer(r)
		if err != nil {
			return nil, fmt.Errorf("%d: %w", i, err)
		}
		all = append(all, c)
	}
	return func(words []string, first bool) []string {
		for _, c := range all {
			words = c(words, first)
		}
		return words
	}, nil
}

// byteLevel cuts words as GPT-2 does and writes them by the characters that stand
// for bytes.
func (t *Tokenizer) byteLevel(p preTokenizer) (cutter, error) {
	t.bytes = true
	prefix := p.AddPrefixSpace == nil || *p.AddPrefixSpace
	t.prefix = t.prefix || prefix
	m, err := compile(gpt2)
	regex := p.UseRegex == nil || *p.UseRegex
	return func(words []string, _ bool) (out []string) {
		for _, w := range words {
			if prefix && !strings.HasPrefix(w, " ") {
				w = " " + w
			}
			if !regex {
				out = append(out, fromBytes(w))
				continue
			}
			for _, part := range m.parts(w) {
				out = append(out, fromBytes(part.text))
			}
		}
		return out
	}, err
}

// metaspace writes spaces as a visible character, before each of which it cuts.
func (t *Tokenizer) metaspace(p preTokenizer) (cutter, error) {
	if p.Replacement == "" {
		p.Replacement = space
	}
	if p.Replacement != space {
		return nil, fmt.Errorf("replacement is %q, want %q", p.Replacement, space)
	}
	switch {
	case p.PrependScheme == "" && p.AddPrefixSpace != nil && !*p.AddPrefixSpace:
		p.PrependScheme = "never"
	case p.PrependScheme == "":
		p.PrependScheme = "always"
	case p.PrependScheme != "always" && p.PrependScheme != "first" && p.PrependScheme != "never":
		return nil, fmt.Errorf("prepend_scheme is %q, want always, first or never", p.PrependScheme)
	}
	t.prefix = t.prefix || p.PrependScheme != "never"
	whole := p.Split != nil && !*p.Split
	cut, err := splitter(runes(func(r rune) bool { return string(r) == space }), "MergedWithNext", false)
	return func(words []string, first bool) (out []string) {
		for i, w := range words {
			w = strings.ReplaceAll(w, " ", space)
			if p.PrependScheme == "always" || p.PrependScheme == "first" && first && i == 0 {
				w = space + strings.TrimPrefix(w, space)
			}
			out = append(out, w)
		}
		if whole {
			return out
		}
		return cut(out, first)
	}, err
}

// runes returns a function that parts a text into characters that are something
// and what is between them.
func runes(is func(rune) bool) func(text string) []part {
	return func(text string) (parts []part) {
		for text != "" {
			at := strings.IndexFunc(text, is)
			if at < 0 {
				return append(parts, part{text, false})
			}
			if at > 0 {
				parts = append(parts, part{text[:at], false})
			}
			size := runeSize(text[at:])
			parts = append(parts, part{text[at : at+size], true})
			text = text[at+size:]
		}
		return parts
	}
}

func isPunctuation(r rune) bool {
	return unicode.IsPunct(r) || r < utf8.RuneSelf && unicode.IsSymbol(r)
}

// splitter cuts words at matches, or with invert at what is between them, which a
// behaviour says what to do with.
func splitter(find func(text string) []part, behavior string, invert bool) (cutter, error) {
	arrange, ok := map[string]func([]part) []part{
		"Isolated": func(p []part) []part { return p },
		"Removed": func(p []part) []part {
			return slices.DeleteFunc(p, func(p part) bool { return p.matched })
		},
		"Contiguous":         func(p []part) []part { return join(p, func(a, b part) bool { return a.matched == b.matched }) },
		"MergedWithPrevious": func(p []part) []part { return join(p, func(a, b part) bool { return !a.matched && b.matched }) },
		"MergedWithNext":     mergeWithNext,
	}[behavior]
	if !ok {
		return nil, fmt.Errorf("behavior is %q, want Isolated, Removed, Contiguous, MergedWithPrevious or MergedWithNext", behavior)
	}
	return func(words []string, _ bool) (out []string) {
		for _, w := range words {
			parts := find(w)
			for i := range parts {
				parts[i].matched = parts[i].matched != invert
			}
			for _, p := range arrange(parts) {
				out = append(out, p.text)
			}
		}
		return out
	}, nil
}

// join puts neighbours together, which keep the mark of the last.
func join(parts []part, together func(a, b part) bool) []part {
	var out []part
	for _, p := range parts {
		if n := len(out) - 1; n >= 0 && together(out[n], p) {
			p.text = out[n].text + p.text
			out[n] = p
		} else {
			out = append(out, p)
		}
	}
	return out
}

// mergeWithNext puts each match that no match follows before what follows.
func mergeWithNext(parts []part) []part {
	var out []part
	for _, p := range parts {
		if n := len(out) - 1; n >= 0 && out[n].matched && !p.matched {
			out[n] = part{out[n].text + p.text, false}
		} else {
			out = append(out, p)
		}
	}
	return out
}
