// Command ngram is the baseline for the byte-level language models of these results:
// an n-gram model of bytes with interpolated, modified Kneser-Ney smoothing (Chen and
// Goodman, "An Empirical Study of Smoothing Techniques for Language Modeling",
// TR-10-98, 1998, section 5). It prints the bits per byte of a held-out text.
//
//	go run ./docs/results/ngram --order 6 train.txt test.txt
package main

import (
	"flag"
	"fmt"
	"math"
	"os"
)

func main() {
	order := flag.Int("order", 6, "bytes of an n-gram, the predicted one included; 8 at most")
	flag.Parse()
	if flag.NArg() != 2 || *order < 1 || *order > maxOrder {
		fmt.Fprintf(os.Stderr, "usage: ngram [--order N] TRAIN TEST, with N from 1 to %d\n", maxOrder)
		os.Exit(2)
	}
	var texts [2][]byte
	for i := range texts {
		var err error
		if texts[i], err = os.ReadFile(flag.Arg(i)); err != nil {
			fmt.Fprintln(os.Stderr, "ngram:", err)
			os.Exit(1)
		}
	}
	m := newModel(texts[0], *order)
	fmt.Printf("order %d: %.4f bits per byte of %d\n", *order, m.bits(texts[1])/float64(len(texts[1])), len(texts[1]))
}

// maxOrder is how many bytes a key holds.
const maxOrder = 8

// A key is the last bytes of a text, the last of all in its lowest bits.
type key uint64

// cut returns the last n bytes of a key.
func (k key) cut(n int) key {
	if n >= maxOrder {
		return k
	}
	return k & (1<<(8*n) - 1)
}

// A level holds the n-grams of one length.
type level struct {
	count    map[key]uint32
	context  map[key]*context
	discount [4]float64 // of counts of 0, 1, 2, and 3 or more
}

// A context is what is known of the bytes that follow n−1 others.
type context struct {
	total uint32    // sum of counts
	kinds [4]uint32 // how many bytes have a count of 1, 2, and 3 or more
}

// model is an n-gram model; levels[n] is of n-grams, and levels[0] is not used.
type model struct{ levels []level }

// newModel counts the n-grams of a text: those of full length as often as they
// occur, shorter ones by how many different bytes they follow.
func newModel(text []byte, order int) *model {
	m := &model{levels: make([]level, order+1)}
	for n := range m.levels {
		m.levels[n].count = map[key]uint32{}
	}
	k := key(0)
	for i, b := range text {
		if k = k<<8 | key(b); i+1 >= order {
			m.levels[order].count[k.cut(order)]++
		}
	}
	for n := order - 1; n >= 1; n-- {
		for longer := range m.levels[n+1].count {
			m.levels[n].count[longer.cut(n)]++
		}
	}
	for n := 1; n <= order; n++ {
		m.levels[n].finish()
	}
	return m
}

// leastDiscount keeps unseen bytes possible where a text is too small for the
// estimates.
const leastDiscount = 0.1

// finish sums up contexts and estimates the discounts.
func (l *level) finish() {
	l.context = map[key]*context{}
	var kinds [5]float64 // n-grams with a count of 1, 2, 3, 4
	for k, count := range l.count {
		c := l.context[k>>8]
		if c == nil {
			c = &context{}
			l.context[k>>8] = c
		}
		c.total += count
		c.kinds[min(count, 3)]++
		if count < 5 {
			kinds[count]++
		}
	}
	y := kinds[1] / (kinds[1] + 2*kinds[2])
	for i := 1; i <= 3; i++ {
		if kinds[i] > 0 {
			l.discount[i] = float64(i) - float64(i+1)*y*kinds[i+1]/kinds[i]
		}
		l.discount[i] = max(l.discount[i], leastDiscount)
	}
}

// probability returns that of the last byte of a key after those before it, of
// which n−1 count.
func (m *model) probability(k key, n int) float64 {
	if n == 0 {
		return 1.0 / 256
	}
	shorter := m.probability(k, n-1)
	l := &m.levels[n]
	c := l.context[k.cut(n)>>8]
	if c == nil {
		return shorter
	}
	count := l.count[k.cut(n)]
	rest := 0.0
	for i := 1; i <= 3; i++ {
		rest += l.discount[i] * float64(c.kinds[i])
	}
	return (float64(count) - l.discount[min(count, 3)] + rest*shorter) / float64(c.total)
}

// bits returns the information in a text.
func (m *model) bits(text []byte) float64 {
	sum := 0.0
	k := key(0)
	for i, b := range text {
		k = k<<8 | key(b)
		sum -= math.Log2(m.probability(k, min(i+1, len(m.levels)-1)))
	}
	return sum
}
