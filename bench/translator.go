package bench

import (
	"context"
	"math/rand/v2"
	"sync"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/generate"
)

// searchBeam is the beam of the mode search, in which a batch is translated to
// texts of the workload's length.
const searchBeam = 5

type translatorConfig mega.TranslatorConfig

// translator is a workload of sentence pairs, source and target of one length,
// with one vocabulary for both.
func translator(name string, batch, length, vocab int, change func(*mega.TranslatorConfig)) Workload {
	c := ours(mega.TranslatorArch("mega_wmt_en_de"))
	change(&c)
	derived := map[string]bool{"encoder_ffn_embed_dim": true}
	c.Derive(func(key string) bool { return derived[key] })
	c.SourceVocabSize, c.TargetVocabSize, c.ShareAllEmbeddings, c.TruncationLength = vocab, vocab, true, 0
	return Workload{name, batch, length, translatorConfig(c)}
}

func (c translatorConfig) layers() shape { return shape{} }

func (c translatorConfig) build(w Workload, rng *rand.Rand) (*model, error) {
	m, err := mega.NewTranslator(mega.TranslatorConfig(c))
	if err != nil {
		return nil, err
	}
	n, vocab := w.Batch*w.Length, c.SourceVocabSize
	source := &mega.Input{Rows: w.Batch, Length: w.Length, Tokens: randomTokens(rng, n, vocab)}
	shifted := &mega.Input{Rows: w.Batch, Length: w.Length, Tokens: randomTokens(rng, n, vocab)}
	targets := randomTokens(rng, n, vocab)
	const smoothing = 0.1
	var freeze sync.Once
	return &model{
		params: m.Params(), samples: n,
		loss: func(t *autograd.Tape) (autograd.Loss, error) {
			return m.Loss(t, source, shifted, targets, smoothing)
		},
		infer: func(t *autograd.Tape) error {
			encoded, err := m.Encode(t, source.Tokens, w.Batch, w.Length)
			if err == nil {
				_, err = m.Decode(t, encoded, shifted.Tokens, w.Batch, w.Length)
			}
			return err
		},
		search: func(bf16 bool) error {
			freeze.Do(func() { // it is measured last: the parameters do not change any more
				m.SetBF16(bf16)
				m.Freeze()
			})
			return w.search(m, source.Tokens)
		},
	}, nil
}

// search translates the sources to texts of exactly the workload's length, </s>
// included.
func (w Workload) search(m *mega.Translator, sources []int32) error {
	s := generate.Searcher{Options: generate.DefaultOptions()}
	s.Options.Beam, s.Options.MinLen = searchBeam, w.Length-1
	session, err := m.NewSession(sources, w.Batch, w.Length)
	if err != nil {
		return err
	}
	texts := make([]generate.Text, w.Batch)
	for i := range texts {
		texts[i] = generate.Text{First: 2, MaxLen: w.Length - 1}
	}
	_, err = s.Search(context.Background(), session, texts)
	return err
}
