package ptx

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
)

// A Launch is a grid of blocks of threads to run.
type Launch struct {
	Grid, Block [3]int // extents x, y and z; 0 stands for 1
	Seed        uint64 // of the order in which blocks and warps run; 0 for that of their numbers
	Limit       int64  // instructions of a warp to run at most in all; 0 stands for 2^32
}

// What devices take along each axis.
var (
	maxGrid  = [3]int{math.MaxInt32, 65535, 65535}
	maxBlock = [3]int{maxThreads, maxThreads, 64}
)

// A Fault is why a launch ended early.
type Fault struct {
	Kernel string
	Line   int    // in the text of the module
	Text   string // of the instruction
	Block  [3]int
	Thread [3]int
	Reason string
}

func (f *Fault) Error() string {
	return fmt.Sprintf("ptx: kernel %s, line %d (%s), block %v, thread %v: %s", f.Kernel, f.Line, f.Text, f.Block, f.Thread, f.Reason)
}

// Run runs a kernel on memory. Arguments are one of int32, uint32, int64, uint64,
// float32 and float64 for each parameter, addresses being uint64.
func (k *Kernel) Run(m *Memory, l Launch, args ...any) error {
	params, err := k.pack(args)
	if err != nil {
		return err
	}
	for i := range 3 {
		l.Grid[i], l.Block[i] = max(l.Grid[i], 1), max(l.Block[i], 1)
	}
	threads, blocks := 1, 1
	for i := range 3 {
		if l.Block[i] > maxBlock[i] || l.Grid[i] > maxGrid[i] {
			return fmt.Errorf("ptx: kernel %s: a grid of %v blocks of %v threads", k.Name, l.Grid, l.Block)
		}
		threads *= l.Block[i]
		if blocks > maxBlocks/l.Grid[i] {
			return fmt.Errorf("ptx: kernel %s: a grid of %v blocks", k.Name, l.Grid)
		}
		blocks *= l.Grid[i]
	}
	if threads > k.MaxThreads {
		return fmt.Errorf("ptx: kernel %s: blocks of %d threads, it takes %d", k.Name, threads, k.MaxThreads)
	}
	if l.Limit == 0 {
		l.Limit = 1 << 32
	}
	for _, s := range m.segments {
		s.forget()
	}
	b := newBlock(k, m, l, threads, params)
	for i := range blocks {
		b.number = shuffled(i, blocks, l.Seed)
		if fault := b.run(); fault != nil {
			return fault
		}
	}
	return nil
}

// shuffled returns the i-th of n numbers in an order that a seed decides: a walk with
// a stride that has no divisor in common with n.
func shuffled(i, n int, seed uint64) int {
	if seed == 0 || n == 1 {
		return i
	}
	stride := int(seed%uint64(n)) | 1
	for gcd(stride, n) != 1 {
		stride++
	}
	return int((uint64(i)*uint64(stride) + seed) % uint64(n))
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// pack lays arguments out as the kernel's parameters.
func (k *Kernel) pack(args []any) ([]byte, error) {
	if len(args) != len(k.Params) {
		return nil, fmt.Errorf("ptx: kernel %s takes %d arguments, not %d", k.Name, len(k.Params), len(args))
	}
	out := make([]byte, k.paramSize)
	for i, p := range k.Params {
		bits, size := uint64(0), 4
		switch v := args[i].(type) {
		case int32:
			bits = uint64(uint32(v))
		case uint32:
			bits = uint64(v)
		case float32:
			bits = uint64(math.Float32bits(v))
		case int64:
			bits, size = uint64(v), 8
		case uint64:
			bits, size = v, 8
		case float64:
			bits, size = math.Float64bits(v), 8
		default:
			return nil, fmt.Errorf("ptx: kernel %s: argument %d is of type %T", k.Name, i, v)
		}
		if size != p.Size {
			return nil, fmt.Errorf("ptx: kernel %s: argument %d has %d bytes, %s has %d", k.Name, i, size, p.Name, p.Size)
		}
		if size == 4 {
			binary.LittleEndian.PutUint32(out[p.offset:], uint32(bits))
		} else {
			binary.LittleEndian.PutUint64(out[p.offset:], bits)
		}
	}
	return out, nil
}

// A block is the one that runs now: one after the other takes its memory.
type block struct {
	kernel *Kernel
	memory *Memory
	shared *segment
	params []byte
	extent [2][3]int // of a block in threads, of the grid in blocks
	number int       // among the blocks
	index  [3]int
	epoch  int // barriers gone through
	limit  int64
	warps  []*warp
	order  *rand.Rand // nil for the order of their numbers
	fault  *Fault
}

func newBlock(k *Kernel, m *Memory, l Launch, threads int, params []byte) *block {
	b := &block{kernel: k, memory: m, params: params, extent: [2][3]int{l.Block, l.Grid}, limit: l.Limit,
		shared: newSegment(sharedBase, k.Shared)}
	if l.Seed != 0 {
		b.order = rand.New(rand.NewPCG(l.Seed, 0))
	}
	for first := 0; first < threads; first += lanes {
		w := &warp{block: b, first: first, registers: make([]vector, len(k.classes))}
		w.exists = uint32(1<<min(lanes, threads-first) - 1)
		for l := range lanes {
			id := first + l
			w.thread[0][l] = uint64(id % l3(b, 0))
			w.thread[1][l] = uint64(id / l3(b, 0) % l3(b, 1))
			w.thread[2][l] = uint64(id / l3(b, 0) / l3(b, 1))
		}
		b.warps = append(b.warps, w)
	}
	return b
}

// l3 returns the extent of b in threads along an axis.
func l3(b *block, axis int) int { return b.extent[0][axis] }

// run runs the block to its end.
func (b *block) run() *Fault {
	grid := b.extent[1]
	b.index = [3]int{b.number % grid[0], b.number / grid[0] % grid[1], b.number / grid[0] / grid[1]}
	b.epoch = 0
	b.shared.poison()
	for _, w := range b.warps {
		w.reset()
	}
	for {
		if b.order != nil {
			b.order.Shuffle(len(b.warps), func(i, j int) { b.warps[i], b.warps[j] = b.warps[j], b.warps[i] })
		}
		for _, w := range b.warps {
			if w.run(); b.fault != nil {
				return b.fault
			}
		}
		if b.ended() {
			return nil
		}
		if b.release(); b.fault != nil {
			return b.fault
		}
	}
}

// ended reports whether all threads have.
func (b *block) ended() bool {
	for _, w := range b.warps {
		if w.live() != 0 {
			return false
		}
	}
	return true
}

// release lets the threads go on that wait at a barrier, which all must do.
func (b *block) release() {
	at := int32(-1)
	for _, w := range b.warps {
		if l := first(w.waiting); l >= 0 && at < 0 {
			at = w.pc[l]
		}
	}
	for _, w := range b.warps {
		if l := first(w.exists &^ w.waiting); l >= 0 {
			w.fail(at, l, "the thread has ended while others of its block wait at a barrier")
		}
		for l := range lanes {
			if w.waiting>>l&1 != 0 && w.pc[l] != at {
				w.fail(w.pc[l], l, "the thread waits at this barrier, others of its block at that of line %d", b.kernel.code[at].line)
			}
		}
	}
	for _, w := range b.warps {
		for l := range lanes {
			w.pc[l]++
		}
		w.waiting = 0
	}
	if b.epoch++; b.epoch >= maxEpochs {
		b.warps[0].fail(at, 0, "too many barriers")
	}
}
