package data

import (
	"testing"
)

// BenchmarkCollate measures a training batch of each kind.
func BenchmarkCollate(b *testing.B) {
	tokens := make(Samples, 64)
	for i := range tokens {
		tokens[i].Tokens = make([]int32, 2000)
	}
	images := make([][]byte, 64)
	for i := range images {
		images[i] = make([]byte, 1024)
	}
	pixels, err := NewPixels(images, make([]int32, 64), PixelOptions{})
	if err != nil {
		b.Fatal(err)
	}
	indices := make([]int, 64)
	for name, ds := range map[string]Dataset{"tokens/64x2000": tokens, "pixels/64x1024": pixels} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := ds.Collate(indices); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
