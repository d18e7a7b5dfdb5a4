package autograd

import (
	"github.com/mega-go/mega/internal/kernel"
	"github.com/mega-go/mega/tensor"
)

// CheckBF16 returns an error that says what is missing if this machine has no
// fast products in bfloat16.
func CheckBF16() error { return kernel.CheckBF16() }

// SetBF16 chooses whether Linear, LinearAdd, MatMul and Attention, forward and
// backward, round the factors of their products to bfloat16, whose eight bits
// of precision are between two and three decimals. Where CheckBF16 returns nil
// the products take little more than half the time, and longer elsewhere. Sums,
// biases, activations, softmax, values and gradients are float32 as ever, and so
// is all that other operations do.
func (t *Tape) SetBF16(on bool) { t.bf16 = on }

// multiply is the function multiply, in bfloat16 if the tape is set to that.
func (t *Tape) multiply(c, a, b *tensor.Tensor, how int, e kernel.Epilogue) {
	if t.bf16 {
		multiplyBy(kernel.GemmBF16, c, a, b, how, e)
	} else {
		multiply(c, a, b, how, e)
	}
}
