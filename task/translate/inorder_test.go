package translate

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"
)

func TestInOrder(t *testing.T) {
	const n, workers = 40, 3
	var now, most atomic.Int32
	var got []int
	err := inOrder(context.Background(), n, workers, func(_ context.Context, i int) (int, error) {
		most.Store(max(most.Load(), now.Add(1)))
		defer now.Add(-1)
		time.Sleep(time.Duration(i%3) * time.Millisecond)
		return i * i, nil
	}, func(i, result int) error {
		if result != i*i {
			t.Errorf("result %d of item %d", result, i)
		}
		got = append(got, i)
		return nil
	})
	if err != nil || len(got) != n || most.Load() > workers {
		t.Errorf("error %v, %d results, %d at a time", err, len(got), most.Load())
	}
	for i, x := range got {
		if x != i {
			t.Fatalf("order %v", got)
		}
	}
}

func TestInOrderStops(t *testing.T) {
	want := errors.New("broken")
	begun := atomic.Int32{}
	err := inOrder(context.Background(), 100, 2, func(ctx context.Context, i int) (int, error) {
		begun.Add(1)
		if i == 5 {
			return 0, want
		}
		return i, ctx.Err()
	}, func(int, int) error { return nil })
	if err != want || begun.Load() > 8 {
		t.Errorf("error %v after %d items", err, begun.Load())
	}
}
