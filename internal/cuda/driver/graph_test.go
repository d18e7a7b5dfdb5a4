package driver

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/mega-go/mega/internal/cuda/kernels"
)

// TestGraph holds that a graph of a step that takes and frees memory can be replayed
// among other work, and what cannot be captured.
func TestGraph(t *testing.T) {
	dev := openStandin(t, newStandin())
	err := dev.Run(func(s *Stream) error {
		x, err := upload(s, 1, 2)
		if err != nil {
			return err
		}
		g, err := s.Capture(func() error { // x += 2x
			double, err := s.Alloc(8)
			if err != nil {
				return err
			}
			return errors.Join(kernels.Scale(s, double, x, 2, 2), kernels.Add(s, x, x, double, 2), s.Free(double))
		})
		if err != nil {
			return err
		}
		if got, err := download(s, x, 2); err != nil || !slices.Equal(got, []float32{1, 2}) {
			t.Errorf("capturing made %v, %v", got, err)
		}
		for range 3 {
			if err := g.Replay(); err != nil {
				return err
			}
			other, err := upload(s, 5, 5) // takes the memory of double
			if err != nil {
				return err
			}
			if err := s.Free(other); err != nil {
				return err
			}
		}
		if got, err := download(s, x, 2); err != nil || !slices.Equal(got, []float32{27, 54}) {
			t.Errorf("three replays made %v, %v", got, err)
		}
		for name, f := range map[string]func() error{
			"reading":    func() error { return s.Read(make([]byte, 4), x) },
			"writing":    func() error { return s.Write(x, make([]byte, 4)) },
			"waiting":    s.Wait,
			"replaying":  func() error { return g.Replay() },
			"dropping":   func() error { return g.Drop() },
			"a graph":    func() error { _, err := s.Capture(s.Wait); return err },
			"an error's": func() error { return errors.New("cannot be part of a graph") },
		} {
			if _, err := s.Capture(f); err == nil || !strings.Contains(err.Error(), "cannot be part of a graph") {
				t.Errorf("%s was captured: %v", name, err)
			}
		}
		func() {
			defer func() { recover() }()
			s.Capture(func() error { panic("inside") })
		}()
		if err := g.Drop(); err != nil {
			return err
		}
		if g.Replay() == nil || g.Drop() == nil {
			t.Error("a graph that was dropped can be replayed or dropped again")
		}
		return s.Wait()
	})
	if err != nil {
		t.Error(err)
	}
	old := newStandin()
	old.instantiate = nil
	err = openStandin(t, old).Run(func(s *Stream) error { _, err := s.Capture(s.Wait); return err })
	if err == nil || !strings.Contains(err.Error(), "graphs need CUDA 11.4 or later") {
		t.Errorf("a driver without graphs: %v", err)
	}
}
