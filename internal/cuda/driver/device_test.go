package driver

import (
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/mega-go/mega/internal/cuda/device"
)

// TestThread holds that all calls on the device come from the thread with its context,
// and that the stand-in would see it if they did not.
func TestThread(t *testing.T) {
	s := newStandin()
	dev := openStandin(t, s)
	var kept *Stream
	for range 3 {
		if err := dev.Run(func(s *Stream) error { kept = s; runtime.Gosched(); return s.Wait() }); err != nil {
			t.Error(err)
		}
	}
	if err := kept.Wait(); err == nil || !strings.Contains(err.Error(), "outside of Run") {
		t.Errorf("the stream goes on outside of Run: %v", err)
	}
	if _, err := kept.Alloc(1); err == nil {
		t.Error("the stream gives memory outside of Run")
	}
	if runtime.GOOS == "linux" {
		runtime.LockOSThread()
		s.wait(kept.stream)
		runtime.UnlockOSThread()
		if len(s.complaints) != 1 {
			t.Errorf("a call of another thread: %q", s.complaints)
		}
		s.complaints = nil
	}
}

// fails panics.
func fails(*Stream) error { panic("why") }

// TestPanic holds that Run panics as its function does, says where that was, and the device
// goes on.
func TestPanic(t *testing.T) {
	dev := openStandin(t, newStandin())
	func() {
		defer func() {
			p, ok := recover().(*device.Panic)
			if !ok || p.Value != "why" || !strings.Contains(p.Error(), "why") || !strings.Contains(p.Error(), "driver.fails(") {
				t.Errorf("Run panics with %v", p)
			}
		}()
		dev.Run(fails)
		t.Error("Run returns after a panic")
	}()
	if err := dev.Run((*Stream).Wait); err != nil {
		t.Error(err)
	}
}

// TestGoexit holds that a function that ends its goroutine closes the device, and leaves
// nobody waiting.
func TestGoexit(t *testing.T) {
	s := newStandin()
	dev := openStandin(t, s)
	if err := dev.Run(func(*Stream) error { runtime.Goexit(); return nil }); err == nil {
		t.Error("no error")
	}
	if err := dev.Run((*Stream).Wait); err != ErrClosed {
		t.Errorf("the device goes on: %v", err)
	}
}

// TestSetTF32 holds that a device and its stream have one choice of how to multiply.
func TestSetTF32(t *testing.T) {
	dev := openStandin(t, newStandin())
	check := func(want bool) {
		t.Helper()
		if err := dev.Run(func(s *Stream) error {
			if s.TF32() != want {
				t.Errorf("TF32 on the stream is %v, want %v", s.TF32(), want)
			}
			return nil
		}); err != nil || dev.TF32() != want {
			t.Errorf("TF32 on the device is %v, want %v, %v", dev.TF32(), want, err)
		}
	}
	check(false)
	dev.SetTF32(true)
	check(true)
	if err := dev.Run(func(s *Stream) error { s.SetTF32(false); return nil }); err != nil {
		t.Error(err)
	}
	check(false)
	dev.SetTF32(true)
	if err := dev.Close(); err != nil {
		t.Error(err)
	}
	if dev.SetTF32(true); dev.TF32() {
		t.Error("a device that is closed multiplies in TF32")
	}
}

func TestClose(t *testing.T) {
	dev := openStandin(t, newStandin())
	if err := dev.Run(func(s *Stream) error { _, err := upload(s, 1, 2, 3); return err }); err != nil {
		t.Error(err)
	}
	if err := errors.Join(dev.Close(), dev.Close()); err != nil {
		t.Error(err)
	}
	if err := dev.Run((*Stream).Wait); err != ErrClosed {
		t.Errorf("a closed device works: %v", err)
	}
}
