package naive

// Gradient returns the derivative of f by each x[i], from central differences at
// h and h/2 and Richardson's extrapolation, (4·d(h/2) − d(h))/3, whose error is
// O(h⁴). f reads x, which is as before when Gradient returns. For numbers around
// 1, h = 1e-3 leaves errors near 1e-11.
func Gradient(f func() float64, x []float64, h float64) []float64 {
	grad := make([]float64, len(x))
	for i := range x {
		at := x[i]
		grad[i] = richardson(func(t float64) float64 {
			x[i] = at + t
			return f()
		}, h)
		x[i] = at
	}
	return grad
}

// DirectionalDerivative returns the derivative at 0 of f by t when every xs[k][i]
// becomes xs[k][i] + t·dirs[k][i], by the differences of Gradient: one number to
// hold against Σ grad·dir for all parameters of a model at once.
func DirectionalDerivative(f func() float64, xs, dirs [][]float64, h float64) float64 {
	at := make([][]float64, len(xs))
	for k, x := range xs {
		at[k] = append([]float64(nil), x...)
	}
	defer func() {
		for k, x := range xs {
			copy(x, at[k])
		}
	}()
	return richardson(func(t float64) float64 {
		for k, x := range xs {
			for i := range x {
				x[i] = at[k][i] + t*dirs[k][i]
			}
		}
		return f()
	}, h)
}

// richardson returns the derivative of f at 0.
func richardson(f func(t float64) float64, h float64) float64 {
	central := func(h float64) float64 { return (f(h) - f(-h)) / (2 * h) }
	return (4*central(h/2) - central(h)) / 3
}
