package train

import (
	"testing"
	"time"
)

// slowBatches takes a while to prepare each of 3 batches.
type slowBatches struct{ delay time.Duration }

func (slowBatches) Len() int { return 3 }

func (b slowBatches) Batch(int) (Batch, error) {
	time.Sleep(b.delay)
	return nil, nil
}

func TestLoadTime(t *testing.T) {
	const delay = 5 * time.Millisecond
	var load loadTime
	l := NewLoader(slowBatches{delay}, 0, 1)
	for range 3 {
		if _, err := l.Next(); err != nil {
			t.Fatal(err)
		}
	}
	load.add(l)
	// Whoever does nothing but read waits for nearly all of it.
	if load.reading < 3*delay || load.waiting < delay || load.waiting > load.reading+time.Second {
		t.Errorf("reading took %v, waiting %v; want %v or more", load.reading, load.waiting, 3*delay)
	}
}
