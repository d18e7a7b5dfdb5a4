package kernel

import (
	"fmt"
	"math"
)

// emaGroup is the number of channels that are scanned together.
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
func (c *EMACoefficients) Set(shape EMAShape, params EMAParams) {
	if shape.Channels < 1 || shape.States < 1 {
		panic(fmt.Sprintf("kernel: an average of %d channels with %d states", shape.Channels, shape.States))
	}
	params.check(shape)
	if c.shape != shape {
		c.allocate(shape)
	}
	c.params = params
	copy(c.omega, params.Omega)
	Parallel(len(c.plain), func(_, at int) { c.setGroup(at) })
}

// allocate makes room for a shape.
func (c *EMACoefficients) allocate(shape EMAShape) {
	groups := ceilDiv(shape.Channels, emaGroup)
	all := shape.directions() * groups
	n := all * shape.States * emaGroup
	*c = EMACoefficients{
		shape: shape, groups: groups,
		root: 1 / math.Sqrt(float64(shape.States)), rate: make([]float64, n), damping: make([]float64, n),
		decay: Aligned(n), drift: Aligned(n), output: Aligned(n), lagDecay: Aligned(n), lagSlope: Aligned(n),
		omega: Aligned(groups * emaGroup), zeros: Aligned(shape.States * emaGroup),
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
	lagged := 0
	for lane := range c.lanes(at) {
		short := 0
		for n := range c.shape.States {
			k := c.compute(c.parameter(at, lane) + n)
			if k.lagDecay == 0 {
				short++
			}
			c.insert(at, lane, n, k)
		}
		lagged = max(lagged, c.shape.States-short)
	}
	c.plain[at] = max(0, c.shape.States-(lagged+3)&^3) // the kernels take lagged ones in fours
}

// insert puts state n of a lane among its earlier ones: in order, but where
// there is truncation those that it matters for, of large decay, last.
func (c *EMACoefficients) insert(at, lane, n int, k emaCoefficient) {
	order := c.positions(at, lane)
	first := at*c.shape.States*emaGroup + lane
	i := n
	for i > 0 && c.shape.Truncation > 0 && float64(c.decay[first+(i-1)*emaGroup]) > k.decay {
		i--
	}
	if i < n {
		copy(order[i+1:n+1], order[i:n])
		for _, array := range [...][]float32{c.decay, c.drift, c.output, c.lagDecay, c.lagSlope} {
			for j := n; j > i; j-- {
				array[first+j*emaGroup] = array[first+(j-1)*emaGroup]
			}
		}
	}
	order[i] = int32(n)
	c.store(first+i*emaGroup, k)
}

// store rounds a state's coefficients to position i of the arrays.
func (c *EMACoefficients) store(i int, k emaCoefficient) {
	c.decay[i] = float32(k.decay)
	c.output[i] = float32(k.output)
	c.lagDecay[i] = float32(k.lagDecay)
	c.lagSlope[i] = float32(k.lagSlope)
	c.drift[i] = 0
	if q := float64(c.decay[i]); q > 0 {
		c.drift[i] = float32((k.decay - q) / q)
	}
}

// An emaCoefficient is what the parameters of one state come to.
type emaCoefficient struct {
	decay, output      float64 // q, c
	lagDecay, lagSlope float64 // q^K, K q^(K−1); 0 where q^K is negligible
}

// compute sets rate and damping of the state whose parameters have index i and
// returns its coefficients.
func (c *EMACoefficients) compute(i int) emaCoefficient {
	rate, damping := float64(c.params.Delta[i]), float64(c.params.Alpha[i])
	if c.shape.Swapped {
		rate, damping = damping, rate
	}
	p, notP := sigmoids(rate)
	a, notA := sigmoids(damping)
	c.rate[i], c.damping[i] = p, a
	k := emaCoefficient{
		decay:  notP + p*notA, // 1 − p·a, to full precision where that is near 0
		output: p * float64(c.params.Beta[i]) * float64(c.params.Gamma[i]) * c.root,
	}
	if taps := float64(c.shape.Truncation); taps > 0 {
		if lag := math.Exp(taps * math.Log(k.decay)); !(lag < emaNegligible) {
			k.lagDecay, k.lagSlope = lag, taps*lag/k.decay
		}
	}
	return k
}

// sigmoids returns σ(x) and 1 − σ(x).
func sigmoids(x float64) (is, not float64) {
	e := math.Exp(-math.Abs(x))
	is, not = 1/(1+e), e/(1+e)
	if x < 0 {
		return not, is
	}
	return is, not
}
