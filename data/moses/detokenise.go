package moses

import (
	"strings"
	"unicode"
)

// Detokenise puts tokens, with spaces between, together to text.
func (m *Moses) Detokenise(line string) string {
	line = strings.ReplaceAll(" "+line+" ", " @-@ ", "-")
	words := strings.Fields(toMarks.Replace(line))
	j := joiner{lang: m.lang, quotes: map[string]int{}}
	for i, word := range words {
		j.add(word, i, words)
	}
	return strings.TrimSpace(j.out.String())
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
	closing = ",.?!:;\\%)]}»"
	money   = "$£€"
)

// only reports whether a word is made of the given marks.
func only(word, marks string) bool {
	return word != "" && strings.Trim(word, marks) == ""
}

func (j *joiner) add(word string, i int, words []string) {
	switch {
	case only(word, money+opening):
		j.put(word, j.space, false)
	case only(word, closing) || only(word, ".…"):
		j.put(word, j.lang == "fr" && only(word, "?!:;%»") && j.space, true)
	case j.lang == "en" && i > 0 && contraction(word):
		j.put(word, false, true)
	case (j.lang == "fr" || j.lang == "it") && len(word) > 1 && strings.HasSuffix(word, "'"):
		j.put(word, j.space, false)
	case only(word, `'"„“”`+"`"):
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
	return len(r) > 1 && r[0] == '\'' && unicode.IsLetter(r[1])
}

// quote writes quotation marks: the first of a kind opens, the next closes. An
// English apostrophe after an s is the genitive's.
func (j *joiner) quote(word string, i int, words []string) {
	kind := word
	if only(word, "„“”") {
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
