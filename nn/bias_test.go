package nn

import (
	"slices"
	"testing"

	"github.com/mega-go/mega/autograd"
)

// A bias that is kept gives each distance the same number as one made for just as
// many positions, however far it reached before, and is made anew seldom.
func TestKeptBias(t *testing.T) {
	biases := map[string]PositionBias{
		"simple": NewSimpleBias(NewParams(1).Root(), 300), "rotary": NewRotaryBias(NewParams(1).Root(), 6),
	}
	for name, b := range biases {
		var kept KeptBias
		var last *autograd.Variable
		made := 0
		for length := 1; length <= 300; length += 13 {
			tape := autograd.NewTape()
			got, zero, err := kept.Forward(tape, b, length)
			if err != nil {
				t.Fatal(err)
			}
			want, wantZero, _ := b.Forward(tape, length)
			g, w := got.Value().Host()[zero-length+1:][:2*length-1], want.Value().Host()[wantZero-length+1:][:2*length-1]
			if !slices.Equal(g, w) {
				t.Fatalf("%s, %d positions: other numbers", name, length)
			}
			if got != last {
				made, last = made+1, got
			}
			tape.Reset() // which does not touch what is kept
		}
		if made > 2 {
			t.Errorf("%s: made %d times", name, made)
		}
	}
	var kept KeptBias
	if _, _, err := kept.Forward(autograd.NewTape(), biases["simple"], 301); err == nil {
		t.Error("a simple bias reaches beyond its end")
	}
}
