package kernel

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestAttentionBF16 compares attention in bfloat16 with that in float32, each
// result as a whole: a few roundings of 2^-9, that scores may magnify, make it
// another, but not by much. A gradient that is nearly zero for cancelling out is
// off by a share of the values'. Products are tested by themselves.
func TestAttentionBF16(t *testing.T) {
	eachBF16(t, func(t *testing.T) {
		skipSlow(t)
		r := rand.New(rand.NewPCG(17, 18))
		for _, shape := range attentionShapes {
			for n, a := range attentionVariants(shape) {
				if shape.Keys > 100 && n%7 != 3 {
					continue
				}
				p := newAttentionProblem(r, a)
				p.run()
				want := p.named(t)
				p.a.BF16 = true
				p.reset()
				p.run()
				for name, got := range p.named(t) {
					off := 0.0
					for i, v := range want[name] {
						if got[i] != v { // and not both infinite
							off = math.Hypot(off, float64(got[i]-v))
						}
					}
					size := norm(want[name])
					if name == "dq" || name == "dk" {
						size += norm(want["dv"])
					}
					if !(off <= 0x1p-4*size) {
						t.Errorf("%s: %s is off by %.2g of %.2g", attentionName(a), name, off, size)
					}
				}
				if a.Z*a.H > 1 && slices.Equal(p.results(t), slices.Concat(want["out"], want["dq"], want["dk"], want["dv"], want["dbias"], want["stats"])) {
					t.Errorf("%s: the same results as in float32", attentionName(a))
				}
			}
		}
	})
}

func norm(x []float32) float64 {
	sum := 0.0
	for _, v := range x {
		sum = math.Hypot(sum, float64(v))
	}
	return sum
}

// named returns the results by name.
func (p *attentionProblem) named(t *testing.T) map[string][]float32 {
	a := p.a
	return map[string][]float32{
		"out": p.out.dense(t, "out", a.Segments, a.Queries, a.H), "dq": p.dq.dense(t, "dq", a.Segments, a.Queries, a.Z),
		"dk": p.dk.dense(t, "dk", a.Segments, a.Keys, a.Z), "dv": p.dv.dense(t, "dv", a.Segments, a.Keys, a.H),
		"dbias": slices.Clone(p.dbias), "stats": slices.Clone(p.stats),
	}
}
