package moses

import (
	"regexp"
	"strings"
	"unicode"
)

// A Moses parts and joins text of one language.
type Moses struct {
	lang          string
	abbreviations map[string]bool
}

// New returns the rules of a language, given by its code: en, de, fr, ...
func New(lang string) *Moses {
	m := &Moses{lang: strings.ToLower(lang), abbreviations: map[string]bool{}}
	for word := range strings.FieldsSeq(abbreviations[m.lang]) {
		m.abbreviations[word] = true
	}
	return m
}

// abbreviations end in a period that is not the end of a sentence.
var abbreviations = map[string]string{
	"en": "Adj Adm Adv Asst Bart Bldg Brig Bros Capt Cmdr Col Comdr Con Corp Cpl DR Dr Drs Ens Esq Gen Gov Hon Hr Hosp " +
		"Insp Lt MM MR MRS MS Maj Messrs Mlle Mme Mr Mrs Ms Msgr Op Ord Pfc Ph Prof Pvt Rep Reps Res Rev Rt Sen Sens Sfc " +
		"Sgt Sr St Supt Surg v vs i.e rev e.g Nos Nr Jan Feb Mar Apr Jun Jul Aug Sep Sept Oct Nov Dec",
	"de": "Adj Adm Adv Art Asst Bart Bldg Brig Bros Capt Cmdr Col Comdr Con Corp Cpl DR Dr Ens Gen Gov Hon Hosp Insp Lt " +
		"MM MR MRS MS Maj Messrs Mlle Mme Mr Mrs Ms Msgr Op Ord Pfc Ph Prof Pvt Rep Reps Res Rev Rt Sen Sens Sfc Sgt Sr St " +
		"Supt Surg Mio Mrd bzw v vs usw d.h z.B u.a etc Mrd Ca ca Hr Fr Std Str Tel Abb Nr Nrn No",
}

// numberAbbreviations are abbreviations only before a number.
var numberAbbreviations = map[string]bool{"No": true, "Nos": true, "Art": true, "Nr": true, "pp": true}

var (
	controls  = regexp.MustCompile(`[\x00-\x1f]`)
	marks     = regexp.MustCompile(`([^\p{L}\p{N}\p{M}\s.'` + "`" + `,\-])`)
	dots      = regexp.MustCompile(`\.\.+`)
	commaPre  = regexp.MustCompile(`([^\p{N}]),`)
	commaPost = regexp.MustCompile(`,([^\p{N}])`)
	commaEnd  = regexp.MustCompile(`([\p{N}]),$`)
)

// Tokenise returns a line in tokens with spaces between.
func (m *Moses) Tokenise(line string) string {
	line = " " + controls.ReplaceAllString(strings.Join(strings.Fields(line), " "), "") + " "
	line = marks.ReplaceAllString(line, " $1 ")
	line = partHyphens(line)
	line = dots.ReplaceAllString(line, " $0 ")
	line = commaPre.ReplaceAllString(line, "$1 , ")
	line = commaPost.ReplaceAllString(line, " , $1")
	line = commaEnd.ReplaceAllString(strings.TrimSpace(line), "$1 ,")
	line = m.partApostrophes(line)
	return escape(strings.Join(m.partPeriods(strings.Fields(line)), " "))
}

// partHyphens writes @-@ for a hyphen between letters or digits.
func partHyphens(line string) string {
	runes := []rune(line)
	var out strings.Builder
	for i, r := range runes {
		if r == '-' && i > 0 && i+1 < len(runes) && isWord(runes[i-1]) && isWord(runes[i+1]) {
			out.WriteString(" @-@ ")
		} else {
			out.WriteRune(r)
		}
	}
	return out.String()
}

func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) }

// partApostrophes parts 's and 'll from the word before in English, and l' and
// qu' from the word after in French and Italian; elsewhere apostrophes are marks.
func (m *Moses) partApostrophes(line string) string {
	runes := []rune(line)
	at := func(i int) rune {
		if i < 0 || i >= len(runes) {
			return ' '
		}
		return runes[i]
	}
	var out strings.Builder
	for i, r := range runes {
		before, after := at(i-1), at(i+1)
		between := unicode.IsLetter(before) && unicode.IsLetter(after)
		switch {
		case r != '\'':
			out.WriteRune(r)
		case m.lang == "en" && (between || unicode.IsDigit(before) && after == 's'):
			out.WriteString(" '")
		case (m.lang == "fr" || m.lang == "it") && between:
			out.WriteString("' ")
		default:
			out.WriteString(" ' ")
		}
	}
	return out.String()
}

// partPeriods parts the period at the end of a word from it, unless the word is
// an abbreviation, has other periods, or another small word follows.
func (m *Moses) partPeriods(words []string) []string {
	var out []string
	for i, word := range words {
		stem, ok := strings.CutSuffix(word, ".")
		if !ok || stem == "" || strings.HasSuffix(stem, ".") {
			out = append(out, word)
			continue
		}
		next := ""
		if i+1 < len(words) {
			next = words[i+1]
		}
		if m.keepsPeriod(stem, next) {
			out = append(out, word)
		} else {
			out = append(out, stem, ".")
		}
	}
	return out
}

func (m *Moses) keepsPeriod(stem, next string) bool {
	if next == "" {
		return false
	}
	first := []rune(next)[0]
	switch {
	case strings.Contains(stem, ".") && strings.ContainsFunc(stem, unicode.IsLetter):
		return true
	case numberAbbreviations[stem]:
		return unicode.IsDigit(first)
	case m.abbreviations[stem], len([]rune(stem)) == 1 && unicode.IsUpper([]rune(stem)[0]):
		return true
	case m.lang == "de" && !strings.ContainsFunc(stem, func(r rune) bool { return !unicode.IsDigit(r) }):
		return true // an ordinal
	}
	return unicode.IsLower(first)
}

var (
	toEscapes = strings.NewReplacer("&", "&amp;", "|", "&#124;", "<", "&lt;", ">", "&gt;", "'", "&apos;", `"`, "&quot;", "[", "&#91;", "]", "&#93;")
	toMarks   = strings.NewReplacer("&#124;", "|", "&lt;", "<", "&gt;", ">", "&apos;", "'", "&quot;", `"`, "&#91;", "[", "&#93;", "]", "&bar;", "|", "&bra;", "[", "&ket;", "]", "&amp;", "&")
)

func escape(s string) string { return toEscapes.Replace(s) }
