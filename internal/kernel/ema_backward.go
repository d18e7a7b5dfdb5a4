package kernel

import "unsafe"

// EMABackward overwrites dx [batch, length, D] with the gradient by x, and adds
// the gradients by the parameters to grads, given the gradient ds by EMAForward's
// s. x, mask and c are those of the forward pass. Nothing is kept from it: dx is
// the same scan over ds from the other end, and the averages are run again with
// their derivatives by the decay for the parameters' sake.
func EMABackward(dx []float32, grads *EMAParams, ds, x []float32, mask []bool, batch, length int, c *EMACoefficients) {
	c.check(batch, length, mask, len(dx), len(ds), len(x))
	grads.check(c.shape)
	if len(x) == 0 {
		return
	}
	q := emaSequences{c: c, length: length, mask: mask}
	parts := emaParts(batch, c.groups)
	sums := borrowEMASums(parts, c)
	defer sums.borrowed.Return()
	q.each(parts, func(m emaMemory, part, first, groups int) {
		for b := part * batch / parts; b < (part+1)*batch/parts; b++ {
			q.sweepLeft(m, sums.part(part), dx, ds, x, b, first, groups)
			q.sweepRight(m, sums.part(part), dx, ds, x, b, first, groups)
		}
	})
	Parallel(len(c.plain), func(_, at int) { sums.finish(grads, at) })
}

// emaParts is the number of parts of a batch whose parameter gradients are
// summed apart. It must not depend on the number of workers.
func emaParts(batch, groups int) int { return min(batch, ceilDiv(64, groups)) }

// sweepLeft takes some groups of sequence b from the last step to the first:
// the part of dx that comes from later ds, padding getting the residual's alone,
// and what the averages that run from the right give to the sums. Both read ds,
// which comes from memory once.
func (q *emaSequences) sweepLeft(m emaMemory, sums emaSums, dx, ds, x []float32, b, first, groups int) {
	n := q.length
	var scans [emaSpan]emaScanPass
	var gradients [emaSpan]emaGradientPass
	for k := range groups {
		p := &scans[k]
		p.emaPass = newEMAPass(m, groups+k, q.c, first+k)
		p.x, p.mute = q.rows(ds, b, first+k).reversed(n), q.padding(b).reversed(n)
		p.from, p.y = p.x, q.rows(dx, b, first+k).reversed(n)
		clear(p.g)
		p.begin(p.g, q.c.scale(first+k))
	}
	turned := q.turnedGroups(groups)
	for k := range turned {
		p := &gradients[k]
		p.emaPass = newEMAPass(m, k, q.c, first+k)
		p.x, p.hidden = q.rows(x, b, first+k), q.padding(b)
		q.turn(&p.emaPass)
		p.ds = q.rows(ds, b, first+k).reversed(n - q.shift())
		p.begin(sums.states(p.at))
	}
	sweepAll(scans[:groups], n, gradients[:turned], n-q.shift())
}

// sweepRight is sweepLeft for the averages that run from the left and, if there
// are others, the rest of dx.
func (q *emaSequences) sweepRight(m emaMemory, sums emaSums, dx, ds, x []float32, b, first, groups int) {
	n, shift := q.length, q.shift()
	var scans [emaSpan]emaScanPass
	var gradients [emaSpan]emaGradientPass
	for k := range groups {
		p := &gradients[k]
		p.emaPass = newEMAPass(m, k, q.c, first+k)
		p.x, p.hidden = q.rows(x, b, first+k), q.padding(b)
		p.ds, p.omega = q.rows(ds, b, first+k), sums.omega(first+k)
		p.begin(sums.states(p.at))
	}
	turned := q.turnedGroups(groups)
	for k := range turned {
		p := &scans[k]
		p.emaPass = newEMAPass(m, groups+k, q.c, first+k)
		p.at += q.c.groups
		p.x, p.mute = q.rows(ds, b, first+k), q.padding(b).from(shift)
		p.y = q.rows(dx, b, first+k).from(shift)
		p.from = p.y
		clear(p.g)
		p.begin(p.g, emaOnes[:])
	}
	sweepAll(scans[:turned], n-shift, gradients[:groups], n)
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
	borrowed *Scratch
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
	s := Borrow(2 * n)
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

// chain adds the gradients by the parameters of a lane, given those by c_n, dc,
// and Σ ds ∂g/∂q, dq, of which c_n times as much is the gradient by q_n; both
// [N][16] from the lane on: c_n = p β γ / √N and q_n = 1 − p a, where
// p = σ(delta) and a = σ(alpha).
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
