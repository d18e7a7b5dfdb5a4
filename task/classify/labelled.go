package classify

import (
	"fmt"
	"math"
	"slices"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/checkpoint"
	"github.com/mega-go/mega/data"
	"github.com/mega-go/mega/data/audio"
	"github.com/mega-go/mega/data/bytetext"
	"github.com/mega-go/mega/data/labelled"
	"github.com/mega-go/mega/internal/textfile"
)

// TaskLabelled is the task of data that lies as somebody has it: see package
// labelled.
const TaskLabelled = "labelled"

// openLabelled opens labelled data to train on.
func openLabelled(d DataConfig, m mega.ClassifierConfig) (*Corpus, error) {
	set, err := labelled.Load(d.Data, d.Options)
	if err != nil {
		return nil, err
	}
	return NewCorpus(set, d, m)
}

// NewCorpus returns labelled data as a model reads it: what that takes, such as
// the words of the dictionary or the scale of numbers, comes from the samples to
// train on.
func NewCorpus(set *labelled.Set, d DataConfig, m mega.ClassifierConfig) (*Corpus, error) {
	if err := set.Summary.Weigh(d.ClassWeights); err != nil {
		return nil, err
	}
	in, err := labelledInputs(set, d, m)
	if err != nil {
		return nil, err
	}
	return labelledCorpus(set, in, m)
}

// labelledCorpus reads labelled data as inputs say.
func labelledCorpus(set *labelled.Set, in Inputs, m mega.ClassifierConfig) (*Corpus, error) {
	c := &Corpus{Classes: in.Classes, Inputs: in, Seen: &set.Summary}
	if m.Tokens() {
		c.Vocabulary = len(in.Words) + int(data.NumSpecial)
		m.VocabSize = c.Vocabulary
	}
	m.SentenceClassNum = max(m.SentenceClassNum, len(in.Classes))
	if err := in.check(m); err != nil {
		return nil, err
	}
	if pairs := set.Kind() == labelled.Pairs; pairs != m.Pair() {
		return nil, fmt.Errorf("the samples are %s, and the model reads %d texts: want classifier_in_dim = %d", set.Kind(), 3-len(set.Texts(0)), m.EncoderEmbedDim*len(set.Texts(0)))
	}
	for i, name := range labelled.Splits {
		if set.Summary.Parts[i] > 0 {
			c.names = append(c.names, name)
		}
	}
	c.open = func(split string) (Split, error) {
		if !slices.Contains(c.names, split) {
			return nil, fmt.Errorf("no samples in the part %q, want one of %v", split, c.names)
		}
		return newLabelledSplit(set, set.Part(split), newReader(in, m)), nil
	}
	return c, nil
}

// labelledInputs says how labelled samples become what a model reads.
func labelledInputs(set *labelled.Set, d DataConfig, m mega.ClassifierConfig) (Inputs, error) {
	in := Inputs{Classes: set.Names}
	train := set.Part(labelled.Train)
	switch set.Kind() {
	case labelled.Series:
		in.Kind, in.Scales = InputSeries, seriesScales(set, train)
		return in, nil
	case labelled.Sound:
		in.Kind, in.Rate, in.Length = InputAudio, d.ScRate, d.ScLength
		if err := audio.CheckRate(in.Rate); err != nil || in.Length < 1 {
			return in, fmt.Errorf("sc_rate is %d and sc_length %d: %w", in.Rate, in.Length, err)
		}
		var err error
		in.Normalization, err = audio.Overall(len(train), in.Length, func(x []float32, i int) error {
			return audio.Load(x, set.Path(train[i]), in.Rate)
		})
		return in, err
	}
	if d.Words > 0 {
		return textInputs(frequentWords(set, train, d.Words), false, set.Names), nil
	}
	bytes := bytetext.Dictionary()
	bytes.Add(data.CLS, 1)
	return textInputs(bytes, true, set.Names), nil
}

// frequentWords returns a dictionary of the most frequent words of texts.
func frequentWords(set *labelled.Set, samples []int, most int) *data.Dictionary {
	counts := data.NewDictionary()
	for _, i := range samples {
		for _, text := range set.Texts(i) {
			for _, word := range textfile.Fields(string(text)) {
				counts.Add(word, 1)
			}
		}
	}
	counts.Finalize(1, most+int(data.NumSpecial), 1)
	counts.Add(data.CLS, 1)
	return counts
}

// A Scale makes the numbers of a channel have mean 0 and variance 1.
type Scale struct {
	Mean float32 `json:"mean"`
	Std  float32 `json:"std"`
}

// seriesScales returns the scale of each channel of series.
func seriesScales(set *labelled.Set, samples []int) []Scale {
	channels := set.Summary.Channels
	sum, square, n := make([]float64, channels), make([]float64, channels), 0
	for _, i := range samples {
		for t, x := range set.Values(i) {
			sum[t%channels] += float64(x)
			square[t%channels] += float64(x) * float64(x)
		}
		n += set.Length(i)
	}
	scales := make([]Scale, channels)
	for c := range scales {
		mean := sum[c] / float64(n)
		scales[c] = Scale{float32(mean), float32(math.Sqrt(max(0, square[c]/float64(n)-mean*mean)))}
		if scales[c].Std == 0 {
			scales[c].Std = 1
		}
	}
	return scales
}

