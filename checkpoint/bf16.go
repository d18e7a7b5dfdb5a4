package checkpoint

import (
	"fmt"

	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/internal/config"
)

// UseBF16 lets the models that are made of the checkpoint multiply in bfloat16 outside
// training: see their method SetBF16. It reports an error if this machine cannot do so
// fast, or if the weights are in int8.
func (c *Checkpoint) UseBF16() error {
	if c.Int8() {
		return fmt.Errorf("bf16 is set, and %s has int8 weights, which are multiplied in float32", c.Path)
	}
	c.bf16 = true
	return config.Wrap("bf16 is set", autograd.CheckBF16())
}
