package kernel

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mega-go/mega/internal/parallel"
)

// TestAttentionShared checks that results are the same, bit for bit, whether the tasks of a
// segment share packed keys and values, as where there are few segments, or each task has whole
// segments and packs for itself.
func TestAttentionShared(t *testing.T) {
	defer parallel.SetWorkers(parallel.Shared.Size())
	parallel.SetWorkers(2)
	for _, a := range []Attention{
		{Queries: 300, Keys: 400, Z: 5, H: 9, Bias: []float32{}, KeyMask: []bool{}},
		{Queries: 300, Keys: 300, Z: 5, H: 9, Causal: true},
		{Queries: 260, Keys: 257, Z: 33, H: 40, Function: AttentionLaplace, Bias: []float32{}},
		{Queries: 200, Keys: 300, Z: 50, H: 100, KeyMask: []bool{}, BF16: CheckBF16() == nil},
	} {
		a.Segments = 33
		eachFast(t, func(t *testing.T) {
			p := newAttentionProblem(rand.New(rand.NewPCG(9, 10)), a)
			p.a.Forward(p.out, p.q, p.k, p.v, p.stats)
			want := p.out.dense(t, "out", a.Segments, a.Queries, a.H)
			wantStats := slices.Clone(p.stats)
			p.reset()
			for s := range a.Segments {
				p.forwardSegment(s)
			}
			sameBits(t, attentionName(a)+": out", p.out.dense(t, "out", a.Segments, a.Queries, a.H), want)
			sameBits(t, attentionName(a)+": stats", p.stats, wantStats)
		})
	}
}

// forwardSegment computes segment s by a call of its own.
func (p *attentionProblem) forwardSegment(s int) {
	one, rows := p.a, func(r Rows) Rows {
		r.Data = r.Data[s*r.Segment:]
		return r
	}
	one.Segments = 1
	if one.KeyMask != nil {
		one.KeyMask = one.KeyMask[s*one.Keys:][:one.Keys]
	}
	one.Forward(rows(p.out), rows(p.q), rows(p.k), rows(p.v), p.stats[s*one.Queries:][:one.Queries])
}
