// Package merge joins neighbouring stretches of a text to longer ones, the best
// pair first: how byte pair encodings cut text.
package merge

// A Symbol is a stretch of a text.
type Symbol struct {
	From, Size int
	ID         int // the caller's
}

// node is a symbol between merges; next and previous are -1 at the ends.
type node struct {
	Symbol
	previous, next int
}

// candidate is a merge of two neighbours.
type candidate struct {
	rank        float64
	left, right int
	size        int // of both when it was found
	id          int
}

// before orders candidates: the lowest rank first, of equal ones the leftmost.
func (c candidate) before(o candidate) bool {
	return c.rank < o.rank || c.rank == o.rank && c.left < o.left
}

// joiner is one call of Join.
type joiner struct {
	nodes  []node
	agenda []candidate // a heap
	rank   func(a, b Symbol) (rank float64, id int, ok bool)
}

// Join merges neighbours until no two can be, and returns what is left in the
// memory of symbols. rank says whether two can, what the ID of both together is,
// and which merge comes first: that of the lowest rank, of equal ones the
// leftmost. It takes time proportional to n log n.
func Join(symbols []Symbol, rank func(a, b Symbol) (rank float64, id int, ok bool)) []Symbol {
	j := &joiner{nodes: make([]node, len(symbols)), rank: rank}
	for i, s := range symbols {
		j.nodes[i] = node{s, i - 1, i + 1}
	}
	if len(symbols) == 0 {
		return symbols
	}
	j.nodes[len(symbols)-1].next = -1
	for i := range len(symbols) - 1 {
		j.consider(i, i+1)
	}
	for len(j.agenda) > 0 {
		j.merge(j.pop())
	}
	symbols = symbols[:0]
	for i := 0; i >= 0; i = j.nodes[i].next {
		symbols = append(symbols, j.nodes[i].Symbol)
	}
	return symbols
}

// consider adds the merge of two neighbours if there is one.
func (j *joiner) consider(left, right int) {
	if left < 0 || right < 0 {
		return
	}
	a, b := j.nodes[left].Symbol, j.nodes[right].Symbol
	if rank, id, ok := j.rank(a, b); ok {
		j.push(candidate{rank, left, right, a.Size + b.Size, id})
	}
}

// merge does what a candidate says unless it is out of date: a symbol that was
// merged into the one before has size 0.
func (j *joiner) merge(c candidate) {
	left, right := &j.nodes[c.left], &j.nodes[c.right]
	if left.Size == 0 || right.Size == 0 || left.Size+right.Size != c.size {
		return
	}
	left.Size, left.ID, right.Size = c.size, c.id, 0
	left.next = right.next
	if left.next >= 0 {
		j.nodes[left.next].previous = c.left
	}
	j.consider(left.previous, c.left)
	j.consider(c.left, left.next)
}

func (j *joiner) push(c candidate) {
	h := append(j.agenda, c)
	i := len(h) - 1
	for i > 0 && c.before(h[(i-1)/2]) {
		h[i] = h[(i-1)/2]
		i = (i - 1) / 2
	}
	h[i], j.agenda = c, h
}

func (j *joiner) pop() candidate {
	h := j.agenda
	top, last := h[0], h[len(h)-1]
	h = h[:len(h)-1]
	i := 0
	for child := 1; child < len(h); child = 2*i + 1 {
		if child+1 < len(h) && h[child+1].before(h[child]) {
			child++
		}
		if !h[child].before(last) {
			break
		}
		h[i] = h[child]
		i = child
	}
	if len(h) > 0 {
		h[i] = last
	}
	j.agenda = h
	return top
}
