package classify_test

import (
	"context"
	"fmt"
	"log"
	"math"
	"os"
	"path/filepath"

	"github.com/mega-go/mega/data/labelled"
	"github.com/mega-go/mega/task/classify"
)

// Texts with labels become a trained classifier in a run directory, which is opened
// again, here and by mega eval and mega classify.
func ExampleFit() {
	samples := func(yield func(labelled.Sample) bool) {
		words := map[string]string{"number": "0123456789", "word": "abcdefghij"}
		for i := range 200 {
			for label, letters := range words {
				text := []byte{letters[i%10], letters[i/10%10], letters[(i*7+3)%10]}
				if !yield(labelled.Sample{Texts: [][]byte{text}, Label: label}) {
					return
				}
			}
		}
	}
	temp, err := os.MkdirTemp("", "run")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(temp)
	dir := filepath.Join(temp, "run")
	_, evaluation, err := classify.Fit(context.Background(), dir, samples, func(s *classify.Settings) {
		s.Training.MaxUpdate, s.Training.TotalNumUpdate, s.Training.WarmupUpdates = 40, 40, 4
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.0f%% of %d\n", evaluation.Accuracy, evaluation.Samples)

	p, err := classify.Open(dir, classify.OpenOptions{})
	if err != nil {
		log.Fatal(err)
	}
	e, err := p.Bytes("a text", []byte("2026"))
	if err != nil {
		log.Fatal(err)
	}
	answers, err := p.Predict([]classify.Example{e})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(answers[0].Class)
	// Output:
	// 100% of 40
	// number
}

// Series of two channels, a sine and what leads or trails it.
func ExampleFit_series() {
	samples := func(yield func(labelled.Sample) bool) {
		for i := range 240 {
			label, shift := "leads", 1.0
			if i%2 == 1 {
				label, shift = "trails", -1.0
			}
			var values []float32
			for t := range 24 {
				x := float64(t)/3 + float64(i)
				values = append(values, float32(math.Sin(x)), float32(math.Sin(x+shift)))
			}
			if !yield(labelled.Sample{Values: values, Channels: 2, Label: label}) {
				return
			}
		}
	}
	temp, err := os.MkdirTemp("", "run")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(temp)
	_, evaluation, err := classify.Fit(context.Background(), filepath.Join(temp, "run"), samples, func(s *classify.Settings) {
		s.Training.MaxUpdate, s.Training.TotalNumUpdate, s.Training.WarmupUpdates = 60, 60, 6
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(evaluation.Accuracy > 90)
	// Output: true
}
