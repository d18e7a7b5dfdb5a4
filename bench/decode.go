package bench

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/mega-go/mega"
)

// Decode is the workload of MeasureDecode.
const Decode = "decode"

// DecodeOptions say how MeasureDecode measures.
type DecodeOptions struct {
	Context int // tokens to read first, in one go
	Tokens  int // steps to measure; 0 stands for a chunk's
	Batch   int // texts side by side
}

// MeasureDecode measures reading a text token by token with the model of
// lm-enwik8: after the context, which it also measures, the mean time of a step.
func MeasureDecode(o DecodeOptions, report func(Result) error) error {
	w, err := Find("lm-enwik8")
	if err != nil {
		return err
	}
	if o.Context < 0 || o.Tokens < 0 || o.Batch < 1 {
		return fmt.Errorf("a context of %d, %d steps, %d texts: want at least 0, 0 and 1", o.Context, o.Tokens, o.Batch)
	}
	m, err := mega.NewLanguageModel(*w.languageModel)
	if err != nil {
		return err
	}
	if o.Tokens == 0 {
		o.Tokens = m.Config().DecoderChunkSize
	}
	d := decoding{session: m.NewBatch(o.Batch), options: o, rng: rand.New(rand.NewPCG(0, 0))}
	for _, part := range []struct {
		mode   string
		tokens int
		run    func() error
	}{{"prefill", o.Context, d.prefill}, {"step", o.Tokens, d.steps}} {
		if part.tokens == 0 {
			continue
		}
		start := time.Now()
		if err := part.run(); err != nil {
			return err
		}
		seconds := time.Since(start).Seconds()
		r := Result{Impl: "mega", Workload: Decode, Mode: part.mode, Params: m.Params().Count(), Context: o.Context}
		r.TokensPerSecond = int(float64(o.Batch*part.tokens) / seconds)
		r.Milliseconds = math.Round(seconds/float64(part.tokens)*1e6) / 1e3
		if part.mode == "prefill" {
			r.Milliseconds = math.Round(seconds * 1e3)
		}
		r.PeakMiB = peakMiB()
		if err := report(r); err != nil {
			return err
		}
	}
	return nil
}

// decoding is a measurement under way.
type decoding struct {
	session *mega.Session
	options DecodeOptions
	rng     *rand.Rand
}

// prefillTokens is how much of a context is made up at a time.
const prefillTokens = 1 << 14

func (d *decoding) prefill() error {
	for left := d.options.Context; left > 0; {
		n := min(left, prefillTokens)
		if err := d.session.Prefill(d.tokens(n * d.options.Batch)); err != nil {
			return err
		}
		left -= n
	}
	return nil
}

func (d *decoding) steps() error {
	tokens := d.tokens(d.options.Tokens * d.options.Batch)
	for i := range d.options.Tokens {
		if _, err := d.session.Step(tokens[i*d.options.Batch:][:d.options.Batch]...); err != nil {
			return err
		}
	}
	return nil
}

func (d *decoding) tokens(n int) []int32 {
	return randomTokens(d.rng, n, d.session.Model().Config().VocabSize)
}
