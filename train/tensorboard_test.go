package train

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"
)

// A run writes an event file a session and kind of record; the second session
// takes back what the first said of updates that it does again.
func TestTensorBoard(t *testing.T) {
	dir, log := t.TempDir(), t.TempDir()
	c := toyConfig()
	o := Options{Dir: dir, TensorBoard: TensorBoard{Dir: log, Histograms: func() map[string][]float64 { return map[string][]float64{"spread": {1, 2}} }}}
	for _, c.MaxUpdate = range []int{20, 40} {
		if _, err := Run(context.Background(), newToy(), c, o); err != nil {
			t.Fatal(err)
		}
	}
	for kind, tags := range map[string][]string{"train_inner": {"loss", "lr", "gnorm"}, "train": {"loss"}, "valid": {"accuracy", "spread"}} {
		files, err := filepath.Glob(filepath.Join(log, kind, "events.out.tfevents.*"))
		if err != nil || len(files) != 2 {
			t.Fatalf("%s: files %v, %v", kind, files, err)
		}
		for i, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, tag := range tags {
				if !bytes.Contains(data, append([]byte{10, byte(len(tag))}, tag...)) { // Value.tag
					t.Errorf("%s: no %s", file, tag)
				}
			}
			start := []byte{0x10, 20 + 1, 0x3a, 2, 8, 1} // Event.step, Event.session_log with the status START
			if bytes.Contains(data, start) != (i == 1) {
				t.Errorf("%s: the start of session %d", file, i+1)
			}
		}
	}
}
