// Package trie finds the strings of a set that a text begins with.
package trie

import (
	"maps"
	"slices"
)

// A Trie is a set of strings, each with a number. Nodes lie in order of their
// depth, so that the children of one lie side by side: those of node n are
// first[n] to first[n+1].
type Trie struct {
	first  []int32
	labels []byte     // of the edge that leads to each node
	ids    []int32    // of each node, -1 where no string ends
	root   [256]int32 // children of the root, 0 where there is none
}

// span is the keys below a node, all the same up to a depth.
type span struct{ from, to, depth int }

// New returns the trie of strings and their numbers.
func New(numbers map[string]int) *Trie {
	keys := slices.Sorted(maps.Keys(numbers))
	t := &Trie{labels: []byte{0}}
	for queue := []span{{0, len(keys), 0}}; len(queue) > 0; queue = queue[1:] {
		s := queue[0]
		t.first = append(t.first, int32(len(t.labels)))
		id := int32(-1)
		if s.from < s.to && len(keys[s.from]) == s.depth {
			id = int32(numbers[keys[s.from]])
			s.from++
		}
		t.ids = append(t.ids, id)
		for s.from < s.to {
			label, end := keys[s.from][s.depth], s.from
			for end < s.to && keys[end][s.depth] == label {
				end++
			}
			if s.depth == 0 {
				t.root[label] = int32(len(t.labels))
			}
			t.labels = append(t.labels, label)
			queue = append(queue, span{s.from, end, s.depth + 1})
			s.from = end
		}
	}
	t.first = append(t.first, int32(len(t.labels)))
	return t
}

// Prefixes calls f with the length and number of every string that text begins
// with, the shortest first. The empty string is not one of them.
func (t *Trie) Prefixes(text string, f func(length, number int)) {
	node := int32(0)
	for i := range len(text) {
		if node = t.child(node, text[i]); node == 0 {
			return
		}
		if id := t.ids[node]; id >= 0 {
			f(i+1, int(id))
		}
	}
}

// child returns the node that an edge leads to, 0 if there is none.
func (t *Trie) child(node int32, label byte) int32 {
	if node == 0 {
		return t.root[label]
	}
	for c := t.first[node]; c < t.first[node+1]; c++ {
		if t.labels[c] == label {
			return c
		}
	}
	return 0
}

// Longest returns the length of the longest string that text begins with, and
// its number; 0 if there is none.
func (t *Trie) Longest(text string) (length, number int) {
	t.Prefixes(text, func(n, id int) { length, number = n, id })
	return length, number
}
