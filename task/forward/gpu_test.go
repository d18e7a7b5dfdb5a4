//go:build cuda

package forward

import (
	"errors"
	"testing"

	"github.com/mega-go/mega/checkpoint"
	"github.com/mega-go/mega/format/safetensors"
	"github.com/mega-go/mega/internal/cuda/device"
	"github.com/mega-go/mega/internal/cuda/driver"
	"github.com/mega-go/mega/internal/cuda/kernels"
)

// TestGoldenOnGPU holds models on the first GPU, on a machine that has one, against the
// reference, as TestGoldenForward holds those of the CPU. What has no kernels is left
// out, and named.
func TestGoldenOnGPU(t *testing.T) {
	d, err := driver.Load()
	if err != nil {
		t.Skip(err)
	}
	for _, name := range goldenCases {
		t.Run(name, func(t *testing.T) {
			on := openGPU(t, d)
			golden := openGolden(t, name)
			for _, batch := range []string{"b0.", "b1."} {
				if _, ok := golden.Info(batch + "net_input.src_tokens"); !ok {
					continue
				}
				o := Options{Prefix: batch, Device: on}
				if available(t, name, golden, o) {
					checkGoldenEval(t, name, golden, o)
				}
				o.Train = true
				if _, ok := golden.Info(batch + "train.loss"); ok && available(t, name, golden, o) {
					checkGoldenTrain(t, name, golden, o)
				}
			}
		})
	}
}

// TestGoldenTF32OnGPU does so in TF32.
func TestGoldenTF32OnGPU(t *testing.T) {
	d, err := driver.Load()
	if err != nil {
		t.Skip(err)
	}
	checkGoldenTF32(t, openGPU(t, d))
}

// openGPU returns the first GPU until the test ends.
func openGPU(t *testing.T, d *driver.Driver) *driver.Device {
	t.Helper()
	on, err := d.Open(0, kernels.PTX)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := on.Close(); err != nil {
			t.Error(err)
		}
	})
	return on
}

// available reports whether a device has all kernels of a model, and logs what it lacks.
func available(t *testing.T, name string, golden *safetensors.Reader, o Options) bool {
	c, err := checkpoint.Open(goldenDir(name))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, err = Run(c, golden, o)
	var failure *device.Failure
	if errors.As(err, &failure) && failure.Err == nil {
		t.Logf("%s, training %v: %v", o.Prefix, o.Train, err)
		return false
	}
	return true
}
