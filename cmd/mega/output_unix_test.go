//go:build unix

package main

import (
	"os"
	"syscall"
	"testing"
)

// checkPipe writes to a pipe with a name.
func checkPipe(t *testing.T, o outputCase, path string, args []string) {
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Skip(err)
	}
	got := make(chan int)
	go func() {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Error(err)
		}
		got <- len(text)
	}()
	runOutput(t, o, args)
	if info, err := os.Lstat(path); err != nil || info.Mode().Type() != os.ModeNamedPipe {
		t.Fatalf("a pipe became another thing: %v, %v", info, err)
	}
	if n := <-got; n == 0 {
		t.Error("nothing comes out of a pipe")
	}
}
