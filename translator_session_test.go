package mega_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/internal/kernel"
)

func smallTranslator(t *testing.T, change func(*mega.TranslatorConfig)) *mega.Translator {
	t.Helper()
	c, err := mega.TranslatorArch("mega")
	if err != nil {
		t.Fatal(err)
	}
	c.SourceVocabSize, c.TargetVocabSize, c.MaxSourcePositions, c.MaxTargetPositions = 23, 19, 40, 40
	c.EncoderLayers, c.DecoderLayers, c.EncoderEmbedDim, c.EncoderHiddenDim, c.EncoderZDim, c.EncoderNDim = 2, 2, 16, 24, 8, 3
	c.Dropout, c.TruncationLength, c.Seed = 0, 0, 5
	c.Derive(func(string) bool { return false })
	change(&c)
	m, err := mega.NewTranslator(c)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// sources returns texts of different lengths, padded on a side.
func sources(rng *rand.Rand, left bool, lengths ...int) []int32 {
	width := slices.Max(lengths)
	out := make([]int32, 0, len(lengths)*width)
	for _, n := range lengths {
		row := slices.Repeat([]int32{1}, width)
		from := 0
		if left {
			from = width - n
		}
		for i := range n - 1 {
			row[from+i] = 4 + rng.Int32N(19)
		}
		row[from+n-1] = 2
		out = append(out, row...)
	}
	return out
}

var translatorVariants = map[string]func(*mega.TranslatorConfig){
	"base":      func(*mega.TranslatorConfig) {},
	"prenorm":   func(c *mega.TranslatorConfig) { c.NormalizeBefore, c.NormalizationType = true, "scalenorm" },
	"chunks":    func(c *mega.TranslatorConfig) { c.EncoderChunkSize, c.DecoderChunkSize = 4, 3 },
	"rotary":    func(c *mega.TranslatorConfig) { c.RelPosBias, c.ShareDecoderInputOutputEmbed = "rotary", true },
	"laplace":   func(c *mega.TranslatorConfig) { c.AttentionActivationFn, c.NormalizeEmbedding = "laplace", true },
	"relu2":     func(c *mega.TranslatorConfig) { c.AttentionActivationFn, c.DecoderFFNEmbedDim = "relu2", 0 },
	"24 states": func(c *mega.TranslatorConfig) { c.EncoderNDim, c.DecoderNDim = 24, 24 },
}

// TestTranslatorSession: step by step the scores are those of reading the target
// whole, whatever side sources are padded on.
func TestTranslatorSession(t *testing.T) {
	for name, change := range translatorVariants {
		for _, left := range []bool{true, false} {
			m := smallTranslator(t, change)
			rng := rand.New(rand.NewPCG(1, 2))
			const rows, length = 3, 10
			source := sources(rng, left, 9, 4, 7)
			target := make([]int32, rows*length)
			for i := range target {
				target[i] = 4 + rng.Int32N(15)
			}
			want := wholeScores(t, m, source, target, rows)
			s, err := m.NewSession(source, rows, 9)
			if err != nil {
				t.Fatal(err)
			}
			for step := range length {
				got, err := s.Step(target[step], target[length+step], target[2*length+step])
				if err != nil {
					t.Fatal(err)
				}
				for row := range rows {
					compareRow(t, name, got[row*19:][:19], want[(row*length+step)*19:][:19])
				}
			}
		}
	}
}

// TestTranslatorSessionMany: many translations side by side, which are then cut
// into tasks, are each as one alone.
func TestTranslatorSessionMany(t *testing.T) {
	m := smallTranslator(t, translatorVariants["chunks"])
	rng := rand.New(rand.NewPCG(7, 8))
	const rows, length = 120, 8
	source := sources(rng, false, slices.Repeat([]int{6}, rows)...)
	target := make([]int32, rows*length)
	for i := range target {
		target[i] = 4 + rng.Int32N(15)
	}
	want := wholeScores(t, m, source, target, rows)
	s, err := m.NewSession(source, rows, 6)
	if err != nil {
		t.Fatal(err)
	}
	tokens := make([]int32, rows)
	for step := range length {
		for row := range tokens {
			tokens[row] = target[row*length+step]
		}
		got, err := s.Step(tokens...)
		if err != nil {
			t.Fatal(err)
		}
		for row := range rows {
			compareRow(t, "many", got[row*19:][:19], want[(row*length+step)*19:][:19])
		}
	}
}

// TestTranslatorSessionBF16: in bfloat16 scores are about those of float32, frozen
// or not.
func TestTranslatorSessionBF16(t *testing.T) {
	m := smallTranslator(t, translatorVariants["prenorm"])
	score := func() []float32 {
		s, err := m.NewSession([]int32{4, 5, 6, 2}, 1, 4)
		if err != nil {
			t.Fatal(err)
		}
		for _, token := range []int32{2, 7} {
			if _, err := s.Step(token); err != nil {
				t.Fatal(err)
			}
		}
		return slices.Clone(s.LogProbs())
	}
	want := score()
	m.SetBF16(true)
	got := score()
	m.Freeze()
	if again := score(); !slices.Equal(again, got) {
		t.Errorf("frozen: %v, want %v", again, got)
	}
	worst := 0.0
	for i := range want {
		worst = max(worst, math.Abs(float64(got[i]-want[i])))
	}
	if !(worst > 0 && worst < 0.02) { // log-probabilities of about 3, factors off by up to 0.002
		t.Errorf("log-probabilities differ by %g", worst)
	}
}

// TestFreeze: sessions of a frozen translator say what others do, and once it is
// thawed new ones see parameters that have changed.
func TestFreeze(t *testing.T) {
	m := smallTranslator(t, translatorVariants["base"])
	step := func() []float32 {
		s, err := m.NewSession([]int32{4, 5, 2}, 1, 3)
		if err != nil {
			t.Fatal(err)
		}
		p, err := s.Step(2)
		if err != nil {
			t.Fatal(err)
		}
		return slices.Clone(p)
	}
	want := step()
	thaw := m.Freeze()
	again := m.Freeze()
	for range 2 {
		if got := step(); !slices.Equal(got, want) {
			t.Fatalf("frozen: %v, want %v", got, want)
		}
		again() // still frozen
	}
	thaw()
	for _, p := range m.Params().All() {
		if strings.HasPrefix(p.Name, "decoder.") {
			for i := range p.Value().Data() {
				p.Value().Data()[i] *= 1.5
			}
		}
	}
	changed := step()
	compareRow(t, "thawed", changed, wholeScores(t, m, []int32{4, 5, 2}, []int32{2}, 1))
	if slices.Equal(changed, want) {
		t.Error("other parameters give the same")
	}
}

// wholeScores returns the log-probabilities of every position, [rows·L, V].
func wholeScores(t *testing.T, m *mega.Translator, source, target []int32, rows int) []float32 {
	t.Helper()
	tape := autograd.NewTape()
	encoded, err := m.Encode(tape, source, rows, len(source)/rows)
	if err != nil {
		t.Fatal(err)
	}
	logits, err := m.Decode(tape, encoded, target, rows, len(target)/rows)
	if err != nil {
		t.Fatal(err)
	}
	x := logits.Value()
	out := make([]float32, 0, x.Rows()*x.Cols())
	for i := range x.Rows() {
		row := slices.Clone(x.Row(i))
		kernel.LogSoftmaxRow(row, row)
		out = append(out, row...)
	}
	return out
}

func compareRow(t *testing.T, name string, got, want []float32) {
	t.Helper()
	for i := range want {
		if d := math.Abs(float64(got[i] - want[i])); !(d <= 2e-5) {
			t.Fatalf("%s: log-probability %g of token %d, want %g", name, got[i], i, want[i])
		}
	}
}

// TestTranslatorSessionRows: reordered translations go on as each would alone,
// and one alone as beside others, where sources are padded on the right.
func TestTranslatorSessionRows(t *testing.T) {
	for name, change := range translatorVariants {
		m := smallTranslator(t, change)
		rng := rand.New(rand.NewPCG(3, 4))
		source := sources(rng, false, 8, 3, 5)
		s, err := m.NewSession(source, 3, 8)
		if err != nil {
			t.Fatal(err)
		}
		origin := []int{0, 1, 2}
		text := [][]int32{nil, nil, nil}
		for step := range 9 {
			tokens := make([]int32, len(text))
			for i := range text {
				tokens[i] = 4 + rng.Int32N(15)
				text[i] = append(slices.Clone(text[i]), tokens[i])
			}
			got, err := s.Step(tokens...)
			if err != nil {
				t.Fatal(err)
			}
			for i, target := range text {
				row := source[origin[i]*8:][:8]
				row = row[:slices.Index(row, 2)+1]
				want := wholeScores(t, m, row, target, 1)
				compareRow(t, name, got[i*19:][:19], want[step*19:])
			}
			rows := make([]int, []int{5, 4, 4, 6, 2}[step%5])
			nextOrigin, nextText := make([]int, len(rows)), make([][]int32, len(rows))
			for i := range rows {
				rows[i] = rng.IntN(len(text))
				nextOrigin[i], nextText[i] = origin[rows[i]], text[rows[i]]
			}
			if err := s.Reorder(rows...); err != nil {
				t.Fatal(err)
			}
			origin, text = nextOrigin, nextText
		}
	}
}

// TestTranslatorSessionAttention: weights are a distribution over the source.
func TestTranslatorSessionAttention(t *testing.T) {
	m := smallTranslator(t, translatorVariants["base"])
	s, err := m.NewSession(sources(rand.New(rand.NewPCG(5, 6)), true, 6, 4), 2, 6)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Step(2, 2); err != nil {
		t.Fatal(err)
	}
	for row, want := range []int{6, 4} {
		weights := s.Attention(row)
		sum := 0.0
		for _, w := range weights {
			sum += float64(w)
		}
		if len(weights) != want || math.Abs(sum-1) > 1e-5 {
			t.Errorf("row %d: weights %v", row, weights)
		}
	}
}

func TestTranslatorSessionErrors(t *testing.T) {
	m := smallTranslator(t, func(c *mega.TranslatorConfig) { c.MaxTargetPositions = 2 })
	session := func() *mega.TranslatorSession {
		s, err := m.NewSession([]int32{4, 2}, 1, 2)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	long := session()
	for range 2 {
		if _, err := long.Step(4); err != nil {
			t.Fatal(err)
		}
	}
	for want, err := range map[string]error{
		"a translation of 3 tokens, but the model takes at most 2": second(long.Step(4)),
		"a step of 2 tokens in a session of 1":                     second(session().Step(4, 5)),
		"token 19":                                                 second(session().Step(19)),
		"no row 1 in a session of 1":                               session().Reorder(1),
		"one at least":                                             session().Reorder(),
		"source 1: it has no tokens":                               second(m.NewSession([]int32{4, 2, 1, 1}, 2, 2)),
		"source of 41 tokens, but the model takes at most 40":      second(m.NewSession(make([]int32, 41), 1, 41)),
		"token 23": second(m.NewSession([]int32{23, 2}, 1, 2)),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}
