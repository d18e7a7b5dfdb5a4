package translate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/mega-go/mega/data"
	"github.com/mega-go/mega/data/pairs"
	"github.com/mega-go/mega/generate"
	"github.com/mega-go/mega/internal/textfile"
)

// A Translator translates lines of text.
type Translator struct {
	Models         Ensemble
	Source, Target *data.Dictionary
	SourceLang     string // what the languages are called, "" if nothing says so
	TargetLang     string
	Text           TextOptions
	Alignment      bool // WriteLines writes it
	Searcher       generate.Searcher

	// LeftPad pads sources on the left, as the reference does: then a translation
	// may depend on the sentences beside it in a batch
	// (gated_cross_attention.py:114-122). Without it, it does not.
	LeftPad     bool
	MaxSource   int // most tokens of a source; 0 for what the models take
	BatchSize   int // most sentences in a batch; 0 for no limit but BatchTokens
	BatchTokens int // most source tokens in a batch, padding included; 0 for a modest memory
	Workers     int // batches translated at a time; 0 stands for 1
}

// defaultBatchTokens are enough for products of matrices to be at their best.
const defaultBatchTokens = 1024

// A Line is what was found for a line.
type Line struct {
	Line    string   // as it was given
	Source  []int32  // its tokens
	Unknown []string // words that the dictionary does not have
	Found   []generate.Hypothesis
}

// Check reports models that do not go together or with the dictionaries.
func (t *Translator) Check() error {
	if err := errors.Join(t.Models.check(), t.Searcher.Options.Validate()); err != nil {
		return err
	}
	c := t.Models[0].Config()
	if n, m := t.Source.Len(), t.Target.Len(); n != c.SourceVocabSize || m != c.TargetVocabSize {
		return fmt.Errorf("%s and %s: the dictionaries have %d and %d symbols and the model %d and %d: they are not the ones that the model was trained with",
			t.Source.Name(), t.Target.Name(), n, m, c.SourceVocabSize, c.TargetVocabSize)
	}
	return nil
}

// Translate translates lines, in their order. A line without words gives no
// hypotheses. first is the number of the first line, from 1, for errors. tick, if
// not nil, is called as lines are done.
func (t *Translator) Translate(ctx context.Context, lines []string, first int, tick func(done int)) ([]Line, error) {
	out := make([]Line, len(lines))
	longest, _ := t.Models.positions()
	if t.MaxSource > 0 {
		longest = min(longest, t.MaxSource)
	}
	var order []int
	for i, line := range lines {
		if !utf8.ValidString(line) {
			return nil, fmt.Errorf("line %d is not UTF-8", first+i)
		}
		out[i] = t.read(line)
		switch n := len(out[i].Source); {
		case n > longest:
			return nil, fmt.Errorf("line %d has %d tokens, </s> included, and the limit is %d: split it, or leave it out", first+i, n, longest)
		case n > 1:
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return len(out[b].Source) - len(out[a].Source) })
	batches := t.batches(order, out)
	searcher := t.Searcher
	searcher.Attention = t.Alignment || t.Text.unknown != nil
	done := len(lines) - len(order)
	return out, inOrder(ctx, len(batches), t.Workers, func(ctx context.Context, i int) ([][]generate.Hypothesis, error) {
		return t.Models.search(ctx, searcher, t.collate(batches[i], out), 0)
	}, func(i int, found [][]generate.Hypothesis) error {
		for k, line := range batches[i] {
			out[line].Found = found[k]
		}
		if done += len(batches[i]); tick != nil {
			tick(done)
		}
		return nil
	})
}

// read turns a line into tokens.
func (t *Translator) read(line string) Line {
	l := Line{Line: line, Source: t.Text.ids(t.Source, line)}
	if slices.Contains(l.Source, data.Unknown) {
		for word := range strings.FieldsFuncSeq(t.Text.encode(line), textfile.IsSpace) {
			if !t.Source.Contains(word) {
				l.Unknown = append(l.Unknown, word)
			}
		}
	}
	return l
}

// batches cuts an order of lines, the longest first, into batches: at least as
// many as are translated at a time.
func (t *Translator) batches(order []int, lines []Line) [][]int {
	tokens := t.BatchTokens
	if tokens == 0 {
		tokens = defaultBatchTokens
	}
	most := len(order)
	if !t.LeftPad { // else what is beside a line counts
		most = (most + max(1, t.Workers) - 1) / max(1, t.Workers)
	}
	if t.BatchSize > 0 {
		most = min(most, t.BatchSize)
	}
	var batches [][]int
	for len(order) > 0 {
		n := max(1, min(len(order), most, tokens/len(lines[order[0]].Source)))
		batches, order = append(batches, order[:n]), order[n:]
	}
	return batches
}

// collate puts lines side by side.
func (t *Translator) collate(indices []int, lines []Line) *pairs.Batch {
	b := &pairs.Batch{Rows: len(indices), SourceLength: len(lines[indices[0]].Source), IDs: indices, LeftPadSource: t.LeftPad}
	b.Source = slices.Repeat([]int32{data.Pad}, b.Rows*b.SourceLength)
	for row, i := range indices {
		b.SourceLengths = append(b.SourceLengths, int32(len(lines[i].Source)))
		copy(b.SourceRow(row), lines[i].Source)
	}
	return b
}

// Words returns the words of a hypothesis for a line, with subwords put together.
func (t *Translator) Words(l Line, h generate.Hypothesis) string {
	return t.Text.join(t.Text.unknown.decode(t.Target, h, "<unk>", l.Source, textfile.Fields(t.Text.encode(l.Line))))
}

// SourceWords returns the words that were read of a line.
func (t *Translator) SourceWords(l Line) string {
	return t.Text.join(t.Source.Decode(l.Source, "<unk>"))
}

// Plain returns a hypothesis for a line as text: words, detokenised.
func (t *Translator) Plain(l Line, h generate.Hypothesis) string {
	return t.Text.decode(t.Words(l, h))
}

// WriteLines writes what was found for a line as the reference's interactive.py
// does: its source (S-), and of each hypothesis its score in base 2 and words
// (H-), the same as text (D-), the scores of its tokens (P-) and, if wanted, its
// alignment (A-).
func (t *Translator) WriteLines(w io.Writer, id int, l Line) error {
	var text strings.Builder
	fmt.Fprintf(&text, "S-%d\t%s\n", id, t.SourceWords(l))
	for _, h := range l.Found[:min(t.Searcher.Options.NBest, len(l.Found))] {
		writeHypothesis(&text, id, h, t.Words(l, h), t.Plain(l, h))
		if t.Alignment {
			fmt.Fprintf(&text, "A-%d\t%s\n", id, alignment(h, l.Source))
		}
	}
	_, err := io.WriteString(w, text.String())
	return err
}
