package autograd

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/mega-go/mega/internal/cuda/device"
	"github.com/mega-go/mega/internal/cuda/kernels"
	"github.com/mega-go/mega/tensor"
)

// keptMemory is a device's memory for what outlives a step: states of texts. Nobody says
// when a text is done with, so the memory of what nobody holds any more comes back with
// Go's garbage. The collector knows nothing of a device's memory and is called when twice
// as much is taken as after the last time, as it goes by itself about the host's.
type keptMemory struct {
	pool  tensor.Pool
	taken map[*tensor.Tensor]bool // from pool
	limit int                     // numbers from which the collector is called

	mu   sync.Mutex
	free []*tensor.Tensor // that nobody holds, and the pool does not know of yet
}

// firstLimit is how many numbers are taken before the collector is called.
const firstLimit = 1 << 24

// keep returns memory that lasts as long as the tensor is held. Launches that read it must
// be on their way before the last use of who holds it.
func (d *deviceTape) keep(shape ...int) *tensor.Tensor {
	m := &d.kept
	m.collect()
	if m.pool.Taken()+tensor.Size(shape) > max(m.limit, firstLimit) {
		runtime.GC()
		m.collect()
		m.limit = 2 * (m.pool.Taken() + tensor.Size(shape))
	}
	t := d.allocate(shape)
	m.taken[t] = true
	held := t.Reshape(shape...)
	runtime.AddCleanup(held, m.drop, t)
	return held
}

// allocate takes memory from the pool. If the device has no more it waits for what the
// collector finds.
func (d *deviceTape) allocate(shape []int) (t *tensor.Tensor) {
	const patience = 10
	for range patience {
		var err error
		func() {
			defer device.Catch(&err)
			t = d.kept.pool.Get(shape...)
		}()
		if err == nil {
			return t
		}
		runtime.GC()
		time.Sleep(time.Millisecond) // the collector tells of what it finds on a goroutine of its own
		d.kept.collect()
		d.kept.pool.Trim()
	}
	return d.kept.pool.Get(shape...)
}

// drop takes note that nobody holds memory any more. The collector calls it.
func (m *keptMemory) drop(t *tensor.Tensor) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.free = append(m.free, t)
}

// collect gives the pool what nobody holds.
func (m *keptMemory) collect() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, t := range m.free {
		if m.taken[t] {
			delete(m.taken, t)
			m.pool.Put(t)
		}
	}
	m.free = m.free[:0]
}

// Close gives a device back all memory of a tape, and of the states that it has read: they
// are void. The tape computes nothing any more. On the host it does nothing.
func (t *Tape) Close() {
	d := t.device
	if d == nil {
		return
	}
	t.Reset()
	t.pool.Close()
	clear(d.kept.taken)
	d.kept.pool.Close()
	for _, at := range d.tables {
		d.must("free memory", d.Free(at))
	}
	clear(d.tables)
	for _, at := range d.seeds.blocks {
		d.must("free memory", d.Free(at))
	}
	d.seeds.blocks = nil
}

// Keep returns a copy of a value as a constant that outlives what the tape makes.
func (t *Tape) Keep(v *Variable) *Variable {
	if t.device == nil {
		return NewConstant(t.value(v).Clone())
	}
	c := t.device.keep(v.shape...)
	t.device.copy(c, t.value(v))
	return NewConstant(c)
}

// Assign sets a constant that Keep returned to another value of its shape.
func (t *Tape) Assign(c, v *Variable) { t.ops.copy(c.value, t.value(v)) }

// Place copies the rows of each text in x [B, n, D] to a constant that Keep returned, or
// NewKept, from position from on: [B, L, D].
func (t *Tape) Place(c, x *Variable, from int) {
	to, n, d := c.shape, x.shape[1], x.shape[2]
	if d != to[2] || x.shape[0] != to[0] || from < 0 || from+n > to[1] {
		panic(fmt.Sprintf("autograd: Place of %v at %d of %v", x.shape, from, to))
	}
	copies := make([]rowCopy, to[0])
	for b := range copies {
		copies[b] = rowCopy{c.value, b*to[1] + from, t.value(x), b * n, n}
	}
	copyRows(t.device, copies)
}

// NewKept returns a constant of undefined numbers that outlives what the tape makes.
func (t *Tape) NewKept(shape ...int) *Variable {
	if t.device == nil {
		return NewConstant(tensor.New(shape...))
	}
	return NewConstant(t.device.keep(shape...))
}

