package mega_test

import (
	"fmt"
	"log"

	"github.com/mega-go/mega"
)

// A classifier of the reference's architecture for texts, with initial weights:
// checkpoint.Open makes one of trained weights.
func ExampleClassifier() {
	c, err := mega.ClassifierArch("mega_lra_imdb")
	if err != nil {
		log.Fatal(err)
	}
	c.VocabSize, c.EncoderLayers, c.EncoderEmbedDim, c.EncoderHiddenDim, c.EncoderFFNEmbedDim = 260, 1, 16, 32, 32
	c.ClassifierInDim, c.ClassifierOutDim, c.ZDim = 16, 16, 8
	model, err := mega.NewClassifier(c)
	if err != nil {
		log.Fatal(err)
	}
	// Two texts of 5 and 3 tokens, side by side; 1 is padding.
	logits, err := model.Logits(mega.Input{
		Rows: 2, Length: 5, Lengths: []int32{5, 3},
		Tokens: []int32{72, 105, 33, 40, 2, 72, 105, 2, 1, 1},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(logits), "texts,", len(logits[0]), "classes")

	in := mega.Input{Rows: 1, Length: 2, Tokens: []int32{72, 300}}
	_, err = model.Logits(in)
	fmt.Println(err)
	// Output:
	// 2 texts, 2 classes
	// token 300 at row 0, position 1, is outside the vocabulary of 260
}

// A session reads a text once and says what may come next; a clone goes on from
// the same place with something else.
func ExampleSession() {
	c, err := mega.LanguageModelArch("mega_lm_enwik8_base")
	if err != nil {
		log.Fatal(err)
	}
	c.VocabSize, c.DecoderLayers, c.DecoderChunkSize, c.RelPosBias = 40, 1, 4, "rotary"
	c.DecoderEmbedDim, c.DecoderInputDim, c.DecoderHiddenDim, c.DecoderFFNEmbedDim, c.DecoderZDim = 16, 16, 32, 32, 8
	model, err := mega.NewLanguageModel(c)
	if err != nil {
		log.Fatal(err)
	}
	text := model.NewSession()
	if err := text.Prefill([]int32{2, 17, 8, 30, 9, 11}); err != nil {
		log.Fatal(err)
	}
	other := text.Clone()
	next, err := text.Step(12)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := other.Step(13); err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(next), "log-probabilities after", text.Position(0), "tokens")
	// Output: 40 log-probabilities after 7 tokens
}
