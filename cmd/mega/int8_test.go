package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// bitsPerToken returns what mega score says of a text under a model of bytes.
func bitsPerToken(t *testing.T, model, text string, flags ...string) float64 {
	t.Helper()
	out, _ := mustRun(t, append([]string{"eval-lm", model, "--text", text, "--json"}, flags...)...)
	var e struct{ Loss float64 }
	if err := json.Unmarshal([]byte(out), &e); err != nil {
		t.Fatalf("printed %q: %v", out, err)
	}
	return e.Loss
}

// A model of bytes with int8 weights takes within 0.002 bits more for a byte, every
// command that uses models reads it, and no training does.
func TestInt8Model(t *testing.T) {
	whole, ints := filepath.Join("..", "..", "models", "go-bytes"), filepath.Join(t.TempDir(), "int8")
	if _, stderr := mustRun(t, "convert", whole, ints, "--int8"); !strings.Contains(stderr, "native, language_modeling model of 265056 parameters") {
		t.Errorf("told %q", stderr)
	}
	size := func(dir string) int64 {
		info, err := os.Stat(filepath.Join(dir, "model.safetensors"))
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	if a, b := size(whole), size(ints); float64(b) > 0.6*float64(a) {
		t.Errorf("%d bytes, with weights in bfloat16 %d", b, a)
	}
	text := "main.go"
	if a, b := bitsPerToken(t, whole, text), bitsPerToken(t, ints, text); b == a || b > a+0.002 {
		t.Errorf("%g bits a byte, with whole weights %g", b, a)
	}
	for _, args := range [][]string{
		{"score", ints, text},
		{"generate", ints, "func ", "--max-len-b", "8"},
		{"inspect", ints},
		{"interactive", ints, "--input", os.DevNull},
		{"convert", ints, filepath.Join(t.TempDir(), "back.pt")},
	} {
		mustRun(t, args...)
	}
	status, _, stderr := command(t, "train", "--preset", "bytes-small", "--text", text, "--save-dir", t.TempDir(), "--max-update", "1",
		"--decoder-layers", "2", "--decoder-embed-dim", "96", "--decoder-hidden-dim", "192", "--decoder-ffn-embed-dim", "192",
		"--decoder-z-dim", "48", "--finetune-from-model", ints)
	if status != exitFailure || !strings.Contains(stderr, "has int8 weights, which are for decoding") {
		t.Errorf("training: status %d: %s", status, stderr)
	}
	status, _, stderr = command(t, "convert", whole, filepath.Join(t.TempDir(), "x"), "--int8", "--dtype", "f16")
	if status != exitUsage || !strings.Contains(stderr, "want one of them") {
		t.Errorf("two types: status %d: %s", status, stderr)
	}
}
