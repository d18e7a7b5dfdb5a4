package tokenizer

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mega-go/mega/internal/trie"
)

// An addedToken is found in a text before anything else is done to it.
type addedToken struct {
	ID         int    `json:"id"`
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"` // not inside of a word
	LStrip     bool   `json:"lstrip"`      // takes the white space before it
	RStrip     bool   `json:"rstrip"`      // takes the white space after it
	Normalized bool   `json:"normalized"`  // is looked for in the normalised text
}

// addedTokens are those of a file.
type addedTokens struct {
	byID             map[int]addedToken
	plain, normalise *trie.Trie // of those that are looked for before and after normalisation
}

func newAddedTokens(tokens []addedToken, normalise step) (addedTokens, error) {
	a := addedTokens{byID: map[int]addedToken{}}
	plain, normalised := map[string]int{}, map[string]int{}
	for i, token := range tokens {
		if token.Content == "" {
			return a, fmt.Errorf("added_tokens: entry %d has no content", i)
		}
		a.byID[token.ID] = token
		if token.Normalized {
			normalised[normalise(token.Content)] = token.ID
		} else {
			plain[token.Content] = token.ID
		}
	}
	a.plain, a.normalise = trie.New(plain), trie.New(normalised)
	return a, nil
}

func (a addedTokens) has(id int) bool { _, ok := a.byID[id]; return ok }

// split calls f with the parts of a text: added tokens with their ids, and
// normalised text with -1. No text is empty.
func (a addedTokens) split(text string, normalise step, f func(text string, id int)) {
	a.find(a.plain, text, func(part string, id int) {
		if id >= 0 {
			f(part, id)
			return
		}
		a.find(a.normalise, normalise(part), f)
	})
}

// find parts a text by the tokens of a trie: the leftmost, the longest of those
// that begin at one place.
func (a addedTokens) find(tokens *trie.Trie, text string, f func(text string, id int)) {
	done := 0 // what comes before was handed out
	for at := 0; at < len(text); {
		size, id := tokens.Longest(text[at:])
		if size == 0 {
			at++
			continue
		}
		from, to := at, at+size
		at = to
		token := a.byID[id]
		if token.SingleWord && (endsInWord(text[:from]) || beginsWithWord(text[to:])) {
			continue
		}
		if token.LStrip {
			from = max(done, len(strings.TrimRightFunc(text[:from], unicode.IsSpace)))
		}
		if token.RStrip {
			to = len(text) - len(strings.TrimLeftFunc(text[to:], unicode.IsSpace))
		}
		if done < from {
			f(text[done:from], -1)
		}
		f(text[from:to], id)
		done = to
		at = max(at, to)
	}
	if done < len(text) {
		f(text[done:], -1)
	}
}

// isWord tells what \w is in Hugging Face's regular expressions.
func isWord(r rune) bool {
	return unicode.In(r, unicode.L, unicode.M, unicode.Nd, unicode.Nl, unicode.Pc) || r == 0x200c || r == 0x200d
}

func endsInWord(text string) bool {
	r, size := utf8.DecodeLastRuneInString(text)
	return size > 0 && isWord(r)
}

func beginsWithWord(text string) bool {
	r, size := utf8.DecodeRuneInString(text)
	return size > 0 && isWord(r)
}
