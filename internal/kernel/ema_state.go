package kernel

// StateSize returns the length of a stream's state for EMAStep.
func (c *EMACoefficients) StateSize() int { return c.groups * c.shape.States * emaGroup }

// PackState converts the reference's state h [batch, D, N] to EMAStep's. Both
// hold the same averages: h = p·beta·g (exponential_moving_average.py:147). The
// packed state goes with c's parameters.
func (c *EMACoefficients) PackState(state, h []float32) {
	clear(state)
	c.eachState(state, h, func(packed, plain *float32, expansion float64) {
		if expansion != 0 {
			*packed = float32(float64(*plain) / expansion)
		}
	})
}

// UnpackState converts EMAStep's state to the reference's h [batch, D, N].
func (c *EMACoefficients) UnpackState(h, state []float32) {
	c.eachState(state, h, func(packed, plain *float32, expansion float64) {
		*plain = float32(float64(*packed) * expansion)
	})
}

// eachState calls f for each average of the streams with both its places and
// p·beta.
func (c *EMACoefficients) eachState(state, h []float32, f func(packed, plain *float32, expansion float64)) {
	d, n := c.shape.Channels, c.shape.States
	batch := len(h) / (d * n)
	checkLengths(batch*d*n, len(h))
	checkLengths(batch*c.StateSize(), len(state))
	for channel := range d {
		group, lane := channel/emaGroup, channel%emaGroup
		for i, k := range c.positions(group, lane) {
			p := channel*n + int(k)
			expansion := c.rate[p] * float64(c.params.Beta[p])
			for b := range batch {
				f(&state[b*c.StateSize()+(group*n+i)*emaGroup+lane], &h[b*d*n+p], expansion)
			}
		}
	}
}
