package labelled

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mega-go/mega/data/table"
)

// Names of columns that need no flag.
var (
	labelNames  = []string{"label", "labels", "class", "category", "target", "sentiment", "intent", "y"}
	textNames   = []string{"text", "sentence", "content", "review", "comment", "message", "document", "body", "tweet", "question", "title"}
	valuesNames = []string{"values", "series", "signal", "samples"}
	pairNames   = [][]string{{"text1", "text2"}, {"sentence1", "sentence2"}, {"premise", "hypothesis"}, {"question1", "question2"}, {"text_a", "text_b"}}
)

// Columns are the columns of a table that make up a sample.
type Columns struct {
	Text   []string `json:"text,omitempty"`
	Values []string `json:"values,omitempty"` // of lists of numbers
	Steps  []string `json:"steps,omitempty"`  // of numbers, a step each
	Label  string   `json:"label"`
	Split  string   `json:"split,omitempty"`
}

// Kind returns what samples of these columns are.
func (c *Columns) Kind() string {
	switch len(c.Text) {
	case 0:
		return Series
	case 1:
		return Texts
	}
	return Pairs
}

// FindColumns returns the columns that options name or that can be told by their
// names. A table that is to be labelled needs no column of labels.
func FindColumns(r *table.Reader, o Options, labelled bool) (*Columns, error) {
	c := &Columns{Text: o.TextColumn, Values: o.ValuesColumn, Label: o.LabelColumn, Split: o.SplitColumn}
	named := slices.Concat(c.Text, c.Values)
	for _, name := range []string{c.Label, c.Split} {
		if name != "" && (labelled || name == c.Split) {
			named = append(named, name)
		}
	}
	for i, name := range named {
		if _, err := r.Column(name); err != nil {
			return nil, err
		}
		if slices.Contains(named[:i], name) {
			return nil, fmt.Errorf("column %q is named twice", name)
		}
	}
	if c.Label == "" {
		c.Label = called(r.Columns, labelNames)
	}
	if c.Label == "" && labelled {
		return nil, fmt.Errorf("%s: no column is called %s: name that of the classes (label_column), one of %s", r.Path, strings.Join(labelNames, ", "), r.Shown())
	}
	if len(named) == 0 || len(c.Text)+len(c.Values) == 0 {
		c.guess(r.Columns)
	}
	if len(c.Text)+len(c.Values)+len(c.Steps) == 0 {
		return nil, fmt.Errorf("%s: no column of samples beside that of labels", r.Path)
	}
	return c, nil
}

// guess tells the columns of samples by their names; where none has a telling one,
// all columns but that of labels are steps, unless the first row shows lists.
func (c *Columns) guess(columns []string) {
	for _, pair := range pairNames {
		if first, second := called(columns, pair[:1]), called(columns, pair[1:]); first != "" && second != "" {
			c.Text = []string{first, second}
			return
		}
	}
	if text := called(columns, textNames); text != "" && text != c.Label {
		c.Text = []string{text}
		return
	}
	if values := called(columns, valuesNames); values != "" && values != c.Label {
		c.Values = []string{values}
		return
	}
	for _, name := range columns {
		if name != c.Label && name != c.Split {
			c.Steps = append(c.Steps, name)
		}
	}
}

// called returns the column that has the first of the names, in whatever case.
func called(columns, names []string) string {
	for _, name := range names {
		for _, column := range columns {
			if strings.EqualFold(column, name) {
				return column
			}
		}
	}
	return ""
}
