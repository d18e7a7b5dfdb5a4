package pairs

import (
	"errors"
	"fmt"

	"github.com/mega-go/mega/data"
	"github.com/mega-go/mega/data/lines"
)

// Dataset is a set of sentence pairs, or of sources whose translations are not
// known. Its methods may be called from several goroutines.
type Dataset struct {
	source, target   lines.Lines // target may be nil
	sources, targets int         // ids of the dictionaries
	truncateSource   int
}

// Options says how the sentences of a data set are read.
type Options struct {
	// SourceVocabulary and TargetVocabulary are the numbers of ids of the
	// dictionaries. A token beyond is an error.
	SourceVocabulary, TargetVocabulary int
	// TruncateSource is the number of tokens, </s> included, to which longer sources
	// are cut; 0 cuts none (--truncate-source with --max-source-positions).
	TruncateSource int
}

// New returns the pairs of two texts with equally many lines, each of which ends in
// </s>. target is nil where there are no translations.
func New(source, target lines.Lines, o Options) (*Dataset, error) {
	switch {
	case source.Len() == 0:
		return nil, errors.New("the data set is empty")
	case target != nil && target.Len() != source.Len():
		return nil, fmt.Errorf("%d sources, but %d targets: every line needs its counterpart", source.Len(), target.Len())
	case o.SourceVocabulary <= 0 || target != nil && o.TargetVocabulary <= 0:
		return nil, fmt.Errorf("vocabularies of %d and %d, want the sizes of the dictionaries", o.SourceVocabulary, o.TargetVocabulary)
	case o.TruncateSource < 0:
		return nil, fmt.Errorf("sources truncated to %d tokens, want 1 at least", o.TruncateSource)
	}
	return &Dataset{source, target, o.SourceVocabulary, o.TargetVocabulary, o.TruncateSource}, nil
}

// Len returns the number of pairs.
func (d *Dataset) Len() int { return d.source.Len() }

// HasTargets tells whether there are translations.
func (d *Dataset) HasTargets() bool { return d.target != nil }

// SourceSize returns the number of tokens of source i as the model will see it.
func (d *Dataset) SourceSize(i int) int {
	n := d.source.Size(i)
	if d.truncateSource > 0 {
		n = min(n, d.truncateSource)
	}
	return n
}

// TargetSize returns the number of tokens of target i, 0 where there is none.
func (d *Dataset) TargetSize(i int) int {
	if d.target == nil {
		return 0
	}
	return d.target.Size(i)
}

// Source returns the tokens of source i.
func (d *Dataset) Source(i int) ([]int32, error) {
	tokens := make([]int32, d.SourceSize(i))
	return tokens, d.readSource(tokens, i)
}

// Target returns the tokens of target i, nil where there is none.
func (d *Dataset) Target(i int) ([]int32, error) {
	if d.target == nil {
		return nil, nil
	}
	tokens := make([]int32, d.TargetSize(i))
	return tokens, d.readTarget(tokens, i)
}

// readSource copies source i to dst, which has its size.
func (d *Dataset) readSource(dst []int32, i int) error {
	if err := read(d.source, dst, i, d.sources); err != nil {
		return err
	}
	if len(dst) < d.source.Size(i) {
		dst[len(dst)-1] = data.EOS
	}
	return nil
}

func (d *Dataset) readTarget(dst []int32, i int) error { return read(d.target, dst, i, d.targets) }

func read(l lines.Lines, dst []int32, i, vocabulary int) error {
	if len(dst) == 0 {
		return fmt.Errorf("%s: the sentence has no tokens, not even </s>", l.Name(i))
	}
	if err := l.Read(dst, i, 0); err != nil {
		return err
	}
	return lines.CheckTokens(l, i, dst, vocabulary)
}
