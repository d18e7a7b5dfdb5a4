package autograd

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/mega-go/mega/internal/cuda/device"
	"github.com/mega-go/mega/internal/cuda/kernels"
	"github.com/mega-go/mega/internal/cuda/ptx"
	"github.com/mega-go/mega/tensor"
)

// deviceModule is the module of all kernels, parsed once.
var deviceModule = sync.OnceValues(func() (*ptx.Module, error) { return ptx.Parse(kernels.PTX) })

// interpreter returns a device that is the interpreter of kernels.
func interpreter(t testing.TB) device.Device {
	t.Helper()
	m, err := deviceModule()
	if err != nil {
		t.Fatal(err)
	}
	return device.NewInterpreter(m)
}

// checkDevice holds the operation on a device against its specification, or that the
// device says what it lacks.
func (s *specification) checkDevice(t *testing.T) {
	f := leaves
	if len(s.op.views) > 0 {
		f = viewed
	}
	var err error
	func() {
		defer device.Catch(&err)
		s.compare(t, s.runOn(interpreter(t), f), 1)
	}()
	var failure *device.Failure
	switch errors.As(err, &failure); {
	case err == nil && s.op.lacks != "":
		t.Errorf("the device has %s", s.op.lacks)
	case err != nil && (s.op.lacks == "" || failure.Err != nil || failure.Step != s.op.lacks):
		t.Errorf("%v, want it to lack %q", err, s.op.lacks)
	}
}

// A tape on a device refuses what is on the host, and what is on a device the host
// refuses, in words that say so.
func TestTensorsElsewhere(t *testing.T) {
	on := interpreter(t)
	there, here := tensor.New(2, 3), tensor.New(2, 3)
	there.Move(on)
	for name, c := range map[string]struct {
		want string
		run  func()
	}{
		"host by a device": {"are in the host's memory", func() {
			tape := NewTape()
			tape.SetDevice(on)
			tape.Add(NewConstant(there), NewConstant(here))
		}},
		"device by the host": {"are on the device interpreter", func() { NewTape().Add(NewConstant(there), NewConstant(here)) }},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if said, _ := recover().(string); !strings.Contains(said, c.want) {
					t.Errorf("%q, want it to say %q", said, c.want)
				}
			}()
			c.run()
		})
	}
}
