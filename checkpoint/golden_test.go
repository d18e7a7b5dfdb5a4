package checkpoint

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// goldenCases are models of the reference (testdata/golden/README.md).
var goldenCases = []string{
	"lra_listops", "lra_text", "lra_retrieval", "lra_image", "lra_pathfinder", "speech_commands",
	"lm_enwik8", "lm_wikitext103", "mt_wmt", "imagenet",
}

func goldenDir(name string) string { return filepath.Join("..", "testdata", "golden", name) }

func torchFile(name string) string {
	return filepath.Join("..", "format", "torchfile", "testdata", name)
}

func openTest(t testing.TB, path string) *Checkpoint {
	t.Helper()
	c, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func saveTest(t testing.TB, from, to string, o SaveOptions) {
	t.Helper()
	if o.Format == "" {
		o.Format = FormatOf(to)
	}
	if _, err := openTest(t, from).Save(to, o); err != nil {
		t.Fatal(err)
	}
}

// numbersIn returns everything that the model of a checkpoint carries.
func numbersIn(t testing.TB, path string) map[string][]float32 {
	t.Helper()
	m, err := openTest(t, path).model()
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[string][]float32)
	for _, q := range m.params.All() {
		out[q.Name] = q.Value().Data()
	}
	for _, b := range m.params.Buffers() {
		out[b.Name] = b.Data()
	}
	return out
}

// wantError checks that opening path and making its model fails and says want.
func wantError(t *testing.T, path, want string) {
	t.Helper()
	c, err := Open(path)
	if err == nil {
		_, err = c.model()
		c.Close()
	}
	checkSays(t, err, want)
}

// checkSays wants an error of one line that says want.
func checkSays(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
		t.Errorf("error %v, want %s", err, want)
	}
}

// TestTorchOpensWhatIsWritten has PyTorch compare .pt files written here with the
// files of the reference: weights of every golden case with model.safetensors,
// and a whole training checkpoint, which went through the native form, with the
// one that the reference saved. It needs Python, so it runs only where MEGA_TORCH
// names one with PyTorch 1.13.
func TestTorchOpensWhatIsWritten(t *testing.T) {
	python := os.Getenv("MEGA_TORCH")
	if python == "" {
		t.Skip("MEGA_TORCH does not name a Python with PyTorch")
	}
	dir := t.TempDir()
	compare := func(args ...string) {
		out, err := exec.Command(python, append([]string{"testdata/compare.py"}, args...)...).CombinedOutput()
		if err != nil {
			t.Errorf("%v: %v\n%s", args, err, out)
		}
	}
	for _, name := range goldenCases {
		path := filepath.Join(dir, name+".pt")
		saveTest(t, goldenDir(name), path, SaveOptions{})
		compare(path, filepath.Join(goldenDir(name), "model.safetensors"), filepath.Join(goldenDir(name), "args.json"))
	}
	for _, name := range []string{"lm_enwik8_checkpoint_last.pt", "lra_text_legacy.pt"} {
		native, back := filepath.Join(dir, name+".native"), filepath.Join(dir, name)
		saveTest(t, torchFile(name), native, SaveOptions{})
		saveTest(t, native, back, SaveOptions{})
		compare(back, torchFile(name))
	}
}
