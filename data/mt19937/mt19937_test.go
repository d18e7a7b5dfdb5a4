package mt19937

import (
	"slices"
	"testing"
)

// The expected numbers are numpy's (RandomState) and torch's own.

func TestPermutation(t *testing.T) {
	for _, c := range []struct {
		seed uint32
		n    int
		head []int
	}{
		{0, 10, []int{2, 8, 4, 9, 1, 6, 7, 3, 0, 5}},
		{42, 10, []int{8, 1, 5, 0, 7, 2, 9, 4, 3, 6}},
		{2, 50, []int{36, 47, 28, 9, 13, 0, 44, 46}},
		{7, 1000, []int{778, 334, 271, 802, 216}},
		{1, 1, []int{0}},
		{1, 0, nil},
	} {
		p := New(c.seed).Permutation(c.n)
		if len(p) != c.n || !slices.Equal(p[:len(c.head)], c.head) {
			t.Errorf("seed %d: permutation(%d) = %v, want %v first", c.seed, c.n, p, c.head)
		}
	}
}

func TestTorchPermutation(t *testing.T) {
	for seed, want := range map[uint32][]int{
		0:  {4, 1, 7, 5, 3, 9, 0, 8, 6, 2},
		42: {2, 6, 1, 8, 4, 5, 0, 9, 3, 7},
	} {
		if got := New(seed).TorchPermutation(len(want)); !slices.Equal(got, want) {
			t.Errorf("seed %d: randperm(%d) = %v, want %v", seed, len(want), got, want)
		}
	}
	if got := New(0).TorchPermutation(0); len(got) != 0 {
		t.Errorf("randperm(0) = %v", got)
	}
}

func TestIntn(t *testing.T) {
	for _, c := range []struct {
		source *Source
		n      int
		want   []int
	}{
		{New(0), 10, []int{5, 0, 3, 3, 7, 9, 3, 5, 2, 4}},
		{New(42), 100, []int{51, 92, 14, 71, 60}},
		{NewArray([]uint32{42, 1, 2}), 4, []int{1, 2, 1, 3, 0, 2, 2, 2, 2, 0, 3, 3}},
		{New(3), 1, []int{0, 0}},
	} {
		for i, want := range c.want {
			if got := c.source.Intn(c.n); got != want {
				t.Errorf("draw %d of randint(%d) = %d, want %d", i, c.n, got, want)
			}
		}
	}
}

// TestNewArray checks the reference output of the generator's authors.
func TestNewArray(t *testing.T) {
	s := NewArray([]uint32{0x123, 0x234, 0x345, 0x456})
	for i, want := range []uint32{1067595299, 955945823, 477289528, 4107218783, 4228976476} {
		if got := s.Uint32(); got != want {
			t.Errorf("word %d = %d, want %d", i, got, want)
		}
	}
}

// TestLongRun crosses several twists of the key.
func TestLongRun(t *testing.T) {
	p := New(123456789).Permutation(3000)
	if want := []int{797, 346, 2009}; !slices.Equal(p[2997:], want) {
		t.Errorf("permutation(3000) ends in %v, want %v", p[2997:], want)
	}
}
