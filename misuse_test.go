package mega_test

import (
	"bytes"
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/checkpoint"
	"github.com/mega-go/mega/format/safetensors"
	"github.com/mega-go/mega/nn"
	"github.com/mega-go/mega/tensor"
)

// outcome returns the error of a call, or what it panics with. A panic of the Go
// runtime (an index out of range, say) is no answer to a mistake.
func outcome(t *testing.T, name string, call func() error) (err error) {
	t.Helper()
	defer func() {
		switch r := recover().(type) {
		case nil:
		case runtime.Error:
			t.Errorf("%s: the runtime panics: %v", name, r)
		default:
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	return call()
}

// checkMistakes makes calls that are mistakes: each is answered by an error, or
// by a documented panic, of one line that says what is wrong.
func checkMistakes(t *testing.T, mistakes map[string]mistake) {
	t.Helper()
	for name, m := range mistakes {
		err := outcome(t, name, m.call)
		if err == nil || !strings.Contains(err.Error(), m.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %q", name, err, m.want)
		}
	}
}

type mistake struct {
	call func() error
	want string
}

// quiet makes a call that returns no error.
func quiet(call func()) func() error {
	return func() error { call(); return nil }
}

func openCheckpoint(t *testing.T, name string) *checkpoint.Checkpoint {
	t.Helper()
	c, err := checkpoint.Open(goldenDir(name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// TestMistakesWithSessions walks through what a caller of a Session can do wrong;
// TestSessionErrors has the mistakes in what is read.
func TestMistakesWithSessions(t *testing.T) {
	m := newModel(t, func(*mega.LanguageModelConfig) {})
	s := m.NewBatch(2)
	if _, err := s.Step(4, 5); err != nil {
		t.Fatal(err)
	}
	checkMistakes(t, map[string]mistake{
		"no texts":            {quiet(func() { m.NewBatch(0) }), "mega: a session of 0 texts, want 1 to"},
		"fewer than no texts": {quiet(func() { m.NewBatch(-1) }), "mega: a session of -1 texts"},
		"texts beyond memory": {quiet(func() { m.NewBatch(math.MaxInt / 8) }), "mega: a session of"},
		"position":            {quiet(func() { s.Position(2) }), "mega: no row 2 in a session of 2"},
		"negative position":   {quiet(func() { s.Position(-1) }), "mega: no row -1 in a session of 2"},
		"joined with itself":  {func() error { _, err := mega.Join(s, m.NewBatch(1), s); return err }, "join: "},
		"step of nothing":     {func() error { _, err := s.Step(); return err }, "a step of 0 tokens in a session of 2 texts"},
		"features of nothing": {func() error { _, err := s.Features(nil); return err }, "one at least"},
		"features":            {func() error { _, err := s.Features([]int32{4, 99}); return err }, "token 99"},
		"huge reorder":        {func() error { return s.Reorder(math.MaxInt) }, "no row 9223372036854775807 in a session of 2"},
	})
	if _, err := s.Step(6, 7); err != nil {
		t.Errorf("after mistakes: %v", err)
	}
}

// TestForgedSessions loads files that Save cannot have written.
func TestForgedSessions(t *testing.T) {
	m := newModel(t, func(*mega.LanguageModelConfig) {})
	s := m.NewBatch(2)
	if _, err := s.Step(4, 5); err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if err := s.Save(&file); err != nil {
		t.Fatal(err)
	}
	load := func(name string, change func(x []float32), positions []int64) error {
		r, err := safetensors.Parse(file.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		var tensors []safetensors.Tensor
		for _, n := range r.Names() {
			shape, _ := r.Shape(n)
			if n == "positions" {
				tensors = append(tensors, safetensors.Of(n, []int{len(positions)}, positions))
				continue
			}
			x, err := r.Float32(n)
			if err != nil {
				t.Fatal(err)
			}
			if n == name {
				change(x)
			}
			tensors = append(tensors, safetensors.Of(n, shape, x))
		}
		var forged bytes.Buffer
		if err := safetensors.Encode(&forged, tensors, r.Metadata()); err != nil {
			t.Fatal(err)
		}
		_, err = m.LoadSession(&forged)
		return err
	}
	if err := load("", nil, []int64{1, 1}); err != nil {
		t.Fatal(err)
	}
	mistakes := make(map[string]mistake)
	for _, p := range []int64{0, -1, -48, -48_000_000, math.MinInt64, 1<<53 + 1, math.MaxInt64} {
		mistakes[fmt.Sprint("position ", p)] = mistake{func() error { return load("", nil, []int64{1, p}) }, fmt.Sprintf("load a session: positions: text 1 is at %d, want 1 to", p)}
	}
	for _, name := range []string{"log_probs", "layers.0.averages", "layers.1.rows.1.keys", "layers.0.rows.0.values"} {
		for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
			set := func(x []float32) { x[len(x)-1] = float32(v) }
			mistakes[fmt.Sprint(name, v)] = mistake{func() error { return load(name, set, []int64{1, 1}) }, fmt.Sprintf("%s holds %v", name, v)}
		}
	}
	mistakes["keys that are not there"] = mistake{func() error { return load("", nil, []int64{1, 2}) }, "rows.1.keys has shape"}
	mistakes["texts that are not there"] = mistake{func() error { return load("", nil, make([]int64, 1000)) }, "log_probs has shape"}
	mistakes["no texts"] = mistake{func() error { return load("", nil, nil) }, "it has no texts"}
	checkMistakes(t, mistakes)
}

// TestMistakesWithClassifiers walks through what a caller of a Classifier can do
// wrong.
func TestMistakesWithClassifiers(t *testing.T) {
	m, err := openCheckpoint(t, "lra_text").Classifier()
	if err != nil {
		t.Fatal(err)
	}
	logits := func(in mega.Input) func() error {
		return func() error { _, err := m.Logits(in); return err }
	}
	loss := func(labels ...int32) func() error {
		return func() error {
			_, err := m.Loss(autograd.NewTape(), &mega.Input{Rows: 1, Length: 2, Tokens: []int32{4, 5}}, labels)
			return err
		}
	}
	two := []int32{4, 5}
	checkMistakes(t, map[string]mistake{
		"empty":            {logits(mega.Input{}), "input of 0 rows of length 0"},
		"negative":         {logits(mega.Input{Rows: -1, Length: -2, Tokens: two}), "input of -1 rows"},
		"overflow":         {logits(mega.Input{Rows: 1 << 62, Length: 4, Tokens: []int32{}}), "input holds 0 values, want 4611686018427387904 rows × 4"},
		"too few":          {logits(mega.Input{Rows: 2, Length: 2, Tokens: two}), "input holds 2 values, want 2 rows × 2"},
		"samples":          {logits(mega.Input{Rows: 1, Length: 2, Samples: []float32{1, 2}}), "no tokens"},
		"both":             {logits(mega.Input{Rows: 1, Length: 2, Tokens: two, Samples: []float32{1, 2}}), "no tokens"},
		"vocabulary":       {logits(mega.Input{Rows: 1, Length: 2, Tokens: []int32{4, math.MaxInt32}}), "token 2147483647 at row 0, position 1"},
		"negative token":   {logits(mega.Input{Rows: 1, Length: 2, Tokens: []int32{math.MinInt32, 4}}), "token -2147483648"},
		"lengths":          {logits(mega.Input{Rows: 1, Length: 2, Tokens: two, Lengths: []int32{3}}), "row 0 has length 3, want 1 to 2"},
		"many lengths":     {logits(mega.Input{Rows: 1, Length: 2, Tokens: two, Lengths: []int32{2, 2}}), "2 lengths for 1 rows"},
		"hidden padding":   {logits(mega.Input{Rows: 1, Length: 2, Tokens: []int32{4, 1}}), "ends in padding"},
		"a pair":           {logits(mega.Input{Rows: 1, Length: 2, Tokens: two, Pair: &mega.Input{}}), "the model reads one"},
		"too long":         {logits(mega.Input{Rows: 1, Length: 1 << 20, Tokens: text(1, 1<<20, 20)}), "max_positions"},
		"no labels":        {loss(), "0 labels for 1 rows"},
		"label":            {loss(99), "label 99 of row 0 is outside"},
		"negative label":   {loss(-1), "label -1 of row 0"},
		"no configuration": {func() error { _, err := mega.NewClassifier(mega.ClassifierConfig{}); return err }, "encoder_layers is 0"},
		"no JSON":          {func() error { _, err := mega.ParseConfig[mega.ClassifierConfig](nil); return err }, "the JSON text ends at byte 0"},
		"architecture":     {func() error { _, err := mega.ClassifierArch(""); return err }, "unknown architecture"},
		"encoder":          {func() error { _, err := mega.NewEncoder(nn.Path{}, mega.ClassifierConfig{}); return err }, "activation_fn: unknown activation"},
	})
}

// TestMistakesWithModelsOfText walks through what a caller of a LanguageModel and
// of a Translator can do wrong.
func TestMistakesWithModelsOfText(t *testing.T) {
	m := newModel(t, func(*mega.LanguageModelConfig) {})
	tr, err := openCheckpoint(t, "mt_wmt").Translator()
	if err != nil {
		t.Fatal(err)
	}
	tape := autograd.NewTape()
	features := func(n int) *autograd.Variable {
		return autograd.NewConstant(tensor.New(1, n, m.Config().DecoderEmbedDim))
	}
	encoded, err := tr.Encode(autograd.NewTape(), []int32{4, 5, 2}, 1, 3)
	if err != nil {
		t.Fatal(err)
	}
	session := func() *mega.TranslatorSession {
		s, err := tr.NewSession([]int32{4, 5, 2}, 1, 3)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	stepped := session()
	if _, err := stepped.Step(2); err != nil {
		t.Fatal(err)
	}
	if a := session().Attention(0); a != nil {
		t.Errorf("attention %v before a step, want nil", a)
	}
	decode := func(source mega.Encoded, tokens []int32, rows, length int) func() error {
		return func() error { _, err := tr.Decode(tape, source, tokens, rows, length); return err }
	}
	open := func(tokens []int32, rows, length int) func() error {
		return func() error { _, err := tr.NewSession(tokens, rows, length); return err }
	}
	lmLoss := func(tokens, targets []int32, rows, length int) func() error {
		return func() error { _, err := m.Loss(tape, tokens, targets, rows, length); return err }
	}
	trLoss := func(shifted, targets []int32, smoothing float64) func() error {
		return func() error {
			source := &mega.Input{Rows: 1, Length: 3, Tokens: []int32{4, 5, 2}}
			_, err := tr.Loss(tape, source, &mega.Input{Rows: 1, Length: 2, Tokens: shifted}, targets, smoothing)
			return err
		}
	}
	two := []int32{4, 5}
	checkMistakes(t, map[string]mistake{
		"no text":              {func() error { return m.Check(nil, 0, 0) }, "input of 0 rows"},
		"overflow":             {func() error { return m.Check([]int32{}, 1<<32, 1<<32) }, "input holds 0 values"},
		"targets":              {lmLoss(two, two[:1], 1, 2), "1 targets for 2 tokens"},
		"target":               {lmLoss(two, []int32{4, 99}, 1, 2), "targets: token 99"},
		"target of no row":     {lmLoss(nil, nil, 1, 0), "input of 1 rows of length 0"},
		"targets of features":  {func() error { _, err := m.TargetLogProbs(tape, features(2), two[:1], 0); return err }, "1 targets for 2 positions"},
		"target of a feature":  {func() error { _, err := m.TargetLogProbs(tape, features(2), []int32{4, -9}, 0); return err }, "targets: token -9"},
		"loss of features":     {quiet(func() { m.FeatureLoss(tape, features(2), two[:1]) }), "panic: autograd: "},
		"target of a loss":     {quiet(func() { m.FeatureLoss(tape, features(2), []int32{4, 99}) }), "panic: autograd: "},
		"scores":               {quiet(func() { m.Scores(tape, autograd.NewConstant(tensor.New(2, 3))) }), "panic: autograd: "},
		"no configuration":     {func() error { _, err := mega.NewLanguageModel(mega.LanguageModelConfig{}); return err }, "decoder_layers is 0"},
		"no translator":        {func() error { _, err := mega.NewTranslator(mega.TranslatorConfig{}); return err }, "encoder_layers is 0"},
		"no source":            {open(nil, 0, 0), "source: input of 0 rows"},
		"fewer than no source": {open(two, -1, -2), "source: input of -1 rows"},
		"source beyond memory": {open([]int32{}, 1<<62, 4), "source: input holds 0 values"},
		"source":               {open([]int32{4, 1 << 20}, 1, 2), "source: token 1048576"},
		"source of padding":    {open([]int32{1, 1}, 1, 2), "it has no tokens"},
		"no encoded source":    {decode(mega.Encoded{}, two, 1, 2), "no encoded source"},
		"another batch":        {decode(encoded, two, 2, 1), "1 encoded sources for 2 targets"},
		"step":                 {func() error { _, err := session().Step(2, 2); return err }, "a step of 2 tokens in a session of 1 translations"},
		"token":                {func() error { _, err := session().Step(1 << 20); return err }, "token 1048576"},
		"attention":            {quiet(func() { stepped.Attention(1) }), "mega: no row 1 in a session of 1"},
		"reorder":              {func() error { return stepped.Reorder() }, "one at least"},
		"shifted":              {trLoss(two[:1], two, 0), "target: input holds 1 values"},
		"smoothing":            {trLoss(two, two, math.NaN()), "label smoothing of NaN"},
		"all smoothed":         {trLoss(two, two, 1), "label smoothing of 1"},
	})
}

// TestMistakesWithLayers makes and uses layers of sizes that none has.
func TestMistakesWithLayers(t *testing.T) {
	p := func() nn.Path { return nn.NewParams(1).Root() }
	checkMistakes(t, map[string]mistake{
		"block": {func() error { return mega.BlockConfig{}.Validate() }, "embed_dim is 0"},
		"size":  {quiet(func() { mega.NewEMA(p(), -1, autograd.EMAConfig{States: 2}) }), "panic: "},
		"huge":  {quiet(func() { mega.NewEMA(p(), math.MaxInt, autograd.EMAConfig{States: math.MaxInt, Bidirectional: true}) }), "panic: "},
	})
	if n := (mega.ClassifierConfig{}).ParameterCount() + (mega.LanguageModelConfig{}).ParameterCount() + (mega.TranslatorConfig{}).ParameterCount(); n != 0 {
		t.Errorf("%d parameters of nothing", n)
	}
}
