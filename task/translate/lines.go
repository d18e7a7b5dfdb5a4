package translate

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/mega-go/mega/bleu"
	"github.com/mega-go/mega/data"
	"github.com/mega-go/mega/data/pairs"
	"github.com/mega-go/mega/generate"
	"github.com/mega-go/mega/internal/textfile"
)

// A pairWriter writes translations as the reference's generate.py does and keeps
// what their score needs.
type pairWriter struct {
	w       io.Writer
	corpus  *Corpus
	options GenerateOptions
	text    TextOptions
	nbest   int

	stats                  bleu.Stats
	hypotheses, references []string // for sacreBLEU, if asked for
}

// pair writes what was found for pair i of a batch.
func (p *pairWriter) pair(b *pairs.Batch, i int, found []generate.Hypothesis) error {
	id := b.IDs[i]
	var text strings.Builder
	source := p.corpus.Source.Decode(b.SourceRow(i), bleu.Unknown)
	words := func(h generate.Hypothesis) string {
		return p.text.join(p.text.unknown.decode(p.corpus.Target, h, bleu.Unknown, b.SourceRow(i), textfile.Fields(source)))
	}
	fmt.Fprintf(&text, "S-%d\t%s\n", id, p.text.decode(p.text.join(source)))
	if target := b.TargetRow(i); target != nil {
		reference := p.text.join(p.corpus.Target.Decode(target, "<"+bleu.Unknown+">"))
		fmt.Fprintf(&text, "T-%d\t%s\n", id, p.text.decode(reference))
		p.score(words(found[0]), reference)
	}
	for _, h := range found[:min(p.nbest, len(found))] {
		writeHypothesis(&text, id, h, words(h), p.text.decode(words(h)))
		if p.options.PrintAlignment {
			fmt.Fprintf(&text, "A-%d\t%s\n", id, alignment(h, b.SourceRow(i)))
		}
	}
	if p.options.Quiet {
		return nil
	}
	_, err := io.WriteString(p.w, text.String())
	return err
}

// score keeps what the score needs: text, or the tokens of the data if nothing was
// done to them (generate.py:240).
func (p *pairWriter) score(hypothesis, reference string) {
	if p.text.pieces != nil || p.options.SacreBLEU || p.options.RemoveBPE != "" || p.options.ReplaceUnk != "" {
		hypothesis, reference = p.text.decode(hypothesis), p.text.decode(reference)
	}
	if p.options.SacreBLEU {
		p.hypotheses, p.references = append(p.hypotheses, hypothesis), append(p.references, reference)
		return
	}
	p.stats.Add(bleu.Tokenised(hypothesis, reference))
}

// writeHypothesis writes a hypothesis: H with its words, D with them as text, P
// with the scores of its tokens, all in base 2.
func writeHypothesis(w io.Writer, id int, h generate.Hypothesis, words, text string) {
	score := pythonFloat(h.Score / math.Ln2)
	fmt.Fprintf(w, "H-%d\t%s\t%s\nD-%d\t%s\t%s\nP-%d\t", id, score, words, id, score, text, id)
	for k, x := range h.TokenScores {
		if k > 0 {
			io.WriteString(w, " ")
		}
		fmt.Fprintf(w, "%.4f", x/math.Ln2)
	}
	io.WriteString(w, "\n")
}

// pythonFloat writes a number as Python prints a float32 of torch's: with as many
// digits as tell it from its neighbours in float64.
func pythonFloat(x float64) string {
	if math.IsInf(x, -1) {
		return "-inf"
	}
	x = float64(float32(x))
	form := byte('f')
	if a := math.Abs(x); a != 0 && (a < 1e-4 || a >= 1e16) {
		form = 'e'
	}
	text := strconv.FormatFloat(x, form, -1, 64)
	if form == 'f' && !strings.Contains(text, ".") && !math.IsNaN(x) {
		text += ".0"
	}
	return text
}

// alignment returns for each word of a translation, </s> left out, the source
// token that it attended to most (fairseq utils.py, extract_hard_alignment).
func alignment(h generate.Hypothesis, source []int32) string {
	var links []string
	for k, token := range h.Tokens {
		if token == data.EOS {
			continue
		}
		if best := attended(h, k, source); best >= 0 {
			links = append(links, fmt.Sprintf("%d-%d", best, k))
		}
	}
	return strings.Join(links, " ")
}
