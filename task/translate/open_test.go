package translate

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mega-go/mega/checkpoint"
)

// TestDictionariesBeside: a checkpoint needs no data directory where its dictionaries
// lie beside it, be it a file or a directory.
func TestDictionariesBeside(t *testing.T) {
	golden, err := checkpoint.Open("../../testdata/golden/mt_wmt")
	if err != nil {
		t.Fatal(err)
	}
	defer golden.Close()
	dir := t.TempDir()
	file, native := filepath.Join(dir, "mt.safetensors"), filepath.Join(dir, "mt")
	for path, format := range map[string]checkpoint.Format{file: checkpoint.FormatSafetensors, native: checkpoint.FormatNative} {
		if _, err := golden.Save(path, checkpoint.SaveOptions{Format: format}); err != nil {
			t.Fatal(err)
		}
	}
	languages := OpenOptions{SourceLang: "en", TargetLang: "de"}
	for _, path := range []string{file, native} {
		if _, err := Open([]string{path}, languages); err == nil || !strings.Contains(err.Error(), "put them beside the checkpoint") {
			t.Errorf("%s without dictionaries: %v", path, err)
		}
		beside := dir
		if path == native {
			beside = native
		}
		for _, name := range []string{"dict.en.txt", "dict.de.txt"} {
			text, err := os.ReadFile(filepath.Join(pairData, name))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(beside, name), text, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := Open([]string{path}, languages)
		if err != nil {
			t.Fatal(err)
		}
		want := openPairs(t, DataConfig{Data: pairData, SourceLang: "en", TargetLang: "de"})
		if got.Source.Len() != want.Source.Len() || got.Target.Len() != want.Target.Len() {
			t.Errorf("%s: dictionaries of %d and %d words, want %d and %d", path, got.Source.Len(), got.Target.Len(), want.Source.Len(), want.Target.Len())
		}
	}
}
