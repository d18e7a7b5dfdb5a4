package bench

import (
	"testing"

	"github.com/mega-go/mega/internal/cuda/device"
)

// An idler is a device that computes nothing: its numbers are all zeros.
type idler struct {
	device.Arithmetic
	next device.Address
}

func (*idler) String() string                                 { return "idler" }
func (*idler) Free(device.Address) error                      { return nil }
func (*idler) Write(device.Address, []byte) error             { return nil }
func (*idler) Read(data []byte, _ device.Address) error       { clear(data); return nil }
func (*idler) Launch(string, [3]int, [3]int, ...any) error    { return nil }
func (*idler) CanCapture() error                              { return nil }
func (*idler) Copy(device.Address, device.Address, int) error { return nil }
func (*idler) Capture(f func() error) (device.Graph, error)   { return idle{}, f() }

func (i *idler) Alloc(bytes int) (device.Address, error) {
	const alignment = 256
	i.next += alignment
	at := i.next
	i.next += device.Address(bytes+alignment-1) / alignment * alignment
	return at, nil
}

type idle struct{}

func (idle) Replay() error { return nil }
func (idle) Drop() error   { return nil }

// TestLaunches holds that a step of training, and one of inference, takes no more launches
// on a device than docs/gpu.md says.
func TestLaunches(t *testing.T) {
	for name, most := range map[string][2]int{"lra-text": {451, 87}, "lm-small": {603, 106}} {
		w, err := Find(name)
		if err != nil {
			t.Fatal(err)
		}
		mode := 0
		err = Measure(w, Options{Reps: 1, Device: &idler{}}, func(r Result) error {
			if r.Launches > most[mode] || r.Replayed != r.Launches {
				t.Errorf("%s, %s: %d launches, %d of them replayed, want %d at most", name, r.Mode, r.Launches, r.Replayed, most[mode])
			}
			mode++
			return nil
		})
		if err != nil || mode != 2 {
			t.Errorf("%s: %d modes, %v", name, mode, err)
		}
	}
}
