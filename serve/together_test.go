package serve

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/generate"
)

// TestShortPromptsTogether: prompts of one length are read side by side, others not,
// and what is said of each is, bit for bit, what a session of its own says.
func TestShortPromptsTogether(t *testing.T) {
	m := openText(t, bytesModel)
	e := newTextEngine(m, Options{Rows: 20, Queue: 20}.withDefaults(), slog.New(slog.DiscardHandler))
	defer e.close()
	prompts := []string{"the cat", "a dog sat", "the dog", "dog", "the mat"}
	texts := []int{1, 1, 3, 1, 2}
	var want [][]float32
	for i, text := range prompts {
		ids, _, err := m.Codec.Encode(text)
		if err != nil {
			t.Fatal(err)
		}
		j := &textJob{ctx: context.Background(), tokens: promptTokens(ids, nil), options: m.Options(generate.DefaultContinueOptions()), texts: texts[i]}
		j.out.ready = make(chan struct{}, 1)
		if err := e.begin(j); err != nil {
			t.Fatal(err)
		}
		e.reading = append(e.reading, j)
		alone := m.Model.NewSession()
		if err := alone.Prefill(j.tokens); err != nil {
			t.Fatal(err)
		}
		for range texts[i] {
			want = append(want, slices.Clone(alone.LogProbs()))
		}
	}
	if n := len(e.alike(e.reading[0], blockTokens)); n != 3 {
		t.Errorf("%d prompts are alike, want 3", n)
	}
	if n := len(e.alike(e.reading[0], 2*len(e.reading[0].tokens))); n != 2 {
		t.Errorf("%d prompts are read where there is time for 2", n)
	}
	// The three are ready first, in their order.
	order := []int{0, 2, 3, 4, 6, 7, 1, 5}
	e.readPrompts()
	if len(e.reading) > 0 || len(e.making) != len(order) || e.batch.Rows() != len(order) {
		t.Fatalf("%d prompts unread, %d texts in %d rows", len(e.reading), len(e.making), e.batch.Rows())
	}
	got := e.batch.LogProbs()
	for row, i := range order {
		if n := len(want[i]); !slices.Equal(got[row*n:][:n], want[i]) {
			t.Errorf("row %d differs from text %d alone", row, i)
		}
	}
	if read := e.read.Load(); read != 8+10+8+4+8 {
		t.Errorf("%d tokens were read, want 38", read)
	}
}

// TestManyShortPrompts: where a block has room for more prompts than a session reads
// without cutting them, fewer are read together, and all say what one says alone.
func TestManyShortPrompts(t *testing.T) {
	m := randomText(t, func(c *mega.LanguageModelConfig) { c.DecoderChunkSize = 8192 })
	const texts, length = 130, shortTokens // 8190 tokens, and a block of 8192
	e := newTextEngine(m, Options{Rows: texts, Queue: texts}.withDefaults(), slog.New(slog.DiscardHandler))
	defer e.close()
	ids, _, err := m.Codec.Encode(strings.Repeat("a", length-1))
	if err != nil {
		t.Fatal(err)
	}
	for range texts {
		j := &textJob{ctx: context.Background(), tokens: promptTokens(ids, nil), options: m.Options(generate.DefaultContinueOptions()), texts: 1}
		j.out.ready = make(chan struct{}, 1)
		if err := e.begin(j); err != nil {
			t.Fatal(err)
		}
		e.reading = append(e.reading, j)
	}
	if n := len(e.alike(e.reading[0], e.prefixes.pieces())); n != mega.SideBySide(length) || n >= texts {
		t.Errorf("%d prompts of %d tokens are read together, want %d", n, length, mega.SideBySide(length))
	}
	alone := m.Model.NewSession()
	if err := alone.Prefill(e.reading[0].tokens); err != nil {
		t.Fatal(err)
	}
	if e.readPrompts(); len(e.reading) > 0 {
		t.Fatalf("%d prompts are unread", len(e.reading))
	}
	for row := range texts {
		n := len(alone.LogProbs())
		if !slices.Equal(e.batch.LogProbs()[row*n:][:n], alone.LogProbs()) {
			t.Fatalf("row %d differs from a text alone", row)
		}
	}
}
