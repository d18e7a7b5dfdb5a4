package device

import (
	"fmt"

	"github.com/mega-go/mega/internal/cuda/ptx"
)

// An Interpreter is a device whose kernels run on the processor, in package ptx, for
// tests. The order of blocks and warps changes from launch to launch.
type Interpreter struct {
	memory   *ptx.Memory
	module   *ptx.Module
	launches uint64
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
	i.launches++
	return k.Run(i.memory, ptx.Launch{Grid: grid, Block: block, Seed: i.launches}, args...)
}
