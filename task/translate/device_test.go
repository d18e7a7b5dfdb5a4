package translate

import (
	"bytes"
	"testing"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/generate"
	"github.com/mega-go/mega/internal/cuda/devicetest"
	"github.com/mega-go/mega/train"
)

// TestEnsembleOnDevice holds translations of two models together on a device against those of
// the CPU. The models differ from each other, and their encoders from their decoders, in the
// number and the sizes of their layers.
func TestEnsembleOnDevice(t *testing.T) {
	if testing.Short() {
		t.Skip("the interpreter takes its time")
	}
	d := tinyPairs(t)
	corpus := openPairs(t, d)
	var models Ensemble
	for i, change := range []func(*mega.TranslatorConfig){
		func(c *mega.TranslatorConfig) {
			c.EncoderLayers, c.DecoderLayers, c.EncoderZDim, c.DecoderNDim, c.DecoderHiddenDim = 2, 1, 12, 4, 40
		},
		func(c *mega.TranslatorConfig) {
			c.EncoderLayers, c.DecoderLayers, c.RelPosBias, c.DecoderChunkSize, c.DecoderFFNEmbedDim = 1, 2, "rotary", 3, 0
		},
	} {
		c := tinyTranslator(t)
		change(&c)
		c.SourceVocabSize, c.TargetVocabSize, c.Seed = corpus.Source.Len(), corpus.Target.Len(), uint64(i+1)
		m, err := mega.NewTranslator(c)
		if err != nil {
			t.Fatal(err)
		}
		models = append(models, m)
	}
	on := devicetest.New(t)
	translated := func() string {
		s := generate.Searcher{Options: generate.DefaultOptions()}
		s.Options.Beam, s.Options.NBest, s.Options.MaxLenA, s.Options.MaxLenB = 2, 2, 0, 4
		o := DefaultGenerateOptions()
		o.Subset = "test"
		var out bytes.Buffer
		if _, err := Generate(t.Context(), train.NewEvaluator(train.Alone{}, nil), models, corpus, s, o, &out); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	want := translated()
	for _, m := range models {
		m.Params().Move(on)
	}
	got := translated()
	models.LeaveDevice()
	if want == "" || got == "" {
		t.Error("nothing was translated")
	}
	compareLines(t, "an ensemble", got, want, 1.0001e-4)
}
