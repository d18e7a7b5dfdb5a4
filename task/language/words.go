package language

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/mega-go/mega/data"
)

// wordScores adds up the log-probabilities of words, each put together of its
// pieces, and prints them (fairseq_cli/eval_mega_lm.py:33-54, :201-269).
type wordScores struct {
	dictionary *data.Dictionary
	mark       string // what a piece that goes on ends in; "" for whole words
	out        io.Writer
	stats      map[string]*WordStat // nil if not wanted
	order      []*WordStat

	sum   float64 // of all log-probabilities
	count int     // of all words
}

func newWordScores(d *data.Dictionary, o EvalOptions, out io.Writer) *wordScores {
	w := &wordScores{dictionary: d, mark: strings.TrimRight(o.RemoveBPE, " ")}
	if o.WordProbs {
		w.out = out
	}
	if o.WordStats {
		w.stats = make(map[string]*WordStat)
	}
	return w
}

// goesOn reports whether a piece is not the end of its word.
func (w *wordScores) goesOn(id int32) bool {
	return w.mark != "" && strings.HasSuffix(w.dictionary.Symbol(id), w.mark)
}

// add takes in a window of a document: its targets, padding left out, with their
// log-probabilities, which it changes.
func (w *wordScores) add(document int, targets []int32, scores []float64) {
	targets, scores = withoutPadding(targets, scores)
	if len(targets) > 0 && targets[0] == data.BOS { // before every block, if at all: nothing to predict
		targets, scores = targets[1:], scores[1:]
	}
	for i, id := range targets[:max(0, len(targets)-1)] {
		if w.goesOn(id) {
			scores[i+1] += scores[i]
			scores[i] = 0
			w.count--
		}
	}
	for _, p := range scores {
		if !math.IsInf(p, 0) {
			w.sum += p
			w.count++
		}
	}
	if w.out != nil || w.stats != nil {
		w.addWords(document, targets, scores)
	}
}

// withoutPadding moves what is not padding to the front.
func withoutPadding(targets []int32, scores []float64) ([]int32, []float64) {
	var ids []int32
	n := 0
	for i, id := range targets {
		if id != data.Pad {
			ids = append(ids, id)
			scores[n] = scores[i]
			n++
		}
	}
	return ids, scores[:n]
}

// addWords puts words together and prints or counts them.
func (w *wordScores) addWords(document int, targets []int32, scores []float64) {
	var line []string
	word, pieces := "", false
	for i, id := range targets {
		word += w.dictionary.Symbol(id)
		if w.goesOn(id) {
			word, pieces = strings.TrimSuffix(word, w.mark), true
			continue
		}
		line = append(line, fmt.Sprintf("%s [%2f]", word, scores[i]))
		if w.stats != nil {
			w.stat(word, pieces).add(scores[i], scores[i+1:])
		}
		word, pieces = "", false
	}
	if w.out != nil {
		fmt.Fprintf(w.out, "S-%d %s\n", document, strings.Join(line, "\t"))
	}
}

func (w *wordScores) stat(word string, pieces bool) *WordStat {
	s := w.stats[word]
	if s == nil {
		s = &WordStat{Word: word, Pieces: pieces}
		w.stats[word] = s
		w.order = append(w.order, s)
	}
	return s
}

// ranking returns the statistics, the most frequent word first.
func (w *wordScores) ranking() []WordStat {
	slices.SortStableFunc(w.order, func(a, b *WordStat) int { return cmp.Compare(b.Count, a.Count) })
	var out []WordStat
	for _, s := range w.order {
		out = append(out, *s)
	}
	return out
}

// A WordStat says how a model predicts a word and what follows it.
type WordStat struct {
	Word        string  `json:"word"`
	Count       int     `json:"count"`
	LogProb     float64 `json:"log_prob"`      // summed, in nats
	Pieces      bool    `json:"pieces"`        // the word was put together of pieces
	NextLogProb float64 `json:"next_log_prob"` // of the words after it, summed
	Next        int     `json:"next"`          // how many of these there are
}

// add counts the word once; next are the log-probabilities of what follows, 0
// where a piece is not the last of its word.
func (s *WordStat) add(logProb float64, next []float64) {
	s.Count++
	s.LogProb += logProb
	for _, p := range next {
		if p != 0 {
			s.NextLogProb += p
			s.Next++
			return
		}
	}
}

// String writes the fields with tabs between, as the reference does.
func (s WordStat) String() string {
	pieces := "False"
	if s.Pieces {
		pieces = "True"
	}
	return fmt.Sprintf("%s\t%d\t%v\t%s\t%v\t%d", s.Word, s.Count, s.LogProb, pieces, s.NextLogProb, s.Next)
}
