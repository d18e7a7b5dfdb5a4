// Package devicetest gives tests devices: the interpreter with all kernels, and one that
// counts what is asked of it and refuses some, and one that breaks. No program imports it.
package devicetest

import (
	"errors"
	"sync"
	"testing"

	"github.com/mega-go/mega/internal/cuda/device"
	"github.com/mega-go/mega/internal/cuda/kernels"
	"github.com/mega-go/mega/internal/cuda/ptx"
)

// Kernels returns the module of all kernels. It parses them once, which takes a while.
var Kernels = sync.OnceValues(func() (*ptx.Module, error) { return ptx.Parse(kernels.PTX) })

// New returns a device that is the interpreter of all kernels.
func New(t testing.TB) *device.Interpreter {
	t.Helper()
	m, err := Kernels()
	if err != nil {
		t.Fatal(err)
	}
	return device.NewInterpreter(m)
}

// A Counter is the interpreter of all kernels, and counts its memory and calls. It is for
// one goroutine at a time.
type Counter struct {
	*device.Interpreter
	Blocks, Bytes         int // of memory that is taken
	Allocs, Reads, Writes int // that succeeded, since Limit

	mostAllocs, mostWrites int // negative for no limit
	sizes                  map[device.Address]int
}

// NewCounter returns a Counter that refuses nothing.
func NewCounter(t testing.TB) *Counter {
	t.Helper()
	return &Counter{Interpreter: New(t), mostAllocs: -1, mostWrites: -1, sizes: make(map[device.Address]int)}
}

// Limit begins to count calls anew, and lets only so many allocations and writes succeed:
// all of them where the number is negative.
func (c *Counter) Limit(allocs, writes int) {
	c.Allocs, c.Reads, c.Writes, c.mostAllocs, c.mostWrites = 0, 0, 0, allocs, writes
}

// Alloc implements device.Memory.
func (c *Counter) Alloc(bytes int) (device.Address, error) {
	if c.Allocs == c.mostAllocs {
		return 0, errors.New("out of memory")
	}
	at, err := c.Interpreter.Alloc(bytes)
	if err == nil {
		c.Allocs++
		c.Blocks++
		c.Bytes += bytes
		c.sizes[at] = bytes
	}
	return at, err
}

// Free implements device.Memory.
func (c *Counter) Free(at device.Address) error {
	err := c.Interpreter.Free(at)
	if err == nil {
		c.Blocks--
		c.Bytes -= c.sizes[at]
		delete(c.sizes, at)
	}
	return err
}

// Write implements device.Memory.
func (c *Counter) Write(at device.Address, data []byte) error {
	if c.Writes == c.mostWrites {
		return errors.New("a copy failed")
	}
	err := c.Interpreter.Write(at, data)
	if err == nil {
		c.Writes++
	}
	return err
}

// Read implements device.Memory.
func (c *Counter) Read(data []byte, at device.Address) error {
	err := c.Interpreter.Read(data, at)
	if err == nil {
		c.Reads++
	}
	return err
}

// A Broken device launches nothing, and then frees nothing.
type Broken struct {
	device.Device
	failed bool
}

// Launch fails, whatever it is to launch.
func (b *Broken) Launch(string, [3]int, [3]int, ...any) error {
	b.failed = true
	return errors.New("it is on fire")
}

// Free fails once a launch has.
func (b *Broken) Free(at device.Address) error {
	if b.failed {
		return errors.New("it is burnt down")
	}
	return b.Device.Free(at)
}
