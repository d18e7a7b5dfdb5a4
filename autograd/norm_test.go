package autograd

import (
	"fmt"
	"slices"
	"testing"

	"github.com/mega-go/mega/internal/naive"
	"github.com/mega-go/mega/tensor"
)

const eps = naive.NormEps

var normShapes = []shape{{1, 2}, {5, 7}, {2, 3, 16}, {3, 4, 33}}

// normSlope is the largest 1/deviation of the rows and columns drawn. Norms of
// one or two numbers are their signs, whose gradient cancels out.
const normSlope = 20

func TestLayerNorm(t *testing.T) {
	for _, s := range normShapes {
		d := s[len(s)-1]
		checkGrad(t, fmt.Sprint(s), operation{
			fast:  func(t *Tape, x []*Variable) *Variable { return t.LayerNorm(x[0], nil, nil, eps, 0) },
			slow:  func(x []*naive.Matrix) *naive.Matrix { return naive.LayerNorm(x[0], nil, nil) },
			views: []int{0}, slope: normSlope,
		}, s)
		checkGrad(t, fmt.Sprint(s, " affine"), operation{
			fast:  func(t *Tape, x []*Variable) *Variable { return t.LayerNorm(x[0], x[1], x[2], eps, 0) },
			slow:  func(x []*naive.Matrix) *naive.Matrix { return naive.LayerNorm(x[0], x[1], x[2]) },
			views: []int{0}, slope: normSlope,
		}, s, shape{d}, shape{d})
	}
}

func TestRMSNorm(t *testing.T) {
	for _, s := range append(normShapes, shape{6, 1}) {
		checkGrad(t, fmt.Sprint(s), operation{
			fast:  func(t *Tape, x []*Variable) *Variable { return t.RMSNorm(x[0], nil, eps, 0) },
			slow:  func(x []*naive.Matrix) *naive.Matrix { return naive.RMSNorm(x[0], nil) },
			views: []int{0}, slope: normSlope,
		}, s)
		checkGrad(t, fmt.Sprint(s, " affine"), operation{
			fast:  func(t *Tape, x []*Variable) *Variable { return t.RMSNorm(x[0], x[1], eps, 0) },
			slow:  func(x []*naive.Matrix) *naive.Matrix { return naive.RMSNorm(x[0], x[1]) },
			views: []int{0}, slope: normSlope,
		}, s, shape{s[len(s)-1]})
	}
}

func TestScaleNorm(t *testing.T) {
	for _, s := range append(normShapes, shape{6, 1}) {
		checkGrad(t, fmt.Sprint(s), operation{
			fast:  func(t *Tape, x []*Variable) *Variable { return t.ScaleNorm(x[0], nil, eps, 0) },
			slow:  func(x []*naive.Matrix) *naive.Matrix { return naive.ScaleNorm(x[0], nil) },
			views: []int{0}, slope: normSlope,
		}, s)
		checkGrad(t, fmt.Sprint(s, " affine"), operation{
			fast:  func(t *Tape, x []*Variable) *Variable { return t.ScaleNorm(x[0], x[1], eps, 0) },
			slow:  func(x []*naive.Matrix) *naive.Matrix { return naive.ScaleNorm(x[0], x[1]) },
			views: []int{0}, slope: normSlope,
		}, s, shape{1})
	}
}

// TestNormDropout holds norms over rows that are followed by dropout.
func TestNormDropout(t *testing.T) {
	const p = 0.3
	for _, s := range []shape{{5, 7}, {3, 4, 33}} {
		d := s[len(s)-1]
		mask := kept(func(t *Tape, x *Variable) *Variable { return t.Dropout(x, p) }, s)
		check := func(name string, fast func(t *Tape, x []*Variable) *Variable, slow func(x []*naive.Matrix) *naive.Matrix, weights ...shape) {
			checkGrad(t, fmt.Sprint(name, s), operation{
				fast: fast, slow: func(x []*naive.Matrix) *naive.Matrix { return naive.Mul(slow(x), mask) },
				views: []int{0}, slope: normSlope, trained: true,
			}, append([]shape{s}, weights...)...)
		}
		check("layer", func(t *Tape, x []*Variable) *Variable { return t.LayerNorm(x[0], x[1], x[2], eps, p) },
			func(x []*naive.Matrix) *naive.Matrix { return naive.LayerNorm(x[0], x[1], x[2]) }, shape{d}, shape{d})
		check("rms", func(t *Tape, x []*Variable) *Variable { return t.RMSNorm(x[0], x[1], eps, p) },
			func(x []*naive.Matrix) *naive.Matrix { return naive.RMSNorm(x[0], x[1]) }, shape{d})
		check("scale", func(t *Tape, x []*Variable) *Variable { return t.ScaleNorm(x[0], x[1], eps, p) },
			func(x []*naive.Matrix) *naive.Matrix { return naive.ScaleNorm(x[0], x[1]) }, shape{1})
	}
}

