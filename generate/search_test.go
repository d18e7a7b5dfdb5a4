package generate

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/mega-go/mega/autograd"
)

// chain is a model whose next token depends on the one before and on the row's
// kind alone.
type chain struct {
	vocab int
	probs map[int][]float32 // log-probabilities by kind, [V, V]
	kinds []int             // of each row
	steps int
	last  []int32
}

func newChain(vocab int, kinds ...int) *chain {
	c := &chain{vocab: vocab, probs: map[int][]float32{}, kinds: kinds}
	for _, kind := range kinds {
		rng := rand.New(rand.NewPCG(uint64(kind), 7))
		table := make([]float32, vocab*vocab)
		for i := range table {
			table[i] = float32(2 * rng.NormFloat64())
		}
		autograd.Temper(table, vocab, 1)
		c.probs[kind] = table
	}
	return c
}

func (c *chain) row(kind int, token int32) []float32 {
	return c.probs[kind][int(token)*c.vocab:][:c.vocab]
}

func (c *chain) Step(tokens ...int32) ([]float32, error) {
	c.steps++
	c.last = slices.Clone(tokens)
	var out []float32
	for i, token := range tokens {
		out = append(out, c.row(c.kinds[i], token)...)
	}
	return out, nil
}

func (c *chain) Reorder(rows ...int) error {
	kinds := make([]int, len(rows))
	for i, r := range rows {
		kinds[i] = c.kinds[r]
	}
	c.kinds = kinds
	return nil
}

func (c *chain) Attention(row int) []float32 {
	return []float32{float32(c.kinds[row]), float32(c.last[row])}
}

