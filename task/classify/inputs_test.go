package classify

import (
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/data"
	"github.com/mega-go/mega/data/audio"
)

// TestDictionaryInputs: dictionaries given by name do for a checkpoint that names
// no data what its data would do.
func TestDictionaryInputs(t *testing.T) {
	dict, labels := filepath.Join("testdata", "imdb", "dict.txt"), filepath.Join("testdata", "imdb", "labels.txt")
	m, err := mega.ClassifierArch("mega_lra_imdb")
	if err != nil {
		t.Fatal(err)
	}
	m.VocabSize = 97 // of golden/lra_text
	in, err := DictionaryInputs(m, dict, labels)
	if err != nil {
		t.Fatal(err)
	}
	if in.Kind != InputBytes || in.Words[len(in.Words)-1] != data.CLS || !slices.Equal(in.Classes, []string{"1", "0"}) {
		t.Errorf("%s of %d words that end in %s, classes %q", in.Kind, len(in.Words), in.Words[len(in.Words)-1], in.Classes)
	}
	if in, err = DictionaryInputs(m, dict, ""); err != nil || className(in.Classes, 1) != "class 1" {
		t.Errorf("without labels: %v, %q", err, in.Classes)
	}
	m.VocabSize = 98
	if _, err = DictionaryInputs(m, dict, labels); err == nil || !strings.Contains(err.Error(), "dict.txt: the dictionary has 97 symbols, the model 98") {
		t.Errorf("error %v", err)
	}
	if _, err = DictionaryInputs(m, "nowhere", ""); err == nil {
		t.Error("no error without a dictionary")
	}
}

// TestSizesOfInputs holds what a checkpoint says of its inputs against the model,
// which reads 256 positions.
func TestSizesOfInputs(t *testing.T) {
	normal := &audio.Normalization{Scale: 1, Mean: []float32{0}, Std: []float32{1}}
	for want, in := range map[string]Inputs{
		"":  {Kind: InputImage, Width: 16, Height: 16},
		" ": {Kind: InputAudio, Rate: 16_000, Length: 256, Normalization: normal},
		"width and height are 4611686018427387904 by 16 pixels, want 1 to max_positions = 256 in all": {Kind: InputImage, Width: 1 << 62, Height: 16},
		"width and height are 16 by 4611686018427387904":                                              {Kind: InputImage, Width: 16, Height: 1 << 62},
		"width and height are 4294967296 by 4294967296":                                               {Kind: InputImage, Width: 1 << 32, Height: 1 << 32},
		"width and height are 16 by 17":                                                               {Kind: InputImage, Width: 16, Height: 17},
		"width and height are -16 by -16":                                                             {Kind: InputImage, Width: -16, Height: -16},
		"width and height are 0 by 0":                                                                 {Kind: InputImage},
		"length is 257 samples, want 1 to max_positions":                                              {Kind: InputAudio, Rate: 16_000, Length: 257, Normalization: normal},
		"length is 9223372036854775807":                                                               {Kind: InputAudio, Rate: 16_000, Length: math.MaxInt, Normalization: normal},
		"length is -1":                                                                                {Kind: InputAudio, Rate: 16_000, Length: -1, Normalization: normal},
		"rate: 9223372036854775807 samples a second":                                                  {Kind: InputAudio, Rate: math.MaxInt, Length: 256, Normalization: normal},
		"rate: 0 samples a second":                                                                    {Kind: InputAudio, Length: 256, Normalization: normal},
		"with what normalisation":                                                                     {Kind: InputAudio, Rate: 16_000, Length: 256},
	} {
		err := in.check(mega.ClassifierConfig{InputType: in.Kind, MaxPositions: 256})
		if want = strings.TrimSpace(want); want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

// TestSizesOfListOps: sizes of generated expressions are bounded before any is
// made.
func TestSizesOfListOps(t *testing.T) {
	for want, c := range map[string]struct {
		length [2]int
		sizes  [3]int
	}{
		"listops_length is 0 to 10":                   {[2]int{0, 10}, [3]int{1, 1, 1}},
		"listops_length is 20 to 10":                  {[2]int{20, 10}, [3]int{1, 1, 1}},
		"listops_length is 10 to 257":                 {[2]int{10, 257}, [3]int{1, 1, 1}},
		"listops_length is 10 to 9223372036854775807": {[2]int{10, math.MaxInt}, [3]int{1, 1, 1}},
		"listops_sizes are [-1 1 1]":                  {[2]int{10, 60}, [3]int{-1, 1, 1}},
		"listops_sizes are [1 9223372036854775807 1]": {[2]int{10, 60}, [3]int{1, math.MaxInt, 1}},
		"listops_sizes are [4000000 4000000 1]":       {[2]int{10, 60}, [3]int{4_000_000, 4_000_000, 1}},
	} {
		d := DefaultDataConfig()
		d.Task, d.ListopsLength, d.ListopsSizes = "listops", c.length, c.sizes
		if _, err := OpenCorpus(d, mega.ClassifierConfig{MaxPositions: 256}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}
