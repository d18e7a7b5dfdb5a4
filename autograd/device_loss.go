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

// lossTerms is the memory of kernels.LossTerms of so many rows, in float32s.
func lossTerms(rows int) int { return rows * binary.Size(kernels.LossTerms{}) / 4 }

// writeTerms has the device write what cross-entropy says of each row, zeros where the
// class is ignored.
func (d *deviceTape) writeTerms(at, sums device.Address, x *tensor.Tensor, t classTargets) {
	rows, cols := x.Rows(), x.Cols()
	for i, class := range t.classes {
		if class != t.ignore {
			t.check(i, cols)
		}
	}
	const op = "cross-entropy"
	d.must(op, kernels.Fill(d, at, 0, lossTerms(rows)))
	d.end(op, kernels.CrossEntropy(d, at, sums, x.Address(), d.putInts(t.classes), t.ignore, rows, cols, x.Stride()))
}

// logSum returns log Σ e^x of a row, in float64.
func logSum(m kernels.LossTerms) float64 { return float64(m.Largest) + math.Log(float64(m.Sum)) }

// crossEntropy adds up on the host, in float64, what the device says of the rows.
func (d *deviceTape) crossEntropy(sums, x *tensor.Tensor, t classTargets) func() LossNumbers {
	rows, cols := x.Rows(), float64(x.Cols())
	terms := d.pool.Get(lossTerms(rows))
	d.writeTerms(terms.Address(), sums.Address(), x, t)
	return func() LossNumbers {
		losses := make([]rowLoss, rows)
		for i, m := range read[kernels.LossTerms](d, "cross-entropy", terms.Address(), rows) {
			if t.classes[i] == t.ignore {
				continue
			}
			losses[i] = rowLoss{nll: logSum(m) - float64(m.Target), counts: true, hit: m.Winners == 0}
			if t.smoothing != 0 {
				losses[i].smooth = logSum(m) - float64(m.Total)/cols
			}
		}
		d.pool.Put(terms)
		return sumLoss(losses, t.smoothing)
	}
}

func (d *deviceTape) targetLogProbs(x *tensor.Tensor, targets []int32) []float64 {
	const none = math.MinInt32
	out, terms := make([]float64, x.Rows()), d.pool.Get(lossTerms(x.Rows()))
	d.writeTerms(terms.Address(), d.get(x.Rows()), x, classTargets{classes: targets, ignore: none})
	for i, m := range read[kernels.LossTerms](d, "cross-entropy", terms.Address(), x.Rows()) {
		out[i] = float64(m.Target) - logSum(m)
	}
	d.pool.Put(terms)
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

// softCrossEntropy keeps a copy of what it saves, which the backward pass gives back.
func (d *deviceTape) softCrossEntropy(saved, x *tensor.Tensor, targets []float32) func() LossNumbers {
	const op = "cross-entropy of distributions"
	rows, cols := x.Rows(), x.Cols()
	d.must(op, kernels.SoftCrossEntropy(d, saved.Address(), softStats(saved), x.Address(), d.putFloats(targets), rows, cols, x.Stride(), cols))
	terms, best := d.pool.Get(rows*binary.Size(kernels.SoftTerm{})/4), d.pool.Get(rows)
	d.copyRows(terms.Address(), saved.Address(), 1, terms.Len(), terms.Len(), terms.Len())
	d.end(op, kernels.Argmax(d, best.Address(), x.Address(), rows, cols, x.Stride()))
	return func() LossNumbers {
		losses, classes := make([]rowLoss, rows), read[int32](d, op, best.Address(), rows)
		for i, m := range read[kernels.SoftTerm](d, op, terms.Address(), rows) {
			losses[i] = rowLoss{nll: m.Targets*math.Log(m.Sum) - m.Product, counts: true, hit: int(classes[i]) == largest(targets[i*cols:][:cols])}
		}
		d.pool.Put(terms)
		d.pool.Put(best)
		return sumLoss(losses, 0)
	}
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
