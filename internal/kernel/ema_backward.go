package kernel

import (
	"unsafe"

	"github.com/mega-go/mega/internal/parallel"
)

// EMABackward overwrites dx [batch, length, D] with the gradient by x, and adds
// the gradients by the parameters to grads, given the gradient ds by EMAForward's
// s. x, mask and c are those of the forward pass. Nothing is kept from it: dx is
// the same scan over ds from the other end, and the averages are run again with
// their derivatives by the decay for the parameters' sake.
func EMABackward(w *parallel.Workers, dx []float32, grads *EMAParams, ds, x []float32, mask []bool, batch, length int, c *EMACoefficients) {
	c.check(batch, length, mask, len(dx), len(ds), len(x))
	grads.check(c.shape)
	if len(x) == 0 {
		return
	}
	q := emaSequences{workers: w, c: c, length: length, mask: mask}
	parts := emaParts(batch, c.groups)
	sums := borrowEMASums(parts, c)
	defer sums.borrowed.Return()
	e := emaBackward{q, dx, ds, x}
	if q.divides(batch) {
		q.halves(func(m emaMemory, first, groups int, leg emaLeg) { e.sweep(m, sums, 0, first, groups, leg) })
	} else {
		q.each(parts, func(m emaMemory, part, first, groups int) {
			for b := part * batch / parts; b < (part+1)*batch/parts; b++ {
				e.sweep(m, sums.part(part), b, first, groups, emaLeg{fromRight: true, to: length, fresh: true})
				e.sweep(m, sums.part(part), b, first, groups, emaLeg{to: length})
			}
		})
	}
	w.Run(len(c.plain), func(_, at int) { sums.finish(grads, at) })
}

// emaParts is the number of parts of a batch whose parameter gradients are
// summed apart. It must not depend on the number of workers.
func emaParts(batch, groups int) int { return min(batch, ceilDiv(64, groups)) }

// emaBackward is a call of EMABackward.
type emaBackward struct {
	emaSequences
	dx, ds, x []float32
}

// sweep takes some groups of sequence b along a leg.
func (e *emaBackward) sweep(m emaMemory, sums emaSums, b, first, groups int, leg emaLeg) {
	if leg.fromRight {
		e.sweepLeft(m, sums, b, first, groups, leg)
	} else {
		e.sweepRight(m, sums, b, first, groups, leg)
	}
}

// sweepLeft takes some groups of sequence b from the last step towards the first:
// the part of dx that comes from later ds, padding getting the residual's alone,
// and what the averages that run from the right give to the sums. Both read ds,
// which comes from memory once.
func (e *emaBackward) sweepLeft(m emaMemory, sums emaSums, b, first, groups int, leg emaLeg) {
	n := e.length
	var scans [emaSpan]emaScanPass
	var gradients [emaSpan]emaGradientPass
	for k := range groups {
		p := &scans[k]
		p.set(&m, scanRight, k, e.c, first+k)
		p.x, p.mute = e.rows(e.ds, b, first+k).reversed(n), e.padding(b).reversed(n)
		p.from, p.y = p.x, e.rows(e.dx, b, first+k).reversed(n)
		e.startLeg(p, leg, first+k)
	}
	turned := e.turnedGroups(groups)
	for k := range turned {
		p := &gradients[k]
		p.set(&m, gradientRight, k, e.c, first+k)
		p.x, p.hidden = e.rows(e.x, b, first+k), e.padding(b)
		e.turn(&p.emaPass)
		p.ds = e.rows(e.ds, b, first+k).reversed(n - e.shift())
		p.startLeg(leg, sums)
	}
	sweepAll(leg.from, scans[:groups], leg.to, gradients[:turned], min(leg.to, n-e.shift()))
}

// sweepRight is sweepLeft for the averages that run from the left and, if there
// are others, the rest of dx.
func (e *emaBackward) sweepRight(m emaMemory, sums emaSums, b, first, groups int, leg emaLeg) {
	shift := e.shift()
	var scans [emaSpan]emaScanPass
	var gradients [emaSpan]emaGradientPass
	for k := range groups {
		p := &gradients[k]
		p.set(&m, gradientLeft, k, e.c, first+k)
		p.x, p.hidden = e.rows(e.x, b, first+k), e.padding(b)
		p.ds, p.omega = e.rows(e.ds, b, first+k), sums.omega(first+k)
		p.startLeg(leg, sums)
	}
	turned := e.turnedGroups(groups)
	for k := range turned {
		p := &scans[k]
		p.set(&m, scanLeft, k, e.c, first+k)
		p.at += e.c.groups
		p.x, p.mute = e.rows(e.ds, b, first+k), e.padding(b).from(shift)
		p.from, p.y = p.x, e.rows(e.dx, b, first+k).from(shift)
		e.startLeg(p, leg, first+k)
	}
	sweepAll(leg.from, scans[:turned], min(leg.to, e.length-shift), gradients[:groups], leg.to)
}

