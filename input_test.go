package mega_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/autograd"
)

// textConfig is a small classifier of texts.
func textConfig() mega.ClassifierConfig {
	return mega.ClassifierConfig{
		Seed: 3, InputType: mega.InputText, VocabSize: 20, MaxPositions: 40, SenRepType: "mp",
		EncoderLayers: 2, EncoderEmbedDim: 12, EncoderHiddenDim: 20, EncoderFFNEmbedDim: 16, ZDim: 6, NDim: 3,
		ActivationFn: "silu", AttentionActivationFn: "softmax", NormType: "layernorm", RelPosBias: "simple",
		ChunkSize: -1, ClassifierLayers: 1, ClassifierInDim: 12, ClassifierOutDim: 14,
		ClassifierActivationFn: "gelu", SentenceClassNum: 3,
	}
}

func newClassifier(t testing.TB, c mega.ClassifierConfig) *mega.Classifier {
	t.Helper()
	m, err := mega.NewClassifier(c)
	if err != nil {
		t.Fatal(err)
	}
	shake(rand.New(rand.NewPCG(5, 5)), m.Params())
	return m
}

// TestCheckInput lists inputs that are not for the model: every one is an error
// that says so, never a panic, and the same from Check, Logits, Forward and Loss.
func TestCheckInput(t *testing.T) {
	text, pair, audio := textConfig(), textConfig(), textConfig()
	pair.ClassifierInDim = 24
	audio.InputType = mega.InputAudio
	tokens := []int32{5, 6, 2, 7, 2, 1}
	good := mega.Input{Rows: 2, Length: 3, Tokens: tokens, Lengths: []int32{3, 2}}
	with := func(change func(in *mega.Input)) mega.Input {
		in := good
		change(&in)
		return in
	}
	for _, c := range []struct {
		want   string // in the error; "" for none
		config mega.ClassifierConfig
		in     mega.Input
	}{
		{"", text, good},
		{"", text, mega.Input{Rows: 1, Length: 1, Tokens: []int32{1}, Lengths: []int32{1}}},
		{"0 rows of length 0", text, mega.Input{}},
		{"2 rows of length -3", text, with(func(in *mega.Input) { in.Length = -3 })},
		{"no tokens, and the model reads text", text, mega.Input{Rows: 1, Length: 3, Samples: make([]float32, 3)}},
		{"no samples, and the model reads audio", audio, good},
		{"6 values, want 2 rows × 4", text, with(func(in *mega.Input) { in.Length = 4 })},
		{"1 lengths for 2 rows", text, with(func(in *mega.Input) { in.Lengths = []int32{3} })},
		{"row 1 has length 4, want 1 to 3", text, with(func(in *mega.Input) { in.Lengths = []int32{3, 4} })},
		{"row 0 has length 0, want 1 to 3", text, with(func(in *mega.Input) { in.Lengths = []int32{0, 2} })},
		{"token 20 at row 1, position 0, is outside the vocabulary of 20", text, with(func(in *mega.Input) { in.Tokens = []int32{5, 6, 2, 20, 2, 1} })},
		{"token -1 at row 0, position 2", text, with(func(in *mega.Input) { in.Tokens = []int32{5, 6, -1, 7, 2, 1} })},
		{"row 0 has length 2, but token 2 at position 2", text, with(func(in *mega.Input) { in.Lengths = []int32{2, 2} })},
		{"row 1 ends in padding (1), but the input has no lengths", text, with(func(in *mega.Input) { in.Lengths = nil })},
		{"41 positions, but the model reads at most max_positions = 40", text, mega.Input{Rows: 1, Length: 41, Tokens: make([]int32, 41)}},
		{"no second text", pair, good},
		{"is a pair of texts", text, with(func(in *mega.Input) { in.Pair = &good })},
		{"2 first and 1 second texts", pair, with(func(in *mega.Input) { in.Pair = &mega.Input{Rows: 1, Length: 1, Tokens: []int32{2}} })},
		{"second text: token 99", pair, with(func(in *mega.Input) { in.Pair = &mega.Input{Rows: 2, Length: 1, Tokens: []int32{2, 99}} })},
		{"second text: input of 50 positions", pair, with(func(in *mega.Input) { in.Pair = &mega.Input{Rows: 2, Length: 50, Tokens: make([]int32, 100)} })},
		{"", pair, with(func(in *mega.Input) { in.Pair = &mega.Input{Rows: 2, Length: 1, Tokens: []int32{2, 9}} })},
	} {
		m := newClassifier(t, c.config)
		_, logitsErr := m.Logits(c.in)
		_, forwardErr := m.Forward(autograd.NewTape(), &c.in)
		_, lossErr := m.Loss(autograd.NewTape(), &c.in, make([]int32, max(0, c.in.Rows)))
		for name, err := range map[string]error{"Check": m.Check(&c.in), "Logits": logitsErr, "Forward": forwardErr, "Loss": lossErr} {
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: error %v, want %q", name, err, c.want)
			}
		}
	}
}

