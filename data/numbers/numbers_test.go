package numbers

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestNames(t *testing.T) {
	for n, want := range map[int][2]string{
		0:         {"zero", "null"},
		1:         {"one", "eins"},
		12:        {"twelve", "zwölf"},
		16:        {"sixteen", "sechzehn"},
		17:        {"seventeen", "siebzehn"},
		20:        {"twenty", "zwanzig"},
		21:        {"twenty one", "ein und zwanzig"},
		30:        {"thirty", "dreißig"},
		100:       {"one hundred", "ein hundert"},
		101:       {"one hundred and one", "ein hundert eins"},
		604:       {"six hundred and four", "sechs hundert vier"},
		1000:      {"one thousand", "ein tausend"},
		1431:      {"one thousand four hundred and thirty one", "ein tausend vier hundert ein und dreißig"},
		3507:      {"three thousand five hundred and seven", "drei tausend fünf hundert sieben"},
		10040:     {"ten thousand forty", "zehn tausend vierzig"},
		18004:     {"eighteen thousand four", "achtzehn tausend vier"},
		31001:     {"thirty one thousand one", "ein und dreißig tausend eins"},
		101001:    {"one hundred and one thousand one", "ein hundert ein tausend eins"},
		103350:    {"one hundred and three thousand three hundred and fifty", "ein hundert drei tausend drei hundert fünfzig"},
		474354:    {"four hundred and seventy four thousand three hundred and fifty four", "vier hundert vier und siebzig tausend drei hundert vier und fünfzig"},
		907796:    {"nine hundred and seven thousand seven hundred and ninety six", "neun hundert sieben tausend sieben hundert sechs und neunzig"},
		969105:    {"nine hundred and sixty nine thousand one hundred and five", "neun hundert neun und sechzig tausend ein hundert fünf"},
		1_000_000: {"one million", "eine million"},
	} {
		if got := [2]string{English(n), German(n)}; got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}

// valueOf reads a name back, by rules of its own.
func valueOf(name string, values map[string]int) int {
	total, part := 0, 0
	for word := range strings.FieldsSeq(name) {
		switch word {
		case "and", "und":
		case "hundred", "hundert":
			part *= 100
		case "thousand", "tausend":
			total, part = part*1000, 0
		case "million":
			part *= 1000000
		default:
			part += values[word]
		}
	}
	return total + part
}

// TestReadBack: no two numbers have the same name in a language.
func TestReadBack(t *testing.T) {
	values := map[string]int{"ein": 1, "eine": 1}
	for _, lang := range []names{english, german} {
		for n, word := range lang.small {
			values[word] = n
		}
		for i, word := range lang.tens {
			values[word] = 10 * (i + 1)
		}
	}
	check := func(n int) {
		for _, name := range []string{English(n), German(n)} {
			if got := valueOf(name, values); got != n {
				t.Fatalf("%q is %d, want %d", name, got, n)
			}
		}
	}
	for n := 0; n <= Max; n += 97 {
		check(n)
	}
	for n := range 3000 {
		check(n)
	}
	check(Max)
}

func TestGenerate(t *testing.T) {
	o := Options{Train: 3000, Valid: 200, Test: 300, Seed: 7}
	s, err := Generate(o)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Train) != 3000 || len(s.Valid) != 200 || len(s.Test) != 300 {
		t.Errorf("splits of %d, %d, %d", len(s.Train), len(s.Valid), len(s.Test))
	}
	seen := map[int]bool{}
	short := 0
	for _, n := range slices.Concat(s.Train, s.Valid, s.Test) {
		if seen[n] || n < 0 || n > Max {
			t.Errorf("%d twice or out of range", n)
		}
		seen[n] = true
		if n < 1000 {
			short++
		}
	}
	// A quarter of 3500 is shared by six lengths, the shortest of which run out.
	if short < 200 || short > 500 {
		t.Errorf("%d numbers below a thousand", short)
	}
	if !slices.Contains(s.Train, 0) || !slices.Contains(s.Train, Max) {
		t.Error("words of the test set may be missing in training")
	}
	again, _ := Generate(o)
	o.Seed++
	other, _ := Generate(o)
	if !slices.Equal(again.Train, s.Train) || slices.Equal(other.Train, s.Train) {
		t.Error("the numbers must depend on the seed, and on it alone")
	}
}

func TestGenerateAll(t *testing.T) {
	s, err := Generate(Options{Train: 90, Valid: 5, Test: 5, Max: 99})
	if err != nil {
		t.Fatal(err)
	}
	all := slices.Concat(s.Train, s.Valid, s.Test)
	slices.Sort(all)
	for i, n := range all {
		if i != n {
			t.Fatalf("numbers %v", all)
		}
	}
}

func TestGenerateErrors(t *testing.T) {
	for want, o := range map[string]Options{
		"none may be negative": {Train: 5, Valid: -1},
		"want 1 to 1000000":    {Train: 5, Max: Max + 1},
		"fewer than 2":         {Train: 1},
		"only 11 from 0 to 10": {Train: 10, Test: 2, Max: 10},
	} {
		if _, err := Generate(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

func TestWrite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	s := &Splits{Train: []int{42, 7}, Test: []int{1001}}
	if err := s.Write(dir); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"train.en": "forty two\nseven\n", "train.de": "zwei und vierzig\nsieben\n",
		"test.en": "one thousand one\n", "test.de": "ein tausend eins\n",
	} {
		if b, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(b) != want {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
	if files, _ := os.ReadDir(dir); len(files) != 4 {
		t.Errorf("files %v", files)
	}
}
