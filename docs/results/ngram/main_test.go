package main

import (
	"math"
	"strings"
	"testing"
)

// After any bytes the probabilities of the next one sum to 1.
func TestProbabilitiesSumToOne(t *testing.T) {
	m := newModel([]byte(strings.Repeat("the cat sat on the mat; the dog sat on the log. ", 20)+"abcabx"), 4)
	for _, context := range []string{"", "t", "the ", "og.", "never seen", "abc"} {
		k := key(0)
		for _, b := range []byte(context) {
			k = k<<8 | key(b)
		}
		sum := 0.0
		for b := range 256 {
			p := m.probability(k<<8|key(b), 4)
			if p <= 0 {
				t.Fatalf("after %q byte %d has probability %g", context, b, p)
			}
			sum += p
		}
		if math.Abs(sum-1) > 1e-12 {
			t.Errorf("after %q probabilities sum to %g", context, sum)
		}
	}
}

// A text like the one that was counted takes fewer bits than another.
func TestBits(t *testing.T) {
	m := newModel([]byte(strings.Repeat("to be or not to be, that is the question. ", 50)), 6)
	if same := m.bits([]byte("that is the question")) / 20; same > 1 {
		t.Errorf("%g bits per byte of the text itself", same)
	}
	if other := m.bits([]byte("Zwölf Boxkämpfer")) / 18; other < 8 {
		t.Errorf("%g bits per byte of another text", other)
	}
}
