package kernels

// EMAStates is how many averages of a channel the kernels of the moving average take. A
// model with more has several EMAs, whose sums are added up.
const EMAStates = 16

// What the kernels are compiled for (ema.cu, ema_scan.cu).
const (
	chunkSteps    = 64 // of a chunk
	chunkChannels = 64 // of a block with one chunk
	scanSteps     = 16 // of a warp, of a block that scans a sequence
	scanChannels  = 16 // of such a block
)

// An EMA is a damped moving average of one direction, of a model's averages First to
// First+EMAStates-1, as many of them as there are. Decay (q), Output (c), Power (q^S) and
// Slope (S q^(S-1), for gradients alone) are [EMAStates, Channels] with S = Steps(); powers
// are taken from the exact decay, before it is rounded. So are Lag (q^Taps) and LagSlope
// (Taps q^(Taps-1)), of averages that reach back Taps steps alone; Taps 0 stands for all.
type EMA struct {
	Batch, Length, Channels     int
	First                       int
	FromRight                   bool
	Late                        bool // each step has the averages of the one before
	Taps                        int
	Decay, Output, Power, Slope Address
	Lag, LagSlope               Address
}

// onePass reports whether blocks scan whole sequences, which reads and writes each number
// once. Where those are too few to keep a device busy, sequences are cut into chunks, which
// are read twice and whose averages go through memory. Truncated averages always are.
func (e EMA) onePass() bool {
	return e.Taps == 0 && e.Batch*ceilDiv(e.Channels, scanChannels) >= processors
}

// Steps returns how many steps the averages go through at a time.
func (e EMA) Steps() int {
	if e.onePass() {
		return scanSteps
	}
	return chunkSteps
}

// chunks returns how many parts of a sequence have averages in memory.
func (e EMA) chunks() int {
	if e.onePass() {
		return min(1, e.Length)
	}
	return ceilDiv(e.Length, chunkSteps)
}

// Carries returns how many numbers of memory the scans need, for gradients twice that.
func (e EMA) Carries() int { return e.Batch * e.chunks() * EMAStates * e.Channels }

// launch launches a kernel with a thread for each channel, and blocks y by some number.
func (e EMA) launch(d Device, kernel string, y int, args ...any) error {
	if e.Batch*e.Length*e.Channels == 0 {
		return nil
	}
	return d.Launch(kernel, [3]int{ceilDiv(e.Channels, chunkChannels), y, e.Batch}, [3]int{chunkChannels, 1, 1}, args...)
}

// scan launches a kernel whose blocks scan sequences.
func (e EMA) scan(d Device, kernel string, args ...any) error {
	if e.Length == 0 {
		return nil
	}
	return d.Launch(kernel, [3]int{ceilDiv(e.Channels, scanChannels), 1, e.Batch}, [3]int{threads, 1, 1}, args...)
}

// Forward sets s = Σ_n c_n g_n + omega x, both [Batch, Length, Channels], or with omega
// 0 adds Σ_n c_n g_n to s. mask, bytes [Batch, Length], is not 0 where x counts as 0 to
// the averages, mute where they are not added; both may be 0. The gradient by x is the
// same for ds from the other side, with mask and mute exchanged.
func (e EMA) Forward(d Device, s, x, mask, mute, omega, carry Address) error {
	taps, length, width, right, late := int32(e.Taps), int32(e.Length), int32(e.Channels), flag(e.FromRight), flag(e.Late)
	if e.onePass() {
		return e.scan(d, "ema_scan", s, x, mask, mute, e.Decay, e.Output, e.Power, omega, length, width, right, late)
	}
	if err := e.launch(d, "ema_local", e.chunks(), carry, x, mask, e.Decay, e.Lag, taps, length, width, right); err != nil {
		return err
	}
	if err := e.launch(d, "ema_carry", EMAStates, carry, e.Power, int32(e.chunks()), width); err != nil {
		return err
	}
	return e.launch(d, "ema_emit", e.chunks(), s, x, mask, mute, e.Decay, e.Output, e.Lag, omega, carry, taps, length, width, right, late)
}

// Gradients sets dOutput and dDecay, [EMAStates, Channels], to the gradients of c and q.
func (e EMA) Gradients(d Device, dOutput, dDecay, ds, x, mask, carry Address) error {
	if err := e.gradientParts(d, ds, x, mask, carry); err != nil {
		return err
	}
	n := EMAStates * e.Channels
	if err := sumParts(d, dOutput, carry, e.Batch*e.chunks(), n, n, false); err != nil {
		return err
	}
	return sumParts(d, dDecay, carry+Address(4*e.Carries()), e.Batch*e.chunks(), n, n, false)
}

// gradientParts sets carry to what each chunk adds to the gradients.
func (e EMA) gradientParts(d Device, ds, x, mask, carry Address) error {
	taps, batch, length, width, right, late := int32(e.Taps), int32(e.Batch), int32(e.Length), int32(e.Channels), flag(e.FromRight), flag(e.Late)
	if e.onePass() {
		return e.scan(d, "ema_grad_scan", carry, ds, x, mask, e.Decay, e.Power, e.Slope, batch, length, width, right, late)
	}
	if err := e.launch(d, "ema_grad_local", e.chunks(), carry, x, mask, e.Decay, e.Lag, e.LagSlope, taps, batch, length, width, right); err != nil {
		return err
	}
	if err := e.launch(d, "ema_grad_carry", EMAStates, carry, e.Power, e.Slope, batch, int32(e.chunks()), width); err != nil {
		return err
	}
	return e.launch(d, "ema_grad_emit", e.chunks(), carry, ds, x, mask, e.Decay, e.Lag, e.LagSlope, taps, batch, length, width, right, late)
}
