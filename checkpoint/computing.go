package checkpoint

import (
	"fmt"

	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/internal/config"
	"github.com/mega-go/mega/internal/cuda/device"
)

// UseBF16 lets the models that are made of the checkpoint multiply in bfloat16 outside
// training: see their method SetBF16. It reports an error if this machine cannot do so
// fast, unless a device computes, or if the weights are in int8.
func (c *Checkpoint) UseBF16() error {
	if c.Int8() {
		return fmt.Errorf("bf16 is set, and %s has int8 weights, which are multiplied in float32", c.Path)
	}
	c.bf16 = true
	if c.device != nil {
		return nil
	}
	return config.Wrap("bf16 is set", autograd.CheckBF16())
}

// checkTF32 returns an error if a device would round the weights, of which int8 ones are
// multiplied in float32.
func (c *Checkpoint) checkTF32() error {
	if c.device != nil && c.device.TF32() && c.Int8() {
		return fmt.Errorf("tf32 is set, and %s has int8 weights, which are multiplied in float32", c.Path)
	}
	return nil
}

// UseDevice puts the models that are made of the checkpoint on a device, which computes
// them: see nn's Params.Device. nil is the host. It comes before UseBF16.
// No model is made of a checkpoint with int8 weights for a device in TF32.
func (c *Checkpoint) UseDevice(d device.Device) { c.device = d }
