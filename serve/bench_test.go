package serve

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/data/bytetext"
	"github.com/mega-go/mega/data/plaintext"
	"github.com/mega-go/mega/task/language"
)

// lmSmall returns the language model that mega bench calls lm-small, with bytes for
// tokens.
func lmSmall(b *testing.B) *language.Model {
	b.Helper()
	c, err := mega.LanguageModelArch("mega_lm_enwik8_base")
	if err != nil {
		b.Fatal(err)
	}
	d := bytetext.Dictionary()
	c.VocabSize, c.RelPosBias, c.NormalizeBefore, c.NoAffineFinalNorm, c.ShareDecoderInputOutputEmbed = d.Len(), mega.RelPosRotary, true, true, true
	c.DecoderLayers, c.DecoderEmbedDim, c.DecoderInputDim, c.DecoderHiddenDim, c.DecoderFFNEmbedDim = 6, 256, 256, 512, 512
	c.DecoderZDim, c.DecoderChunkSize = 64, 512
	m, err := mega.NewLanguageModel(c)
	if err != nil {
		b.Fatal(err)
	}
	codec, err := plaintext.New(d, true)
	if err != nil {
		b.Fatal(err)
	}
	m.Freeze()
	return &language.Model{Model: m, Codec: codec}
}

// BenchmarkClients says how many tokens a second clients get together: more at once get
// more, for a step of many texts takes hardly longer than one of one.
func BenchmarkClients(b *testing.B) {
	s := newServer(b, Options{})
	s.addText("text", lmSmall(b))
	for _, clients := range []int{1, 4, 16, 64} {
		b.Run(fmt.Sprint(clients), func(b *testing.B) {
			const tokens = 64
			for b.Loop() {
				var all sync.WaitGroup
				for i := range clients {
					all.Go(func() {
						post[completion](b, s, "/v1/completions", fmt.Sprintf(`{"prompt":"func main","max_tokens":%d,"min_tokens":%[1]d,"seed":%d}`, tokens, i))
					})
				}
				all.Wait()
			}
			b.ReportMetric(float64(b.N*clients*tokens)/b.Elapsed().Seconds(), "tokens/s")
		})
	}
}

// BenchmarkLongContext says how long a client waits that asks about a million tokens of
// context for the second time.
func BenchmarkLongContext(b *testing.B) {
	s := newServer(b, Options{})
	s.addText("text", lmSmall(b))
	rng := rand.New(rand.NewPCG(1, 2))
	var text strings.Builder
	for range 1 << 20 {
		text.WriteByte(byte('a' + rng.IntN(26)))
	}
	body := fmt.Sprintf(`{"prompt":%s,"max_tokens":1}`, quoted(text.String()))
	start := time.Now()
	post[completion](b, s, "/v1/completions", body)
	b.ReportMetric(time.Since(start).Seconds(), "s-at-first")
	for b.Loop() {
		post[completion](b, s, "/v1/completions", body)
	}
}
