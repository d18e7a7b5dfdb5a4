package kernels

// EMAParameters are the addresses of a moving average's parameters in one direction, or
// of their gradients: [Channels, States] each.
type EMAParameters struct{ Delta, Alpha, Beta, Gamma Address }

// EMACoefficients is how many numbers of memory SetCoefficients fills, for each channel.
const EMACoefficients = 6 * EMAStates

// SetCoefficients sets what e scans with, in memory of EMACoefficients·Channels numbers
// at the given address, from parameters with so many states in all.
func (e *EMA) SetCoefficients(d Device, at Address, p EMAParameters, states int) error {
	n := Address(4 * EMAStates * e.Channels)
	e.Decay, e.Output, e.Power, e.Slope, e.Lag, e.LagSlope = at, at+n, at+2*n, at+3*n, at+4*n, at+5*n
	return elements(d, "ema_coefficients", EMAStates*e.Channels, at, p.Delta, p.Alpha, p.Beta, p.Gamma,
		int32(e.Channels), int32(states), int32(e.First), int32(e.Steps()), int32(e.Taps))
}

// Chain adds the gradients of parameters to grads, given those of e's coefficients.
func (e EMA) Chain(d Device, grads EMAParameters, dOutput, dDecay Address, p EMAParameters, states int) error {
	count := min(EMAStates, states-e.First)
	return elements(d, "ema_chain", e.Channels*count, grads.Delta, grads.Alpha, grads.Beta, grads.Gamma, dOutput, dDecay,
		p.Delta, p.Alpha, p.Beta, p.Gamma, int32(e.Channels), int32(states), int32(e.First), int32(count))
}
