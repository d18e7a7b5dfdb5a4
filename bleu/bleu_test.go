package bleu

import (
	"math"
	"slices"
	"strings"
	"testing"
)

// The example of sacreBLEU's README and its tests' values for it.
var (
	exampleRefs = [][]string{
		{"The dog bit the man.", "It was not unexpected.", "The man bit him first."},
		{"The dog had bit the man.", "No one was surprised.", "The man had bitten the dog."},
	}
	exampleHyps = []string{"The dog bit the man.", "It wasn't surprising.", "The man had just bitten him."}
)

func corpusBLEU(t *testing.T, o Options, hyps []string, refs ...[]string) float64 {
	t.Helper()
	scores, err := Corpus(hyps, refs, o)
	if err != nil {
		t.Fatal(err)
	}
	return scores[0].Score
}

func TestCorpusAsSacreBLEU(t *testing.T) {
	o := DefaultOptions()
	for tokeniser, want := range map[string]float64{"13a": 48.530827, "none": 49.1919566} {
		o.Tokeniser = tokeniser
		if got := corpusBLEU(t, o, exampleHyps, exampleRefs...); math.Abs(got-want) > 1e-6 {
			t.Errorf("%s: BLEU %.7f, want %.7f", tokeniser, got, want)
		}
	}
	if got := corpusBLEU(t, o, []string{"", "", ""}, exampleRefs...); got != 0 {
		t.Errorf("nothing scores %g", got)
	}
}

// TestStatistics: counts and a score that sacreBLEU's tests give.
func TestStatistics(t *testing.T) {
	s := Sentence(strings.Fields("am I am a character sequence"), strings.Fields("I am a symbol string sequence a a"))
	if s.Matches != [4]int{4, 2, 1, 0} || s.Totals != [4]int{6, 5, 4, 3} || s.Length != 6 || s.RefLength != 8 {
		t.Errorf("statistics %+v", s)
	}
	s = Stats{[4]int{9, 7, 5, 3}, [4]int{10, 8, 6, 4}, 11, 11}
	if got := s.Score(4, false); math.Abs(got-83.75922397) > 1e-7 {
		t.Errorf("score %.8f", got)
	}
}

// TestClosestReference: of two lengths equally near the shorter counts.
func TestClosestReference(t *testing.T) {
	s := Sentence(make([]string, 5), make([]string, 7), make([]string, 3), make([]string, 9))
	if s.RefLength != 3 {
		t.Errorf("length %d, want 3", s.RefLength)
	}
}

