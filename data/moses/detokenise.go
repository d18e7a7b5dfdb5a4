package moses

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mega-go/mega/internal/textfile"
)

// Detokenise puts tokens, with spaces between, together to text.
func (m *Moses) Detokenise(line string) string {
	line = strings.ReplaceAll(" "+line+" ", " @-@ ", "-")
	words := textfile.Fields(toMarks.Replace(line))
	j := joiner{lang: m.lang, quotes: map[string]int{}}
	for i, word := range words {
		j.add(word, i, words)
	}
	return textfile.Trim(j.out.String())
}

// joiner puts words together one after another.
type joiner struct {
	lang   string
	out    strings.Builder
	space  bool           // a space is due before the next word
	quotes map[string]int // quotation marks so far, of each kind
}

const (
	opening = "([{¿¡"
	closing = ",.?!:;\\%)]}"
	apart   = "?!:;\\%" // from the word before, in French
)

// only reports whether a word is made of the given marks.
func only(word, marks string) bool {
	return word != "" && strings.Trim(word, marks) == ""
}

// opens reports whether a word is made of opening brackets and signs of
// currencies, which go with the word after.
func opens(word string) bool {
	return !strings.ContainsFunc(word, func(r rune) bool { return !unicode.Is(unicode.Sc, r) && !strings.ContainsRune(opening, r) })
}

func (j *joiner) add(word string, i int, words []string) {
	switch {
	case opens(word):
		j.put(word, j.space, false)
	case only(word, closing):
		j.put(word, j.lang == "fr" && len(word) == 1 && only(word, apart), true)
	case j.lang == "en" && i > 0 && contraction(word) && endsWith(words[i-1], isAlnum):
		j.put(word, false, true)
	case (j.lang == "fr" || j.lang == "it") && i+1 < len(words) && elision(word, words[i+1]):
		j.put(word, j.space, false)
	case only(word, `'"„“`+"`"):
		j.quote(word, i, words)
	default:
		j.put(word, j.space, true)
	}
}

// put writes a word, after a space or not; space says whether one is due after.
func (j *joiner) put(word string, before, space bool) {
	if before && j.out.Len() > 0 {
		j.out.WriteByte(' ')
	}
	j.out.WriteString(word)
	j.space = space
}

// contraction reports whether a word is 's, 'll, n't and the like.
func contraction(word string) bool {
	r := []rune(word)
	return len(r) > 1 && r[0] == '\'' && isAlpha(r[1])
}

// elision reports whether a word is l', qu' and the like before another.
func elision(word, next string) bool {
	stem, ok := strings.CutSuffix(word, "'")
	first, _ := utf8.DecodeRuneInString(next)
	return ok && endsWith(stem, isAlpha) && isAlpha(first)
}

func endsWith(word string, is func(rune) bool) bool {
	last, _ := utf8.DecodeLastRuneInString(word)
	return is(last)
}

// quote writes quotation marks: the first of a kind opens, the next closes. An
// English apostrophe after an s is the genitive's.
func (j *joiner) quote(word string, i int, words []string) {
	kind := word
	if only(word, "„“") {
		kind = `"`
	}
	if j.lang == "en" && word == "'" && i > 0 && strings.HasSuffix(words[i-1], "s") && j.quotes[kind]%2 == 0 {
		j.put(word, false, true)
		return
	}
	opens := j.quotes[kind]%2 == 0
	j.quotes[kind]++
	if opens {
		j.put(word, j.space, false)
	} else {
		j.put(word, false, true)
	}
}