// statistics returns running statistics that are not the initial ones.
func statistics(d int) (mean, variance []float64) {
	for i := range d {
		mean, variance = append(mean, 0.25*float64(i%5)-0.5), append(variance, 0.5+0.25*float64(i%3))
	}
	return mean, variance
}

func toTensor(x []float64) *tensor.Tensor {
	return tensor.FromSlice(numbers32(x), len(x))
}

func TestBatchNorm(t *testing.T) {
	for _, s := range []shape{{2, 1}, {9, 1}, {4, 7}, {3, 5, 16}, {2, 30, 33}} {
		d := s[len(s)-1]
		mean, variance := statistics(d)
		checkGrad(t, fmt.Sprint(s), operation{
			fast: func(t *Tape, x []*Variable) *Variable {
				return t.BatchNorm(x[0], nil, nil, t.moved(toTensor(mean)), t.moved(toTensor(variance)), 0.1, eps)
			},
			slow: func(x []*naive.Matrix) *naive.Matrix {
				return naive.BatchNorm(x[0], nil, nil, slices.Clone(mean), slices.Clone(variance), true)
			},
			views: []int{0}, slope: normSlope,
		}, s)
		checkGrad(t, fmt.Sprint(s, " affine"), operation{
			fast: func(t *Tape, x []*Variable) *Variable {
				return t.BatchNorm(x[0], x[1], x[2], t.moved(toTensor(mean)), t.moved(toTensor(variance)), 0.1, eps)
			},
			slow: func(x []*naive.Matrix) *naive.Matrix {
				return naive.BatchNorm(x[0], x[1], x[2], slices.Clone(mean), slices.Clone(variance), true)
			},
			views: []int{0}, slope: normSlope,
		}, s, shape{d}, shape{d})
		checkGrad(t, fmt.Sprint(s, " inference"), operation{
			fast: func(t *Tape, x []*Variable) *Variable {
				return t.BatchNormInference(x[0], nil, nil, t.moved(toTensor(mean)), t.moved(toTensor(variance)), eps)
			},
			slow: func(x []*naive.Matrix) *naive.Matrix {
				return naive.BatchNorm(x[0], nil, nil, mean, variance, false)
			},
			views: []int{0}, slope: normSlope,
		}, s)
		checkGrad(t, fmt.Sprint(s, " inference affine"), operation{
			fast: func(t *Tape, x []*Variable) *Variable {
				return t.BatchNormInference(x[0], x[1], x[2], t.moved(toTensor(mean)), t.moved(toTensor(variance)), eps)
			},
			slow: func(x []*naive.Matrix) *naive.Matrix {
				return naive.BatchNorm(x[0], x[1], x[2], mean, variance, false)
			},
			views: []int{0}, slope: normSlope,
		}, s, shape{d}, shape{d})
	}
}

// TestBatchNormRunning holds the running statistics after three batches.
func TestBatchNormRunning(t *testing.T) {
	forEachKernel(t, func(t *testing.T) {
		mean, variance := statistics(5)
		gotMean, gotVariance := toTensor(mean), toTensor(variance)
		for i := range 3 {
			x := kept(func(t *Tape, x *Variable) *Variable { return t.Dropout(x, 0.1*float64(i+1)) }, shape{4, 3, 5})
			tape := NewTrainingTape()
			tape.BatchNorm(NewConstant(tensor.FromSlice(x.Float32(), 4, 3, 5)), nil, nil, gotMean, gotVariance, 0.1, eps)
			naive.BatchNorm(x, nil, nil, mean, variance, true)
		}
		within(t, "running mean", gotMean.Data(), mean, 1, 0)
		within(t, "running variance", gotVariance.Data(), variance, 1, 0)
	})
}

// TestBatchNormOfOneRow: a batch of a single row has no variance; what is left
// is the bias, and nothing is divided by zero.
func TestBatchNormOfOneRow(t *testing.T) {
	x, b := NewParameter(toTensor([]float64{3, -7})), NewParameter(toTensor([]float64{1, 2}))
	tape := NewTrainingTape()
	mean, variance := toTensor([]float64{0, 0}), toTensor([]float64{1, 1})
	y := tape.BatchNorm(x, nil, b, mean, variance, 0.1, eps)
	within(t, "value", y.Value().Data(), []float64{1, 2}, 1, 1e-3) // x is scaled by 1/√eps
	equal(t, "running variance", variance.Data(), []float32{0.9, 0.9})
	tape.Backward(tape.weigh(y, []float32{5, 6}))
	within(t, "gradient of x", x.Grad().Data(), []float64{0, 0}, 1, 1e-3)
	equal(t, "gradient of the bias", b.Grad().Data(), []float32{5, 6})
}
