package generate

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
)

// sampler draws one token after each slot (search.py, Sampling).
type sampler struct {
	topK int
	topP float64
	rng  *rand.Rand
}

func newSampler(o Options, id int) *sampler {
	return &sampler{o.SamplingTopK, o.SamplingTopP, rand.New(rand.NewPCG(o.Seed, uint64(id)))}
}

func (s *sampler) choose(slots []slot, scores []float32, beam int, first bool) []candidate {
	vocab := len(scores) / len(slots)
	var out []candidate
	if first {
		tokens, probs := s.filter(scores[:vocab])
		for range beam {
			out = append(out, s.draw(tokens, probs, slots[0], 0))
		}
		return out
	}
	for i, slot := range slots {
		tokens, probs := s.filter(scores[i*vocab:][:vocab])
		out = append(out, s.draw(tokens, probs, slot, i))
	}
	return out
}

// filter returns the tokens to draw from, the likeliest first, and their
// probabilities, which need not sum to 1.
func (s *sampler) filter(scores []float32) ([]int32, []float64) {
	tokens := make([]int32, 0, len(scores))
	for i, x := range scores {
		if x > negInf {
			tokens = append(tokens, int32(i))
		}
	}
	if s.topK > 0 || s.topP > 0 {
		slices.SortStableFunc(tokens, func(a, b int32) int { return cmp.Compare(scores[b], scores[a]) })
	}
	if s.topP <= 0 && s.topK > 0 {
		tokens = tokens[:min(s.topK, len(tokens))]
	}
	probs := make([]float64, 0, len(tokens))
	sum := 0.0
	for _, t := range tokens {
		p := math.Exp(float64(scores[t]))
		probs = append(probs, p)
		if sum += p; s.topP > 0 && sum >= s.topP {
			break
		}
	}
	return tokens[:len(probs)], probs
}

// draw draws one of the tokens. If there is none the candidate is impossible.
func (s *sampler) draw(tokens []int32, probs []float64, after slot, i int) candidate {
	sum := 0.0
	for _, p := range probs {
		sum += p
	}
	x := s.rng.Float64() * sum
	c := candidate{negInf, eosToken, i}
	for k, p := range probs {
		if p == 0 {
			continue
		}
		c.token, c.score = tokens[k], after.score+float32(math.Log(p))
		if x -= p; x < 0 {
			break
		}
	}
	return c
}
