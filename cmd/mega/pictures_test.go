package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// photos returns a directory of pictures sorted by colour, as somebody might have
// them: what mega data shapes draws, in directories of directories.
func photos(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	mustRun(t, "data", "shapes", filepath.Join(dir, "shapes"), "--train", "288", "--valid", "36", "--test", "36", "--size", "32")
	for _, colour := range []string{"red", "green", "blue"} {
		found, err := filepath.Glob(filepath.Join(dir, "shapes", "train", "*"+colour+"*"))
		if err != nil || len(found) != 12 {
			t.Fatalf("%d classes of %s: %v", len(found), colour, err)
		}
		to := filepath.Join(dir, "photos", colour)
		if err := os.MkdirAll(to, 0o700); err != nil {
			t.Fatal(err)
		}
		for _, class := range found {
			if err := os.Rename(class, filepath.Join(to, filepath.Base(class))); err != nil {
				t.Fatal(err)
			}
		}
	}
	return filepath.Join(dir, "photos")
}

// TestPhotos trains a small model on photos with one command, evaluates it and asks
// it, in every form of its checkpoint.
func TestPhotos(t *testing.T) {
	dir, run := photos(t), filepath.Join(t.TempDir(), "run")
	if err := os.WriteFile(filepath.Join(dir, "red", "broken.jpg"), []byte("PK\x03\x04"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, stderr := mustRun(t, "train", dir, "--save-dir", run, "--json", "--model-ema", "--model-ema-decay", "0.9", "--best-checkpoint-metric", "ema_accuracy",
		"--img-size", "32", "--patch-size", "8", "--depth", "2", "--embed-dim", "32", "--hidden-dim", "32", "--ffn-hidden-dim", "32", "--zdim", "16",
		"--max-epoch", "8", "--warmup-epochs", "1", "--batch-size", "16", "--lr", "0.005", "--aa", "none", "--mixup", "0", "--cutmix", "0", "--smoothing", "0")
	var e struct{ Samples, Accuracy, Top5 float64 }
	if err := json.Unmarshal([]byte(out), &e); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, want := range []string{"chosen by the data: --preset photos\n", "skipped " + filepath.Join(dir, "red", "broken.jpg"), "ema_accuracy"} {
		if !strings.Contains(stderr, want) {
			t.Errorf("no %q in %s", want, stderr)
		}
	}
	if e.Accuracy < 80 || e.Top5 != 100 || !strings.Contains(stderr, "3 classes") {
		t.Errorf("%+v of the photos held out; %s", e, stderr)
	}
	if out, _ := mustRun(t, "eval", "--checkpoint", run); !strings.Contains(out, "top-1") || !strings.Contains(out, "top-5 100.00%") {
		t.Errorf("eval printed %q", out)
	}
	plot := filepath.Join(t.TempDir(), "confusion.png")
	if out, _ := mustRun(t, "eval", "--checkpoint", run, dir, "--plot", plot); !strings.HasPrefix(out, filepath.Base(dir)+": ") || !strings.Contains(out, "class \\ answer  blue  green  red") {
		t.Errorf("eval of all printed %q", out)
	}
	if _, err := os.Stat(plot); err != nil {
		t.Error(err)
	}
	averages, _ := mustRun(t, "eval", run, "--model-ema", "--json")
	if averages != out {
		t.Errorf("the averages, which chose the checkpoint, score %s, and after training %s", averages, out)
	}
	if own, _ := mustRun(t, "eval", run, "--json"); own == out {
		t.Error("the weights score as their averages do")
	}
	if err := os.Remove(filepath.Join(dir, "red", "broken.jpg")); err != nil {
		t.Fatal(err)
	}
	sheet := filepath.Join(t.TempDir(), "sheet.png")
	one, _ := mustRun(t, "classify", "--checkpoint", run, "--top", "1", "--sheet", sheet, filepath.Join(dir, "red"), filepath.Join(dir, "blue"))
	if red, blue := strings.Count(one, "\tred "), strings.Count(one, "\tblue "); red+blue < 150 || red < 70 || blue < 70 {
		t.Errorf("of 96 red and 96 blue photos %d are said to be red, %d blue", red, blue)
	}
	if info, err := os.Stat(sheet); err != nil || info.Size() < 10000 {
		t.Errorf("the contact sheet: %v, %v", info, err)
	}
	names := filepath.Join(t.TempDir(), "names.txt")
	if err := os.WriteFile(names, []byte("blue\ngreen\nred\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	pth := filepath.Join(t.TempDir(), "model.pth")
	mustRun(t, "convert", run, pth)
	again, _ := mustRun(t, "classify", "--checkpoint", pth, "--class-names", names, "--top", "1", filepath.Join(dir, "red"), filepath.Join(dir, "blue"))
	if want := strings.Count(one, "\tred "); strings.Count(again, "\tred ") == 0 || want == 0 {
		t.Errorf("the .pth says %q", again)
	}
}

// TestBrokenPhotos: what cannot be read is named, and the others are answered.
func TestBrokenPhotos(t *testing.T) {
	dir := t.TempDir()
	mustRun(t, "data", "shapes", filepath.Join(dir, "shapes"), "--train", "36", "--valid", "36", "--test", "36")
	sound, err := filepath.Glob(filepath.Join(dir, "shapes", "valid", "*", "*.jpg"))
	if err != nil || len(sound) == 0 {
		t.Fatal("no pictures", err)
	}
	zip := filepath.Join(dir, "zip.jpg")
	if err := os.WriteFile(zip, []byte("PK\x03\x04 and so on"), 0o600); err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("..", "..", "testdata", "golden", "imagenet", "model.pth")
	status, out, stderr := command(t, "classify", "--checkpoint", golden, zip, sound[0])
	if status != 1 || !strings.Contains(stderr, zip) || !strings.Contains(out, sound[0]) || strings.Count(out, "\t") != 5 {
		t.Errorf("status %d, %q, %q", status, out, stderr)
	}
}
