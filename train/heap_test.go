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
			early = heap()
		case 500:
			late = heap()
		}
	}
	if _, err := Run(context.Background(), m, c, Options{}); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes after 50 updates, %d after 500", early, late)
	if per := (float64(late) - float64(early)) / 450; per > 100 {
		t.Errorf("the heap grew by %.0f bytes an update, from %d to %d", per, early, late)
	}
}

// heap returns the bytes of live objects.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return s.HeapAlloc
}
