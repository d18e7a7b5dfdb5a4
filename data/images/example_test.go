package images_test

import (
	"fmt"
	"log"
	"os"

	"github.com/mega-go/mega/data"
	"github.com/mega-go/mega/data/images"
	"github.com/mega-go/mega/data/shapes"
)

// Pictures in directories of classes, as batches of the second epoch of training
// and as batches to validate on.
func Example() {
	dir, err := os.MkdirTemp("", "shapes")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := (shapes.Config{Size: 32}).Write(dir, data.SplitSizes{Train: 72, Valid: 36, Test: 36}, 1); err != nil {
		log.Fatal(err)
	}
	train, valid, err := images.OpenSplits(dir, 0.1, 1)
	if err != nil {
		log.Fatal(err)
	}
	view := images.ImageNet
	view.Side = 32
	for _, batches := range []*images.Batches{train.Training(view, images.DeiT, 16, 1, 2), valid.Evaluation(view, 16)} {
		b, err := batches.Batch(0)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(batches.Len(), "batches:", b.Rows, len(b.Pixels), len(b.Targets), len(b.Labels))
	}
	fmt.Println(len(train.Classes), "classes, skipped:", append(train.Skipped(), valid.Skipped()...))
	// Output:
	// 4 batches: 16 49152 576 16
	// 3 batches: 16 49152 0 16
	// 36 classes, skipped: []
}
