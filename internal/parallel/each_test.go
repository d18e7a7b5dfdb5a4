package parallel

import (
	"fmt"
	"sync/atomic"
	"testing"
)

func TestEach(t *testing.T) {
	done := make([]int32, 1000)
	if err := Each(len(done), func(i int) error { atomic.AddInt32(&done[i], 1); return nil }); err != nil {
		t.Fatal(err)
	}
	for i, n := range done {
		if n != 1 {
			t.Errorf("%d was done %d times", i, n)
		}
	}
	var after atomic.Int64
	err := Each(1000, func(i int) error {
		if i >= 7 {
			after.Add(1)
			return fmt.Errorf("task %d", i)
		}
		return nil
	})
	if err == nil || err.Error() != "task 7" || after.Load() > 100 {
		t.Errorf("error %v, %d tasks begun after the first", err, after.Load())
	}
	if err := Each(0, nil); err != nil {
		t.Error(err)
	}
}
