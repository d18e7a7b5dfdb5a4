//go:build unix

package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// TestPipes: what reads lines reads them from a pipe too, or says that it is one.
func TestPipes(t *testing.T) {
	for _, r := range lineReaders {
		t.Run(r.name, func(t *testing.T) {
			dir := t.TempDir()
			want := r.read(t, dir, r.lines)
			args := r.command(t, dir, r.lines)
			file, pipe := filepath.Join(dir, "lines.txt"), filepath.Join(t.TempDir(), "pipe")
			if err := syscall.Mkfifo(pipe, 0o600); err != nil {
				t.Skip(err)
			}
			args[slices.Index(args, file)] = pipe
			if r.name == "preprocess" {
				if status, _, stderr := command(t, args...); status == exitOK || !strings.Contains(stderr, "is a pipe") {
					t.Errorf("status %d, %s", status, stderr)
				}
				return
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			go os.WriteFile(pipe, text, 0)
			out, _ := mustRun(t, args...)
			if args[len(args)-2] != "--destdir" && strings.ReplaceAll(out, pipe, file) != want {
				t.Errorf("%q, want %q", out, want)
			}
		})
	}
}
