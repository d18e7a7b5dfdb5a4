package kernel

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/mega-go/mega/internal/parallel"
)

// The reference computes this average as a convolution by FFT, in L log L steps, with
// kernels of L taps for every channel and their transforms in memory. Here it is a
// scan: N multiply-adds a step and channel, in memory that does not grow with L.
// Nothing is kept for backward, which runs the scan again. Channels are scanned side
// by side, since the steps of one depend on each other and those of several fill a
// vector.

// emaGroup is the number of channels that are scanned together: a vector of AVX-512.
const emaGroup = 16

// An EMAShape says what a multi-dimensional damped moving average (paper
// section 3.1; exponential_moving_average.py) looks like. A channel has N
// averages in each direction:
//
//	p_n = σ(delta_n), q_n = 1 − p_n σ(alpha_n), c_n = p_n beta_n gamma_n / √N
//	g_n(t) = q_n g_n(t−1) + x(t)        x counts as 0 where it is padding
//	s(t) = Σ_n c_n g_n(t) + omega x(t)
//
// s is what the reference passes to silu (:193, :214). Its state is
// h_n = p_n beta_n g_n (:147).
type EMAShape struct {
	Channels int // D
	States   int // N
	// Bidirectional adds a second set of averages that runs from the right;
	// lag 0 counts in both (exponential_moving_average.py:200).
	Bidirectional bool
	// Truncation is the number of steps that an average reaches back, the
	// present one included; 0 and below stand for no limit (:100).
	Truncation int
	// Swapped exchanges alpha and delta, and Shifted has the averages from the
	// right leave out lag 0, as in the model for images
	// (exponential_moving_average.py:56-112 of XuezheMax/mega-image).
	Swapped bool
	Shifted bool
}

// directions returns how many sets of averages there are.
func (s EMAShape) directions() int {
	if s.Bidirectional {
		return 2
	}
	return 1
}

// EMAParams are the parameters, or their gradients, in the reference's layout:
// K = D rows, or K = 2D if bidirectional, those from the left first.
type EMAParams struct {
	Delta, Alpha, Beta, Gamma []float32 // [K, N]
	Omega                     []float32 // [D]
}

// check panics unless the slices have the lengths that shape wants.
func (p *EMAParams) check(shape EMAShape) {
	n := shape.directions() * shape.Channels * shape.States
	checkLengths(n, len(p.Delta), len(p.Alpha), len(p.Beta), len(p.Gamma))
	checkLengths(shape.Channels, len(p.Omega))
}

// EMACoefficients are an average's parameters made ready for scanning: computed
// in float64, rounded, and packed by groups of 16 channels, with zeros in the
// last group's missing ones. The zero value is ready for Set.
//
// A decay q near 1 loses much of 1−q in rounding to float32, which many steps
// later is no longer small: at q = 1 − 6e-6 some 5e-4 after 16 384 steps. The
// relative rounding error, the drift, is therefore kept and made up for once a
// block of steps.
type EMACoefficients struct {
	shape  EMAShape
	params EMAParams
	groups int // of a direction

	// [directions · groups][N][16], the states of a channel in the order of order.
	decay    []float32 // q
	drift    []float32 // the exact q over the rounded one, less 1
	output   []float32 // c
	lagDecay []float32 // q^K, K being Truncation
	lagSlope []float32 // K q^(K−1)
	omega    []float32 // [groups][16]
	zeros    []float32 // [N][16]

	root          float64   // 1/√N
	rate, damping []float64 // p and σ(alpha), with alpha and delta exchanged if Swapped [K, N]
	exact         []float64 // q, not rounded [K, N]

	// plain, [directions · groups], is how many of a group's averages are too
	// short for truncation to matter: the first ones.
	plain []int
	// order, [directions · groups][16][N], maps positions to states.
	order []int32
}

// emaOnes scales what is already there, if the scan adds to it.
var emaOnes = func() (ones [emaGroup]float32) {
	for i := range ones {
		ones[i] = 1
	}
	return
}()

// emaNegligible bounds the q^K that truncation need not take off: what remains
// beyond K is then below the rounding of the sum.
const emaNegligible = 0x1p-26

// Set computes the coefficients of an average, in place if c had the same shape
// before. params' slices are kept: the backward pass reads beta and gamma again,
// so they must not change between a Set and the passes that follow it.
func (c *EMACoefficients) Set(w *parallel.Workers, shape EMAShape, params EMAParams) {
	if shape.Channels < 1 || shape.States < 1 {
		panic(fmt.Sprintf("kernel: an average of %d channels with %d states", shape.Channels, shape.States))
	}
	params.check(shape)
	if c.shape != shape {
		c.allocate(shape)
	}
	c.params = params
	copy(c.omega, params.Omega)
	w.Run(len(c.plain), func(_, at int) { c.setGroup(at) })
}

