package device

import (
	"fmt"

	"github.com/mega-go/mega/internal/cuda/ptx"
)

// An Interpreter is a device whose kernels run on the processor, in package ptx, for
// tests. The order of blocks and warps changes from launch to launch.
type Interpreter struct {
	Arithmetic
	memory   *ptx.Memory
	module   *ptx.Module
	launches uint64
	captured *[]func() error // what is captured goes there; nil outside of a capture
}

// NewInterpreter returns a device with the kernels of a module.
func NewInterpreter(module *ptx.Module) *Interpreter {
	return &Interpreter{memory: ptx.NewMemory(), module: module}
}

// String implements Memory.
func (*Interpreter) String() string { return "interpreter" }

// Alloc implements Memory.
func (i *Interpreter) Alloc(bytes int) (Address, error) { return i.memory.Alloc(bytes), nil }

// Free implements Memory.
func (i *Interpreter) Free(at Address) error { return i.memory.Free(at) }

// Write implements Memory.
func (i *Interpreter) Write(at Address, data []byte) error { return i.memory.Write(at, data) }

// Read implements Memory. It is an error to read bytes that have never been written.
func (i *Interpreter) Read(data []byte, at Address) error { return i.memory.Read(data, at) }

// Launch implements Device.
func (i *Interpreter) Launch(kernel string, grid, block [3]int, args ...any) error {
	k := i.module.Kernel(kernel)
	if k == nil {
		return fmt.Errorf("the module has no kernel %s", kernel)
	}
	return i.give(func() error {
		i.launches++
		return k.Run(i.memory, ptx.Launch{Grid: grid, Block: block, Seed: i.launches}, args...)
	})
}

// give does some work, or captures it.
func (i *Interpreter) give(work func() error) error {
	if i.captured != nil {
		*i.captured = append(*i.captured, work)
		return nil
	}
	return work()
}

// CanCapture implements Capturer.
func (*Interpreter) CanCapture() error { return nil }

// Copy implements Capturer.
func (i *Interpreter) Copy(to, from Address, bytes int) error {
	return i.give(func() error {
		data := make([]byte, bytes)
		if err := i.memory.Read(data, from); err != nil {
			return err
		}
		return i.memory.Write(to, data)
	})
}

// Capture implements Capturer.
func (i *Interpreter) Capture(f func() error) (Graph, error) {
	var work interpreted
	i.captured = (*[]func() error)(&work)
	defer func() { i.captured = nil }()
	if err := f(); err != nil {
		return nil, err
	}
	return work, nil
}

// interpreted is a graph of the interpreter.
type interpreted []func() error

func (g interpreted) Replay() error {
	for _, work := range g {
		if err := work(); err != nil {
			return err
		}
	}
	return nil
}

func (interpreted) Drop() error { return nil }
