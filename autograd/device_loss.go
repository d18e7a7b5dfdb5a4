package autograd

import (
	"encoding/binary"
	"math"

	"github.com/mega-go/mega/internal/cuda/kernels"
	"github.com/mega-go/mega/tensor"
)

// crossEntropy adds up on the host, in float64, what the device says of the rows.
func (d *deviceTape) crossEntropy(sums, x *tensor.Tensor, t classTargets) LossNumbers {
	rows, cols := x.Rows(), x.Cols()
	for i, class := range t.classes {
		if class != t.ignore {
			t.check(i, cols)
		}
	}
	const op = "cross-entropy"
	terms := make([]kernels.LossTerms, rows)
	size := binary.Size(terms)
	at := d.zeros(size / 4)
	d.must(op, kernels.CrossEntropy(d, at, sums.Address(), x.Address(), d.putInts(t.classes), t.ignore, rows, cols, x.Stride()))
	bytes := make([]byte, size)
	d.must(op, d.Read(bytes, at))
	if _, err := binary.Decode(bytes, binary.LittleEndian, terms); err != nil {
		panic(err) // of sizes, which are as they are
	}
	d.end(op, nil)
	losses := make([]rowLoss, rows)
	for i, m := range terms {
		if t.classes[i] == t.ignore {
			continue
		}
		logSum := float64(m.Largest) + math.Log(float64(m.Sum))
		losses[i] = rowLoss{nll: logSum - float64(m.Target), counts: true, hit: m.Winners == 0}
		if t.smoothing != 0 {
			losses[i].smooth = logSum - float64(m.Total)/float64(cols)
		}
	}
	return sumLoss(losses, t.smoothing)
}

func (d *deviceTape) crossEntropyGrad(dx, dloss, sums, x *tensor.Tensor, t classTargets) {
	d.end("the gradient of cross-entropy", kernels.CrossEntropyGrad(d, dx.Address(), dloss.Address(), sums.Address(), x.Address(),
		d.putInts(t.classes), t.ignore, x.Rows(), x.Cols(), dx.Stride(), x.Stride(), t.smoothing))
}
