package driver

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/mega-go/mega/internal/cuda/kernels"
)

// openUnclosed opens the device of a stand-in, which the test closes.
func openUnclosed(t *testing.T, s *standin) *Device {
	t.Helper()
	d, err := newDriver(s.table, "stand-in")
	if err != nil {
		t.Fatal(err)
	}
	dev, err := d.Open(0, kernels.PTX)
	if err != nil {
		t.Fatal(err)
	}
	return dev
}

// openStandin opens the device of a stand-in, and closes it at the end of the test, when
// nothing may be left.
func openStandin(t *testing.T, s *standin) *Device {
	t.Helper()
	dev := openUnclosed(t, s)
	t.Cleanup(func() {
		if err := dev.Close(); err != nil {
			t.Error(err)
		}
		if left := s.left(); left != nil {
			t.Errorf("at the end there are %q", left)
		}
	})
	return dev
}

// floats returns numbers as a device has them.
func floats(x ...float32) []byte {
	b, err := binary.Append(nil, binary.LittleEndian, x)
	if err != nil {
		panic(err)
	}
	return b
}

// upload returns the address of a copy of x.
func upload(s *Stream, x ...float32) (uint64, error) {
	at, err := s.Alloc(4 * len(x))
	if err == nil {
		err = s.Write(at, floats(x...))
	}
	return at, err
}

// download returns n numbers.
func download(s *Stream, at uint64, n int) ([]float32, error) {
	b, x := make([]byte, 4*n), make([]float32, n)
	if err := s.Read(b, at); err != nil {
		return nil, err
	}
	_, err := binary.Decode(b, binary.LittleEndian, x)
	return x, err
}

// life does with a driver everything that there is to do, once.
func life(calls *table) error {
	d, err := newDriver(calls, "stand-in")
	if err != nil {
		return err
	}
	if _, err := d.Devices(); err != nil {
		return err
	}
	dev, err := d.Open(0, kernels.PTX)
	if err != nil {
		return err
	}
	return errors.Join(dev.Run(liveOn), dev.Close())
}

func liveOn(s *Stream) error {
	a, err := upload(s, 1, 2, 3)
	if err != nil {
		return err
	}
	b, err := s.Alloc(12)
	if err != nil {
		return err
	}
	g, err := s.Capture(func() error { return kernels.Scale(s, b, b, 2, 3) })
	if err != nil {
		return err
	}
	got, after := []float32(nil), []float32(nil)
	for _, step := range []func() error{
		func() error { return s.Fill(b, 0, 12) },
		func() error { return s.Copy(b, a, 8) },
		func() error { return kernels.Add(s, b, a, b, 3) },
		func() (err error) { got, err = download(s, b, 3); return },
		func() error { return g.Replay() },
		func() error { return g.Replay() },
		func() (err error) { after, err = download(s, b, 3); return },
		func() error { return g.Drop() },
		func() error { return s.Free(a) },
		s.Wait,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	if want := []float32{2, 4, 3}; !slices.Equal(got, want) {
		return errors.New("wrong sums")
	}
	if want := []float32{8, 16, 12}; !slices.Equal(after, want) {
		return errors.New("wrong products")
	}
	_, err = s.Capture(func() error { return kernels.Fill(s, b, 1, 3) }) // closing drops it
	return err
}

// TestEveryCallFails has each call of a device's life fail. The error names it, the step
// and the driver, and nothing is left behind.
func TestEveryCallFails(t *testing.T) {
	s := newStandin()
	if err := life(s.table); err != nil {
		t.Fatal(err)
	}
	if left := s.left(); left != nil {
		t.Fatalf("at the end there are %q", left)
	}
	all := s.log
	for _, f := range s.symbols() {
		unused := []string{"cuGetErrorName", "cuGetErrorString", "cuMemGetInfo_v2"} // of errors
		if !slices.Contains(all, f.name) && !slices.Contains(unused, f.name) {
			t.Errorf("%s is never called", f.name)
		}
	}
	steps := make(map[string]string)
	for i := range all {
		s := newStandin()
		s.failAt = i + 1
		err := life(s.table)
		var failure *Error
		if !errors.As(err, &failure) {
			t.Errorf("call %d, %s, fails, and the error is %v", i, all[i], err)
			continue
		}
		if failure.Call != s.failed || failure.Step == "" || failure.Code != injected || failure.Name != "CUDA_ERROR_UNKNOWN" ||
			!strings.Contains(err.Error(), "; stand-in") || !strings.Contains(err.Error(), failure.Step) {
			t.Errorf("%s fails, and the error is %v", s.failed, err)
		}
		if left := s.left(); left != nil {
			t.Errorf("after %s has failed there are %q", s.failed, left)
		}
		if steps[s.failed] == "" {
			t.Log(err)
		}
		steps[s.failed] = failure.Step
	}
}