func search(t *testing.T, m Model, o Options, texts ...Text) [][]Hypothesis {
	t.Helper()
	s := Searcher{Options: o}
	out, err := s.Search(context.Background(), m, texts)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// every returns all texts of at most so many tokens before </s>, best first.
func every(c *chain, kind, most int, o Options) []Hypothesis {
	var all []Hypothesis
	var extend func(tokens []int32, scores []float64)
	extend = func(tokens []int32, scores []float64) {
		last := int32(eosToken)
		if len(tokens) > 0 {
			last = tokens[len(tokens)-1]
		}
		sum := 0.0
		for _, x := range scores {
			sum += x
		}
		for i, x := range c.row(kind, last) {
			token, x := int32(i), float64(x)
			if token == unkToken {
				x -= o.UnkPen
			}
			switch {
			case token == eosToken && len(tokens) >= o.MinLen:
				all = append(all, Hypothesis{
					Tokens: append(slices.Clone(tokens), eosToken), TokenScores: append(slices.Clone(scores), x),
					Score: (sum + x) / math.Pow(float64(len(tokens)+1), o.LenPen),
				})
			case token != eosToken && token != padToken && len(tokens) < most:
				extend(append(slices.Clone(tokens), token), append(slices.Clone(scores), x))
			}
		}
	}
	extend(nil, nil)
	slices.SortStableFunc(all, func(a, b Hypothesis) int { return compare(b.Score, a.Score) })
	return all
}

// TestSearchFindsBest: a beam as wide as there are texts is a search of all. Two
// texts side by side do not disturb each other.
func TestSearchFindsBest(t *testing.T) {
	const vocab, most = 9, 2
	o := DefaultOptions()
	o.Beam, o.LenPen, o.UnkPen, o.MinLen = vocab-1, 1.3, 0.5, 1
	got := search(t, newChain(vocab, 1, 2), o, Text{First: eosToken, MaxLen: most}, Text{First: eosToken, MaxLen: most})
	for i, kind := range []int{1, 2} {
		want := every(newChain(vocab, kind), kind, most, o)[0]
		best := got[i][0]
		if !slices.Equal(best.Tokens, want.Tokens) || math.Abs(best.Score-want.Score) > 1e-5 {
			t.Errorf("text %d: %v %g, want %v %g", i, best.Tokens, best.Score, want.Tokens, want.Score)
		}
		for k, x := range best.TokenScores {
			if math.Abs(x-want.TokenScores[k]) > 1e-5 {
				t.Errorf("text %d: scores %v, want %v", i, best.TokenScores, want.TokenScores)
			}
		}
		if !slices.IsSortedFunc(got[i], func(a, b Hypothesis) int { return compare(b.Score, a.Score) }) {
			t.Errorf("text %d: not best first", i)
		}
	}
}

// TestGreedy: a beam of one takes the likeliest token each time.
func TestGreedy(t *testing.T) {
	c := newChain(12, 3)
	o := DefaultOptions()
	o.Beam, o.MinLen = 1, 0
	got := search(t, newChain(12, 3), o, Text{First: eosToken, MaxLen: 20})[0][0]
	last, sum := int32(eosToken), 0.0
	for step, token := range got.Tokens {
		row := slices.Clone(c.row(3, last))
		row[padToken] = negInf
		best := int32(slices.Index(row, slices.Max(row)))
		if step == 20 {
			best = eosToken
		}
		if token != best {
			t.Fatalf("token %d at %d, want %d", token, step, best)
		}
		sum += float64(c.row(3, last)[token])
		last = token
	}
	if want := sum / float64(len(got.Tokens)); math.Abs(got.Score-want) > 1e-5 {
		t.Errorf("score %g, want %g", got.Score, want)
	}
}

// TestConstraints: every option changes the texts as it says.
func TestConstraints(t *testing.T) {
	text := Text{First: eosToken, MaxLen: 12}
	run := func(change func(*Options), text Text) []Hypothesis {
		o := DefaultOptions()
		change(&o)
		return search(t, newChain(10, 4), o, text)[0]
	}
	for _, h := range run(func(o *Options) { o.MinLen = 5 }, text) {
		if len(h.Tokens) < 6 || len(h.Tokens) > 13 {
			t.Errorf("min-len 5, max-len 12: %v", h.Tokens)
		}
	}
	for _, h := range run(func(o *Options) { o.MinLen, o.NoRepeatNgramSize = 8, 2 }, text) {
		seen := map[[2]int32]bool{}
		for i := 1; i < len(h.Tokens); i++ {
			pair := [2]int32{h.Tokens[i-1], h.Tokens[i]}
			if seen[pair] {
				t.Errorf("a pair twice: %v", h.Tokens)
			}
			seen[pair] = true
		}
	}
	for _, h := range run(func(o *Options) { o.UnkPen = 1000 }, text) {
		if slices.Contains(h.Tokens, unkToken) {
			t.Errorf("unkpen: %v", h.Tokens)
		}
	}
	prefixed := text
	prefixed.Prefix = []int32{7, unkToken, 5}
	for _, h := range run(func(*Options) {}, prefixed) {
		if !slices.Equal(h.Tokens[:3], prefixed.Prefix) {
			t.Errorf("prefix: %v", h.Tokens)
		}
	}
	prefixed.Prefix = []int32{7, eosToken, padToken}
	if h := run(func(*Options) {}, prefixed)[0]; !slices.Equal(h.Tokens, []int32{7, eosToken}) {
		t.Errorf("prefix with </s>: %v", h.Tokens)
	}
	whole, mean := run(func(o *Options) { o.Unnormalized = true }, text)[0], run(func(*Options) {}, text)[0]
	sum := 0.0
	for _, x := range whole.TokenScores {
		sum += x
	}
	if math.Abs(whole.Score-sum) > 1e-5 || whole.Score == mean.Score {
		t.Errorf("unnormalized: %g, want %g", whole.Score, sum)
	}
}

// TestNoEarlyStop: a sure text is found behind shorter ones that end before it.
func TestNoEarlyStop(t *testing.T) {
	// Token 4 to 11 follow each other almost surely; all else is as unlikely, but
	// that </s> is a little less so.
	const vocab = 14
	c := newChain(vocab, 1)
	for from := range int32(vocab) {
		row := c.row(1, from)
		for i := range row {
			row[i] = -7
		}
		row[eosToken] = -6.5
		switch {
		case from == eosToken:
			row[4] = -0.02
		case from >= 4 && from < 11:
			row[from+1] = -0.02
		case from == 11:
			row[eosToken] = -0.02
		}
	}
	text := Text{First: eosToken, MaxLen: 20}
	want := []int32{4, 5, 6, 7, 8, 9, 10, 11, eosToken}
	o := DefaultOptions()
	if got := search(t, c, o, text)[0][0].Tokens; slices.Equal(got, want) {
		t.Error("the search that stops early finds the text: the test is too easy")
	}
	o.NoEarlyStop = true
	c.kinds = []int{1}
	if got := search(t, c, o, text)[0]; !slices.Equal(got[0].Tokens, want) || len(got) > o.Beam {
		t.Errorf("%v, want %v", got[0].Tokens, want)
	}
}

// TestDiverse: groups without strength are beams of their own, siblings without a
// rate the plain search; with them texts differ more.
func TestDiverse(t *testing.T) {
	text := Text{First: eosToken, MaxLen: 10}
	run := func(change func(*Options)) []Hypothesis {
		o := DefaultOptions()
		o.Beam = 4
		change(&o)
		return search(t, newChain(14, 5), o, text)[0]
	}
	firsts := func(hs []Hypothesis) int {
		seen := map[int32]bool{}
		for _, h := range hs {
			seen[h.Tokens[0]] = true
		}
		return len(seen)
	}
	plain := run(func(*Options) {})
	if n, m := firsts(plain), firsts(run(func(o *Options) { o.DiverseBeamGroups, o.DiverseBeamStrength = 4, 50 })); m != 4 || m < n {
		t.Errorf("first tokens: %d kinds, in groups %d, want 4", n, m)
	}
	tiny := run(func(o *Options) { o.DiversityRate = 1e-9 })
	for i := range plain {
		if !slices.Equal(plain[i].Tokens, tiny[i].Tokens) {
			t.Errorf("siblings at a rate of nothing: %v, want %v", tiny[i].Tokens, plain[i].Tokens)
		}
	}
	if siblings := run(func(o *Options) { o.DiversityRate = 5 }); slices.EqualFunc(plain, siblings, func(a, b Hypothesis) bool { return slices.Equal(a.Tokens, b.Tokens) }) {
		t.Error("the diversity rate changes nothing")
	}
}

// TestSampling: tokens come as often as the model says, from top-k and top-p
// alone, and the seed fixes them.
func TestSampling(t *testing.T) {
	const n = 7
	c := newChain(n+1, 6)
	first := func(change func(*Options)) (map[int32]int, [][]Hypothesis) {
		o := DefaultOptions()
		o.Sampling, o.Beam, o.NBest, o.MinLen = true, n, n, 0
		change(&o)
		texts, rows := []Text{}, []int{}
		for i := range 1500 {
			texts, rows = append(texts, Text{First: eosToken, MaxLen: 1, ID: i}), append(rows, 6)
		}
		found := search(t, newChain(n+1, rows...), o, texts...)
		counts := map[int32]int{}
		for _, hs := range found {
			for _, h := range hs {
				counts[h.Tokens[0]]++
			}
		}
		return counts, found
	}
	counts, found := first(func(*Options) {})
	row := c.row(6, eosToken)
	rest := 1 - math.Exp(float64(row[padToken]))
	for token := range int32(n + 1) {
		p := math.Exp(float64(row[token])) / rest
		if token == padToken {
			p = 0
		}
		total := float64(1500 * n)
		if got := float64(counts[token]); math.Abs(got-p*total) > 5*math.Sqrt(p*(1-p)*total)+1e-9 {
			t.Errorf("token %d came %g times, want about %g", token, got, p*total)
		}
	}
	_, again := first(func(*Options) {})
	_, other := first(func(o *Options) { o.Seed = 2 })
	same := func(a, b [][]Hypothesis) bool {
		return slices.EqualFunc(a, b, func(x, y []Hypothesis) bool {
			return slices.EqualFunc(x, y, func(g, h Hypothesis) bool { return slices.Equal(g.Tokens, h.Tokens) })
		})
	}
	if !same(found, again) || same(found, other) {
		t.Error("the seed must fix what is drawn")
	}
	if counts, _ := first(func(o *Options) { o.SamplingTopK = 2 }); len(counts) != 2 {
		t.Errorf("top-k 2 drew from %v", counts)
	}
	if counts, _ := first(func(o *Options) { o.SamplingTopP = 1e-6 }); len(counts) != 1 {
		t.Errorf("a tiny top-p drew from %v", counts)
	}
	if counts, _ := first(func(o *Options) { o.Temperature = 0.01 }); len(counts) != 1 {
		t.Errorf("cold sampling drew from %v", counts)
	}
}

// TestEnsemble: probabilities are means.
func TestEnsemble(t *testing.T) {
	a, b := newChain(10, 1), newChain(10, 2)
	e, err := Ensemble(newChain(10, 1), newChain(10, 2))
	if err != nil {
		t.Fatal(err)
	}
	got, err := e.Step(5)
	if err != nil {
		t.Fatal(err)
	}
	for i, x := range got {
		p, q := float64(a.row(1, 5)[i]), float64(b.row(2, 5)[i])
		if want := math.Log((math.Exp(p) + math.Exp(q)) / 2); math.Abs(float64(x)-want) > 1e-5 {
			t.Errorf("token %d: %g, want %g", i, x, want)
		}
	}
	if w := e.(Attentive).Attention(0); w[0] != 1.5 {
		t.Errorf("attention %v", w)
	}
	if _, err := Ensemble(); err == nil {
		t.Error("an ensemble of none")
	}
	uneven, _ := Ensemble(newChain(10, 1), newChain(11, 2))
	if _, err := uneven.Step(5); err == nil || !strings.Contains(err.Error(), "vocabulary of 11") {
		t.Errorf("vocabularies of two sizes: %v", err)
	}
}

// TestAttentionFollows: what was attended to is of the row that a token came
// from.
func TestAttentionFollows(t *testing.T) {
	s := Searcher{Options: DefaultOptions(), Attention: true}
	found, err := s.Search(context.Background(), newChain(12, 8, 9), []Text{{First: eosToken, MaxLen: 6}, {First: eosToken, MaxLen: 6}})
	if err != nil {
		t.Fatal(err)
	}
	for i, hs := range found {
		for _, h := range hs {
			last := float32(eosToken)
			for k, a := range h.Attention {
				if a[0] != float32(8+i) || a[1] != last {
					t.Fatalf("text %d, token %d: %v, want %v after %g", i, k, a, 8+i, last)
				}
				last = float32(h.Tokens[k])
			}
		}
	}
}

// TestMatchSourceLen: texts are no longer than their sources; those that other
// sources of the batch leave room for have no score.
func TestMatchSourceLen(t *testing.T) {
	o := DefaultOptions()
	o.MatchSourceLen, o.Beam = true, 8
	if got := o.MaxLen(4, 10); got != 3 {
		t.Errorf("%d tokens for a source of 3 and </s>, want 3", got)
	}
	if got := o.MaxLen(40, 10); got != 9 {
		t.Errorf("%d tokens with 10 positions, want 9", got)
	}
	found := search(t, newChain(9, 1, 1), o, Text{First: eosToken, MaxLen: 3, Source: 1}, Text{First: eosToken, MaxLen: 3, Source: 3})
	for _, h := range found[0] {
		if short := len(h.Tokens) <= 2; short == math.IsInf(h.Score, -1) {
			t.Errorf("score %g of %v beside a source of 1", h.Score, h.Tokens)
		}
	}
	o.MatchSourceLen = false
	want := search(t, newChain(9, 1), o, Text{First: eosToken, MaxLen: 3})[0]
	for i, h := range found[1] {
		if h.Score != want[i].Score || !slices.Equal(h.Tokens, want[i].Tokens) {
			t.Errorf("%v with %g, want %v with %g", h.Tokens, h.Score, want[i].Tokens, want[i].Score)
		}
	}
	if long := len(found[0][len(found[0])-1].Tokens); long <= 2 {
		t.Errorf("no text is too long: the last has %d tokens", long)
	}
}

func TestSearchErrors(t *testing.T) {
	for want, change := range map[string]func(*Options){
		"beam is 0":                     func(o *Options) { o.Beam = 0 },
		"nbest is 0":                    func(o *Options) { o.NBest = 0 },
		"sampling draws":                func(o *Options) { o.Sampling = true },
		"temperature is 0":              func(o *Options) { o.Temperature = 0 },
		"no effect without sampling":    func(o *Options) { o.SamplingTopK = 3 },
		"a multiple of diverse":         func(o *Options) { o.DiverseBeamGroups = 2 },
		"exclude each other":            func(o *Options) { o.DiverseBeamGroups, o.DiversityRate = 5, 1 },
		"min_len is 9, more than the 4": func(o *Options) { o.MinLen = 9 },
		"beam is 9, want a multiple":    func(o *Options) { o.Beam, o.DiverseBeamGroups = 10, 2 },
	} {
		o := DefaultOptions()
		change(&o)
		s := Searcher{Options: o}
		if _, err := s.Search(context.Background(), newChain(10, 1), []Text{{First: eosToken, MaxLen: 4}}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	broken := newChain(10, 1)
	for i := range broken.probs[1] {
		broken.probs[1][i] = float32(math.NaN())
	}
	s := Searcher{Options: DefaultOptions()}
	if _, err := s.Search(context.Background(), broken, []Text{{First: eosToken, MaxLen: 4}}); err == nil || !strings.Contains(err.Error(), "not numbers") {
		t.Errorf("a broken model: %v", err)
	}
}

// TestBeamIsCapped: a beam beyond the vocabulary is that of all symbols but one,
// and there are no more texts to give than the beam holds, in every kind of search.
func TestBeamIsCapped(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"plain":    func(*Options) {},
		"patient":  func(o *Options) { o.NoEarlyStop = true },
		"sampled":  func(o *Options) { o.Sampling = true },
		"siblings": func(o *Options) { o.DiversityRate = 0.5 },
		"groups":   func(o *Options) { o.DiverseBeamGroups = 3 },
	} {
		found := func(beam, nbest int) []Hypothesis {
			o := DefaultOptions()
			o.Beam, o.NBest = beam, nbest
			change(&o)
			return search(t, newChain(10, 1), o, Text{First: eosToken, MaxLen: 4})[0]
		}
		want, got := found(9, 9), found(math.MaxInt/3*3, math.MaxInt/3*3)
		if !slices.EqualFunc(got, want, func(a, b Hypothesis) bool { return a.Score == b.Score && slices.Equal(a.Tokens, b.Tokens) }) {
			t.Errorf("%s: %d texts of the greatest beam are not the %d of 9", name, len(got), len(want))
		}
	}
}

func TestOptionsAreNumbers(t *testing.T) {
	for name, set := range map[string]func(o *Options, x float64){
		"lenpen":                func(o *Options, x float64) { o.LenPen = x },
		"unkpen":                func(o *Options, x float64) { o.UnkPen = x },
		"max_len_a":             func(o *Options, x float64) { o.MaxLenA = x },
		"temperature":           func(o *Options, x float64) { o.Temperature = x },
		"sampling_topp":         func(o *Options, x float64) { o.SamplingTopP = x },
		"diversity_rate":        func(o *Options, x float64) { o.DiversityRate = x },
		"diverse_beam_strength": func(o *Options, x float64) { o.DiverseBeamStrength = x },
	} {
		for _, x := range []float64{math.NaN(), math.Inf(1)} {
			o := DefaultOptions()
			if set(&o, x); o.Validate() == nil {
				t.Errorf("%s may be %g", name, x)
			}
		}
	}
}
