package moses

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mega-go/mega/internal/textfile"
)

// A Moses parts and joins text of one language.
type Moses struct {
	NoDashSplits bool // leave hyphens in words
	NoEscape     bool // leave marks that escape writes otherwise

	lang          string
	abbreviations map[string]bool
	beforeNumbers map[string]bool // abbreviations only before a number
}

// New returns the rules of a language, given by its code: en, de, fr, ...
func New(lang string) *Moses {
	lang = strings.ToLower(lang)
	return &Moses{lang: lang, abbreviations: set(abbreviations[lang]), beforeNumbers: set(numberAbbreviations[lang])}
}

func set(words string) map[string]bool {
	s := map[string]bool{}
	for word := range strings.FieldsFuncSeq(words, textfile.IsSpace) {
		s[word] = true
	}
	return s
}

// abbreviations end in a period that is not the end of a sentence. Single letters
// are so too: in German small ones as well.
var abbreviations = map[string]string{
	"en": "Adj Adm Adv Asst Bart Bldg Brig Bros Capt Cmdr Col Comdr Con Corp Cpl DR Dr Drs Ens Gen Gov Hon Hr Hosp " +
		"Insp Lt MM MR MRS MS Maj Messrs Mlle Mme Mr Mrs Ms Msgr Op Ord Pfc Ph Prof Pvt Rep Reps Res Rev Rt Sen Sens Sfc " +
		"Sgt Sr St Supt Surg v vs i.e rev e.g Rs Nos Nr Jan Feb Mar Apr Jun Jul Aug Sep Oct Nov Dec",
	"de": "Adj Adm Adv Art Asst Bart Bldg Brig Bros Capt Cmdr Col Comdr Con Corp Cpl DR Dr Ens Gen Gov Hon Hosp Insp Lt " +
		"MM MR MRS MS Maj Messrs Mlle Mme Mr Mrs Ms Msgr No Nos Nr Op Ord Pfc Ph Prof Pvt Rep Reps Res Rev Rt Sen Sens Sfc " +
		"Sgt Sr St Supt Surg BSE Buchst Ca Chr Co Dkr Ltd Mio Mrd MwSt SA Std Zt bzgl bzw ca dergl dgl etc evtl ff ggf jun " +
		"pp sen sog sogen spp usf usw vgl vs zzt " +
		"ii iii iv vi vii viii ix xi xii xiii xiv xv xvi xvii xviii xix xx " +
		"II III IV VI VII VIII IX XI XII XIII XIV XV XVI XVII XVIII XIX XX",
}

// numberAbbreviations are abbreviations only before a number.
var numberAbbreviations = map[string]string{"en": "No Art pp"}

var (
	controls  = regexp.MustCompile(`[\x00-\x1f]`)
	dots      = regexp.MustCompile(`\.\.+`)
	commaPre  = regexp.MustCompile(`([^\p{N}]),`)
	commaPost = regexp.MustCompile(`,([^\p{N}])`)
	commaEnd  = regexp.MustCompile(`(\p{N}),$`)
)

// Tokenise returns a line in tokens with spaces between.
func (m *Moses) Tokenise(line string) string {
	line = controls.ReplaceAllString(strings.Join(textfile.Fields(line), " "), "")
	line = partMarks(textfile.Trim(line))
	if !m.NoDashSplits {
		line = partHyphens(line)
	}
	line = dots.ReplaceAllString(line, " $0 ")
	line = commaPre.ReplaceAllString(line, "$1 , ")
	line = commaPost.ReplaceAllString(line, " , $1")
	line = commaEnd.ReplaceAllString(line, "$1 ,")
	words := m.partPeriods(textfile.Fields(m.partApostrophes(line)))
	if last := len(words) - 1; last >= 0 && strings.HasSuffix(words[last], ".'") {
		words[last] = strings.TrimSuffix(words[last], ".'") + " . '"
	}
	line = textfile.Trim(strings.Join(words, " "))
	if m.NoEscape {
		return line
	}
	return escape(line)
}

// The classes of characters that Moses goes by, as Unicode defines them.
func isAlpha(r rune) bool {
	return unicode.IsLetter(r) || unicode.In(r, unicode.Nl, unicode.Other_Alphabetic)
}

func isAlnum(r rune) bool { return isAlpha(r) || unicode.IsDigit(r) }

func isLower(r rune) bool { return unicode.IsLower(r) || unicode.Is(unicode.Other_Lowercase, r) }

