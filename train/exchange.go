package train

import (
	"cmp"
	"fmt"

	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/internal/cuda/device"
	"github.com/mega-go/mega/nn"
	"github.com/mega-go/mega/tensor"
)

// megabyte is how many numbers a MB has. firstBucket is how many the first bucket has at
// most: it is small, so that the network is busy early (1 MB, as in torch's
// DistributedDataParallel). Tests make them smaller.
var megabyte, firstBucket = 1 << 18, 1 << 18

// alignment is where gradients begin in the memory of an exchange, in numbers: at
// whole cache lines.
const alignment = 16

// An exchange sums the gradients of all processes while the backward pass goes on.
// Gradients lie in one piece of memory in the order in which the pass makes them
// final, the last block of the model first, and what no section has, such as a shared
// embedding, last. The memory is cut into buckets. A bucket is sent when all in it is
// final and those before it are sent: the order is the same in all processes, whatever
// gradients each of them has, so that nothing is negotiated.
//
// For a [sharding], sums stay in the process that adds them up.
//
// Gradients of parameters that are on a device have memory there: they are copied to that
// of the exchange once they are final, and their sums back.
type exchange struct {
	comm    Communicator
	bf16    bool
	sharded bool
	params  []*nn.Parameter
	set     *nn.Params
	memory  []float32
	at      []int            // where each parameter's gradient begins
	there   []*tensor.Tensor // gradients on a device; nil on the host
	flags   []float32        // 1 for each parameter that has a gradient in some process; at the end of memory unless sharded
	buckets []*bucket
	within  [][]*bucket // which of them each parameter lies in

	update int // for messages
	final  []bool
	sent   int // buckets
}

// A bucket is what is sent at a time.
type bucket struct {
	from, to int // of memory
	missing  int // parameters in it whose gradients are not final
	wait     func() error
}

// newExchange lays out the gradients of all parameters.
func newExchange(c Communicator, set *nn.Params, bucketMB int, bf16, sharded bool) *exchange {
	x := &exchange{comm: c, bf16: bf16, sharded: sharded, params: set.All(), set: set, at: make([]int, len(set.All())), final: make([]bool, len(set.All())), within: make([][]*bucket, len(set.All()))}
	defer device.Abandon(func() { tensor.Free(x.there...) })
	end := 0
	x.eachInOrder(func(i int) {
		n := tensor.Size(x.params[i].Shape())
		x.at[i] = x.place(end, n)
		end = roundUp(x.at[i]+n, alignment)
	})
	if sharded {
		x.memory, x.flags = c.Memory(roundUp(end, x.unit())), make([]float32, len(x.params))
	} else {
		x.memory = c.Memory(end + len(x.params))
		x.flags = x.memory[end:]
	}
	for i, p := range x.params {
		if p.Value().Device() != nil {
			x.there = append(x.there, tensor.NewLike(p.Value(), p.Shape()...))
		}
		p.SetGradMemory(x.gradient(i))
	}
	x.cut(bucketMB * megabyte)
	return x
}

func roundUp(n, unit int) int { return (n + unit - 1) / unit * unit }

// unit is what the length of a bucket is a multiple of: each process adds up one part,
// which is of whole blocks of the optimiser where it also updates the weights there.
func (x *exchange) unit() int {
	if x.sharded {
		return x.comm.Size() * autograd.AdamBlock
	}
	return x.comm.Size()
}

// place returns where a gradient of n numbers begins, at end or later. In sharded
// memory no block of the optimiser crosses a multiple of a block's size, so that none
// is in two parts.
func (x *exchange) place(end, n int) int {
	if !x.sharded || end%autograd.AdamBlock+n <= autograd.AdamBlock {
		return end
	}
	return roundUp(end, autograd.AdamBlock)
}

// eachInOrder calls f for all parameters in the order in which their gradients become
// final.
func (x *exchange) eachInOrder(f func(i int)) {
	sections := x.set.Sections()
	in := make([]bool, len(x.params))
	for s := len(sections) - 1; s >= 0; s-- {
		for i := sections[s].From; i < sections[s].To; i++ {
			in[i] = true
			f(i)
		}
	}
	for i := range x.params {
		if !in[i] {
			f(i)
		}
	}
}

