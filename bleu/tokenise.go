package bleu

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/mega-go/mega/internal/textfile"
)

// A Tokeniser parts a line into the tokens that BLEU counts.
type Tokeniser struct {
	Name string // as in sacreBLEU's signature
	Part func(line string) []string
}

// Tokenisers are those there are: 13a, that of WMT's mteval-v13a.pl and
// sacreBLEU's default; char, characters; none, words as they are.
var Tokenisers = []Tokeniser{{"13a", part13a}, {"char", partChars}, {"none", textfile.Fields}}

// FindTokeniser returns the tokeniser of that name.
func FindTokeniser(name string) (Tokeniser, error) {
	var names []string
	for _, t := range Tokenisers {
		if t.Name == name {
			return t, nil
		}
		names = append(names, t.Name)
	}
	return Tokeniser{}, fmt.Errorf("unknown tokeniser %q, want one of %s", name, strings.Join(names, ", "))
}

var entities = []struct{ from, to string }{{"&quot;", `"`}, {"&amp;", "&"}, {"&lt;", "<"}, {"&gt;", ">"}}

// rules13a part punctuation and symbols from words, periods and commas unless
// they stand between digits, and a dash after a digit (mteval-v13a.pl, the part
// for Western languages).
var rules13a = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile("([!-&(-+/:-@\\[-`{-~ ])"), " ${1} "},
	{regexp.MustCompile(`([^0-9])([.,])`), "${1} ${2} "},
	{regexp.MustCompile(`([.,])([^0-9])`), " ${1} ${2}"},
	{regexp.MustCompile(`([0-9])(-)`), "${1} ${2} "},
}

func part13a(line string) []string {
	line = strings.ReplaceAll(line, "<skipped>", "")
	for _, e := range entities {
		line = strings.ReplaceAll(line, e.from, e.to)
	}
	line = " " + line + " "
	for _, r := range rules13a {
		line = r.pattern.ReplaceAllString(line, r.with)
	}
	return textfile.Fields(line)
}

func partChars(line string) []string {
	var out []string
	for _, r := range line {
		if s := string(r); textfile.Trim(s) != "" {
			out = append(out, s)
		}
	}
	return out
}