// partMarks puts spaces around all marks but those that have rules of their own.
func partMarks(line string) string {
	var out strings.Builder
	for _, r := range line {
		if isAlnum(r) || unicode.IsSpace(r) || strings.ContainsRune(".'`,-", r) {
			out.WriteRune(r)
		} else {
			out.WriteString(" " + string(r) + " ")
		}
	}
	return out.String()
}

// partHyphens writes @-@ for a hyphen between letters or digits.
func partHyphens(line string) string {
	runes := []rune(line)
	var out strings.Builder
	for i, r := range runes {
		if r == '-' && i > 0 && i+1 < len(runes) && isAlnum(runes[i-1]) && isAlnum(runes[i+1]) {
			out.WriteString(" @-@ ")
		} else {
			out.WriteRune(r)
		}
	}
	return out.String()
}

// An apostropheRule says what becomes of an apostrophe between two characters.
type apostropheRule struct {
	before, after func(rune) bool
	to            string
}

func notAlpha(r rune) bool { return !isAlpha(r) }

// Rules are applied one after another. English parts 's and 'll from the word
// before, French and Italian l' and qu' from the word after.
var (
	leftApostrophes = []apostropheRule{
		{notAlpha, notAlpha, " ' "},
		{func(r rune) bool { return !isAlpha(r) && !unicode.IsNumber(r) }, isAlpha, " ' "},
		{isAlpha, notAlpha, " ' "},
		{isAlpha, isAlpha, " '"},
		{unicode.IsNumber, func(r rune) bool { return r == 's' }, " '"},
	}
	rightApostrophes = []apostropheRule{
		{notAlpha, notAlpha, " ' "},
		{notAlpha, isAlpha, " ' "},
		{isAlpha, notAlpha, " ' "},
		{isAlpha, isAlpha, "' "},
	}
)

// partApostrophes parts apostrophes by the rules of the language; where it has
// none they are marks.
func (m *Moses) partApostrophes(line string) string {
	switch m.lang {
	case "en":
		return applyRules(line, leftApostrophes)
	case "fr", "it":
		return applyRules(line, rightApostrophes)
	}
	return strings.ReplaceAll(line, "'", " ' ")
}

func applyRules(line string, rules []apostropheRule) string {
	for _, rule := range rules {
		line = rule.apply(line)
	}
	return line
}

// apply goes from left to right; what a place has taken is not looked at again,
// as in a regular expression's replacements.
func (a apostropheRule) apply(line string) string {
	r := []rune(line)
	var out strings.Builder
	for i := 0; i < len(r); i++ {
		out.WriteRune(r[i])
		if i+2 < len(r) && r[i+1] == '\'' && a.before(r[i]) && a.after(r[i+2]) {
			out.WriteString(a.to)
			out.WriteRune(r[i+2])
			i += 2
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
		if i+1 < len(words) && m.keepsPeriod(stem, words[i+1]) {
			out = append(out, word)
		} else {
			out = append(out, stem, ".")
		}
	}
	return out
}

func (m *Moses) keepsPeriod(stem, next string) bool {
	first, _ := utf8.DecodeRuneInString(next)
	switch {
	case strings.Contains(stem, ".") && strings.ContainsFunc(stem, isAlpha):
		return true
	case isLower(first), m.abbreviations[stem], m.isInitial(stem):
		return true
	case m.lang == "de" && germanOrdinal.MatchString(stem):
		return true
	}
	return m.beforeNumbers[stem] && first >= '0' && first <= '9'
}

var germanOrdinal = regexp.MustCompile(`^[1-9][0-9]?$`)

// isInitial reports whether a word is one letter, which a period shortens.
func (m *Moses) isInitial(stem string) bool {
	if len(stem) != 1 {
		return false
	}
	c := stem[0]
	return c >= 'A' && c <= 'Z' || m.lang == "de" && c >= 'a' && c <= 'z'
}

var (
	toEscapes = strings.NewReplacer("&", "&amp;", "|", "&#124;", "<", "&lt;", ">", "&gt;", "'", "&apos;", `"`, "&quot;", "[", "&#91;", "]", "&#93;")
	toMarks   = strings.NewReplacer("&#124;", "|", "&lt;", "<", "&gt;", ">", "&apos;", "'", "&quot;", `"`, "&#91;", "[", "&#93;", "]", "&bar;", "|", "&bra;", "[", "&ket;", "]", "&amp;", "&")
)

func escape(s string) string { return toEscapes.Replace(s) }
