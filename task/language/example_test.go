package language_test

import (
	"context"
	"fmt"
	"log"

	"github.com/mega-go/mega/generate"
	"github.com/mega-go/mega/task/language"
)

// A language model, read from a checkpoint, continues a text for as long as its
// reader wants more. Runs of mega train need no Data: they name their own.
func Example() {
	m, err := language.Open("../../testdata/golden/lm_wikitext103", language.OpenOptions{Data: "../../testdata/golden/lm_wikitext103/text"})
	if err != nil {
		log.Fatal(err)
	}
	o := generate.DefaultContinueOptions()
	o.Temperature = 0 // always the likeliest word
	words := 0
	for piece, err := range m.Text(context.Background(), "the", o) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%q ", piece)
		if words++; words == 3 {
			break
		}
	}
	// Output: " request" " ." "\n"
}