func TestCheckLabels(t *testing.T) {
	m := newClassifier(t, textConfig())
	in := mega.Input{Rows: 2, Length: 1, Tokens: []int32{4, 5}}
	for want, labels := range map[string][]int32{
		"1 labels for 2 rows":                       {0},
		"label 3 of row 1 is outside the 3 classes": {0, 3},
		"label -1 of row 0":                         {-1, 0},
	} {
		if _, err := m.Loss(autograd.NewTape(), &in, labels); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

// TestTextModelErrors: language models and translators refuse what is not for
// them.
func TestTextModelErrors(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	lc := randomLanguageModel(rng, variant{"layernorm", "softmax", "simple", true, false})
	lm, err := mega.NewLanguageModel(lc)
	if err != nil {
		t.Fatal(err)
	}
	tc := randomTranslator(rng, variant{"layernorm", "softmax", "simple", true, false})
	tr, err := mega.NewTranslator(tc)
	if err != nil {
		t.Fatal(err)
	}
	tape := autograd.NewTape()
	features := func(tokens []int32, rows, length int) error {
		_, err := lm.Features(tape, tokens, rows, length)
		return err
	}
	loss := func(tokens, targets []int32, rows, length int) error {
		_, err := lm.Loss(tape, tokens, targets, rows, length)
		return err
	}
	source, err := tr.Encode(tape, []int32{4, 2}, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	encode := func(tokens []int32, rows, length int) error {
		_, err := tr.Encode(tape, tokens, rows, length)
		return err
	}
	decode := func(tokens []int32, rows, length int) error {
		_, err := tr.Decode(tape, source, tokens, rows, length)
		return err
	}
	long := make([]int32, 31)
	for want, err := range map[string]error{
		"token 99 at row 1, position 0": features([]int32{2, 3, 99, 2}, 2, 2),
		"4 values, want 2 rows × 3":     features([]int32{2, 3, 4, 2}, 2, 3),
		"31 positions":                  features(long, 1, 31),
		"1 targets for 2 tokens":        loss([]int32{2, 3}, []int32{2}, 1, 2),
		"targets: token 77":             loss([]int32{2, 3}, []int32{2, 77}, 1, 2),
		"source: token 55":              encode([]int32{55}, 1, 1),
		"source of 31 tokens":           encode(long, 1, 31),
		"target: token -4":              decode([]int32{-4}, 1, 1),
		"target of 31 tokens":           decode(long, 1, 31),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

// TestPaddingChangesNothing: a row's logits are the same whatever it is batched
// with and however far it is padded, since nothing but batch norm looks at other
// rows or at padding.
func TestPaddingChangesNothing(t *testing.T) {
	for i, v := range variants() {
		if strings.Contains(v.norm, "batch") {
			continue
		}
		rng := rand.New(rand.NewPCG(uint64(i), 21))
		c := textConfig()
		c.NormType, c.AttentionActivationFn, c.RelPosBias = v.norm, v.attention, v.bias
		c.EncoderNormalizeBefore, c.SenRepType, c.TruncationLength = v.prenorm, pick(rng, "mp", "cls"), pick(rng, 0, 4)
		if v.chunked {
			c.ChunkSize = 5
		}
		m := newClassifier(t, c)
		const rows, length = 5, 23
		tokens, lengths := randomText(rng, rows, length, c.VocabSize, false)
		together, err := m.Logits(mega.Input{Rows: rows, Length: length, Tokens: tokens, Lengths: lengths})
		if err != nil {
			t.Fatal(err)
		}
		for row, n := range lengths {
			alone, err := m.Logits(mega.Input{Rows: 1, Length: int(n), Tokens: tokens[row*length:][:n]})
			if err != nil {
				t.Fatal(err)
			}
			for j, got := range together[row] {
				if d := math.Abs(float64(got - alone[0][j])); d > 2e-6 {
					t.Errorf("%v: logits of row %d: %v in a batch, %v alone", v, row, together[row], alone[0])
					break
				}
			}
		}
	}
}

// TestShortSamplesArePadded: samples beyond a row's length leave no trace.
func TestShortSamplesArePadded(t *testing.T) {
	for _, chunk := range []int{-1, 4} {
		c := textConfig()
		c.InputType, c.ChunkSize = mega.InputAudio, chunk
		m := newClassifier(t, c)
		samples := []float32{1, -2, 3, 0.5, 5, 1, 2, 900, -900, 900}
		both, err := m.Logits(mega.Input{Rows: 2, Length: 5, Samples: samples, Lengths: []int32{5, 2}})
		if err != nil {
			t.Fatal(err)
		}
		short, err := m.Logits(mega.Input{Rows: 1, Length: 2, Samples: samples[5:7]})
		if err != nil {
			t.Fatal(err)
		}
		for j, got := range both[1] {
			if d := math.Abs(float64(got - short[0][j])); d > 2e-6 {
				t.Errorf("chunk %d: logits %v with noise behind, %v without", chunk, both[1], short[0])
			}
		}
	}
}

// TestLogitsAtOnce calls Logits from many goroutines, which must all get what one
// gets.
func TestLogitsAtOnce(t *testing.T) {
	m := newClassifier(t, textConfig())
	var inputs []mega.Input
	var want [][][]float32
	for i := range 4 {
		rng := rand.New(rand.NewPCG(uint64(i), 31))
		tokens, lengths := randomText(rng, 3, 5+7*i, 20, false)
		in := mega.Input{Rows: 3, Length: 5 + 7*i, Tokens: tokens, Lengths: lengths}
		logits, err := m.Logits(in)
		if err != nil {
			t.Fatal(err)
		}
		inputs, want = append(inputs, in), append(want, logits)
	}
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 20 {
				k := (g + i) % len(inputs)
				got, err := m.Logits(inputs[k])
				if err != nil || !slices.EqualFunc(got, want[k], slices.Equal) {
					t.Errorf("goroutine %d: %v, %v, want %v", g, got, err, want[k])
					return
				}
			}
		})
	}
	wg.Wait()
}