func Test13a(t *testing.T) {
	for line, want := range map[string]string{
		"Hello, world!":                "Hello , world !",
		"It costs 1,234.56 (US$).":     "It costs 1,234.56 ( US $ ) .",
		"wasn't a well-known 5-4 win":  "wasn't a well-known 5 - 4 win",
		"&quot;A&quot; &amp; &lt;B>":   `" A " & < B >`,
		"<skipped>the U.S., 3.":        "the U . S . , 3 .",
		"  über–groß  50%/[x]{y}~a`b@": "über–groß 50 % / [ x ] { y } ~ a ` b @",
	} {
		if got := strings.Join(part13a(line), " "); got != want {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
}

// TestChrF: sacreBLEU's values, those with spaces with beta 3.
func TestChrF(t *testing.T) {
	effective := ChrFConfig{CharOrder: 6, Beta: 3}
	whitespace := ChrFConfig{CharOrder: 6, Beta: 3, Whitespace: true}
	for _, c := range []struct {
		config     ChrFConfig
		hyps, refs []string
		want       float64
	}{
		{effective, []string{"a"}, []string{"a"}, 100},
		{effective, []string{""}, []string{"reference"}, 0},
		{effective, []string{"a b c"}, []string{"abc"}, 100},
		{effective, []string{"a", "b"}, []string{"a", "c"}, 50},
		{effective, []string{"aa"}, []string{"ab"}, 25},
		{effective, []string{"Niemand hat die Absicht, eine Mauer zu errichten"}, []string{"Niemand hat die Absicht, eine Mauer zu errichten"}, 100},
		{effective, []string{" Die    Beziehung zwischen  Obama und Netanjahu ist nicht gerade  freundlich. "},
			[]string{"Das Verhältnis zwischen Obama und Netanyahu ist nicht gerade freundschaftlich."}, 64.1302698},
		{whitespace, []string{"risk assessment must be made of those who are qualified and expertise in the sector - these are the scientists ."},
			[]string{"risk assessment has to be undertaken by those who are qualified and expert in that area - that is the scientists ."}, 65.2414427},
	} {
		sum := make(ChrFStats, 6)
		for i, h := range c.hyps {
			sum.Add(c.config.Sentence(h, c.refs[i]))
		}
		if got := c.config.Score(sum); math.Abs(got-c.want) > 1e-7 {
			t.Errorf("%q: chrF %.6f, want %.6f", c.hyps, got, c.want)
		}
	}
}

func TestPunctuation(t *testing.T) {
	if got := partPunctuation(`Well, "so" (be it) - ende`); !slices.Equal(got, []string{"Well", ",", `"so`, `"`, "(", "be", "it", ")", "-", "ende"}) {
		t.Errorf("%q", got)
	}
}

// TestTokenised: by hand. An empty line is one token; <unk> matches nothing.
func TestTokenised(t *testing.T) {
	s := Tokenised("a b c d e", "a b c x e")
	if want := "BLEU2 = 63.25, 80.0/50.0 (BP=1.000, ratio=1.000, syslen=5, reflen=5)"; s.Tokenised(2) != want {
		t.Errorf("%q, want %q", s.Tokenised(2), want)
	}
	if got := s.Score(4, false); got != 0 {
		t.Errorf("BLEU4 %g without a match of four", got)
	}
	if s = Tokenised("", ""); s.Length != 1 || s.Matches[0] != 1 {
		t.Errorf("empty lines: %+v", s)
	}
	if s = Tokenised("a <unk>", "a <unk>"); s.Matches != [4]int{1} {
		t.Errorf("<unk> matches: %+v", s)
	}
	s = Tokenised("a b", "a b").SmoothedSentence()
	if got := s.Score(4, false); math.Abs(got-100) > 1e-9 {
		t.Errorf("smoothed %g", got)
	}
}

// TestBootstrap: the interval of copies of few sentences narrows with the root of
// their number, and the seed fixes it.
func TestBootstrap(t *testing.T) {
	o := DefaultOptions()
	o.Resamples = 400
	interval := func(copies int, seed uint64) float64 {
		o.Seed = seed
		scores, err := Corpus(slices.Repeat(exampleHyps, copies), [][]string{slices.Repeat(exampleRefs[0], copies)}, o)
		if err != nil {
			t.Fatal(err)
		}
		if c := scores[0].Confidence; math.Abs(c.Mean-scores[0].Score) > c.HalfWidth {
			t.Errorf("mean %g of a score of %g", c.Mean, scores[0].Score)
		}
		return scores[0].Confidence.HalfWidth
	}
	few, many := interval(50, 1), interval(800, 1)
	if ratio := few / many; ratio < 3 || ratio > 5.5 {
		t.Errorf("16 times the sentences: intervals %g and %g, want about a quarter", few, many)
	}
	if interval(50, 1) != few || interval(50, 2) == few {
		t.Error("the seed must fix the interval")
	}
}

func TestFormat(t *testing.T) {
	o := DefaultOptions()
	o.Resamples, o.Lowercase = 10, true
	scores, err := Corpus(exampleHyps, exampleRefs, o)
	if err != nil {
		t.Fatal(err)
	}
	if want := "BLEU|nrefs:2|bs:10|seed:12345|case:lc|eff:no|tok:13a|smooth:exp|version:mega = 48.53 (μ = "; !strings.HasPrefix(scores[0].String(), want) {
		t.Errorf("%q, want %q", scores[0], want)
	}
	if want := "82.4/50.0/45.5/37.5 (BP = 0.943 ratio = 0.944 hyp_len = 17 ref_len = 18)"; scores[0].Details != want {
		t.Errorf("%q, want %q", scores[0].Details, want)
	}
	if want := "chrF2|nrefs:2|bs:10|seed:12345|case:lc|eff:yes|nc:6|nw:0|space:no|version:mega = "; !strings.HasPrefix(scores[1].String(), want) {
		t.Errorf("%q, want %q", scores[1], want)
	}
}

func TestErrors(t *testing.T) {
	for want, f := range map[string]func(o *Options) ([]string, [][]string){
		"unknown tokeniser": func(o *Options) ([]string, [][]string) { o.Tokeniser = "zh"; return exampleHyps, exampleRefs },
		"no translations":   func(*Options) ([]string, [][]string) { return nil, exampleRefs },
		"no references":     func(*Options) ([]string, [][]string) { return exampleHyps, nil },
		"3 translations, but reference 2 has 1": func(*Options) ([]string, [][]string) {
			return exampleHyps, [][]string{exampleRefs[0], {"a"}}
		},
		"chrF of 0 characters": func(o *Options) ([]string, [][]string) { o.ChrF.CharOrder = 0; return exampleHyps, exampleRefs },
		"-1 resamples":         func(o *Options) ([]string, [][]string) { o.Resamples = -1; return exampleHyps, exampleRefs },
	} {
		o := DefaultOptions()
		hyps, refs := f(&o)
		if _, err := Corpus(hyps, refs, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}
