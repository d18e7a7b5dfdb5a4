package serve

import (
	"container/list"
	"encoding/binary"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/mega-go/mega"
)

// A prefixTree keeps the states of a language model after texts that it has read, so
// that a text which begins like one of them is not read again. A node stands for a
// block of tokens after those of its parent; blocks are whole chunks, at whose ends
// a state is small, and the tail of a prompt may be a shorter one, below which there
// is nothing. The states used least recently go when there is no more room.
//
// A state is where the model computes: on a device, room is of the device's memory.
//
// It belongs to the goroutine of one model.
type prefixTree struct {
	block  int // tokens; 0 keeps nothing
	room   int // bytes
	root   *prefixNode
	recent *list.List   // nodes with a state, those used last first
	used   atomic.Int64 // bytes
}

// A prefixNode is a text up to the end of a block.
type prefixNode struct {
	parent   *prefixNode // nil for the root, and once the node is out of the tree
	key      string      // its tokens
	children map[string]*prefixNode
	tails    []*prefixNode // children that are shorter than a block
	session  *mega.Session // nil if the state was dropped
	bytes    int
	place    *list.Element
	pins     int // texts being read that are here
}

func newPrefixTree(block, room int) *prefixTree {
	if room <= 0 {
		block = 0
	}
	return &prefixTree{block: block, room: room, root: &prefixNode{}, recent: list.New()}
}

// clear forgets everything, pins too.
func (t *prefixTree) clear() {
	t.root, t.recent = &prefixNode{}, list.New()
	t.used.Store(0)
}

// tokenBytes is how many bytes of a key stand for a token.
const tokenBytes = 4

// key returns tokens as the key of a map.
func key(tokens []int32) string { return string(appendKey(nil, tokens)) }

func appendKey(b []byte, tokens []int32) []byte {
	b = slices.Grow(b, tokenBytes*len(tokens))
	for _, t := range tokens {
		b = binary.LittleEndian.AppendUint32(b, uint32(t))
	}
	return b
}

// match returns the longest text in the tree that the tokens begin with: a state
// after it, nil if there is none, how many tokens it is, and the node of its whole
// blocks, pinned.
func (t *prefixTree) match(tokens []int32) (at *prefixNode, state *mega.Session, n int) {
	path := []*prefixNode{t.root}
	var block []byte
	for from := 0; t.block > 0 && from+t.block <= len(tokens); from += t.block {
		block = appendKey(block[:0], tokens[from:from+t.block])
		node := path[len(path)-1].children[string(block)] // which allocates no string
		if node == nil {
			break
		}
		path = append(path, node)
	}
	for i := len(path) - 1; i >= 0; i-- {
		n := i * t.block
		best := path[i].longestTail(key(tokens[n:min(len(tokens), n+t.block)]))
		if best != path[i] {
			n += len(best.key) / tokenBytes
		}
		if best.session != nil {
			state := best.session.Clone() // which may fail on a device
			path[i].pins++
			t.recent.MoveToFront(best.place)
			return path[i], state, n
		}
	}
	t.root.pins++
	return t.root, nil, 0
}

// longestTail returns the longest of the node's tails that the rest of a text begins
// with, the node itself if there is none.
func (n *prefixNode) longestTail(rest string) *prefixNode {
	best, length := n, 0
	for _, tail := range n.tails {
		if len(tail.key) > length && strings.HasPrefix(rest, tail.key) {
			best, length = tail, len(tail.key)
		}
	}
	return best
}

// add keeps the state after a block of tokens that follow the text at a pinned node,
// and returns the node of the longer text, to which the pin goes over.
func (t *prefixTree) add(at *prefixNode, tokens []int32, state *mega.Session) *prefixNode {
	k := key(tokens)
	node := at.children[k]
	if node == nil {
		node = t.child(at, k)
		if at.children == nil {
			at.children = map[string]*prefixNode{}
		}
		at.children[k] = node
	}
	node.pins++
	t.keep(node, state)
	t.release(at)
	return node
}

// addTail keeps the state after the tokens that a prompt has beyond its last whole
// block, if there is room for several such: in the middle of a chunk a state is large.
func (t *prefixTree) addTail(at *prefixNode, tokens []int32, state *mega.Session) {
	const share = 4
	if state.Bytes() > t.room/share {
		return
	}
	k := key(tokens)
	for _, tail := range at.tails {
		if tail.key == k {
			t.recent.MoveToFront(tail.place)
			return
		}
	}
	node := t.child(at, k)
	at.tails = append(at.tails, node)
	t.keep(node, state)
}

// child returns a new node below another, whose key takes room.
func (t *prefixTree) child(at *prefixNode, key string) *prefixNode {
	t.used.Add(int64(len(key)))
	return &prefixNode{parent: at, key: key}
}

// keep gives a node its state, and takes away those that there is no room for.
func (t *prefixTree) keep(node *prefixNode, state *mega.Session) {
	if node.session == nil {
		node.session, node.bytes = state, state.Bytes()
		node.place = t.recent.PushFront(node)
		t.used.Add(int64(node.bytes))
	} else {
		t.recent.MoveToFront(node.place)
	}
	for t.used.Load() > int64(t.room) && t.recent.Len() > 0 {
		t.drop(t.recent.Back().Value.(*prefixNode))
	}
}

// drop takes away the state of a node.
func (t *prefixTree) drop(node *prefixNode) {
	t.recent.Remove(node.place)
	t.used.Add(-int64(node.bytes))
	node.session, node.place = nil, nil
	t.prune(node)
}

// release takes a pin away.
func (t *prefixTree) release(node *prefixNode) {
	node.pins--
	t.prune(node)
}

// prune takes nodes that lead nowhere out of the tree, from one up.
func (t *prefixTree) prune(n *prefixNode) {
	for n.parent != nil && n.session == nil && n.pins == 0 && len(n.children) == 0 && len(n.tails) == 0 {
		p := n.parent
		p.tails = slices.DeleteFunc(p.tails, func(tail *prefixNode) bool { return tail == n })
		if p.children[n.key] == n {
			delete(p.children, n.key)
		}
		t.used.Add(-int64(len(n.key)))
		n.parent = nil
		n = p
	}
}
