package sentencepiece

import (
	"bytes"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
)

// trained returns the model of a text.
func trained(t *testing.T, text string, o TrainOptions) *Model {
	t.Helper()
	trainer, err := NewTrainer(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := trainer.Read(strings.NewReader(text)); err != nil {
		t.Fatal(err)
	}
	b, err := trainer.Train(nil)
	if err != nil {
		t.Fatal(err)
	}
	m, err := Parse(b, "trained")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(m.encode(), b) {
		t.Error("the model is written in another way when it was read")
	}
	return m
}

// TestTrainPairs is the example of Sennrich et al. 2016.
func TestTrainPairs(t *testing.T) {
	text := strings.Repeat(" low", 5) + strings.Repeat(" lowest", 2) + strings.Repeat(" newer", 6) + strings.Repeat(" wider", 3)
	o := DefaultTrainOptions()
	o.Size, o.Coverage = fixed+11+5, 1
	m := trained(t, text, o)
	got, want := m.Vocabulary()[fixed:fixed+5], naivePairs(strings.Fields(text), 5)
	if !slices.Equal(got, want) || got[0] != "er" {
		t.Errorf("%q, want %q", got, want)
	}
}

// naivePairs merges by counting all pairs every time.
func naivePairs(words []string, n int) (pieces []string) {
	var split [][]string
	for _, w := range words {
		split = append(split, strings.Split(space+w, ""))
	}
	for range n {
		counts := map[[2]string]int{}
		for _, w := range split {
			for i := range len(w) - 1 {
				counts[[2]string{w[i], w[i+1]}]++
			}
		}
		var best [2]string
		for p, c := range counts {
			a, b := p[0]+p[1], best[0]+best[1]
			if c > counts[best] || c == counts[best] && (len(a) < len(b) || len(a) == len(b) && a < b) {
				best = p
			}
		}
		pieces = append(pieces, best[0]+best[1])
		for i, w := range split {
			for j := 0; j+1 < len(w); j++ {
				if w[j] == best[0] && w[j+1] == best[1] {
					w = slices.Replace(w, j, j+2, w[j]+w[j+1])
				}
			}
			split[i] = w
		}
	}
	return pieces
}

// TestTrainedModels: models of both kinds have the size that was asked for, are
// the same each time, cut text into few pieces, and give back every byte.
func TestTrainedModels(t *testing.T) {
	source, err := os.ReadFile("train_unigram.go")
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 1_000_000)
	for i := range noise {
		noise[i] = byte(random.Uint32())
	}
	for kind, noise := range map[string][]byte{"bpe": noise, "unigram": noise[:100_000]} {
		o := DefaultTrainOptions()
		o.Type, o.Size = kind, 700
		m := trained(t, string(source), o)
		if m.Len() != o.Size {
			t.Errorf("%s: %d pieces", kind, m.Len())
		}
		if again := trained(t, string(source), o); !bytes.Equal(m.encode(), again.encode()) {
			t.Errorf("%s: another model the second time", kind)
		}
		if n := len(m.AppendExact(nil, string(source))); n*2 > len(source) {
			t.Errorf("%s: %d pieces of %d bytes", kind, n, len(source))
		}
		for _, text := range []string{string(noise), string(source), "", " ", "  a  ", "\xff ▁ \x00 é", "▁"} {
			var got []byte
			for i, id := range m.AppendExact(nil, text) {
				got = m.AppendText(got, id, i == 0)
			}
			if string(got) != text {
				t.Errorf("%s: %.40q came back as %.40q", kind, text, got)
			}
		}
	}
}

// TestExpect: what EM expects of all pieces together is the text, and each EM
// step makes the text likelier.
func TestExpect(t *testing.T) {
	words := []word{{"▁abab", 5}, {"▁aba", 3}, {"bb", 2}}
	u := newUnigramTrainer(words, []string{"a", "b", space}, TrainOptions{Size: 100, MaxRunes: 4})
	likelihood := func() (sum float64) {
		for _, w := range words {
			sum += float64(w.count) * u.naiveLogProb(w.text)
		}
		return sum
	}
	before := likelihood()
	for range 3 {
		expected := u.expect()
		runes := 0.0
		for i, p := range u.pieces {
			runes += expected[i] * float64(len([]rune(p.text)))
		}
		if want := 5.*5 + 3*4 + 2*2; math.Abs(runes-want) > 1e-9 {
			t.Errorf("%g characters are expected of %g", runes, want)
		}
		total := 0.0
		for _, n := range expected {
			total += n
		}
		for i, n := range expected { // plain EM, without the digamma function
			u.pieces[i].score = float32(math.Log(n / total))
		}
		u.index()
		if after := likelihood(); after < before-1e-4 {
			t.Errorf("the log-likelihood falls from %g to %g", before, after)
		} else {
			before = after
		}
	}
}

// naiveLogProb sums over all ways to cut a text, one by one.
func (u *unigramTrainer) naiveLogProb(text string) float64 {
	if text == "" {
		return 0
	}
	sum := math.Inf(-1)
	for i, p := range u.pieces {
		if rest, ok := strings.CutPrefix(text, p.text); ok {
			sum = math.Log(math.Exp(sum) + math.Exp(u.scores[i]+u.naiveLogProb(rest)))
		}
	}
	return sum
}

func TestDigamma(t *testing.T) {
	for x, want := range map[float64]float64{1: -0.5772156649015329, 0.5: -1.9635100260214235, 10: 2.2517525890667211} {
		if got := digamma(x); math.Abs(got-want) > 1e-9 {
			t.Errorf("digamma(%g) is %.12f, want %.12f", x, got, want)
		}
	}
}

func TestTrainErrors(t *testing.T) {
	for want, change := range map[string]func(*TrainOptions){
		`model_type is "word", want bpe or unigram`: func(o *TrainOptions) { o.Type = "word" },
		"vocab_size is 0":                     func(o *TrainOptions) { o.Size = 0 },
		"character_coverage is 2":             func(o *TrainOptions) { o.Coverage = 2 },
		"max_sentencepiece_length is 0":       func(o *TrainOptions) { o.MaxRunes = 0 },
		"vocab_size is 100, and 3 characters": func(o *TrainOptions) { o.Size = 100 },
	} {
		o := DefaultTrainOptions()
		o.Coverage = 1
		change(&o)
		trainer, err := NewTrainer(o)
		if err == nil {
			trainer.Read(strings.NewReader("a b"))
			_, err = trainer.Train(nil)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
	trainer, err := NewTrainer(DefaultTrainOptions())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := trainer.Train(nil); err == nil || !strings.Contains(err.Error(), "the text is empty") {
		t.Errorf("error %v", err)
	}
}
