package language

import (
	"bytes"
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/mega-go/mega/checkpoint"
	"github.com/mega-go/mega/data"
	"github.com/mega-go/mega/generate"
)

// openModel opens a golden language model with its dictionary.
func openModel(t *testing.T, name string) *Model {
	t.Helper()
	c, err := checkpoint.Open(goldenDir(name))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	m, err := newModel(c, goldenText(name))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func begin(t *testing.T, m *Model, text string) *Prompt {
	t.Helper()
	r, err := m.Begin()
	if err == nil {
		err = m.Read(t.Context(), r, text, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

const prompt = "func main() {\n\tfmt.Println(" // bytes that the golden dictionary has

// drawing returns options that draw so many tokens.
func drawing(n int) generate.ContinueOptions {
	o := generate.DefaultContinueOptions()
	o.MaxLen, o.TopK = n, 10
	return o
}

// A text that was saved and loaded goes on bit for bit as one that was not.
func TestReadingGoesOn(t *testing.T) {
	m := openModel(t, "lm_enwik8")
	r := begin(t, m, prompt)
	if r.Read != len(prompt)+1 || len(r.Recent) != r.Read {
		t.Errorf("read %d tokens and kept %d of %d", r.Read, len(r.Recent), len(prompt)+1)
	}
	whole, err := m.Continue(t.Context(), []*Prompt{r.Clone()}, 1, drawing(40), nil)
	if err != nil {
		t.Fatal(err)
	}
	first, err := m.Continue(t.Context(), []*Prompt{r}, 1, drawing(15), nil)
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if err := r.Session.Save(&file); err != nil {
		t.Fatal(err)
	}
	again, err := m.Resume(&file)
	if err != nil {
		t.Fatal(err)
	}
	second, err := m.Continue(t.Context(), []*Prompt{again}, 1, drawing(25), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := first[0].Text + second[0].Text; got != whole[0].Text {
		t.Errorf("in two goes %q, in one %q", got, whole[0].Text)
	}
	if p := first[0].LogProb + second[0].LogProb; math.Abs(p-whole[0].LogProb) > 1e-9*math.Abs(p) {
		t.Errorf("log-probability %.12g, in one go %.12g", p, whole[0].LogProb)
	}
}

// Several texts of different lengths, each several times, are what each is alone.
func TestContinueSeveral(t *testing.T) {
	m := openModel(t, "lm_enwik8")
	o := drawing(12)
	o.Temperature = 0
	texts := []string{"a", prompt, strings.Repeat("x := 1\n", 30)}
	var prompts []*Prompt
	var want []string
	for _, text := range texts {
		r := begin(t, m, text)
		alone, err := m.Continue(t.Context(), []*Prompt{r.Clone()}, 1, o, nil)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, alone[0].Text, alone[0].Text)
		prompts = append(prompts, r)
	}
	made, err := m.Continue(t.Context(), prompts, 2, o, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range made {
		if c.Text != want[i] {
			t.Errorf("text %d goes on with %q, alone with %q", i, c.Text, want[i])
		}
	}
}

// The score of a text is what a continuation says of itself, and what
// Evaluate says of the same text.
func TestScore(t *testing.T) {
	m := openModel(t, "lm_enwik8")
	r := begin(t, m, prompt)
	made, err := m.Continue(t.Context(), []*Prompt{r}, 1, drawing(30), nil)
	if err != nil {
		t.Fatal(err)
	}
	score := func(text string, o ScoreOptions) (*Score, []LineScore) {
		var lines []LineScore
		s, err := m.Score(t.Context(), strings.NewReader(text), o, func(l LineScore) error {
			lines = append(lines, l)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return s, lines
	}
	before, _ := score(prompt, ScoreOptions{})
	after, lines := score(prompt+made[0].Text, ScoreOptions{})
	if got := after.LogProb - before.LogProb; math.Abs(got-made[0].LogProb) > 1e-4*math.Abs(got) {
		t.Errorf("the continuation's log-probability is %g by its score and %g by itself", got, made[0].LogProb)
	}
	sum := 0.0
	for _, l := range lines {
		for _, token := range l.Tokens {
			sum += token.LogProb
		}
	}
	if math.Abs(sum-after.LogProb) > 1e-9*math.Abs(sum) || after.Tokens != len(prompt)+30 || lines[0].Text != "func main() {" {
		t.Errorf("tokens of %g in all, the text %g; %d tokens; first line %q", sum, after.LogProb, after.Tokens, lines[0].Text)
	}
	apart, _ := score("aa\naa\n", ScoreOptions{LinesApart: true})
	one, _ := score("aa\n", ScoreOptions{})
	if math.Abs(apart.LogProb-2*one.LogProb) > 1e-5*math.Abs(apart.LogProb) || apart.Lines != 2 {
		t.Errorf("lines apart %g, twice one %g", apart.LogProb, 2*one.LogProb)
	}
}

// Long texts are scored in pieces, which makes no difference.
func TestScoreLongText(t *testing.T) {
	m := openModel(t, "lm_enwik8")
	text := strings.Repeat("for i := range 10 { x += i }\n", 400) // more than scoreTokens
	s, err := m.Score(t.Context(), strings.NewReader(text), ScoreOptions{}, func(LineScore) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	ids, _, err := m.Codec.Encode(text)
	if err != nil {
		t.Fatal(err)
	}
	session := m.Model.NewSession()
	want := 0.0
	next, err := session.Step(data.EOS)
	for i, id := range ids {
		if err != nil {
			t.Fatal(err)
		}
		want += float64(next[id])
		if i == 1000 { // enough to step through
			break
		}
		next, err = session.Step(id)
	}
	short, err := m.Score(t.Context(), strings.NewReader(text[:1001]), ScoreOptions{}, func(LineScore) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(short.LogProb-want) > 1e-5*math.Abs(want) || s.Tokens != len(text) || s.Lines != 400 {
		t.Errorf("the first 1001 bytes %g, step by step %g; %d tokens, %d lines", short.LogProb, want, s.Tokens, s.Lines)
	}
}

// Beam search of one hypothesis takes the likeliest token always.
func TestSearchOfOne(t *testing.T) {
	m := openModel(t, "lm_enwik8")
	r := begin(t, m, prompt)
	greedy := drawing(20)
	greedy.Temperature = 0
	want, err := m.Continue(t.Context(), []*Prompt{r.Clone()}, 1, greedy, nil)
	if err != nil {
		t.Fatal(err)
	}
	if newline := strings.IndexByte(want[0].Text, '\n'); newline >= 0 {
		t.Fatalf("%q ends a line, which ends a search here", want[0].Text)
	}
	o := generate.DefaultOptions()
	o.Beam, o.MaxLenB, o.MinLen = 1, 20, 0
	found, err := m.Search(t.Context(), r.Clone(), o, nil)
	if err != nil {
		t.Fatal(err)
	}
	if found[0].Text != want[0].Text || math.Abs(found[0].LogProb-want[0].LogProb) > 1e-4 || found[0].Reason != generate.FullLength {
		t.Errorf("found %+v, want %+v", found[0], want[0])
	}
	o.Beam, o.NBest = 4, 4
	wider, err := m.Search(t.Context(), r, o, []string{want[0].Text[5:8]})
	if err != nil {
		t.Fatal(err)
	}
	if wider[0].LogProb < found[0].LogProb-1e-4 {
		t.Errorf("four hypotheses find %g, one %g", wider[0].LogProb, found[0].LogProb)
	}
}

func TestTextModelErrors(t *testing.T) {
	m := openModel(t, "lm_enwik8")
	r, err := m.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Read(t.Context(), r, "caf\xe9", nil); err == nil || !strings.Contains(err.Error(), "the prompt: byte 233") {
		t.Errorf("a byte that the dictionary lacks: %v", err)
	}
	if _, err := m.Score(t.Context(), strings.NewReader("a\n\xff"), ScoreOptions{}, nil); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("a byte that the dictionary lacks, scored: %v", err)
	}
	if _, err := m.Score(t.Context(), strings.NewReader(""), ScoreOptions{}, nil); err == nil || !strings.Contains(err.Error(), "empty") {
		t.Errorf("an empty text: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := m.Read(ctx, r, "abc", nil); err != context.Canceled {
		t.Errorf("after the context has ended: %v", err)
	}
	if _, err := m.Resume(strings.NewReader("nothing")); err == nil {
		t.Error("a state that is none was loaded")
	}
	two, err := m.Model.NewBatch(2), error(nil)
	if err = two.Prefill([]int32{2, 4, 2, 5}); err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if err := two.Save(&file); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Resume(&file); err == nil || !strings.Contains(err.Error(), "2 texts, want one") {
		t.Errorf("a state of two texts: %v", err)
	}
	c, err := checkpoint.Open(goldenDir("lm_enwik8"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, d := range []DataConfig{goldenText("lm_wikitext103"), {}, {Text: "x"}} {
		if _, err := newModel(c, d); err == nil {
			t.Errorf("a model with the dictionary of %+v", d)
		}
	}
}

// Words are read with </s> at the ends of lines, which do not end a text.
func TestContinueWords(t *testing.T) {
	m := openModel(t, "lm_wikitext103")
	r := begin(t, m, "the request zzzz")
	if !slices.Equal(r.Unknown, []string{"zzzz"}) || r.Read != 4 {
		t.Errorf("read %d tokens, unknown %v", r.Read, r.Unknown)
	}
	o := drawing(60)
	o.TopK = 0
	made, err := m.Continue(t.Context(), []*Prompt{r}, 1, o, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(made[0].Text, " ") || len(made[0].Tokens) != 60 || made[0].Reason != generate.FullLength {
		t.Errorf("made %d tokens, %q (%s)", len(made[0].Tokens), made[0].Text, made[0].Reason)
	}
}

// Text yields what Continue does, no more once its reader has stopped, and an error
// at the end.
func TestText(t *testing.T) {
	m := openModel(t, "lm_enwik8")
	made, err := m.Continue(t.Context(), []*Prompt{begin(t, m, prompt)}, 1, drawing(20), nil)
	if err != nil {
		t.Fatal(err)
	}
	text, pieces := "", 0
	for piece, err := range m.Text(t.Context(), prompt, drawing(20)) {
		if err != nil {
			t.Fatal(err)
		}
		text += piece
		pieces++
	}
	if text != made[0].Text || pieces < 2 {
		t.Errorf("%q in %d pieces, want %q", text, pieces, made[0].Text)
	}
	for piece := range m.Text(t.Context(), prompt, drawing(1<<30)) { // without end if it went on
		if !strings.HasPrefix(text, piece) {
			t.Errorf("the first piece is %q of %q", piece, text)
		}
		break
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var last error
	for _, last = range m.Text(ctx, prompt, drawing(1<<30)) {
		stop()
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("stopped by its context it ends with %v", last)
	}
}
