package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/mega-go/mega/autograd"
)

// Every command that runs models on text takes --bf16, which changes numbers a little,
// and says what is missing where the processor cannot do it fast.
func TestBF16Commands(t *testing.T) {
	models := func(name string) string { return filepath.Join("..", "..", "models", name) }
	commands := [][]string{
		{"score", models("go-bytes"), "testdata/reviews.csv"},
		{"classify", "--checkpoint", models("go-files"), "--json", "main_test.go", "--truncate"},
		{"generate", models("go-bytes"), "func ", "--max-len-b", "4", "--json"},
		{"interactive", models("go-bytes"), "--input", "testdata/reviews.csv", "--max-len-b", "1"},
		{"eval-lm", models("go-bytes"), "--text", "testdata/reviews.csv"},
	}
	missing := autograd.CheckBF16()
	for _, args := range commands {
		if args[0] == "interactive" && missing == nil {
			continue // what it prints is not numbers
		}
		status, out, stderr := command(t, append(args, "--bf16")...)
		if missing != nil {
			if status != exitFailure || !strings.Contains(stderr, "bf16 is set: "+missing.Error()) {
				t.Errorf("%s without the instructions: status %d: %s", args[0], status, stderr)
			}
			continue
		}
		if status != exitOK {
			t.Errorf("%s: status %d: %s", args[0], status, stderr)
		} else if whole, _ := mustRun(t, args...); args[0] != "eval-lm" && out == whole {
			t.Errorf("%s prints the same without --bf16: %q", args[0], out)
		}
	}
	if missing != nil {
		return
	}
	a, b := bitsPerToken(t, models("go-bytes"), "testdata/reviews.csv"), bitsPerToken(t, models("go-bytes"), "testdata/reviews.csv", "--bf16")
	if a == b || b > a+0.01 {
		t.Errorf("%g bits a byte in bfloat16, %g in float32", b, a)
	}
	ints := filepath.Join(t.TempDir(), "int8")
	mustRun(t, "convert", models("go-bytes"), ints, "--int8")
	if status, _, stderr := command(t, "score", ints, "testdata/reviews.csv", "--bf16"); status != exitFailure || !strings.Contains(stderr, "has int8 weights, which are multiplied in float32") {
		t.Errorf("int8 weights in bfloat16: status %d: %s", status, stderr)
	}
}
