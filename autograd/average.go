package autograd

import (
	"fmt"

	"github.com/mega-go/mega/internal/cuda/device"
	"github.com/mega-go/mega/internal/cuda/kernels"
	"github.com/mega-go/mega/internal/kernel"
	"github.com/mega-go/mega/tensor"
)

// An Average holds the exponential moving averages a of tensors x (timm's
// utils/model_ema.py):
//
//	a = decay·a + (1−decay)·x
//
// Results do not depend on the number of workers.
type Average struct {
	averages, of []*tensor.Tensor
	decay        float64
	blocks       []block
	workers      *Workers
	update       func(worker, i int)
}

// NewAverage returns an Average whose values are in averages, of one shape each with
// those of of, and stay what they are until Update. w computes; nil for the process's
// own workers.
func NewAverage(averages, of []*tensor.Tensor, decay float64, w *Workers) *Average {
	a := &Average{averages: averages, of: of, decay: decay, blocks: blocksOf(of), workers: w}
	a.update = a.updateBlock
	return a
}

// Update moves the averages towards what the tensors hold now.
func (a *Average) Update() {
	if len(a.of) > 0 && a.of[0].Device() != nil {
		a.updateOnDevice()
		return
	}
	a.workers.Run(len(a.blocks), a.update)
}

// updateOnDevice is Update where the tensors are on a device, all on the same.
func (a *Average) updateOnDevice() {
	const step = "averages of the weights"
	for i, x := range a.of {
		d, ok := x.Device().(device.Device)
		if !ok || a.averages[i].Device() != x.Device() {
			panic(fmt.Sprintf("autograd: Average of tensors in several memories: number %d and its average are not together", i))
		}
		at := a.averages[i].Address()
		device.Must(d, step, kernels.Scale(d, at, at, float32(a.decay), x.Len()))
		device.Must(d, step, kernels.AddScaled(d, at, x.Address(), float32(1-a.decay), x.Len()))
	}
}

func (a *Average) updateBlock(_, i int) {
	b := a.blocks[i]
	to := b.of(a.averages)
	kernel.Scale(to, to, float32(a.decay))
	kernel.Axpy(to, float32(1-a.decay), b.of(a.of))
}

// A block is the range [from, to) of a tensor of a list: what one task works on, and
// the unit of summation.
type block struct{ index, from, to int }

// blockSize is how many numbers a block has at most.
const blockSize = 1 << 13

// blocksOf divides contiguous tensors into blocks.
func blocksOf(tensors []*tensor.Tensor) (blocks []block) {
	for i, t := range tensors {
		for from := 0; from < t.Len(); from += blockSize {
			blocks = append(blocks, block{i, from, min(from+blockSize, t.Len())})
		}
	}
	return blocks
}

// of returns the block's numbers.
func (b block) of(tensors []*tensor.Tensor) []float32 { return tensors[b.index].Data()[b.from:b.to] }
