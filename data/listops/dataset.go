package listops

import (
	"iter"
	"slices"

	"github.com/mega-go/mega/data"
)

// Classes is the number of values an expression can have.
const Classes = 10

// Vocabulary returns the dictionary of generated expressions: after the
// special symbols the digits, the operators and ], then data.CLS. (Data in the
// reference's layout has a dictionary of its own, by frequency.)
func Vocabulary() *data.Dictionary {
	d := data.NewDictionary()
	for _, name := range names {
		d.Add(name, 0)
	}
	d.Add(data.CLS, 1)
	return d
}

// Dataset is a set of expressions, labelled by their values. Texts end in
// data.EOS; the ids are those of Vocabulary.
type Dataset struct {
	expressions []Expression
	labels      []int32
}

// NewDataset returns a data set of expressions, which must be well-formed, as
// those of Parse and Generate are.
func NewDataset(expressions []Expression) (*Dataset, error) {
	d := &Dataset{expressions: expressions, labels: make([]int32, len(expressions))}
	for i, e := range expressions {
		value, err := e.Eval()
		if err != nil {
			return nil, err
		}
		d.labels[i] = int32(value)
	}
	return d, nil
}

// Len returns the number of expressions.
func (d *Dataset) Len() int { return len(d.expressions) }

// Size returns the number of tokens of expression i, </s> included.
func (d *Dataset) Size(i int) int { return len(d.expressions[i]) + 1 }

// Labels returns every expression's value; it must not be modified.
func (d *Dataset) Labels() []int32 { return d.labels }

// Collate implements data.Dataset.
func (d *Dataset) Collate(indices []int) (*data.Batch, error) {
	if err := data.CheckIndices(indices, d.Len()); err != nil {
		return nil, err
	}
	samples := make(data.Samples, len(indices))
	rows := make([]int, len(indices))
	for row, i := range indices {
		samples[row] = data.Sample{Tokens: d.expressions[i].ids(), Label: d.labels[i]}
		rows[row] = row
	}
	b, err := samples.Collate(rows)
	if err != nil {
		return nil, err
	}
	b.IDs = slices.Clone(indices)
	return b, nil
}

// ids returns the expression's ids in Vocabulary, data.EOS at the end.
func (e Expression) ids() []int32 {
	ids := make([]int32, len(e)+1)
	for i, t := range e {
		ids[i] = data.NumSpecial + int32(t)
	}
	ids[len(e)] = data.EOS
	return ids
}

// Records yields expressions as they are binarised: the tokens with spaces
// between, without parentheses, labelled by their values.
func Records(expressions []Expression) iter.Seq2[data.Record, error] {
	return func(yield func(data.Record, error) bool) {
		for _, e := range expressions {
			value, err := e.Eval()
			if !yield(data.Record{Text: e.String(), Label: Token(value).String()}, err) || err != nil {
				return
			}
		}
	}
}
