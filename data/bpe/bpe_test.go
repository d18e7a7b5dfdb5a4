package bpe

import (
	"slices"
	"strings"
	"testing"
)

func codes(t testing.TB, lines ...string) *Codes {
	t.Helper()
	c, err := Read(strings.NewReader(strings.Join(lines, "\n")+"\n"), "codes")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var low = []string{"#version: 0.2", "l o", "lo w", "e r</w>", "low e", "lowe r</w>", "n e", "ne w"}

func TestApply(t *testing.T) {
	c := codes(t, low...)
	for _, s := range []struct{ line, want string }{
		{"low lower newer", "lo@@ w low@@ er new@@ er"}, // lo w merges inside words only
		{"", ""},
		{"  ", "  "},
		{"x", "x"},
		{" low  low\r\n", " lo@@ w lo@@ w\r\n"},
		{"über", "ü@@ b@@ er"},
		{"lo@@ w", "lo@@ @@@ @ w"},
	} {
		if got := c.Apply(s.line); got != s.want {
			t.Errorf("%q: %q, want %q", s.line, got, s.want)
		}
	}
}

// TestVersions: the same merges with the end of a word as a symbol of its own.
func TestVersions(t *testing.T) {
	old := codes(t, "l o", "lo w", "low </w>", "e r", "er </w>")
	for word, want := range map[string][]string{
		"low":   {"low"},
		"lower": {"low", "er"},
		"lowx":  {"low", "x"},
		"x":     {"x"},
		"er":    {"er"},
	} {
		if got := old.Split(word); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", word, got, want)
		}
	}
}

func TestOverlap(t *testing.T) {
	c := codes(t, "#version: 0.2", "x x", "xx x</w>", "x x")
	if got := c.Split("xxx"); !slices.Equal(got, []string{"xxx"}) {
		t.Errorf("%v", got)
	}
	if got := c.Split("xxxx"); !slices.Equal(got, []string{"xx", "x", "x"}) {
		t.Errorf("%v", got)
	}
	if len(c.ranks) != 2 {
		t.Errorf("%d merges, want the first of those that are there twice", len(c.ranks))
	}
}

func TestReadErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                         "codes: no BPE codes",
		"#version: 0.2\n":          "codes: no BPE codes",
		"#version: 1.0\na b\n":     `codes:1: version "1.0"`,
		"#version: 0.2\na b\nab\n": `codes:3: want two symbols with a space between, have "ab"`,
		"a  b\n":                   "codes:1: want two symbols",
		"a b c d\n":                "codes:1: want two symbols",
	} {
		if _, err := Read(strings.NewReader(text), "codes"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want one with %q", text, err, want)
		}
	}
	if _, err := Load("testdata/none"); err == nil || !strings.Contains(err.Error(), "no such BPE code file") {
		t.Errorf("error %v", err)
	}
	for text, whole := range map[string]bool{
		"#version: 0.2\na b</w> 17":                 true, // with counts
		"a b</w> 17":                                true, // fastBPE
		"a b</w>":                                   true, // its counts cut off
		"\ufeffa b</w> 17\r\n":                      true,
		"b </w>\na b</w>":                           true, // version 0.1
		"#version: 0.1\nb </w>\na b</w>\n":          true,
		"#version: 0.1\na b</w> 17":                 false, // which has no symbol b</w>
		"a b 17":                                    false,
		"#version: 0.2\r\na b</w>\r\na\u0085 c\r\n": true, // Python's split("\n") parts lines
	} {
		c, err := Read(strings.NewReader(text), "codes")
		if err != nil || slices.Equal(c.Split("ab"), []string{"ab"}) != whole {
			t.Errorf("%q: error %v, ab whole is not %v", text, err, whole)
		}
	}
}

func TestRemove(t *testing.T) {
	for _, c := range []struct{ sentence, symbol, want string }{
		{"lo@@ w low@@ er", "@@ ", "low lower"},
		{"lo@@ w lo@@", "@@ ", "low lo"},
		{"lo@@ w  ", "subword_nmt", "low"},
		{"a b@@ c", "", "a b@@ c"},
		{"a b", "none", "a b"},
		{"\u2581He llo \u2581wor ld .", "sentencepiece", "Hello world."},
		{"_He llo _wor ld", "wordpiece", "Hello world"},
		{"H e | l l o |", "letter", "He llo"},
		{"He llo_EOW wor ld_EOW", "_EOW", "Hello world"},
		{"a~~ b", "~~ ", "ab"},
	} {
		if got := Remove(c.sentence, c.symbol); got != c.want {
			t.Errorf("%q, %q: %q, want %q", c.sentence, c.symbol, got, c.want)
		}
	}
}

// splitNaive merges as the definition reads: one round a rank, all its pairs.
func splitNaive(c *Codes, word string) []string {
	parts := strings.Split(word, "")
	parts[len(parts)-1] += endOfWord
	for {
		best := [2]string{}
		for i := range len(parts) - 1 {
			pair := [2]string{parts[i], parts[i+1]}
			if r, ok := c.ranks[pair]; ok && (best[0] == "" || r < c.ranks[best]) {
				best = pair
			}
		}
		if best[0] == "" {
			parts[len(parts)-1] = strings.TrimSuffix(parts[len(parts)-1], endOfWord)
			return parts
		}
		var next []string
		for i := 0; i < len(parts); i++ {
			if i+1 < len(parts) && parts[i] == best[0] && parts[i+1] == best[1] {
				next = append(next, best[0]+best[1])
				i++
			} else {
				next = append(next, parts[i])
			}
		}
		parts = next
	}
}

// FuzzApply: taking out the markers gives the text again, and words are parted
// as by the plain definition.
func FuzzApply(f *testing.F) {
	c := codes(f, "#version: 0.2", "a b", "ab a", "b b", "a a</w>", "aba b", "b a</w>")
	f.Add("abab  baba a")
	f.Add("@@ @@@ ab@@")
	f.Fuzz(func(t *testing.T, line string) {
		line = line[:min(len(line), 500)] // the plain definition is slow
		line = strings.Join(strings.FieldsFunc(line, isSpace), " ")
		if strings.Contains(line, "@@") || strings.HasSuffix(line, "@") || strings.Contains(line, "@ ") || strings.Contains(line, endOfWord) {
			return
		}
		if got := Remove(c.Apply(line), "@@ "); got != line && !strings.Contains(line, "@") {
			t.Errorf("%q becomes %q and then %q", line, c.Apply(line), got)
		}
		for word := range strings.FieldsSeq(line) {
			if len([]rune(word)) < 2 {
				continue
			}
			if got, want := c.Split(word), splitNaive(c, word); !slices.Equal(got, want) {
				t.Errorf("%q: %q, want %q", word, got, want)
			}
		}
	})
}

func TestCacheIsBounded(t *testing.T) {
	c := codes(t, low...)
	for i := range cacheSize + 10 {
		c.Split(strings.Repeat("x", i%7) + string(rune('a'+i%26)) + string(rune(0x4e00+i%20000)) + string(rune(0x400+i%200)))
	}
	if len(c.cache) > cacheSize {
		t.Errorf("%d words remembered", len(c.cache))
	}
}
