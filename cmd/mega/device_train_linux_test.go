package main

import (
	"encoding/json"
	"errors"
	"math"
	"path/filepath"
	"strings"
	"testing"
)

// TestTrainLanguageModelOnDevice trains a language model on a device of one thread, and
// validates and evaluates it there, as on the CPU.
func TestTrainLanguageModelOnDevice(t *testing.T) {
	useInterpreter(t)
	text := tableFile(t, "text.txt", strings.Repeat("to be or not to be\n", 20))
	var losses [2]float64
	for i, on := range []string{"cpu", "cuda:0"} {
		out, _ := mustRun(t, "train", "--preset", "bytes-small", "--text", text, "--save-dir", filepath.Join(t.TempDir(), "run"), "--device", on,
			"--decoder-layers", "1", "--decoder-embed-dim", "8", "--decoder-input-dim", "8", "--decoder-hidden-dim", "8", "--decoder-ffn-embed-dim", "8",
			"--decoder-z-dim", "4", "--decoder-n-dim", "2", "--decoder-chunk-size", "16", "--tokens-per-sample", "16", "--max-tokens", "64",
			"--variant-block-multiple-min", "1", "--variant-block-multiple-max", "1", "--max-update", "2", "--json")
		var e struct {
			Loss float64 `json:"loss"`
		}
		if err := json.Unmarshal([]byte(out), &e); err != nil {
			t.Fatal(errors.Join(err, errors.New(out)))
		}
		losses[i] = e.Loss
	}
	if d := math.Abs(losses[1] - losses[0]); !(d < 1e-4) || losses[0] == 0 {
		t.Errorf("losses on the CPU and the device are %v", losses)
	}
}
