package autograd

import "github.com/mega-go/mega/internal/kernel"

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
