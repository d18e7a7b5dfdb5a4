package device

import (
	"errors"
	"strings"
	"sync"
	"testing"
)

// breaks panics.
func breaks() { panic(errEnded) }

// TestLoop holds that functions of many goroutines run one at a time where While was
// called, that a panic goes to who asked and says where it was, and that nothing waits for ever after the end.
func TestLoop(t *testing.T) {
	l := NewLoop(NewInterpreter(nil))
	const goroutines, turns = 8, 50
	count := 0 // without a lock: the race detector sees two at a time
	failed := errors.New("failed")
	err := l.While(func() error {
		var all sync.WaitGroup
		for range goroutines {
			all.Go(func() {
				for range turns {
					l.Do(func() { count++ })
				}
			})
		}
		all.Wait()
		var caught error
		func() {
			defer Catch(&caught)
			l.Do(func() { Lacks(l, "a step") })
		}()
		if want := "a step is not available on the device interpreter: use the CPU for it"; caught == nil || caught.Error() != want {
			t.Errorf("%v, want %q", caught, want)
		}
		func() {
			defer func() {
				p, ok := recover().(*Panic)
				if !ok || p.Value != errEnded || !errors.Is(p, errEnded) || !strings.Contains(p.Error(), "device.breaks(") {
					t.Errorf("a turn panics with %v", p)
				}
			}()
			l.Do(breaks)
		}()
		return failed
	})
	if count != goroutines*turns || err != failed {
		t.Errorf("%d turns and %v", count, err)
	}
	func() {
		defer Catch(&err)
		l.Do(func() { t.Error("a turn after the end") })
	}()
	if !errors.Is(err, errEnded) {
		t.Errorf("after the end: %v", err)
	}
	var none *Loop
	none.Do(func() { count = 0 })
	if count != 0 {
		t.Error("the host did not run what it was given")
	}
}
