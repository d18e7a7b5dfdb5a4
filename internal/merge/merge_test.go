package merge

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// naive merges the pair of the lowest rank, the leftmost first, one by one.
func naive(s []Symbol, rank func(a, b Symbol) (float64, int, bool)) []Symbol {
	s = slices.Clone(s)
	for {
		at, best, newID := -1, 0.0, 0
		for i := range max(0, len(s)-1) {
			if r, id, ok := rank(s[i], s[i+1]); ok && (at < 0 || r < best) {
				at, best, newID = i, r, id
			}
		}
		if at < 0 {
			return s
		}
		s[at] = Symbol{s[at].From, s[at].Size + s[at+1].Size, newID}
		s = slices.Delete(s, at+1, at+2)
	}
}

func TestJoin(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		rules := map[[2]int]int{}
		for id := 3; id < 12; id++ {
			rules[[2]int{random.IntN(id), random.IntN(id)}] = id
		}
		rank := func(a, b Symbol) (float64, int, bool) {
			id, ok := rules[[2]int{a.ID, b.ID}]
			return float64(id / 2), id, ok // some ranks are equal
		}
		symbols := make([]Symbol, random.IntN(40))
		for i := range symbols {
			symbols[i] = Symbol{i, 1, random.IntN(3)}
		}
		want := naive(symbols, rank)
		if got := Join(symbols, rank); !slices.Equal(got, want) {
			t.Fatalf("%v, want %v", got, want)
		}
	}
}
