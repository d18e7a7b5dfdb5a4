package checkpoint

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/mega-go/mega/format/dtype"
	"github.com/mega-go/mega/format/safetensors"
)

// shifted writes a golden case with every number moved by x.
func shifted(t *testing.T, name string, x float32, counter int64) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	c := openTest(t, goldenDir(name))
	m, err := c.model()
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range m.params.All() {
		for i := range q.Value().Data() {
			q.Value().Data()[i] += x
		}
	}
	for _, n := range m.params.Counters() {
		n.Value = counter
	}
	if _, err := c.save(dir, m, SaveOptions{Format: FormatNative}); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestAverage wants sums in float32 in the order given, divided.
func TestAverage(t *testing.T) {
	paths := []string{goldenDir("speech_commands"), shifted(t, "speech_commands", 1, 5), shifted(t, "speech_commands", -0.25, 6)}
	out := filepath.Join(t.TempDir(), "mean.safetensors")
	saved, err := Average(paths, out, SaveOptions{Format: FormatSafetensors})
	if err != nil || saved.Parameters == 0 {
		t.Fatal(saved, err)
	}
	var all []map[string][]float32
	for _, path := range append(paths, out) {
		all = append(all, numbersIn(t, path))
	}
	for name, mean := range all[3] {
		for i, got := range mean {
			if want := (all[0][name][i] + all[1][name][i] + all[2][name][i]) / 3; math.Float32bits(got) != math.Float32bits(want) {
				t.Fatalf("%s[%d] is %v, want %v", name, i, got, want)
			}
		}
	}
	m, err := openTest(t, out).model()
	if err != nil {
		t.Fatal(err)
	}
	first, err := openTest(t, paths[0]).model()
	if err != nil {
		t.Fatal(err)
	}
	for i, n := range m.params.Counters() {
		if want := (first.params.Counters()[i].Value + 5 + 6) / 3; n.Value != want {
			t.Errorf("%s is %d, want %d", n.Name, n.Value, want)
		}
	}
}

func TestAverageOfHalfPrecisionIsFloat32(t *testing.T) {
	out := filepath.Join(t.TempDir(), "mean.safetensors")
	if _, err := Average([]string{torchFile("lra_text_fp16.pt"), goldenDir("lra_text")}, out, SaveOptions{Format: FormatSafetensors}); err != nil {
		t.Fatal(err)
	}
	r, err := safetensors.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for _, name := range r.Names() {
		if d, _ := r.DType(name); d != dtype.F32 {
			t.Errorf("%s is %v", name, d)
		}
	}
}

func TestAverageErrors(t *testing.T) {
	out := filepath.Join(t.TempDir(), "mean.pt")
	for want, paths := range map[string][]string{
		"no checkpoints to average": nil,
		"no such file":              {"absent"},
		"is of a translation model, and the first checkpoint of a ": {goldenDir("lra_text"), goldenDir("mt_wmt")},
		"missing: ": {goldenDir("lra_text"), goldenDir("lra_image")},
	} {
		_, err := Average(paths, out, SaveOptions{Format: FormatFairseq})
		checkSays(t, err, want)
		if _, err := os.Lstat(out); err == nil {
			t.Errorf("%v left a file", paths)
		}
	}
}

func TestLastCheckpoints(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"checkpoint1.pt", "checkpoint2.pt", "checkpoint10.pt", "checkpoint_1_500.pt", "checkpoint_2_1000.pt", "checkpoint_best.pt", "checkpoint_last.pt", "log"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		n       int
		updates bool
		limit   int
		want    []string
	}{
		{2, false, 0, []string{"checkpoint10.pt", "checkpoint2.pt"}},
		{2, false, 9, []string{"checkpoint2.pt", "checkpoint1.pt"}},
		{1, true, 0, []string{"checkpoint_2_1000.pt"}},
		{2, true, 1000, []string{"checkpoint_2_1000.pt", "checkpoint_1_500.pt"}},
	} {
		got, err := LastCheckpoints(dir, c.n, c.updates, c.limit)
		for i := range got {
			got[i] = filepath.Base(got[i])
		}
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%+v: %v, %v", c, got, err)
		}
	}
	copied := t.TempDir() // with no names but in the newest state
	for dir, state := range map[string]string{"update_3": "{}", "update_9": `{"checkpoints":[{"name":"checkpoint1","directory":"update_3"},{"name":"checkpoint_2_9","directory":"update_9"}]}`} {
		if err := os.Mkdir(filepath.Join(copied, dir), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(copied, dir, StateFile), []byte(state), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for byUpdates, want := range map[bool]string{false: "update_3", true: "update_9"} {
		if got, err := LastCheckpoints(copied, 1, byUpdates, 0); err != nil || !slices.Equal(got, []string{filepath.Join(copied, want)}) {
			t.Errorf("by updates %v: %v, %v", byUpdates, got, err)
		}
	}
	_, err := LastCheckpoints(dir, 4, false, 0)
	checkSays(t, err, "has 3 checkpoints of epochs (checkpointN), want 4")
}
