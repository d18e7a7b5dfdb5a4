package train

import (
	"context"
	"runtime"
	"testing"
)

// TestHeapDoesNotGrow holds the heap after 50 updates against that after 500.
func TestHeapDoesNotGrow(t *testing.T) {
	c := toyConfig()
	c.MaxUpdate, c.TotalNumUpdate, c.LogInterval = 505, 1000, 1
	c.ValidateIntervalUpdates = 20
	m := newToy()
	var early, late uint64
	m.onBatch = func(epoch, i int) {
		switch (epoch-1)*toyBatches + i {
		case 50:
			early = LiveHeap()
		case 500:
			late = LiveHeap()
		}
	}
	if _, err := Run(context.Background(), m, c, Options{}); err != nil {
		t.Fatal(err)
	}
	CheckHeap(t, early, late)
}

// CheckHeap holds the live bytes after 50 updates against those after 500: as a share, and for
// each update, which does not depend on what other tests have left.
func CheckHeap(t *testing.T, early, late uint64) {
	t.Helper()
	t.Logf("%d bytes after 50 updates, %d after 500", early, late)
	if d := float64(late)/float64(early) - 1; d > 0.05 || d < -0.05 {
		t.Errorf("the heap went from %d to %d bytes, %.1f%%", early, late, 100*d)
	}
	if per := (float64(late) - float64(early)) / 450; per > 100 {
		t.Errorf("the heap grew by %.0f bytes an update, from %d to %d", per, early, late)
	}
}

// LiveHeap returns the bytes of live objects.
func LiveHeap() uint64 {
	runtime.GC()
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return s.HeapAlloc
}
