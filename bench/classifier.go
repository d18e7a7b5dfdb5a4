package bench

import (
	"math/rand/v2"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/autograd"
)

type classifierConfig mega.ClassifierConfig

func classifier(name string, batch, length int, arch string, change func(*mega.ClassifierConfig)) Workload {
	c := ours(mega.ClassifierArch(arch))
	c.AttentionDropout = 0
	change(&c)
	return Workload{name, batch, length, classifierConfig(c)}
}

func (c classifierConfig) layers() shape {
	return shape{
		layers: c.EncoderLayers, d: c.EncoderEmbedDim, h: c.EncoderHiddenDim, z: c.ZDim,
		ffn: c.EncoderFFNEmbedDim, states: c.NDim, chunk: c.ChunkSize,
	}
}

func (c classifierConfig) build(w Workload, rng *rand.Rand) (*model, error) {
	m, err := mega.NewClassifier(mega.ClassifierConfig(c))
	if err != nil {
		return nil, err
	}
	in := &mega.Input{Rows: w.Batch, Length: w.Length}
	if m.Config().Tokens() {
		in.Tokens = randomTokens(rng, w.Batch*w.Length, c.VocabSize)
	} else {
		in.Samples = make([]float32, w.Batch*w.Length)
		for i := range in.Samples {
			in.Samples[i] = float32(rng.NormFloat64())
		}
	}
	labels := make([]int32, w.Batch)
	for i := range labels {
		labels[i] = rng.Int32N(int32(c.SentenceClassNum))
	}
	return &model{
		params: m.Params(), samples: w.Batch,
		loss: func(t *autograd.Tape) (autograd.Loss, error) {
			return m.Loss(t, in, labels)
		},
		infer: func(t *autograd.Tape) error {
			_, err := m.Forward(t, in)
			return err
		},
	}, nil
}
