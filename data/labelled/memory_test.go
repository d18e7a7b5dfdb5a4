package labelled

import (
	"bufio"
	"fmt"
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