// labelledSplit is a part of labelled data, each sample read as a Predictor reads
// it.
type labelledSplit struct {
	set   *labelled.Set
	ids   []int
	read  *Predictor
	sizes []int
}

func newLabelledSplit(set *labelled.Set, ids []int, read *Predictor) *labelledSplit {
	s := &labelledSplit{set: set, ids: ids, read: read, sizes: make([]int, len(ids))}
	for row, id := range ids {
		s.sizes[row] = read.size(set, id)
	}
	return s
}

// size returns the tokens or steps that a model reads of a sample.
func (p *Predictor) size(set *labelled.Set, id int) int {
	n := set.Length(id)
	switch p.Inputs.Kind {
	case InputAudio:
		return p.Inputs.Length
	case InputWords:
		n = len(textfile.Fields(p.withoutParentheses(string(set.Texts(id)[0])))) + 1
	case InputBytes:
		n = len(set.Texts(id)[0]) + 1
	}
	if p.config.Tokens() && p.config.SenRepType == mega.SenRepCLS {
		n++
	}
	return min(n, p.limit)
}

func (s *labelledSplit) Len() int { return len(s.ids) }

func (s *labelledSplit) Size(i int) int { return s.sizes[i] }

func (s *labelledSplit) Labels() []int32 {
	labels := make([]int32, len(s.ids))
	for i, id := range s.ids {
		labels[i] = s.set.Label(id)
	}
	return labels
}

func (s *labelledSplit) Collate(indices []int) (*data.Batch, error) {
	if err := data.CheckIndices(indices, s.Len()); err != nil {
		return nil, err
	}
	samples := make(data.Samples, len(indices))
	order := make([]int, len(indices))
	for row, i := range indices {
		id := s.ids[i]
		e, err := s.read.labelled(s.set, id)
		if err != nil {
			return nil, err
		}
		samples[row] = data.Sample{Tokens: e.Tokens, Pair: e.Pair, Values: e.Values, Channels: s.read.channels(), Label: s.set.Label(id)}
		order[row] = row
	}
	b, err := samples.Collate(order)
	if err == nil {
		b.IDs = slices.Clone(indices)
	}
	return b, err
}

// labelled reads a sample of a set.
func (p *Predictor) labelled(set *labelled.Set, id int) (Example, error) {
	switch set.Kind() {
	case labelled.Series:
		return p.series(set.Values(id))
	case labelled.Sound:
		return p.File(set.Path(id))
	}
	return p.texts(set.Texts(id))
}

// series scales the numbers of a series.
func (p *Predictor) series(values []float32) (Example, error) {
	var e Example
	channels := len(p.Inputs.Scales)
	if n := len(values) / channels; n > p.limit {
		if !p.Truncate {
			return e, tooLong("%d steps, more than the %d that the model reads", n, p.limit)
		}
		values, e.Truncated = values[:p.limit*channels], true
	}
	e.Values = make([]float32, len(values))
	for i, x := range values {
		scale := p.Inputs.Scales[i%channels]
		e.Values[i] = (x - scale.Mean) / scale.Std
	}
	return e, nil
}

// CheckpointCorpus opens data for a checkpoint's model: of labelled data what the
// checkpoint calls its classes, and reads inputs as its training did. Where the
// data is what it was trained on it is divided as in training; else all of it,
// but for what it calls parts itself, is to test on. The corpus has no Parts then, nor
// if d divides the data otherwise, which Redivided says.
func CheckpointCorpus(c *checkpoint.Checkpoint, d DataConfig, m mega.ClassifierConfig) (*Corpus, error) {
	if d.Task != TaskLabelled {
		return OpenCorpus(d, m)
	}
	var t trainedOn
	if err := c.DataConfig(&t); err != nil {
		return nil, err
	}
	if t.Inputs == nil || t.Seen == nil {
		return nil, fmt.Errorf("%s was not trained on labelled data", c.Path)
	}
	if d.Data == "" {
		return nil, fmt.Errorf("%s was trained on samples in memory: name the data", c.Path)
	}
	set, err := labelled.LoadFor(d.Data, d.Options, t.Inputs.Classes, t.Digest, t.Options)
	if err != nil {
		return nil, err
	}
	corpus, err := labelledCorpus(set, *t.Inputs, m)
	if err == nil && set.Redivided {
		corpus.Redivided = true
	} else if err == nil && set.Known {
		corpus.Parts = make([]string, set.Summary.Samples)
		for i := range corpus.Parts {
			corpus.Parts[i] = set.PartOf(i)
		}
	}
	return corpus, err
}
