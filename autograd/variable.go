package autograd

import (
	"fmt"
	"slices"

	"github.com/mega-go/mega/tensor"
)

// A Variable is a tensor on a tape: a value, and after Backward a gradient.
// Parameters and inputs are leaves, whose value and gradient belong to the
// caller; all others belong to the tape that made them.
type Variable struct {
	shape   []int
	value   *tensor.Tensor // nil once released
	grad    *tensor.Tensor
	hasGrad bool // grad holds a gradient, not stale numbers
	lent    bool // the memory of grad is another's
	needs   bool // a gradient is wanted
	leaf    bool
	frozen  bool // a leaf that takes no gradient

	packed *packedWeight // the value as products read it, nil unless Pack made it

	reads     int                      // backward functions that will read the value
	recompute func(dst *tensor.Tensor) // computes the value again, nil if that is not cheap
	later     deferral                 // computes the value when it is read, if there is an operation

	base     *Variable // the variable this one is a column range of, or nil
	from, to int

	own tensor.Tensor // value, of a variable that a tape made
}

// NewParameter returns a leaf that collects gradients. The tensor is not copied.
func NewParameter(value *tensor.Tensor) *Variable {
	return &Variable{shape: value.Shape(), value: value, needs: true, leaf: true}
}

// NewConstant returns a leaf without a gradient. The tensor is not copied.
func NewConstant(value *tensor.Tensor) *Variable {
	return &Variable{shape: value.Shape(), value: value, leaf: true, frozen: true}
}

// Shape returns the dimensions, which the caller must not change. Like the value, those
// of a variable that a tape made are valid until the tape makes something else of it,
// in Reset at the latest.
func (v *Variable) Shape() []int { return v.shape }

// Rows returns the product of all dimensions but the last.
func (v *Variable) Rows() int {
	rows := 1
	for _, d := range v.shape[:len(v.shape)-1] {
		rows *= d
	}
	return rows
}

// Cols returns the last dimension.
func (v *Variable) Cols() int { return v.shape[len(v.shape)-1] }

// Value returns the tensor, which it computes if the operation left that to those who read it. It
// panics if the value has been released: results of a Scope outlive it, other variables made in it
// do not.
func (v *Variable) Value() *tensor.Tensor {
	if v.base != nil {
		return v.base.Value().Columns(v.from, v.to)
	}
	if v.value == nil && v.later.x != nil {
		return v.later.tape.valueNow(v)
	}
	if v.value == nil {
		panic(fmt.Sprintf("autograd: the value of shape %v was released", v.shape))
	}
	return v.value
}

// Grad returns the gradient, or nil if none has reached the variable since
// ZeroGrad.
func (v *Variable) Grad() *tensor.Tensor {
	if !v.hasGrad {
		return nil
	}
	return v.grad
}

// ZeroGrad forgets the gradient of a leaf; its buffer is kept.
func (v *Variable) ZeroGrad() { v.hasGrad = false }

// Forget drops the gradient of a leaf and its buffer. A device gets the buffer's memory
// back, unless it is of SetGradMemory.
func (v *Variable) Forget() {
	if v.grad != nil && !v.lent {
		tensor.Free(v.grad)
	}
	v.grad, v.hasGrad, v.lent = nil, false, false
}

// SetTrainable says whether a leaf collects a gradient.
func (v *Variable) SetTrainable(on bool) {
	v.needs, v.frozen = on, !on
	if !on {
		v.hasGrad = false
	}
}

// root is the variable that owns the storage: itself unless it is a view.
func (v *Variable) root() *Variable {
	if v.base != nil {
		return v.base.root()
	}
	return v
}

// sameShape panics unless all variables have the shape of the first: mixing
// shapes is an error of the program, never of its input.
func sameShape(op string, vs ...*Variable) {
	for _, v := range vs[1:] {
		if !slices.Equal(v.shape, vs[0].shape) {
			panic(fmt.Sprintf("autograd: %s of shapes %v and %v", op, vs[0].shape, v.shape))
		}
	}
}

// SetGradMemory makes a leaf collect its gradient in memory of the caller's, of the
// leaf's shape.
func (v *Variable) SetGradMemory(memory *tensor.Tensor) {
	sameShape("gradient memory", v, &Variable{shape: memory.Shape()})
	v.Forget()
	v.grad, v.lent = memory, true
}
