package trie

import (
	"slices"
	"strings"
	"testing"
)

func TestPrefixes(t *testing.T) {
	set := map[string]int{"": 9, "a": 0, "abc": 1, "abd": 2, "b\xff\x00": 3, "ä": 4}
	trie := New(set)
	for _, text := range []string{"", "a", "ab", "abcd", "abd", "b\xff\x00x", "ä", "\xc3", "zz"} {
		var want, got []int
		for n := 1; n <= len(text); n++ {
			if id, ok := set[text[:n]]; ok {
				want = append(want, n, id)
			}
		}
		trie.Prefixes(text, func(length, id int) { got = append(got, length, id) })
		if !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
		length, _ := trie.Longest(text)
		if len(want) > 0 && length != want[len(want)-2] || len(want) == 0 && length != 0 {
			t.Errorf("%q: longest %d of %v", text, length, want)
		}
	}
	if n, _ := New(nil).Longest(strings.Repeat("a", 3)); n != 0 {
		t.Errorf("an empty trie finds %d", n)
	}
}
