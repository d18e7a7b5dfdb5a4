package autograd

import (
	"testing"

	"github.com/mega-go/mega/internal/parallel"
	"github.com/mega-go/mega/tensor"
)

// TestDroppedCaches: what new caches write into the memory of dropped texts, and of
// their own before it grew, is in no other's.
func TestDroppedCaches(t *testing.T) {
	const z, h = 3, 5
	rows := func(width, n int, x float32) *tensor.Tensor {
		y := tensor.New(n, width)
		for i := range n {
			for j := range width {
				y.Row(i)[j] = x
			}
		}
		return y
	}
	add := func(c *KeyValueCache, n int, x float32) { c.Append(rows(z, n, x), rows(h, n, -x)) }
	check := func(c *KeyValueCache, n int, x float32) {
		t.Helper()
		keys, values := c.Tensors()
		if keys.Rows() != n || values.Rows() != n {
			t.Fatalf("%d keys and %d values, want %d", keys.Rows(), values.Rows(), n)
		}
		for i := range n {
			for _, k := range keys.Row(i) {
				if k != x {
					t.Fatalf("key %d is %g, want %g", i, k, x)
				}
			}
			for _, v := range values.Row(i) {
				if v != -x {
					t.Fatalf("value %d is %g, want %g", i, v, -x)
				}
			}
		}
	}
	tape := NewTape()
	s := &AttentionState{}
	for i := range 4 {
		c := NewKeyValueCache(tape, z, h)
		for n := range 40 + i {
			add(c, 1, float32(i+1))
			check(c, n+1, float32(i+1))
		}
		s.Texts = append(s.Texts, c)
	}
	p := s.Pick([]int{3, 1, 1}, false) // text 0 holds text 1 again, and 2 is dropped
	for range 3 {
		add(NewKeyValueCache(tape, z, h), 60, 9)
	}
	check(p.Texts[0], 43, 4)
	check(p.Texts[1], 41, 2)
	check(p.Texts[2], 41, 2)
	if s.Texts[2].Room() != 0 {
		t.Error("a dropped cache has memory")
	}
}

// TestCachesGiveBack: the memory of a dropped text, and that of a text before it grew, is
// what is borrowed next.
func TestCachesGiveBack(t *testing.T) {
	const z, h = 3, 5
	tape := NewTape()
	filled := func() *KeyValueCache {
		c := NewKeyValueCache(tape, z, h)
		c.Append(tensor.New(firstRoom, z), tensor.New(firstRoom, h))
		return c
	}
	if got, want := filled().Room(), 64+128; got != want { // of 48 and 80 numbers
		t.Errorf("a cache takes memory for %d numbers, want %d", got, want)
	}
	for name, end := range map[string]func(c *KeyValueCache){
		"dropped": func(c *KeyValueCache) { (&AttentionState{Texts: []*KeyValueCache{filled(), c}}).Pick([]int{0}, false) },
		"grown":   func(c *KeyValueCache) { c.Append(tensor.New(1, z), tensor.New(1, h)) },
	} {
		returned := 0
		for range 100 { // a pool may lose some, and does under the race detector
			c := filled()
			keys := &c.keys.Row(0)[0]
			end(c)
			next := parallel.Borrow(firstRoom * z)
			if &next.Data[0] == keys {
				returned++
			}
			next.Return()
		}
		if returned == 0 {
			t.Errorf("%s: no memory comes back", name)
		}
	}
}
