package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

// attentionReference is attention in float64 as its formulas say, with the
// whole matrix of scores. Beside each result stands its magnitude: the same
// sums over absolute values, in proportion to which rounding errors come.
type attentionReference struct {
	out, dq, dk, dv, dbias magnified
	stats                  []float64
	largest                float64 // the largest Σ|q||k| scale + |bias|
}

// magnified are numbers with their magnitudes.
type magnified struct{ value, magnitude []float64 }

func newMagnified(n int) magnified { return magnified{make([]float64, n), make([]float64, n)} }

func (m magnified) add(i int, value, magnitude float64) {
	m.value[i] += value
	m.magnitude[i] += math.Abs(magnitude)
}

// attentionInput is one problem in float64; bias is laid out as Bias.
type attentionInput struct {
	a                   Attention
	q, k, v, dout, bias []float64
}

// weight returns f(x), f'(x) and the magnitudes of both for scores of
// magnitude m.
func (f AttentionFunction) reference(x, m float64) (p, pm, d, dm float64) {
	if f == AttentionReLU2 {
		r := math.Max(x, 0)
		return r * r, m * m, 2 * r, 2 * m
	}
	u := (x - 0.707107) / (0.282095 * math.Sqrt2)
	peak := 1 / (0.282095 * math.Sqrt(2*math.Pi))
	p, d = math.Erfc(-u)/2, peak*math.Exp(-u*u)
	return p, p + peak*m, d, d * (1 + math.Abs(u)*(m+1)*10)
}

// run computes everything for each segment and query.
func (in *attentionInput) run() *attentionReference {
	a := &in.a
	r := &attentionReference{
		out: newMagnified(a.Segments * a.Queries * a.H), dq: newMagnified(len(in.q)),
		dk: newMagnified(len(in.k)), dv: newMagnified(len(in.v)), dbias: newMagnified(len(in.bias)),
		stats: make([]float64, a.Segments*a.Queries),
	}
	for s := range a.Segments {
		for i := range a.Queries {
			in.row(r, s, i)
		}
	}
	return r
}

// hidden reports whether key j of segment s is hidden from query i.
func (in *attentionInput) hidden(s, i, j int) bool {
	a := &in.a
	if a.Causal && j > i+a.Keys-a.Queries {
		return true
	}
	if a.KeyMask == nil {
		return false
	}
	mask := a.KeyMask[s*a.Keys : (s+1)*a.Keys]
	all := true
	for _, m := range mask {
		all = all && m
	}
	return mask[j] && !(all && a.Function == AttentionSoftmax)
}

// scale returns what q·k is multiplied by.
func (in *attentionInput) scale(s, i int) float64 {
	a := &in.a
	length := 0
	switch {
	case a.Function == AttentionSoftmax:
		return float64(a.Scale)
	case a.KeyLengths != nil:
		return float64(a.Scale) / float64(a.KeyLengths[s])
	case a.Causal:
		length = i + 1 + a.Keys - a.Queries
	default:
		for j := range a.Keys {
			if a.KeyMask == nil || !a.KeyMask[s*a.Keys+j] {
				length++
			}
		}
	}
	return float64(a.Scale) / float64(max(length, 1))
}

// keep returns the factor that dropout applies to the weight of s, i and j.
func (in *attentionInput) keep(s, i, j int) float64 {
	if in.a.Dropout == 0 {
		return 1
	}
	one := []float32{1}
	Dropout(one, one, in.a.Seed, uint64((s*in.a.Queries+i)*in.a.Keys+j), in.a.Dropout)
	return float64(one[0])
}