// copyPieces copies rows, none of which another copy writes.
func (d *deviceTape) copyPieces(copies []rowCopy) {
	var pieces []kernels.Piece
	var table []byte
	for _, c := range copies {
		if c.n == 0 {
			continue
		}
		p := kernels.Piece{
			To: row(c.to, c.row), From: row(c.from, c.at), Rows: int32(c.n), Cols: int32(c.to.Cols()),
			StrideTo: int32(c.to.Stride()), Stride: int32(c.from.Stride()),
		}
		pieces = append(pieces, p)
		table = binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(table, p.To), p.From)
		for _, n := range []int32{p.Rows, p.Cols, p.StrideTo, p.Stride} {
			table = binary.LittleEndian.AppendUint32(table, uint32(n))
		}
	}
	if len(pieces) == 0 {
		return
	}
	d.end("copies of states", kernels.CopyPieces(d, d.put(table), pieces))
	runtime.KeepAlive(copies)
}

// A deviceAverage is what a device continues some of a moving average's averages with, as
// many as kernels take.
type deviceAverage struct {
	scan         kernels.EMA
	coefficients *tensor.Tensor
	rest         device.Address // among them
}

const averageOp = "a moving average that continues a text"

// beginAverages returns averages of zeros.
func (d *deviceTape) beginAverages(texts int, a *keptAverage) *tensor.Tensor {
	if a.onDevice == nil {
		a.onDevice = d.deviceAverages(a)
	}
	x := d.keep(texts, kernels.Kept(a.config.States)*a.parameters.Omega.Cols())
	d.fill(x, 0)
	return x
}

// deviceAverages returns a moving average in the parts that kernels take, ready to go on.
func (d *deviceTape) deviceAverages(a *keptAverage) (all []deviceAverage) {
	const numbers = kernels.EMACoefficients + kernels.EMAStates
	channels := a.parameters.Omega.Cols()
	p := a.parameters.direction(0, a.config, channels)
	for first := 0; first < a.config.States; first += kernels.EMAStates {
		k := deviceAverage{scan: kernels.EMA{Channels: channels, First: first}, coefficients: d.keep(numbers, channels)}
		k.rest = row(k.coefficients, kernels.EMACoefficients)
		d.must(averageOp, k.scan.SetCoefficients(d, k.coefficients.Address(), p, a.config.States))
		d.must(averageOp, k.scan.Rest(d, k.rest, p, a.config.States))
		all = append(all, k)
	}
	return all
}

func (d *deviceTape) continueAverage(dst, x *tensor.Tensor, mask []bool, batch, length int, s *EMAState) {
	hidden, omega := d.putMask(mask), s.average.parameters.Omega.Value().Address()
	carry := d.get(kernels.EMA{Batch: batch, Length: length, Channels: x.Cols()}.ContinueCarries())
	for _, k := range s.average.onDevice {
		e := k.scan
		e.Batch, e.Length = batch, length
		d.must(averageOp, e.Continue(d, dst.Address(), s.averages.Address(), x.Address(), hidden, k.rest, omega, carry, s.average.config.States))
		omega = 0 // the next one adds to it
	}
	d.end(averageOp, nil)
}

func (d *deviceTape) continueAttention(dst, q, k, v *tensor.Tensor, c attentionCall) {
	s, length := c.State, q.Rows()/len(c.State.Texts)
	if k != nil && s.whole(length) {
		c.Queries, c.Keys, c.Mask = s.Chunk, s.Chunk, nil
		d.attention(dst, q, k, v, c)
		return
	}
	if k != nil {
		var copies []rowCopy
		for i, t := range s.Texts {
			s.extends(t, length)
			copies = t.append(k, v, i*length, length, copies)
		}
		d.copyPieces(copies)
	}
	a := kernels.TextAttention{Texts: len(s.Texts), Length: length, Function: -1, Scale: float32(c.Scale), Causal: c.Causal}
	if c.Function != AttentionSoftmax {
		a.Function = int(ReLU2)
		if c.Function == AttentionLaplace {
			a.Function = int(Laplace)
		}
	}
	if c.bias != nil {
		a.Bias = d.in(c.bias)
	}
	var table []byte
	for _, t := range s.Texts {
		a.Most = max(a.Most, t.n)
		table = binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(table, t.keys.Address()), t.values.Address())
		table = binary.LittleEndian.AppendUint32(table, uint32(t.n))
		table = binary.LittleEndian.AppendUint32(table, uint32(int32(c.biasZero(t, length, k != nil))))
	}
	a.Table = d.put(table)
	d.end("attention that continues a text", a.Forward(d, dst.Address(), q.Address(), d.get(a.Scores()), q.Cols(), dst.Cols(), dst.Stride(), q.Stride()))
	if k != nil {
		s.forgetFull()
	}
	runtime.KeepAlive(s)
}
