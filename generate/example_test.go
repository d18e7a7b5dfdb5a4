package generate_test

import (
	"context"
	"fmt"
	"log"

	"github.com/mega-go/mega/checkpoint"
	"github.com/mega-go/mega/generate"
)

// A session of a language model that has read a text is continued token by token,
// always by the likeliest.
func ExampleContinue() {
	c, err := checkpoint.Open("../testdata/golden/lm_enwik8")
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	model, err := c.LanguageModel()
	if err != nil {
		log.Fatal(err)
	}
	session := model.NewSession()
	read := []int32{2, 10, 11, 12}
	if err := session.Prefill(read); err != nil {
		log.Fatal(err)
	}
	o := generate.DefaultContinueOptions()
	o.MaxLen, o.Temperature = 5, 0
	spell := func(dst []byte, _, token int32) []byte { return fmt.Appendf(dst, "%d ", token) }
	made, err := generate.Continue(context.Background(), session, [][]int32{read}, spell, o, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(made[0].Tokens, made[0].Reason)
	// Output: [7 4 6 13 5] length
}
