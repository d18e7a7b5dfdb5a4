package translate

import (
	"context"
	"sync"
)

// inOrder works on items 0 to n−1, workers at a time, and passes the results to done
// in order, one after another. The first error ends it. One worker is the caller's
// goroutine.
func inOrder[T any](ctx context.Context, n, workers int, work func(ctx context.Context, i int) (T, error), done func(i int, result T) error) error {
	if workers <= 1 {
		return oneByOne(ctx, n, work, done)
	}
	type outcome struct {
		result T
		err    error
	}
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	results := make([]chan outcome, n)
	for i := range results {
		results[i] = make(chan outcome, 1)
	}
	start := func(i int) {
		running.Go(func() {
			result, err := work(ctx, i)
			results[i] <- outcome{result, err}
		})
	}
	for i := range min(workers, n) {
		start(i)
	}
	for i := range n {
		o := <-results[i]
		if o.err != nil {
			return o.err
		}
		// The next one begins only now: results that wait for their turn are few.
		if next := i + workers; next < n {
			start(next)
		}
		if err := done(i, o.result); err != nil {
			return err
		}
	}
	return nil
}

// oneByOne is inOrder without other goroutines.
func oneByOne[T any](ctx context.Context, n int, work func(ctx context.Context, i int) (T, error), done func(i int, result T) error) error {
	for i := range n {
		result, err := work(ctx, i)
		if err == nil {
			err = done(i, result)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
