package mega_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mega-go/mega"
)

// Texts side by side get the log-probabilities that each gets alone, bit for bit, in
// every form of the weights: what a server says to one client does not depend on the
// others.
func TestTextsSideBySide(t *testing.T) {
	forms := map[string]func(*mega.LanguageModel, bool){
		"float32":  func(*mega.LanguageModel, bool) {},
		"bfloat16": func(m *mega.LanguageModel, on bool) { m.SetBF16(on) },
		"int8":     func(m *mega.LanguageModel, on bool) { m.SetInt8(on) },
	}
	forEachKernel(t, func(t *testing.T) {
		for name, change := range sessionModels {
			m := newModel(t, change)
			for form, set := range forms {
				set(m, true)
				thaw := m.Freeze()
				for _, texts := range []int{2, 40} {
					if row, step := sideBySide(t, m, texts); row >= 0 {
						t.Errorf("%s in %s: text %d of %d is another at step %d", name, form, row, texts, step)
					}
				}
				thaw()
				set(m, false)
			}
		}
	})
}

// sideBySide returns the first text and step where texts that are read side by side
// differ from the same ones alone, -1 if none does.
func sideBySide(t *testing.T, m *mega.LanguageModel, texts int) (row, step int) {
	t.Helper()
	const steps = 6
	vocab := m.Config().VocabSize
	var sessions []*mega.Session
	alone := make([][][]float32, texts)
	inputs := make([][]int32, texts)
	for i := range texts {
		inputs[i] = text(uint64(i), 20+steps, vocab)
		read := func() *mega.Session {
			s := m.NewSession()
			if err := s.Prefill(inputs[i][:1+i%20]); err != nil {
				t.Fatal(err)
			}
			return s
		}
		s := read()
		sessions = append(sessions, read())
		for k := range steps {
			p, err := s.Step(inputs[i][20+k])
			if err != nil {
				t.Fatal(err)
			}
			alone[i] = append(alone[i], slices.Clone(p))
		}
	}
	s, err := mega.Join(sessions...)
	if err != nil {
		t.Fatal(err)
	}
	for k := range steps {
		var tokens []int32
		for _, input := range inputs {
			tokens = append(tokens, input[20+k])
		}
		p, err := s.Step(tokens...)
		if err != nil {
			t.Fatal(err)
		}
		for i := range texts {
			if !slices.Equal(p[i*vocab:][:vocab], alone[i][k]) {
				return i, k
			}
		}
	}
	return -1, 0
}

// Translations side by side get what each gets alone, bit for bit, however long the
// other sources are.
func TestTranslationsSideBySide(t *testing.T) {
	forEachKernel(t, func(t *testing.T) {
		for name, change := range translatorVariants {
			m := smallTranslator(t, func(c *mega.TranslatorConfig) {
				c.MaxSourcePositions, c.MaxTargetPositions = 700, 700
				change(c)
			})
			for _, bf16 := range []bool{false, true} {
				m.SetBF16(bf16)
				thaw := m.Freeze()
				checkTranslations(t, name, m)
				thaw()
			}
		}
	})
}

// checkTranslations compares translations side by side with the same ones alone.
func checkTranslations(t *testing.T, name string, m *mega.Translator) {
	t.Helper()
	lengths := []int{2, 3, 2, 5, 9, 9, 70, 70, 3, 17, 600}
	rows, width, vocab := len(lengths), slices.Max(lengths), m.Config().TargetVocabSize
	rng := rand.New(rand.NewPCG(9, 10))
	all := sources(rng, false, lengths...)
	together, err := m.NewSession(all, rows, width)
	if err != nil {
		t.Fatal(err)
	}
	var alone []*mega.TranslatorSession
	for i, n := range lengths {
		s, err := m.NewSession(all[i*width:][:n], 1, n)
		if err != nil {
			t.Fatal(err)
		}
		alone = append(alone, s)
	}
	for step := range 5 {
		tokens := text(uint64(step), rows, vocab)
		got, err := together.Step(tokens...)
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range alone {
			want, err := s.Step(tokens[i])
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got[i*vocab:][:vocab], want) {
				t.Fatalf("%s: translation %d of a source of %d tokens is another at step %d", name, i, lengths[i], step)
			}
		}
	}
}

// TestTextsAfterDropped: texts that stay, and copies of them, are told what they are alone,
// bit for bit, while others are dropped and still others take their memory.
func TestTextsAfterDropped(t *testing.T) {
	const texts, steps = 6, 60
	for _, name := range []string{"plain", "unchunked"} {
		m := newModel(t, sessionModels[name])
		defer m.Freeze()()
		vocab := m.Config().VocabSize
		var inputs [texts][]int32
		var alone [texts][][]float32
		var sessions []*mega.Session
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(name, err)
			}
		}
		for i := range texts {
			inputs[i] = text(uint64(i), steps, vocab)
			s := m.NewSession()
			for _, token := range inputs[i] {
				p, err := s.Step(token)
				must(err)
				alone[i] = append(alone[i], slices.Clone(p))
			}
			sessions = append(sessions, m.NewSession())
		}
		read := func(s *mega.Session, rows []int, from, to int) {
			t.Helper()
			for k := from; k < to; k++ {
				var tokens []int32
				for _, i := range rows {
					tokens = append(tokens, inputs[i][k])
				}
				p, err := s.Step(tokens...)
				must(err)
				for at, i := range rows {
					if !slices.Equal(p[at*vocab:][:vocab], alone[i][k]) {
						t.Fatalf("%s: text %d in row %d of %v is another at step %d", name, i, at, rows, k)
					}
				}
			}
		}
		s, err := mega.Join(sessions...)
		must(err)
		rows := []int{0, 1, 2, 3, 4, 5}
		read(s, rows, 0, 5)
		at := 5
		for _, next := range [][]int{{4, 1, 1, 5, 0}, {3, 2, 2}, {0, 2}, {1, 0, 1}, {2}} {
			copied, before := s.Clone(), rows
			must(s.Reorder(next...))
			rows = nil
			for _, r := range next {
				rows = append(rows, before[r])
			}
			for range 4 { // other texts take what is free, and give some of it back
				other := m.NewBatch(3)
				must(other.Prefill(text(99, 3*(3+at), vocab)))
				must(other.Reorder(1))
			}
			read(s, rows, at, at+7)
			read(copied, before, at, at+7)
			joined, err := mega.Join(s, copied.CloneRow(0))
			must(err)
			must(copied.Reorder(0))
			s, rows, at = joined, append(rows, before[0]), at+7
		}
		read(s, rows, at, steps)
	}
}