// row computes one row of the output and what it adds to the gradients.
func (in *attentionInput) row(r *attentionReference, s, i int) {
	a := &in.a
	n := a.Keys
	score, size, p, pm := make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n)
	d, dm := make([]float64, n), make([]float64, n)
	query, scale := (s*a.Queries+i)*a.Z, in.scale(s, i)
	top, sum := math.Inf(-1), 0.0
	for j := range n {
		if in.hidden(s, i, j) {
			continue
		}
		key := (s*a.Keys + j) * a.Z
		for z := range a.Z {
			score[j] += in.q[query+z] * in.k[key+z] * scale
			size[j] += math.Abs(in.q[query+z] * in.k[key+z] * scale)
		}
		if in.bias != nil {
			score[j] += in.bias[a.BiasZero+j-i]
			size[j] += math.Abs(in.bias[a.BiasZero+j-i])
		}
		top = math.Max(top, score[j])
		if !math.IsInf(size[j], 1) {
			r.largest = math.Max(r.largest, size[j])
		}
	}
	for j := range n {
		switch {
		case in.hidden(s, i, j) || math.IsInf(score[j], -1):
		case a.Function == AttentionSoftmax:
			p[j] = math.Exp(score[j] - top)
			sum += p[j]
		default:
			p[j], pm[j], d[j], dm[j] = a.Function.reference(score[j], size[j])
		}
	}
	if a.Function == AttentionSoftmax {
		r.stats[s*a.Queries+i] = math.Inf(1)
		if sum > 0 {
			r.stats[s*a.Queries+i] = top + math.Log(sum)
		}
		for j := range n {
			p[j] /= math.Max(sum, 1e-300)
			pm[j] = p[j]
		}
	}
	in.gradients(r, s, i, scale, p, pm, d, dm)
}

// gradients adds to the output and the gradients what row i gives, whose
// weights are p, and their derivatives by the scores d unless for softmax.
func (in *attentionInput) gradients(r *attentionReference, s, i int, scale float64, p, pm, d, dm []float64) {
	a := &in.a
	n := a.Keys
	out, query := (s*a.Queries+i)*a.H, (s*a.Queries+i)*a.Z
	dp, dpm := make([]float64, n), make([]float64, n)
	delta, deltam := 0.0, 0.0
	for j := range n {
		value := (s*a.Keys + j) * a.H
		keep := in.keep(s, i, j)
		for h := range a.H {
			r.out.add(out+h, keep*p[j]*in.v[value+h], keep*pm[j]*in.v[value+h])
			r.dv.add(value+h, keep*p[j]*in.dout[out+h], keep*pm[j]*in.dout[out+h])
			dp[j] += keep * in.dout[out+h] * in.v[value+h]
			dpm[j] += math.Abs(keep * in.dout[out+h] * in.v[value+h])
		}
		delta += p[j] * dp[j]
		deltam += pm[j] * dpm[j]
	}
	for j := range n {
		ds, dsm := dp[j]*d[j], dpm[j]*dm[j]
		if a.Function == AttentionSoftmax {
			ds, dsm = p[j]*(dp[j]-delta), pm[j]*(dpm[j]+deltam)
		}
		if in.hidden(s, i, j) {
			continue
		}
		if in.bias != nil {
			r.dbias.add(a.BiasZero+j-i, ds, dsm)
		}
		key := (s*a.Keys + j) * a.Z
		for z := range a.Z {
			r.dq.add(query+z, ds*scale*in.k[key+z], dsm*scale*in.k[key+z])
			r.dk.add(key+z, ds*scale*in.q[query+z], dsm*scale*in.q[query+z])
		}
	}
}

// TestAttentionReference checks the reference's gradients by differences.
func TestAttentionReference(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, a := range attentionVariants(Attention{Segments: 2, Queries: 3, Keys: 4, Z: 2, H: 3}) {
		p := newAttentionProblem(r, a)
		in := p.input()
		want := in.run()
		for _, x := range []struct {
			name    string
			x, grad []float64
		}{
			{"q", in.q, want.dq.value}, {"k", in.k, want.dk.value}, {"v", in.v, want.dv.value}, {"bias", in.bias, want.dbias.value},
		} {
			for i := range x.x {
				const h = 1e-5
				old := x.x[i]
				x.x[i] = old + h
				up := in.loss()
				x.x[i] = old - h
				down := in.loss()
				x.x[i] = old
				if got := (up - down) / (2 * h); math.Abs(got-x.grad[i]) > 1e-7*(1+math.Abs(got)) {
					t.Fatalf("%s: d%s[%d] = %v, by differences %v", attentionName(a), x.name, i, x.grad[i], got)
				}
			}
		}
	}
}

// loss returns Σ out·dout.
func (in *attentionInput) loss() float64 {
	sum := 0.0
	for i, x := range in.run().out.value {
		sum += x * in.dout[i]
	}
	return sum
}