// gradient returns a parameter's gradient where the parameter is.
func (x *exchange) gradient(i int) *tensor.Tensor {
	if x.there != nil {
		return x.there[i]
	}
	return tensor.FromSlice(x.staged(i), x.params[i].Shape()...)
}

// staged returns the memory from which a parameter's gradient is sent.
func (x *exchange) staged(i int) []float32 {
	return x.memory[x.at[i]:][:tensor.Size(x.params[i].Shape())]
}

// cut makes buckets of so many numbers at most, rounded up to a multiple of unit. The
// last has the flags.
func (x *exchange) cut(most int) {
	for from, limit := 0, min(firstBucket, most); from < len(x.memory); limit = most {
		b := &bucket{from: from, to: min(from+roundUp(limit, x.unit()), len(x.memory))}
		for i, p := range x.params {
			if x.at[i] < b.to && x.at[i]+tensor.Size(p.Shape()) > b.from {
				x.within[i] = append(x.within[i], b)
			}
		}
		x.buckets = append(x.buckets, b)
		from = b.to
	}
}

// begin prepares for the gradients of an update.
func (x *exchange) begin(update int) {
	x.update, x.sent = update, 0
	clear(x.final)
	clear(x.flags)
	for _, b := range x.buckets {
		b.missing = 0
	}
	for _, buckets := range x.within {
		for _, b := range buckets {
			b.missing++
		}
	}
	x.set.OnFinal(nil)
}

// overlap sends gradients during the next backward pass, which is the update's last in
// this process.
func (x *exchange) overlap() {
	x.set.OnFinal(func(s *nn.Section) {
		for i := s.From; i < s.To; i++ {
			x.settle(i)
		}
		x.send()
	})
}

// settle takes a parameter's gradient as final.
func (x *exchange) settle(i int) {
	if x.final[i] {
		return
	}
	x.final[i] = true
	switch g := x.params[i].Grad(); {
	case g == nil:
		clear(x.staged(i))
	case x.there != nil:
		g.HostRange(x.staged(i), 0)
		x.flags[i] = 1
	default:
		x.flags[i] = 1
	}
	for _, b := range x.within[i] {
		b.missing--
	}
}

// send starts the sums of buckets that are complete. The last waits for the flags.
func (x *exchange) send() {
	for ; x.sent < len(x.buckets)-1 && x.buckets[x.sent].missing == 0; x.sent++ {
		x.start(x.sent)
	}
}

func (x *exchange) start(i int) {
	b := x.buckets[i]
	what := fmt.Sprintf("update %d, bucket %d of %d of the gradients", x.update, i+1, len(x.buckets))
	sum := x.memory[b.from:b.to]
	reduced := x.comm.StartReduceScatter(what, sum, x.bf16)
	if b.wait = reduced; !x.sharded {
		gathered := x.comm.StartAllGather(what, sum, x.bf16)
		b.wait = func() error { return cmp.Or(reduced(), gathered()) }
	}
}

// complete sends what is left.
func (x *exchange) complete() {
	for i := range x.params {
		x.settle(i)
	}
	for ; x.sent < len(x.buckets); x.sent++ {
		x.start(x.sent)
	}
}

// finish sends what is left, waits for all sums and returns the gradients, nil for
// parameters that none has reached in any process.
func (x *exchange) finish(grads []*tensor.Tensor) error {
	x.complete()
	for _, b := range x.buckets {
		if err := b.wait(); err != nil {
			return err
		}
	}
	x.results(grads)
	for i, g := range grads {
		if g != nil && x.there != nil {
			g.WriteHostRange(0, x.staged(i))
		}
	}
	return nil
}

// results returns the gradients of the parameters that have flags, nil for others.
func (x *exchange) results(grads []*tensor.Tensor) {
	for i := range x.params {
		grads[i] = nil
		if x.flags[i] > 0 {
			grads[i] = x.gradient(i)
		}
	}
}
