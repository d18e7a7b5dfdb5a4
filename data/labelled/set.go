package labelled

import (
	"errors"
	"fmt"
	"iter"
	"slices"
)

// A Set is labelled data in memory, but for recordings, which lie where they are.
type Set struct {
	Summary   Summary
	Names     []string // of the classes, in their order
	Known     bool     // LoadFor found the data that the model was trained on
	Redivided bool     // and its options divide that otherwise than the training's

	index
	text   []byte
	values []float32
	ends   []int64 // where each text, or series, ends in text or values
	paths  []string
}

// Look reads labelled data and says what it is, in memory that grows by some
// twenty bytes a sample.
func Look(path string, o Options) (*Summary, error) {
	var x index
	if err := Read(path, o, x.add); err != nil {
		return nil, err
	}
	classes, err := x.finish(path, o)
	if err != nil {
		return nil, err
	}
	s := x.summary(classes)
	return &s, s.Weigh(o.ClassWeights)
}

// Load reads labelled data into memory.
func Load(path string, o Options) (*Set, error) {
	s := &Set{}
	if err := Read(path, o, s.add); err != nil {
		return nil, err
	}
	return s, s.finish(path, o)
}

// LoadFor is Load of data for a model that knows these classes. Data of that digest, on which
// it was trained with these options, is divided as Load divides it; of other data all samples
// but those that it calls parts itself are to test on.
func LoadFor(path string, o Options, classes []string, digest string, trained Options) (*Set, error) {
	s := &Set{Names: classes}
	s.expect(classes)
	if err := Read(path, o, s.add); err != nil {
		return nil, err
	}
	if len(s.labels) == 0 {
		return nil, fmt.Errorf("%s: no samples%s", path, leftOutText(s.leftOut))
	}
	var err error
	if s.Known = s.digest() == digest; s.Known {
		given := slices.Clone(s.parts)
		err = s.divide(o, len(classes))
		s.Redivided = err == nil && !s.dividedAs(given, trained, o, len(classes))
	} else {
		s.setUnknown(Test)
	}
	s.Summary = s.summary(classes)
	return s, err
}

// dividedAs reports whether other options than o, which divided the samples, would have put each
// into the same part. given are the parts that the data itself said.
func (x *index) dividedAs(given []uint8, other, o Options, classes int) bool {
	if other.SplitColumn != o.SplitColumn { // the data would have been read otherwise
		return false
	}
	y := *x
	y.parts = given
	return y.divide(other, classes) == nil && slices.Equal(y.parts, x.parts)
}

// Collect takes labelled samples from a sequence into memory; name is what errors
// call it.
func Collect(name string, samples iter.Seq[Sample], o Options) (*Set, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	s := &Set{}
	n := 0
	for sample := range samples {
		n++
		sample.File, sample.Line = name, n
		if err := sample.check(); err != nil {
			return nil, fmt.Errorf("%s: sample %d: %w", name, n, err)
		}
		if err := s.add(&sample); err != nil {
			return nil, err
		}
	}
	return s, s.finish(name, o)
}

// check tells what kind of sample one in memory is.
func (s *Sample) check() error {
	s.Kind, s.Channels = Texts, max(1, s.Channels)
	switch {
	case len(s.Texts) == 0 && len(s.Values) == 0:
		return errors.New("neither a text nor numbers")
	case len(s.Texts) > 0 && len(s.Values) > 0 || len(s.Texts) > 2:
		return fmt.Errorf("%d texts and %d numbers, want a text, a pair of them, or numbers", len(s.Texts), len(s.Values))
	case len(s.Texts) == 2:
		s.Kind = Pairs
	case len(s.Values) > 0:
		s.Kind = Series
	}
	if len(s.Values)%s.Channels != 0 {
		return fmt.Errorf("%d numbers of %d channels", len(s.Values), s.Channels)
	}
	for _, text := range s.Texts {
		if len(text) == 0 {
			return errors.New("a text that is empty")
		}
	}
	for _, x := range s.Values {
		if !finite(x) {
			return fmt.Errorf("the number %g", x)
		}
	}
	return nil
}

// add takes a sample in.
func (s *Set) add(sample *Sample) error {
	if err := s.index.add(sample); err != nil || sample.LeftOut != "" {
		return err
	}
	switch sample.Kind {
	case Sound:
		s.paths = append(s.paths, sample.Path)
	case Series:
		s.values = append(s.values, sample.Values...)
		s.ends = append(s.ends, int64(len(s.values)))
	default:
		for _, text := range sample.Texts {
			s.text = append(s.text, text...)
			s.ends = append(s.ends, int64(len(s.text)))
		}
	}
	return nil
}

func (s *Set) finish(path string, o Options) (err error) {
	if s.Names, err = s.index.finish(path, o); err == nil {
		s.Summary = s.summary(s.Names)
	}
	return err
}

// Kind returns what the samples are.
func (s *Set) Kind() string { return s.kind }

// Label returns the class of a sample.
func (s *Set) Label(i int) int32 { return s.labels[i] }

// Length returns the length of a sample in bytes, steps or recorded samples.
func (s *Set) Length(i int) int { return int(s.lengths[i]) }

// span returns where piece i lies.
func (s *Set) span(i int) (from, to int64) {
	if i > 0 {
		from = s.ends[i-1]
	}
	return from, s.ends[i]
}

// Texts returns the texts of a sample, which must not be changed.
func (s *Set) Texts(i int) [][]byte {
	n := 1
	if s.kind == Pairs {
		n = 2
	}
	texts := make([][]byte, n)
	for k := range texts {
		from, to := s.span(n*i + k)
		texts[k] = s.text[from:to:to]
	}
	return texts
}

// Values returns the numbers of a series, which must not be changed.
func (s *Set) Values(i int) []float32 {
	from, to := s.span(i)
	return s.values[from:to:to]
}

// Path returns the file of a recording.
func (s *Set) Path(i int) string { return s.paths[i] }

// PartOf returns the part that a sample is in.
func (s *Set) PartOf(i int) string { return Splits[s.parts[i]] }

// Part returns the samples of a part in their order; "" is all.
func (s *Set) Part(name string) []int {
	var out []int
	for i, part := range s.parts {
		if name == "" || Splits[part] == name {
			out = append(out, i)
		}
	}
	return out
}
