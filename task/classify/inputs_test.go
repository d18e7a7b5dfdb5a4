package classify

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/data"
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
