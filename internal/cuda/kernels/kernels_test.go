package kernels

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/mega-go/mega/internal/cuda/ptx"
	"github.com/mega-go/mega/internal/kernel"
)

// A machine is a device with memory: the interpreter, or with the build tag cuda a
// device of this computer, if there is one.
type machine interface {
	Device
	Alloc(n int) uint64 // bytes
	Write(address uint64, data []byte) error
	Read(data []byte, address uint64) error
}

// interpreter runs a module on the processor, in an order of blocks and warps that
// changes from launch to launch.
type interpreter struct {
	*ptx.Memory
	module *ptx.Module
	seed   uint64
}

func (m *interpreter) Launch(name string, grid, block [3]int, args ...any) error {
	k := m.module.Kernel(name)
	if k == nil {
		return fmt.Errorf("no kernel %s", name)
	}
	m.seed++
	return k.Run(m.Memory, ptx.Launch{Grid: grid, Block: block, Seed: m.seed}, args...)
}

// newMachine returns what the tests run on.
var newMachine = func(t testing.TB) machine {
	m, err := parsed()
	if err != nil {
		t.Fatal(err)
	}
	return &interpreter{Memory: ptx.NewMemory(), module: m}
}

// parsed is the module of all kernels, parsed once.
var parsed = sync.OnceValues(func() (*ptx.Module, error) { return ptx.Parse(PTX) })

func interpret(t testing.TB, text string) *interpreter {
	t.Helper()
	m, err := ptx.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return &interpreter{Memory: ptx.NewMemory(), module: m}
}

// A bench puts numbers on a machine and compares what comes back.
type bench struct {
	testing.TB
	machine
	r *rand.Rand
}

func newBench(t testing.TB) *bench {
	// The CPU's kernels here are the plain ones, which compute in float64.
	if err := kernel.Use(kernel.Generic); err != nil {
		t.Fatal(err)
	}
	return &bench{t, newMachine(t), rand.New(rand.NewPCG(1, 2))}
}

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// up returns the address of a copy of x.
func up[T any](b *bench, x []T) Address {
	b.Helper()
	data, err := binary.Append(nil, binary.LittleEndian, x)
	b.must(err)
	at := b.Alloc(len(data))
	b.must(b.Write(at, data))
	return at
}

// empty returns memory for n numbers of 4 bytes.
func (b *bench) empty(n int) Address { return b.Alloc(4 * n) }

// down returns n numbers.
func down[T any](b *bench, at Address, n int) []T {
	b.Helper()
	x := make([]T, n)
	data := make([]byte, binary.Size(x))
	b.must(b.Read(data, at))
	_, err := binary.Decode(data, binary.LittleEndian, x)
	b.must(err)
	return x
}

// normal returns n random numbers.
func (b *bench) normal(n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(b.r.NormFloat64())
	}
	return x
}

// compare holds numbers on the machine against want, to within tolerance times 1 plus
// the number's size. NaN and infinities must be where they should.
func (b *bench) compare(name string, at Address, want []float32, tolerance float64) {
	b.Helper()
	for i, got := range down[float32](b, at, len(want)) {
		if !near(got, want[i], tolerance) {
			b.Errorf("%s: number %d of %d is %v, want %v", name, i, len(want), got, want[i])
			return
		}
	}
}

func near(got, want float32, tolerance float64) bool {
	g, w := float64(got), float64(want)
	if math.IsNaN(w) || math.IsInf(w, 0) {
		return math.IsNaN(g) == math.IsNaN(w) && (g == w || math.IsNaN(w))
	}
	return math.Abs(g-w) <= tolerance*(1+math.Abs(w))
}

// sizes are around the edges of warps and blocks.
var sizes = []int{0, 1, 31, 32, 33, 255, 256, 257, 700}

var specials = []float32{0, float32(math.Copysign(0, -1)), 1e-40, -1e-40, 1e-20, 1e20, -1e20, 20, -20, 88.7, -88.7, 100, -100,
	float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN())}
