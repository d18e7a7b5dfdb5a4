//go:build cuda

package kernels

import (
	"testing"

	"github.com/mega-go/mega/internal/cuda/driver"
)

// With the tag cuda, tests run on the first GPU of a machine that has one.
func init() {
	d, err := driver.Load()
	if err != nil {
		return
	}
	interpreted := newMachine
	newMachine = func(t testing.TB) machine {
		if all, err := d.Devices(); err != nil || len(all) == 0 {
			return interpreted(t)
		}
		device, err := d.Open(0, PTX)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := device.Close(); err != nil {
				t.Error(err)
			}
		})
		return gpu{device, t}
	}
}

// A gpu is a machine whose tests end where it has no memory.
type gpu struct {
	*driver.Device
	t testing.TB
}

func (g gpu) Alloc(n int) uint64 {
	at, err := g.Device.Alloc(n)
	if err != nil {
		g.t.Fatal(err)
	}
	return at
}