// startLeg readies the pass for a leg.
func (p *emaGradientPass) startLeg(leg emaLeg, sums emaSums) {
	if leg.from == 0 {
		clear(p.g)
		clear(p.w)
	}
	p.begin(sums.states(p.at))
}

// turnedGroups returns how many of some groups have averages from the right.
func (q *emaSequences) turnedGroups(groups int) int {
	if q.c.shape.Bidirectional {
		return groups
	}
	return 0
}

// emaSums are sums over some sequences, for the averages of all groups, or
// several of those after each other, one for each part of the batch.
type emaSums struct {
	borrowed *parallel.Scratch
	c        *EMACoefficients
	data     []float64 // [parts][size]: dc and dq [2][N][16] for each group, omega [16] for those of one direction
}

// emaSumSize returns the length of the sums of one part.
func emaSumSize(c *EMACoefficients) int {
	return (2*len(c.plain)*c.shape.States + c.groups) * emaGroup
}

// borrowEMASums returns zero sums.
func borrowEMASums(parts int, c *EMACoefficients) emaSums {
	n := parts * emaSumSize(c)
	s := parallel.Borrow(2 * n)
	clear(s.Data)
	return emaSums{borrowed: s, c: c, data: unsafe.Slice((*float64)(unsafe.Pointer(&s.Data[0])), n)}
}

// part returns the sums of one part.
func (s emaSums) part(i int) emaSums {
	n := emaSumSize(s.c)
	s.data = s.data[i*n:][:n]
	return s
}

// states returns the sums dc and dq [N][16] of the group at index at.
func (s emaSums) states(at int) (dc, dq []float64) {
	n := s.c.shape.States * emaGroup
	return s.data[2*at*n:][:n], s.data[(2*at+1)*n:][:n]
}

// omega returns the sums [16] for a group's omega.
func (s emaSums) omega(group int) []float64 {
	n := 2 * len(s.c.plain) * s.c.shape.States * emaGroup
	return s.data[n+group*emaGroup:][:emaGroup]
}

// finish adds the parts up and the gradients of the group at index at to grads.
func (s emaSums) finish(grads *EMAParams, at int) {
	first := s.part(0)
	dc, dq := first.states(at)
	for i := 1; i < len(s.data)/emaSumSize(s.c); i++ {
		moreC, moreQ := s.part(i).states(at)
		for j := range dc {
			dc[j] += moreC[j]
			dq[j] += moreQ[j]
		}
		if at < s.c.groups {
			for j, v := range s.part(i).omega(at) {
				first.omega(at)[j] += v
			}
		}
	}
	for lane := range s.c.lanes(at) {
		s.c.chain(grads, at, lane, dc[lane:], dq[lane:])
		if at < s.c.groups {
			grads.Omega[at*emaGroup+lane] += float32(first.omega(at)[lane])
		}
	}
}

// chain adds the gradients by the parameters of a lane. It is given dc, the gradients
// by c_n, and dq, Σ ds ∂g/∂q, which times c_n is the gradient by q_n; both are [N][16]
// from the lane on. Here c_n = p β γ / √N and q_n = 1 − p a, with p = σ(delta) and
// a = σ(alpha).
func (c *EMACoefficients) chain(grads *EMAParams, at, lane int, dc, dq []float64) {
	first, states := c.parameter(at, lane), c.shape.States
	rate, damping := c.rate[first:][:states], c.damping[first:][:states]
	betas, gammas := c.params.Beta[first:][:states], c.params.Gamma[first:][:states]
	byBeta, byGamma := grads.Beta[first:][:states], grads.Gamma[first:][:states]
	byRate, byDamping := grads.Delta[first:][:states], grads.Alpha[first:][:states]
	if c.shape.Swapped {
		byRate, byDamping = byDamping, byRate
	}
	for i, n := range c.positions(at, lane) {
		p, a, beta, gamma := rate[n], damping[n], float64(betas[n]), float64(gammas[n])
		dc, dq := dc[i*emaGroup]*c.root, dq[i*emaGroup]*c.root*p*beta*gamma
		byBeta[n] += float32(dc * p * gamma)
		byGamma[n] += float32(dc * p * beta)
		byRate[n] += float32((dc*beta*gamma - dq*a) * p * (1 - p))
		byDamping[n] += float32(-dq * p * a * (1 - a))
	}
}
