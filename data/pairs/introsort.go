package pairs

import "math/bits"

// byLengthDescending sorts rows by falling length as torch sorts a tensor on the
// CPU (torch.sort with descending=True), which is not stable: the order of rows
// of one length shows in the reference's output, so it is copied. torch calls
// std::sort, and GNU's is an introsort: quicksort with the median of three down
// to stretches of sixteen, heapsort where that goes wrong, and one insertion
// sort at the end.
func byLengthDescending(rows []int, length func(row int) int32) {
	s := introsort{rows, func(a, b int) bool { return length(a) > length(b) }}
	n := len(rows)
	if n < 2 {
		return
	}
	s.loop(0, n, 2*(bits.Len(uint(n))-1))
	if n <= insertionThreshold {
		s.insertion(0, n)
		return
	}
	s.insertion(0, insertionThreshold)
	for i := insertionThreshold; i < n; i++ {
		s.insertLinear(i)
	}
}

// insertionThreshold is the length of stretches that are left to the insertion
// sort.
const insertionThreshold = 16

type introsort struct {
	rows []int
	less func(a, b int) bool
}

func (s introsort) swap(i, j int)        { s.rows[i], s.rows[j] = s.rows[j], s.rows[i] }
func (s introsort) before(i, j int) bool { return s.less(s.rows[i], s.rows[j]) }

// loop sorts [first, last) up to stretches of the threshold.
func (s introsort) loop(first, last, depth int) {
	for last-first > insertionThreshold {
		if depth == 0 {
			s.heapsort(first, last)
			return
		}
		depth--
		cut := s.partition(first, last)
		s.loop(cut, last, depth)
		last = cut
	}
}

// partition moves the median of three to first and partitions the rest around it.
func (s introsort) partition(first, last int) int {
	s.medianToFirst(first, first+1, first+(last-first)/2, last-1)
	i, j := first+1, last
	for {
		for s.before(i, first) {
			i++
		}
		for j--; s.before(first, j); {
			j--
		}
		if i >= j {
			return i
		}
		s.swap(i, j)
		i++
	}
}

func (s introsort) medianToFirst(first, a, b, c int) {
	if s.before(a, b) {
		switch {
		case s.before(b, c):
			s.swap(first, b)
		case s.before(a, c):
			s.swap(first, c)
		default:
			s.swap(first, a)
		}
		return
	}
	switch {
	case s.before(a, c):
		s.swap(first, a)
	case s.before(b, c):
		s.swap(first, c)
	default:
		s.swap(first, b)
	}
}

// insertion sorts [first, last).
func (s introsort) insertion(first, last int) {
	for i := first + 1; i < last; i++ {
		if !s.before(i, first) {
			s.insertLinear(i)
			continue
		}
		row := s.rows[i]
		copy(s.rows[first+1:i+1], s.rows[first:i])
		s.rows[first] = row
	}
}

// insertLinear moves row i forward to its place, which must not be the first.
func (s introsort) insertLinear(i int) {
	row := s.rows[i]
	for ; s.less(row, s.rows[i-1]); i-- {
		s.rows[i] = s.rows[i-1]
	}
	s.rows[i] = row
}

func (s introsort) heapsort(first, last int) {
	rows := s.rows[first:last]
	for parent := (len(rows) - 2) / 2; parent >= 0; parent-- {
		s.adjustHeap(rows, parent, rows[parent])
	}
	for n := len(rows) - 1; n > 0; n-- {
		row := rows[n]
		rows[n] = rows[0]
		s.adjustHeap(rows[:n], 0, row)
	}
}

// adjustHeap puts row into the heap at a hole, which first sinks to a leaf.
func (s introsort) adjustHeap(heap []int, hole, row int) {
	top, n := hole, len(heap)
	child := hole
	for child < (n-1)/2 {
		child = 2 * (child + 1)
		if s.less(heap[child], heap[child-1]) {
			child--
		}
		heap[hole] = heap[child]
		hole = child
	}
	if n%2 == 0 && child == (n-2)/2 {
		child = 2*child + 1
		heap[hole] = heap[child]
		hole = child
	}
	for parent := (hole - 1) / 2; hole > top && s.less(heap[parent], row); parent = (hole - 1) / 2 {
		heap[hole] = heap[parent]
		hole = parent
	}
	heap[hole] = row
}
