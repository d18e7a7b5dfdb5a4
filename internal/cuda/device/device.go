// Package device says what a CUDA device is to the rest of the program: memory and
// kernels. A driver has one (package internal/cuda/driver), and so has the interpreter
// of kernels (Interpreter), so that every machine tests what devices run.
//
// It knows no model and no operation.
package device

import (
	"errors"
	"fmt"
	"runtime/debug"
)

// An Address is where something is in a device's memory; 0 is nowhere.
type Address = uint64

// Memory is a device's memory. A transfer comes after all launches before it, and is
// over when the call returns.
type Memory interface {
	// Alloc returns the address of some bytes, aligned to 256. What they hold is
	// undefined.
	Alloc(bytes int) (Address, error)
	Free(at Address) error
	Write(at Address, data []byte) error // from the host
	Read(data []byte, at Address) error  // to the host
	String() string                      // names the device in messages
}

// A Device is memory and what computes on it, one launch after the other. Arguments of
// a kernel are int32, uint32, int64, uint64 (for addresses too) or float32.
type Device interface {
	Memory
	Launch(kernel string, grid, block [3]int, args ...any) error

	// SetTF32 chooses whether tapes round the factors of products in float32 to TF32, those
	// of attention too: to 11 bits, with which tensor cores multiply. Sums are float32.
	// Products in bfloat16 stay as they are.
	SetTF32(on bool)
	// TF32 returns what SetTF32 chose, at first false.
	TF32() bool
}

// Arithmetic is how a device multiplies: the methods SetTF32 and TF32 of Device.
type Arithmetic struct{ tf32 bool }

// SetTF32 implements Device.
func (a *Arithmetic) SetTF32(on bool) { a.tf32 = on }

// TF32 implements Device.
func (a *Arithmetic) TF32() bool { return a.tf32 }

// A Failure is what operations on a device panic with: they have no result that an
// error could go beside. Catch makes it an error again.
type Failure struct {
	Device string // its name
	Step   string // what was tried
	Err    error  // nil where a device lacks Step
}

func (f *Failure) Error() string {
	if f.Err == nil {
		return fmt.Sprintf("%s is not available on the device %s: use the CPU for it", f.Step, f.Device)
	}
	return fmt.Sprintf("device %s: %s: %v", f.Device, f.Step, f.Err)
}

func (f *Failure) Unwrap() error { return f.Err }

// Must panics with a Failure if a step on a device went wrong.
func Must(m Memory, step string, err error) {
	if err != nil {
		panic(&Failure{m.String(), step, err})
	}
}

// Lacks panics with the Failure of a step that no device has.
func Lacks(m Memory, step string) { panic(&Failure{m.String(), step, nil}) }

// A Panic is what a function panicked with on a device's goroutine, for who waits for it on
// another one, whose own stack does not say where that was.
type Panic struct {
	Value any
	Stack []byte // of the device's goroutine
}

// Error gives the value and the stack.
func (p *Panic) Error() string {
	return fmt.Sprintf("panic on a device's goroutine: %v\n\n%s", p.Value, p.Stack)
}

// Unwrap returns the value if that is an error.
func (p *Panic) Unwrap() error {
	err, _ := p.Value.(error)
	return err
}

// Passed returns what to panic with on another goroutine after a deferred function has
// recovered a value: a Panic with the stack of this one, or as it is what needs none.
func Passed(recovered any) any {
	switch recovered.(type) {
	case nil, *Failure, *Panic:
		return recovered
	}
	return &Panic{recovered, debug.Stack()}
}

// Catch sets err to the Failure that the function which defers it panics with.
func Catch(err *error) { caught(recover(), err) }

// Undo is Catch for a function that takes memory of a device and then may fail: if it does,
// with an error or a Failure, undo gives the memory back.
func Undo(err *error, undo func()) {
	caught(recover(), err)
	if *err != nil {
		*err = errors.Join(*err, attempt(undo))
	}
}

// Finish is Catch for a function that takes memory of a device for as long as it runs: free
// gives the memory back, and what that fails at does not hide what failed before.
func Finish(err *error, free func()) {
	caught(recover(), err)
	if failed := attempt(free); failed != nil {
		*err = errors.Join(*err, failed)
	}
}

// Abandon is for a function that takes memory of a device and returns no error: if it panics
// with a Failure, undo gives the memory back before the panic goes on.
func Abandon(undo func()) {
	p := recover()
	if p == nil {
		return
	}
	if _, failed := p.(*Failure); failed {
		_ = attempt(undo) // the first failure says what went wrong
	}
	panic(p)
}

// caught sets err to a Failure that was recovered, and goes on with any other panic.
func caught(broken any, err *error) {
	switch p := broken.(type) {
	case nil:
	case *Failure:
		*err = p
	default:
		panic(p)
	}
}

// attempt returns the Failure that f panics with.
func attempt(f func()) (err error) {
	defer Catch(&err)
	f()
	return nil
}
