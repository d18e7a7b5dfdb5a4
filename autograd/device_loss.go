package autograd

import (
	"encoding/binary"
	"math"

	"github.com/mega-go/mega/internal/cuda/device"
	"github.com/mega-go/mega/internal/cuda/kernels"
	"github.com/mega-go/mega/tensor"
)

// read returns n numbers of an operation at an address.
func read[T any](d *deviceTape, op string, at device.Address, n int) []T {
	x := make([]T, n)
	bytes := make([]byte, binary.Size(x))
	d.must(op, d.Read(bytes, at))
	if _, err := binary.Decode(bytes, binary.LittleEndian, x); err != nil {
		panic(err) // of sizes, which are as they are
	}
	return x
}

// terms returns what cross-entropy says of each row, zeros where the class is ignored.
func (d *deviceTape) terms(sums device.Address, x *tensor.Tensor, t classTargets) []kernels.LossTerms {
	rows, cols := x.Rows(), x.Cols()
	for i, class := range t.classes {
		if class != t.ignore {
			t.check(i, cols)
		}
	}
	const op = "cross-entropy"
	at := d.zeros(rows * binary.Size(kernels.LossTerms{}) / 4)
	d.must(op, kernels.CrossEntropy(d, at, sums, x.Address(), d.putInts(t.classes), t.ignore, rows, cols, x.Stride()))
	terms := read[kernels.LossTerms](d, op, at, rows)
	d.end(op, nil)
	return terms
}

// logSum returns log Σ e^x of a row, in float64.
func logSum(m kernels.LossTerms) float64 { return float64(m.Largest) + math.Log(float64(m.Sum)) }

// crossEntropy adds up on the host, in float64, what the device says of the rows.
func (d *deviceTape) crossEntropy(sums, x *tensor.Tensor, t classTargets) LossNumbers {
	losses := make([]rowLoss, x.Rows())
	for i, m := range d.terms(sums.Address(), x, t) {
		if t.classes[i] == t.ignore {
			continue
		}
		losses[i] = rowLoss{nll: logSum(m) - float64(m.Target), counts: true, hit: m.Winners == 0}
		if t.smoothing != 0 {
			losses[i].smooth = logSum(m) - float64(m.Total)/float64(x.Cols())
		}
	}
	return sumLoss(losses, t.smoothing)
}

func (d *deviceTape) targetLogProbs(x *tensor.Tensor, targets []int32) []float64 {
	const none = math.MinInt32
	out := make([]float64, x.Rows())
	for i, m := range d.terms(d.get(x.Rows()), x, classTargets{classes: targets, ignore: none}) {
		out[i] = float64(m.Target) - logSum(m)
	}
	return out
}

func (d *deviceTape) crossEntropyGrad(dx, dloss, sums, x *tensor.Tensor, t classTargets) {
	d.end("the gradient of cross-entropy", kernels.CrossEntropyGrad(d, dx.Address(), dloss.Address(), sums.Address(), x.Address(),
		d.putInts(t.classes), t.ignore, x.Rows(), x.Cols(), dx.Stride(), x.Stride(), t.smoothing))
}

// softStats is where in what softCrossEntropy keeps the float32s are: behind a SoftTerm of
// each row.
func softStats(saved *tensor.Tensor) device.Address {
	return saved.Address() + device.Address(saved.Rows()*binary.Size(kernels.SoftTerm{}))
}

func (d *deviceTape) softCrossEntropy(saved, x *tensor.Tensor, targets []float32) LossNumbers {
	const op = "cross-entropy of distributions"
	rows, cols := x.Rows(), x.Cols()
	d.must(op, kernels.SoftCrossEntropy(d, saved.Address(), softStats(saved), x.Address(), d.putFloats(targets), rows, cols, x.Stride(), cols))
	terms := read[kernels.SoftTerm](d, op, saved.Address(), rows)
	d.end(op, nil)
	losses := make([]rowLoss, rows)
	for i, class := range d.argmax(x) {
		losses[i] = rowLoss{nll: terms[i].Targets*math.Log(terms[i].Sum) - terms[i].Product, counts: true, hit: class == largest(targets[i*cols:][:cols])}
	}
	return sumLoss(losses, 0)
}

func (d *deviceTape) softCrossEntropyGrad(dx, dloss, saved, x *tensor.Tensor, targets []float32) {
	cols := x.Cols()
	d.end("the gradient of cross-entropy of distributions", kernels.SoftCrossEntropyGrad(d, dx.Address(), dloss.Address(), saved.Address(), softStats(saved),
		x.Address(), d.putFloats(targets), x.Rows(), cols, dx.Stride(), x.Stride(), cols))
}

func (d *deviceTape) argmax(x *tensor.Tensor) []int {
	at := d.get(x.Rows())
	d.must("argmax", kernels.Argmax(d, at, x.Address(), x.Rows(), x.Cols(), x.Stride()))
	return d.integers("argmax", at, x.Rows())
}

func (d *deviceTape) ranks(x *tensor.Tensor, targets []int32) []int {
	at := d.get(x.Rows())
	d.must("ranks", kernels.Ranks(d, at, x.Address(), d.putInts(targets), x.Rows(), x.Cols(), x.Stride()))
	return d.integers("ranks", at, x.Rows())
}

// integers ends an operation whose result is n int32s.
func (d *deviceTape) integers(op string, at device.Address, n int) []int {
	out := make([]int, n)
	for i, v := range read[int32](d, op, at, n) {
		out[i] = int(v)
	}
	d.end(op, nil)
	return out
}
