package generate

import (
	"cmp"
	"slices"

	"github.com/mega-go/mega/autograd"
)

// A chooser picks what may follow the hypotheses of one text (search.py).
type chooser interface {
	// choose returns candidates, those to be preferred first, given the
	// log-probabilities of the next tokens, [slots, V]. first says that all slots
	// are one.
	choose(slots []slot, scores []float32, beam int, first bool) []candidate
}

func newChooser(o Options, id int) chooser {
	switch {
	case o.Sampling:
		return newSampler(o, id)
	case o.DiverseBeamGroups > 0:
		return diverseGroups{o.DiverseBeamGroups, float32(o.DiverseBeamStrength)}
	case o.DiversityRate > 0:
		return diverseSiblings{float32(o.DiversityRate)}
	}
	return likeliest{}
}

// likeliest is plain beam search: twice as many candidates as the beam, so that
// enough are left if half of them end.
type likeliest struct{}

func (likeliest) choose(slots []slot, scores []float32, beam int, _ bool) []candidate {
	vocab := len(scores) / len(slots)
	best := newRanking(min(2*beam, len(scores)-1)) // never all of them, for <pad> is among them
	for i, s := range slots {
		best.addRow(scores[i*vocab:][:vocab], s.score, i)
	}
	return best.sorted()
}

// diverseGroups is diverse beam search (Vijayakumar et al., arXiv 1610.02424)
// with the Hamming diversity: slots belong to groups in turn, and each group
// shuns the tokens that the groups before it chose.
type diverseGroups struct {
	groups   int
	strength float32
}

func (d diverseGroups) choose(slots []slot, scores []float32, beam int, first bool) []candidate {
	vocab := len(scores) / len(slots)
	width := beam / d.groups
	chosen := make([]float32, vocab)
	each := make([][]candidate, d.groups)
	row := make([]float32, vocab)
	for g := range d.groups {
		best := newRanking(min(2*width, max(1, (len(slots)/d.groups))*vocab-1))
		for i := range slots {
			if !first && i%d.groups != g {
				continue
			}
			copy(row, scores[i*vocab:][:vocab])
			autograd.AddScaled(row, -d.strength, chosen)
			best.addRow(row, slots[i].score, i)
		}
		each[g] = best.sorted()
		for _, c := range each[g] {
			chosen[c.token]++
		}
	}
	var out []candidate
	for k := range each[0] {
		for g := range each {
			out = append(out, each[g][k])
		}
	}
	return out
}

// diverseSiblings takes off each candidate's score for its rank among those of
// its slot (Li et al., arXiv 1611.08562).
type diverseSiblings struct{ rate float32 }

func (d diverseSiblings) choose(slots []slot, scores []float32, beam int, first bool) []candidate {
	if first {
		return likeliest{}.choose(slots, scores, beam, first)
	}
	vocab := len(scores) / len(slots)
	k := min(2*beam, len(scores)-1)
	var all []candidate
	for i, s := range slots {
		best := newRanking(min(k, vocab))
		best.addRow(scores[i*vocab:][:vocab], s.score, i)
		for rank, c := range best.sorted() {
			c.score -= float32(rank+1) * d.rate
			all = append(all, c)
		}
	}
	slices.SortStableFunc(all, func(a, b candidate) int { return cmp.Compare(b.score, a.score) })
	return all[:min(k, len(all))]
}

// A ranking keeps the best candidates: a heap whose root is the worst of them.
// Of equal ones the earlier is better.
type ranking struct {
	heap []candidate
	size int
}

func newRanking(size int) *ranking { return &ranking{make([]candidate, 0, size), size} }

// worse orders candidates of a heap: a is to go before b.
func worse(a, b candidate) bool {
	if a.score != b.score {
		return a.score < b.score
	}
	if a.slot != b.slot {
		return a.slot > b.slot
	}
	return a.token > b.token
}

// addRow offers every token after a slot, whose score is added to theirs.
func (r *ranking) addRow(scores []float32, score float32, slot int) {
	token := 0
	for ; token < len(scores) && len(r.heap) < r.size; token++ {
		r.heap = append(r.heap, candidate{scores[token] + score, int32(token), slot})
		if len(r.heap) == r.size {
			for i := r.size/2 - 1; i >= 0; i-- {
				r.sink(i)
			}
		}
	}
	if r.size == 0 {
		return
	}
	// In blocks of which most hold nothing better than the worst.
	const block = 64
	for ; token < len(scores); token += block {
		part := scores[token:min(token+block, len(scores))]
		if autograd.Max(part)+score <= r.heap[0].score {
			continue
		}
		for i, x := range part {
			if x+score > r.heap[0].score {
				r.heap[0] = candidate{x + score, int32(token + i), slot}
				r.sink(0)
			}
		}
	}
}

func (r *ranking) sink(i int) {
	h := r.heap
	for {
		child := 2*i + 1
		if child >= len(h) {
			return
		}
		if child+1 < len(h) && worse(h[child+1], h[child]) {
			child++
		}
		if !worse(h[child], h[i]) {
			return
		}
		h[i], h[child] = h[child], h[i]
		i = child
	}
}

// sorted returns the candidates, the best first.
func (r *ranking) sorted() []candidate {
	slices.SortFunc(r.heap, func(a, b candidate) int {
		switch {
		case worse(b, a):
			return -1
		case worse(a, b):
			return 1
		}
		return 0
	})
	return r.heap
}
