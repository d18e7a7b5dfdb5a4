package language

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/mega-go/mega/data"
)

// TestOfBytes: what is recorded decides whether words are bytes.
func TestOfBytes(t *testing.T) {
	dir := t.TempDir()
	c := DataConfig{Data: dir + ":elsewhere"}
	if c.ofBytes() || !(DataConfig{Text: "x"}).ofBytes() {
		t.Error("preprocessed text is of bytes, or plain text is not")
	}
	if err := os.WriteFile(filepath.Join(dir, data.BytesFile), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if !c.ofBytes() || !(DataConfig{Dict: filepath.Join(dir, "dict.txt")}).ofBytes() {
		t.Error("the file beside the dictionary is passed over")
	}
}
