//go:build mpi && linux

package mpi

import (
	"strings"
	"sync"
	"testing"
)

// TestLoadNamesTheLibrary: the error of a library that is not there says so, whichever thread
// the system's loader is asked on: it keeps its words for the thread that has failed.
func TestLoadNamesTheLibrary(t *testing.T) {
	t.Setenv(LibraryVariable, "/nowhere/libmpi.so")
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for range 200 {
				if _, err := load(nil); err == nil || !strings.Contains(err.Error(), "/nowhere/libmpi.so: cannot open") {
					t.Errorf("%v, want it to say what cannot be opened", err)
					return
				}
			}
		})
	}
	all.Wait()
}
