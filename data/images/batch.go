package images

import (
	"fmt"

	"github.com/mega-go/mega/data/mt19937"
	"github.com/mega-go/mega/internal/parallel"
)

// A Batch is B pictures as a model reads them.
type Batch struct {
	Rows, Side int
	Pixels     []float32 // [B, 3, Side, Side]
	Targets    []float32 // [B, classes] that sum to 1, for training; nil in evaluation
	Labels     []int32   // [B] the class of each picture, before it was mixed
	IDs        []int     // [B] positions in the set
}

// Batches are the batches of an epoch, each the same whenever it is asked for
// and whatever the number of workers.
type Batches struct {
	set         *Set
	view        View
	order       []int // positions in the set
	size, count int
	training    bool

	prepare func(to []float32, p *Picture, position int) // position in order
	finish  func(b *Batch, i int)
}

// Evaluation returns all pictures in their order, not augmented.
func (s *Set) Evaluation(v View, size int) *Batches {
	order := make([]int, s.Len())
	for i := range order {
		order[i] = i
	}
	return &Batches{
		set: s, view: v, order: order, size: size, count: (len(order) + size - 1) / size,
		prepare: func(to []float32, p *Picture, _ int) { v.Evaluate(to, p) },
		finish:  func(*Batch, int) {},
	}
}

// roundTo is what the number of pictures of an epoch is a multiple of, where there
// are as many.
const roundTo = 256

// Training returns the batches of an epoch, counted from 1, in the order of
// DeiT's samplers.py: pictures are shuffled by seed and epoch, each stands
// a.Repeats times, and the epoch ends after as many as the set has. What does not
// fill a batch is left out, unless there is none that is full.
func (s *Set) Training(v View, a Augmentation, size int, seed uint64, epoch int) *Batches {
	order := make([]int, 0, s.Len())
	shuffled := mt19937.New(uint32(seed) + uint32(epoch) - 1).TorchPermutation(s.Len())
	for i := range s.Len() {
		order = append(order, shuffled[i/a.Repeats])
	}
	if n := len(order) / roundTo * roundTo; n > 0 && a.Repeats > 1 {
		order = order[:n]
	}
	return &Batches{
		set: s, view: v, order: order, size: size, count: max(1, len(order)/size), training: true,
		prepare: func(to []float32, p *Picture, position int) { a.apply(to, p, v, lots(seed, epoch, position, false)) },
		finish:  func(b *Batch, i int) { a.Mixing.apply(b, len(s.Classes), lots(seed, epoch, i, true)) },
	}
}

// Len returns the number of batches.
func (b *Batches) Len() int { return b.count }

// Batch reads batch i on all cores. Pictures that cannot be read are left out. If
// that leaves none, the batch is empty in evaluation, and in training the next one
// that is not stands for it; it is an error if there is none.
func (b *Batches) Batch(i int) (*Batch, error) {
	out, err := b.read(i)
	for k := 1; b.training && err != nil && k < b.count; k++ {
		out, err = b.read((i + k) % b.count)
	}
	if b.training && err != nil {
		return nil, fmt.Errorf("none of %d pictures can be read: %w", len(b.order), err)
	}
	return out, nil
}

// read is Batch without the next one. err is that of the first picture if none can
// be read.
func (b *Batches) read(i int) (out *Batch, err error) {
	first := i * b.size
	ids := b.order[first:min(first+b.size, len(b.order))]
	out = &Batch{Side: b.view.Side, Pixels: make([]float32, len(ids)*b.view.Numbers())}
	broken := make([]error, len(ids))
	_ = parallel.Each(len(ids), func(row int) error { // broken pictures end nothing
		p, err := b.set.read(ids[row])
		if broken[row] = err; err == nil {
			b.prepare(out.row(row), p, first+row)
		}
		return nil
	})
	for row, id := range ids {
		if broken[row] != nil {
			continue
		}
		copy(out.row(out.Rows), out.row(row))
		out.Labels, out.IDs = append(out.Labels, b.set.labels[id]), append(out.IDs, id)
		out.Rows++
	}
	out.Pixels = out.Pixels[:out.Rows*b.view.Numbers()]
	if out.Rows == 0 {
		return out, broken[0]
	}
	b.finish(out, i)
	return out, nil
}

// row returns the numbers of a picture.
func (b *Batch) row(i int) []float32 {
	n := 3 * b.Side * b.Side
	return b.Pixels[i*n:][:n]
}
