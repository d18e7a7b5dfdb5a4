package checkpoint_test

import (
	"fmt"
	"log"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/checkpoint"
)

// Open finds out of what kind a checkpoint is, wherever it comes from, and makes
// its model.
func Example() {
	c, err := checkpoint.Open("../testdata/golden/lra_text")
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	model, err := c.Classifier()
	if err != nil {
		log.Fatal(err)
	}
	logits, err := model.Logits(mega.Input{Rows: 1, Length: 4, Tokens: []int32{10, 11, 12, 2}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(c.Task, model.Config().Arch, len(logits[0]), "classes")
	// Output: classification mega_lra_imdb 2 classes
}