// allocate makes room for a shape.
func (c *EMACoefficients) allocate(shape EMAShape) {
	groups := ceilDiv(shape.Channels, emaGroup)
	all := shape.directions() * groups
	n := all * shape.States * emaGroup
	*c = EMACoefficients{
		shape: shape, groups: groups,
		root: 1 / math.Sqrt(float64(shape.States)),
		rate: make([]float64, n), damping: make([]float64, n), exact: make([]float64, n),
		decay: parallel.Aligned(n), drift: parallel.Aligned(n), output: parallel.Aligned(n), lagDecay: parallel.Aligned(n), lagSlope: parallel.Aligned(n),
		omega: parallel.Aligned(groups * emaGroup), zeros: parallel.Aligned(shape.States * emaGroup),
		plain: make([]int, all), order: make([]int32, n),
	}
}

// lanes returns the number of channels in the group at index at, of either direction.
func (c *EMACoefficients) lanes(at int) int {
	return min(emaGroup, c.shape.Channels-at%c.groups*emaGroup)
}

// parameter returns the index in params of the first state of a lane.
func (c *EMACoefficients) parameter(at, lane int) int {
	row := at/c.groups*c.shape.Channels + at%c.groups*emaGroup + lane
	return row * c.shape.States
}

// positions returns where in order the states of a lane are.
func (c *EMACoefficients) positions(at, lane int) []int32 {
	n := c.shape.States
	return c.order[(at*emaGroup+lane)*n:][:n]
}

// group returns the part of an array [directions · groups][N][16] for the group at index at.
func (c *EMACoefficients) group(array []float32, at int) []float32 {
	n := c.shape.States * emaGroup
	return array[at*n:][:n]
}

// setGroup computes the coefficients of the group at index at.
func (c *EMACoefficients) setGroup(at int) {
	first, n := c.parameter(at, 0), c.lanes(at)*c.shape.States
	delta, alpha := c.params.Delta[first:][:n], c.params.Alpha[first:][:n]
	if c.shape.Swapped {
		delta, alpha = alpha, delta
	}
	emaDecay(c.exact[first:][:n], c.rate[first:][:n], c.damping[first:][:n], delta, alpha)
	lagged := 0
	for lane := range c.lanes(at) {
		c.arrange(at, lane)
		c.setLane(at, lane)
		lagged = max(lagged, c.setLags(at, lane))
	}
	c.plain[at] = max(0, c.shape.States-(lagged+3)&^3) // the kernels take lagged ones in fours
}

// arrange puts the states of a lane in order, but where there is truncation
// those that it matters for, of large decay, last.
func (c *EMACoefficients) arrange(at, lane int) {
	order := c.positions(at, lane)
	for i := range order {
		order[i] = int32(i)
	}
	if c.shape.Truncation > 0 {
		decays := c.exact[c.parameter(at, lane):]
		slices.SortStableFunc(order, func(m, n int32) int { return cmp.Compare(decays[m], decays[n]) })
	}
}

// setLane rounds the coefficients of a lane's states, but for truncation's.
func (c *EMACoefficients) setLane(at, lane int) {
	first, states := c.parameter(at, lane), c.shape.States
	exact, rate := c.exact[first:][:states], c.rate[first:][:states]
	beta, gamma := c.params.Beta[first:][:states], c.params.Gamma[first:][:states]
	j := at*states*emaGroup + lane
	for _, n := range c.positions(at, lane) {
		decay := float32(exact[n])
		c.decay[j], c.drift[j] = decay, 0
		if q := float64(decay); q > 0 {
			c.drift[j] = float32((exact[n] - q) / q)
		}
		c.output[j] = float32(rate[n] * float64(beta[n]) * float64(gamma[n]) * c.root)
		j += emaGroup
	}
}

// setLags computes what truncation takes off a lane's states, which is 0 where
// that is negligible, and returns for how many it is not.
func (c *EMACoefficients) setLags(at, lane int) (lagged int) {
	taps := float64(c.shape.Truncation)
	if taps <= 0 {
		return 0
	}
	exact := c.exact[c.parameter(at, lane):]
	for i, n := range c.positions(at, lane) {
		j := (at*c.shape.States+i)*emaGroup + lane
		c.lagDecay[j], c.lagSlope[j] = 0, 0
		if lag := math.Exp(taps * math.Log(exact[n])); !(lag < emaNegligible) {
			c.lagDecay[j], c.lagSlope[j] = float32(lag), float32(taps*lag/exact[n])
			lagged++
		}
	}
	return lagged
}
