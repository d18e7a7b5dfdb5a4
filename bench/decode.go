package bench

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/mega-go/mega"
)

// Decode is the workload of MeasureDecode.
const Decode = "decode"

// DecodeOptions say how MeasureDecode measures.
type DecodeOptions struct {
	Contexts []int // where to measure: how many tokens have been read by then, ascending
	Tokens   int   // steps to measure at each; 0 stands for a chunk's
	Batch    int   // texts side by side
	Roofline bool  // compare with what the machine allows
	BF16     bool  // multiply by the weights in bfloat16
	Int8     bool  // read the weights in eight bits
}

// Check reports what cannot be measured.
func (o DecodeOptions) Check() error {
	if len(o.Contexts) == 0 || slices.Min(o.Contexts) < 0 || o.Tokens < 0 || o.Batch < 1 {
		return fmt.Errorf("contexts of %d, %d steps, %d texts: want at least one of at least 0, 0 and 1", o.Contexts, o.Tokens, o.Batch)
	}
	for i, next := range o.Contexts[1:] {
		if next < o.Contexts[i]+o.Tokens {
			return fmt.Errorf("a context of %d tokens does not come after %d and %d steps", next, o.Contexts[i], o.Tokens)
		}
	}
	return nil
}

// MeasureDecode measures reading a text token by token with the model of
// lm-enwik8: at each of the contexts the mean time of a step. What comes before
// is read in one go, and measured too.
func MeasureDecode(o DecodeOptions, report func(Result) error) error {
	w, err := Find("lm-enwik8")
	if err != nil {
		return err
	}
	config := mega.LanguageModelConfig(w.kind.(languageModelConfig))
	if o.Tokens == 0 {
		o.Tokens = config.DecoderChunkSize
	}
	if err := o.Check(); err != nil {
		return err
	}
	m, err := mega.NewLanguageModel(config)
	if err != nil {
		return err
	}
	m.SetBF16(o.BF16)
	m.SetInt8(o.Int8)
	m.Freeze() // for good
	d := decoding{workload: w, session: m.NewBatch(o.Batch), options: o, rng: rand.New(rand.NewPCG(0, 0))}
	for _, context := range o.Contexts {
		if err := d.at(context, report); err != nil {
			return err
		}
	}
	return nil
}

// decoding is a measurement under way.
type decoding struct {
	workload Workload
	session  *mega.Session
	options  DecodeOptions
	rng      *rand.Rand
}

// at reads up to a context and then measures steps.
func (d *decoding) at(context int, report func(Result) error) error {
	if unread := context - d.session.Position(0); unread > 0 {
		start := time.Now()
		if err := d.prefill(unread); err != nil {
			return err
		}
		r := d.result("prefill", context, unread, time.Since(start))
		r.Milliseconds = round(1e3*time.Since(start).Seconds(), 0)
		if err := report(r); err != nil {
			return err
		}
	}
	var before rates
	if d.options.Roofline {
		before = measureRates()
	}
	start := time.Now()
	if err := d.steps(); err != nil {
		return err
	}
	took := time.Since(start)
	r := d.result("step", context, d.options.Tokens, took)
	if d.options.Roofline {
		flops, bytes := d.workload.decodeDemand(d.options.Batch, r.Params, d.options.weightBytes())
		r.Limit = before.mean(measureRates()).limit(flops, bytes, took.Seconds()/float64(d.options.Tokens))
	}
	return report(r)
}

// result describes the reading of tokens of each text in the time it took.
func (d *decoding) result(mode string, context, tokens int, took time.Duration) Result {
	return Result{
		Impl: "mega", Workload: Decode, Mode: mode, Params: d.session.Model().Params().Count(), Context: context,
		BF16: d.options.BF16, Int8: d.options.Int8,
		Milliseconds:    round(1e3*took.Seconds()/float64(tokens), 3),
		TokensPerSecond: int(float64(d.options.Batch*tokens) / took.Seconds()),
		PeakMiB:         peakMiB(),
	}
}

// weightBytes is the size of a weight in memory.
func (o DecodeOptions) weightBytes() float64 {
	switch {
	case o.Int8:
		return 1
	case o.BF16:
		return 2
	}
	return 4
}

// prefillTokens is how much of a context is made up at a time.
const prefillTokens = 1 << 14

func (d *decoding) prefill(left int) error {
	for left > 0 {
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
