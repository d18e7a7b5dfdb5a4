package data

import "fmt"

// SplitSizes are the samples of each split of generated data.
type SplitSizes struct{ Train, Valid, Test int }

// Total returns the samples of all splits.
func (s SplitSizes) Total() int { return s.Train + s.Valid + s.Test }

// Each calls f for every split with the range of its samples among all.
func (s SplitSizes) Each(f func(name string, from, to int) error) error {
	from := 0
	for i, n := range []int{s.Train, s.Valid, s.Test} {
		name := []string{"train", "valid", "test"}[i]
		if n < 1 {
			return fmt.Errorf("%s is %d, want at least 1", name, n)
		}
		if err := f(name, from, from+n); err != nil {
			return err
		}
		from += n
	}
	return nil
}

// Validate reports a split without samples.
func (s SplitSizes) Validate() error {
	return s.Each(func(string, int, int) error { return nil })
}
