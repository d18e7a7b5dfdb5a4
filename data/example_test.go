package data_test

import (
	"fmt"
	"log"

	"github.com/mega-go/mega/data"
)

// A data set of one's own, batched and shuffled. A run
// that was stopped after its first batch of epoch 3 goes on at the second.
func Example() {
	set := data.Samples{
		{Tokens: []int32{7, 8, data.EOS}, Label: 0},
		{Tokens: []int32{9, data.EOS}, Label: 1},
		{Tokens: []int32{7, 7, 7, data.EOS}, Label: 0},
	}
	sampler, err := data.NewSampler(set, data.SamplerOptions{BatchSize: 2, Seed: 1, Shuffle: true})
	if err != nil {
		log.Fatal(err)
	}
	batches, err := sampler.Batches(3)
	if err != nil {
		log.Fatal(err)
	}
	for _, indices := range batches[1:] {
		b, err := set.Collate(indices)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(b.Rows, "by", b.Length, b.Tokens, b.Labels)
	}
	// Output: 2 by 4 [7 8 2 1 7 7 7 2] [0 0]
}
