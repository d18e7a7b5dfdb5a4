package sentencepiece

// trie finds the strings of a set that a text begins with.
type trie struct {
	next map[uint64]int32 // from node<<8 | byte to node
	ids  []int32          // of each node, -1 where no string ends
}

func newTrie(strings map[string]int) *trie {
	t := &trie{map[uint64]int32{}, []int32{-1}}
	for s, id := range strings {
		node := int32(0)
		for i := range len(s) {
			key := uint64(node)<<8 | uint64(s[i])
			child, ok := t.next[key]
			if !ok {
				child = int32(len(t.ids))
				t.next[key] = child
				t.ids = append(t.ids, -1)
			}
			node = child
		}
		t.ids[node] = int32(id)
	}
	return t
}

// prefixes calls f with the length and id of every string that text begins with,
// the shortest first.
func (t *trie) prefixes(text string, f func(length, id int)) {
	node := int32(0)
	for i := range len(text) {
		var ok bool
		if node, ok = t.next[uint64(node)<<8|uint64(text[i])]; !ok {
			return
		}
		if id := t.ids[node]; id >= 0 {
			f(i+1, int(id))
		}
	}
}

// longest returns the length of the longest string that text begins with, 0 if
// there is none.
func (t *trie) longest(text string) int {
	longest := 0
	t.prefixes(text, func(length, _ int) { longest = length })
	return longest
}
