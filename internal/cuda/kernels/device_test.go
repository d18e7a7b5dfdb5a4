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

// A gpu is a machine whose operations run on the device's thread, each by itself.
type gpu struct {
	device *driver.Device
	t      testing.TB
}

func (g gpu) Launch(kernel string, grid, block [3]int, args ...any) error {
	return g.device.Run(func(s *driver.Stream) error { return s.Launch(kernel, grid, block, args...) })
}

func (g gpu) Alloc(n int) (at uint64) {
	err := g.device.Run(func(s *driver.Stream) (err error) { at, err = s.Alloc(n); return })
	if err != nil {
		g.t.Fatal(err)
	}
	return at
}

func (g gpu) Write(address uint64, data []byte) error {
	return g.device.Run(func(s *driver.Stream) error { return s.Write(address, data) })
}

func (g gpu) Read(data []byte, address uint64) error {
	return g.device.Run(func(s *driver.Stream) error { return s.Read(data, address) })
}
