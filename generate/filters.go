package generate

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// Filters say which tokens may be drawn, and how likely. They apply in this
// order: penalty, temperature, top-k, top-p, min-p. The JSON names are the
// reference's argument names where it has them.
type Filters struct {
	Temperature       float64 `json:"temperature" help:"divides what the softmax is taken of: above 1 for more variety, below 1 for less; 0 always takes the likeliest token"`
	TopK              int     `json:"sampling_topk" help:"draw only from this many of the likeliest tokens; 0 or less for all"`
	TopP              float64 `json:"sampling_topp" help:"draw from the fewest tokens whose probabilities reach this together; 0 or less for all"`
	MinP              float64 `json:"min_p" help:"draw only from tokens at least X times as likely as the likeliest; 0 for all"`
	RepetitionPenalty float64 `json:"repetition_penalty" help:"multiplies the log-probability of tokens that occurred: above 1 for fewer repetitions"`
	RepetitionWindow  int     `json:"repetition_window" help:"how many of the last tokens it looks at, those of the prompt included; 0 or less for all, which takes longer for longer texts"`
}

// DefaultFilters returns filters that change nothing.
func DefaultFilters() Filters {
	return Filters{Temperature: 1, RepetitionPenalty: 1, RepetitionWindow: 512}
}

// Validate reports filters that are impossible.
func (f Filters) Validate() error {
	switch {
	case !(f.Temperature >= 0) || math.IsInf(f.Temperature, 0):
		return fmt.Errorf("temperature is %g, want 0 or more", f.Temperature)
	case !(f.TopP <= 1):
		return fmt.Errorf("sampling_topp is %g, want at most 1", f.TopP)
	case !(f.MinP >= 0 && f.MinP <= 1):
		return fmt.Errorf("min_p is %g, want a number from 0 to 1", f.MinP)
	case !(f.RepetitionPenalty > 0) || math.IsInf(f.RepetitionPenalty, 0):
		return fmt.Errorf("repetition_penalty is %g, want more than 0", f.RepetitionPenalty)
	}
	return nil
}

// A weighted token is one that may be drawn. The weights of several need not sum
// to 1.
type weighted struct {
	token  int32
	weight float64
}

// recent returns those of the tokens read that matter: the ones that the penalty
// is for, and the last.
func (f Filters) recent(read []int32) []int32 {
	keep := f.RepetitionWindow
	switch {
	case f.RepetitionPenalty == 1:
		keep = 1
	case keep <= 0:
		return read
	}
	return read[max(0, len(read)-keep):]
}

// apply returns the tokens that may be drawn, given the log-probabilities of all,
// which it changes, and the tokens read so far. The likeliest comes first. There
// is none if no token has a probability.
func (f Filters) apply(scores []float32, read []int32, out []weighted) []weighted {
	f.penalise(scores, read)
	best := argMax(scores)
	if best < 0 {
		return out[:0]
	}
	if f.Temperature == 0 {
		return append(out[:0], weighted{int32(best), 1})
	}
	out = f.weigh(scores, best, out[:0])
	if f.TopK > 0 || f.TopP > 0 {
		out = f.cut(out)
	}
	return out
}

// penalise takes off from tokens that occurred.
func (f Filters) penalise(scores []float32, read []int32) {
	if f.RepetitionPenalty == 1 {
		return
	}
	done := make(map[int32]bool, len(read))
	for _, token := range read {
		if !done[token] {
			done[token] = true
			scores[token] *= float32(f.RepetitionPenalty)
		}
	}
}

// argMax returns the first of the largest scores that are numbers above −∞, −1
// if there is none.
func argMax(scores []float32) int {
	best := -1
	for i, x := range scores {
		if x > float32(math.Inf(-1)) && (best < 0 || x > scores[best]) {
			best = i
		}
	}
	return best
}

// weigh returns the tokens that are likely enough for min-p, with their
// probabilities relative to that of the likeliest.
func (f Filters) weigh(scores []float32, best int, out []weighted) []weighted {
	for i, x := range scores {
		w := math.Exp(float64(x-scores[best]) / f.Temperature)
		if w > 0 && w >= f.MinP {
			out = append(out, weighted{int32(i), w})
		}
	}
	return out
}

// cut keeps the likeliest tokens that top-k and top-p allow.
func (f Filters) cut(all []weighted) []weighted {
	slices.SortStableFunc(all, func(a, b weighted) int { return cmp.Compare(b.weight, a.weight) })
	if f.TopK > 0 {
		all = all[:min(f.TopK, len(all))]
	}
	if f.TopP <= 0 {
		return all
	}
	whole, sum := 0.0, 0.0
	for _, w := range all {
		whole += w.weight
	}
	for i, w := range all {
		if sum += w.weight; sum >= f.TopP*whole {
			return all[:i+1]
		}
	}
	return all
}

// draw draws one of the tokens. Which one depends on nothing but seed, row and
// position, so that an interrupted text continues as if it had not been interrupted.
func draw(from []weighted, seed uint64, row, position int) int32 {
	sum := 0.0
	for _, w := range from {
		sum += w.weight
	}
	rng := rand.New(rand.NewPCG(seed, uint64(position)<<16|uint64(row)&0xffff))
	x := rng.Float64() * sum
	for _, w := range from {
		if x -= w.weight; x < 0 {
			return w.token
		}
	}
	return from[len(from)-1].token
}
