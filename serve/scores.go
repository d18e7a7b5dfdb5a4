package serve

import (
	"cmp"
	"slices"

	"github.com/mega-go/mega/autograd"
)

// scoredNumbers is about how many scores of tokens of a prompt are held at a time.
const scoredNumbers = 1 << 22

// bestOf returns the n likeliest tokens, the likeliest first and of equals the
// smaller one.
func bestOf(logProbs []float32, n int) []alternative {
	better := func(a, b alternative) int {
		return cmp.Or(cmp.Compare(b.logProb, a.logProb), cmp.Compare(a.token, b.token))
	}
	n = min(n, len(logProbs))
	best := make([]alternative, 0, n+1)
	for id, p := range logProbs {
		if len(best) == n && p <= best[n-1].logProb {
			continue
		}
		a := alternative{int32(id), p}
		at, _ := slices.BinarySearchFunc(best, a, better)
		if best = slices.Insert(best, at, a); len(best) > n {
			best = best[:n]
		}
	}
	return best
}

// scorePiece reads a piece of a prompt and tells how likely each of its tokens was.
// Of </s>, which a text begins with, nothing is told.
func (e *textEngine) scorePiece(j *textJob, piece []int32) error {
	var out []madeToken
	add := func(token int32, logProbs []float32) {
		t := madeToken{text: prompt, token: token, logProb: logProbs[token]}
		if j.scores > 0 {
			t.best = bestOf(logProbs, j.scores)
		}
		out = append(out, t)
	}
	if before := j.session.LogProbs(); before != nil {
		add(piece[0], before)
	}
	features, err := j.session.Features(piece)
	if err != nil {
		return err
	}
	vocab := e.model.Model.Config().VocabSize
	most := max(1, scoredNumbers/vocab)
	for from := 0; from < len(piece)-1; from += most {
		to := min(from+most, len(piece)-1)
		scores := e.model.Model.Scores(e.tape, autograd.RowRange(features, from, to))
		logProbs := e.tape.LogSoftmax(scores).Value().Host()
		for i := from; i < to; i++ {
			add(piece[i+1], logProbs[(i-from)*vocab:][:vocab])
		}
		e.tape.Reset()
	}
	j.out.put(out...)
	return nil
}
