package audio

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// BenchmarkCollate reads a batch of 20 clips of a second.
func BenchmarkCollate(b *testing.B) {
	var wav bytes.Buffer
	if err := WriteWAV(&wav, &Clip{Rate: 16000, Samples: make([]float32, 16000)}); err != nil {
		b.Fatal(err)
	}
	path := filepath.Join(b.TempDir(), "a.wav")
	if err := os.WriteFile(path, wav.Bytes(), 0o644); err != nil {
		b.Fatal(err)
	}
	s := &Speech{
		recordings:    []recording{{path: path}},
		options:       Options{}.withDefaults(),
		normalization: &Normalization{Scale: 1, Mean: []float32{0}, Std: []float32{1}},
	}
	indices := make([]int, 20)
	for b.Loop() {
		if _, err := s.Collate(indices); err != nil {
			b.Fatal(err)
		}
	}
}
