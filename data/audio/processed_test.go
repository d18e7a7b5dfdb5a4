package audio

import (
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mega-go/mega/format/torchfile"
)

func TestRecordingsThatAreNoNumbers(t *testing.T) {
	prefix := filepath.Join(t.TempDir(), "train")
	samples := []float32{0, 1, 2, float32(math.NaN())}
	if err := torchfile.Save(prefix+"_X.pt", torchfile.Of([]int{2, 1, 2}, samples)); err != nil {
		t.Fatal(err)
	}
	if err := torchfile.Save(prefix+"_y.pt", torchfile.Of([]int{2}, []int64{0, 1})); err != nil {
		t.Fatal(err)
	}
	r, err := openRecordings(prefix, 2)
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
