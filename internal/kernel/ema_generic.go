package kernel

import "math"

// emaTiny is added to averages and taken off again at the end of a block: those
// that are nothing beside it become zero before they are denormal, which is slow.
const emaTiny = 0x1p-80

// emaScanGeneric runs a block of each channel:
//
//	y_t ← scale·from_t + Σ_n c_n g_n(t)
//	g_n(t) = q_n (1 + drift_n) g_n(t−1) + x_t − q_n^K x_{t−K}
//
// the last term for lagged averages only. Within a block it computes in float64.
func emaScanGeneric(a *emaScan) {
	var in emaInput
	var y [emaSteps]float64
	for lane := range a.lanes {
		in.load(&a.emaBlock, lane)
		for t := range a.steps {
			y[t] = float64(a.scale[lane]) * float64(a.from.at(t, lane))
		}
		for n := range a.plain + a.lagged {
			i := n*emaGroup + lane
			q, c, g := a.exactDecay(i), float64(a.output[i]), float64(a.state[i])
			for t, x := range in.average(&a.emaBlock, n, i) {
				g = q*g + x
				y[t] += c * g
			}
			a.state[i] = flushTiny(g)
		}
		for t := range a.steps {
			a.y.row(t, a.lanes)[lane] = float32(y[t])
		}
	}
}

// emaGradientGeneric runs a block of each channel: with g_n as in emaScanGeneric
// and w_n(t) = q_n (1 + drift_n) w_n(t−1) + g_n(t−1) − K q_n^(K−1) x_{t−K},
//
//	dc_n ← dc_n + Σ_t ds_t g_n(t)
//	dq_n ← dq_n + Σ_t ds_t w_n(t)
func emaGradientGeneric(a *emaGradient) {
	var in emaInput
	var ds, none [emaSteps]float64
	for lane := range a.lanes {
		in.load(&a.emaBlock, lane)
		for t := range a.steps {
			ds[t] = float64(a.ds.at(t, lane))
		}
		for n := range a.plain + a.lagged {
			i := n*emaGroup + lane
			lag, slope := &none, 0.0
			if n >= a.plain {
				lag, slope = &in.lag, float64(a.lagSlope[i])
			}
			q, g, w := a.exactDecay(i), float64(a.g[i]), float64(a.w[i])
			var dc, dq float64
			for t, x := range in.average(&a.emaBlock, n, i) {
				w = q*w + (g - slope*lag[t])
				g = q*g + x
				dc += ds[t] * g
				dq += ds[t] * w
			}
			a.g[i], a.w[i] = flushTiny(g), flushTiny(w)
			a.dc[i] += dc
			a.dq[i] += dq
		}
	}
}

// emaDotGeneric adds Σ_t ds_t x_t to each channel's sum.
func emaDotGeneric(a *emaDot) {
	for t := range a.steps {
		for lane := range a.lanes {
			a.sum[lane] += float64(a.ds.at(t, lane)) * float64(a.x.at(t, lane))
		}
	}
}

// emaCopyGeneric copies n rows.
func emaCopyGeneric(to, from emaRows, n, lanes int) {
	for i := range n {
		copy(to.row(i, lanes), from.row(i, lanes))
	}
}

// emaInput is what a channel's averages take in during a block.
type emaInput struct{ x, lag, lagged [emaSteps]float64 }

// load reads a channel's columns.
func (in *emaInput) load(b *emaBlock, lane int) {
	for t := range b.steps {
		in.x[t] = float64(b.x.at(t, lane))
		if b.lagged > 0 {
			in.lag[t] = float64(b.lag.at(t, lane))
		}
	}
}

// average returns what average n takes in, with coefficients at index i.
func (in *emaInput) average(b *emaBlock, n, i int) []float64 {
	if n < b.plain {
		return in.x[:b.steps]
	}
	for t, lag := range in.lag[:b.steps] {
		in.lagged[t] = in.x[t] - float64(b.lagDecay[i])*lag
	}
	return in.lagged[:b.steps]
}

// exactDecay returns the decay at index i before it was rounded.
func (b *emaBlock) exactDecay(i int) float64 { return float64(b.decay[i]) * (1 + float64(b.drift[i])) }

// flushTiny rounds an average and makes zero of what is about to be denormal.
func flushTiny(g float64) float32 { return float32(g) + emaTiny - emaTiny }

// emaDecayGeneric sets p = σ(delta), a = σ(alpha) and decay = 1 − p·a, to full
// precision where that is near 0.
func emaDecayGeneric(decay, p, a []float64, delta, alpha []float32) {
	for i := range decay {
		rate, notRate := sigmoids(float64(delta[i]))
		damping, notDamping := sigmoids(float64(alpha[i]))
		p[i], a[i], decay[i] = rate, damping, notRate+rate*notDamping
	}
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
