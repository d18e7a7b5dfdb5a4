package audio

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mega-go/mega/format/torchfile"
)

// saveRecordings writes two recordings of two samples.
func saveRecordings(t *testing.T, samples []float32) (prefix string) {
	t.Helper()
	prefix = filepath.Join(t.TempDir(), "train")
	if err := torchfile.Save(prefix+"_X.pt", torchfile.Of([]int{2, 1, 2}, samples)); err != nil {
		t.Fatal(err)
	}
	if err := torchfile.Save(prefix+"_y.pt", torchfile.Of([]int{2}, []int64{0, 1})); err != nil {
		t.Fatal(err)
	}
	return prefix
}

func TestRecordingsThatAreNoNumbers(t *testing.T) {
	r, err := openRecordings(saveRecordings(t, []float32{0, 1, 2, float32(math.NaN())}), 2)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Collate([]int{0}); err != nil {
		t.Error(err)
	}
	if _, err := r.Collate([]int{0, 1}); err == nil || !strings.Contains(err.Error(), "train_X.pt: sample 1 of recording 1 is NaN") {
		t.Errorf("error %v", err)
	}
}

// TestDamagedRecordings: the samples are read late, and the error names their file.
func TestDamagedRecordings(t *testing.T) {
	prefix := saveRecordings(t, []float32{0, 1, 2, 3})
	file, err := os.ReadFile(prefix + "_X.pt")
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(file, []byte("\x00\x00\x00\x00\x00\x00\x80?")) // 0 and 1
	file[at]++
	if err := os.WriteFile(prefix+"_X.pt", file, 0o666); err != nil {
		t.Fatal(err)
	}
	r, err := openRecordings(prefix, 2)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Collate([]int{0}); err == nil || !strings.HasPrefix(err.Error(), prefix+"_X.pt: ") {
		t.Errorf("error %v", err)
	}
}
