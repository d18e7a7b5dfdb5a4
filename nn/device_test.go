package nn

import (
	"errors"
	"strings"
	"testing"

	"github.com/mega-go/mega/internal/cuda/device"
)

// A shortMemory is a device's memory that has room for some blocks, and keeps all of them if
// that is wanted.
type shortMemory struct {
	device.Device
	room  int
	keeps bool
}

func (m *shortMemory) Alloc(bytes int) (device.Address, error) {
	if m.room--; m.room < 0 {
		return 0, errors.New("out of memory")
	}
	return m.Device.Alloc(bytes)
}

func (m *shortMemory) Free(at device.Address) error {
	if m.keeps {
		return errors.New("it keeps its memory")
	}
	return m.Device.Free(at)
}

// TestFailedMove: after a move that fails, parameters say that they are where their numbers
// are.
func TestFailedMove(t *testing.T) {
	p := NewParams(1)
	NewLinear(p.Root(), 3, 4, true, XavierUniform)
	move := func(to device.Memory) (err error) {
		defer device.Catch(&err)
		p.Move(to)
		return nil
	}
	check := func(err error, failure string, on device.Device) {
		t.Helper()
		if err == nil && failure != "" || err != nil && !strings.Contains(err.Error(), failure) {
			t.Errorf("error %v, want %q", err, failure)
		}
		if p.Device() != on {
			t.Errorf("parameters are on %v, want %v", p.Device(), on)
		}
		for _, q := range p.Tensors() {
			if d, _ := q.Device().(device.Device); d != on {
				t.Errorf("numbers are on %v, want %v", d, on)
			}
		}
	}
	m := &shortMemory{Device: device.NewInterpreter(nil), room: 1}
	check(move(m), "out of memory", nil)
	m.room = 2
	check(move(m), "", m)
	m.keeps = true
	check(move(nil), "it keeps its memory", nil)
}
