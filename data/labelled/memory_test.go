package labelled

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// TestLookInBoundedMemory: a table is looked at in memory that is a small part of its
// size, some tens of bytes a row.
func TestLookInBoundedMemory(t *testing.T) {
	const n = 100_000
	path := filepath.Join(t.TempDir(), "in.csv")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	out := bufio.NewWriter(f)
	fmt.Fprintln(out, "text,label")
	for i := range n {
		fmt.Fprintf(out, "a text of more than a hundred bytes such as those that people write when they have seen a film or read a book: %d,%d\n", i, i%3)
	}
	out.Flush()
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := Look(path, Options{}); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	// All that was ever allocated: arrays that grow are counted at every size.
	if got := after.TotalAlloc - before.TotalAlloc; got > 250*n {
		t.Errorf("%d bytes a row, want 250 at most", got/n)
	}
}

// TestHome: short series of integers, whose hashes agree in their low bits, find places
// of their own.
func TestHome(t *testing.T) {
	const width = 17
	for _, n := range []int{2, 4, 8} {
		rng := rand.New(rand.NewPCG(1, 2))
		places, hashes := map[uint64]bool{}, map[uint64]bool{}
		for range 1 << (width - 1) {
			s := Sample{Values: make([]float32, n)}
			for i := range s.Values {
				s.Values[i] = float32(rng.IntN(4096))
			}
			hash := s.hash()
			places[home(hash, width)], hashes[hash] = true, true
		}
		if 4*len(places) < 3*len(hashes) {
			t.Errorf("series of %d: %d samples begin at %d places", n, len(hashes), len(places))
		}
	}
}
