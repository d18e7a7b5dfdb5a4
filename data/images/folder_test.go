package images

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// tree makes files, with a picture of testdata in each, or for a name with "="
// with the text after it. It returns their directory.
func tree(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		name, text, isText := strings.Cut(name, "=")
		content := []byte(text)
		if !isText {
			var err error
			if content, err = os.ReadFile("testdata/444.jpg"); err != nil {
				t.Fatal(err)
			}
		}
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// list names a set's pictures by class, without their directory.
func (s *Set) list(dir string) string {
	var out []string
	for i, path := range s.paths {
		out = append(out, s.Classes[s.labels[i]]+":"+strings.TrimPrefix(filepath.ToSlash(path), filepath.ToSlash(dir)+"/"))
	}
	return strings.Join(out, " ")
}

func TestOpenSplits(t *testing.T) {
	hidden := []string{"a/.DS_Store=", "a/._1.jpg=x", ".git/1.jpg", "Thumbs.db=", "__MACOSX/1.jpg", "notes.txt=x"}
	for name, c := range map[string]struct {
		files        []string
		train, valid string
	}{
		"splits": {[]string{"train/b/2.JPEG", "train/a/1.png", "train/a/inner/0.webp", "val/a/9.jpg", "test/b/8.gif"},
			"a:train/a/1.png a:train/a/inner/0.webp b:train/b/2.JPEG", "a:val/a/9.jpg"},
		"train and test": {[]string{"train/a/1.jpg", "test/a/2.jpg"}, "a:train/a/1.jpg", "a:test/a/2.jpg"},
		"a class train":  {[]string{"train/1.jpg", "train/2.jpg", "plane/1.jpg"}, "plane:plane/1.jpg train:train/1.jpg", "train:train/2.jpg"},
		"held out":       {[]string{"a/1.jpg", "a/2.jpg", "a/3.jpg", "a/4.jpg", "b/1.jpg"}, "a:a/1.jpg a:a/3.jpg a:a/4.jpg b:b/1.jpg", "a:a/2.jpg"},
	} {
		files := c.files
		if !strings.HasPrefix(name, "train") && name != "splits" {
			files = append(files, hidden[2:]...)
		}
		dir := tree(t, files...)
		train, valid, err := OpenSplits(dir, 0.25, 2)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := train.list(dir); got != c.train {
			t.Errorf("%s: trains on %s, want %s", name, got, c.train)
		}
		if got := valid.list(dir); got != c.valid {
			t.Errorf("%s: holds out %s, want %s", name, got, c.valid)
		}
	}
}

// TestHoldOut takes the share of each class, the same for a seed.
func TestHoldOut(t *testing.T) {
	var files []string
	for i := range 40 {
		files = append(files, fmt.Sprintf("many/%02d.jpg", i), fmt.Sprintf("few/%02d.jpg", i/4))
	}
	dir := tree(t, files...)
	held := func(seed uint64) string {
		train, valid, err := OpenSplits(dir, 0.2, seed)
		if err != nil {
			t.Fatal(err)
		}
		if train.Len() != 40 || valid.Len() != 10 || strings.Count(valid.list(dir), "few:") != 2 {
			t.Errorf("%d to train on and %s", train.Len(), valid.list(dir))
		}
		if slices.ContainsFunc(valid.paths, func(p string) bool { return slices.Contains(train.paths, p) }) {
			t.Error("a picture is on both sides")
		}
		return valid.list(dir)
	}
	if first := held(1); first != held(1) || first == held(2) {
		t.Error("the seed does not say what is held out")
	}
}

func TestOpenErrors(t *testing.T) {
	for want, files := range map[string][]string{
		"no directories of classes":           {"1.jpg"},
		"a: no pictures":                      {"a/notes.txt=x", "b/1.jpg"},
		`val: there is no class "c" to train`: {"train/a/1.jpg", "val/c/1.jpg"},
		"no class has two pictures":           {"a/1.jpg", "b/1.jpg"},
	} {
		if _, _, err := OpenSplits(tree(t, files...), 0.1, 1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", files, err, want)
		}
	}
	if _, _, err := OpenSplits(filepath.Join(t.TempDir(), "none"), 0.1, 1); !os.IsNotExist(err) {
		t.Errorf("no directory: %v", err)
	}
	if _, _, err := OpenSplits(tree(t, "a/1.jpg", "a/2.jpg"), 1, 1); err == nil {
		t.Error("all held out: no error")
	}
}

func TestLinks(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links need rights there")
	}
	dir := tree(t, "real/x/1.jpg", "data/a/2.jpg")
	for link, to := range map[string]string{"data/b": "../real", "data/a/1.jpg": "../../real/x/1.jpg", "real/x/round": "..", "data/a/gone.jpg": "nowhere"} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	s, err := Open(filepath.Join(dir, "data"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := s.list(dir), "a:data/a/1.jpg a:data/a/2.jpg b:data/b/x/1.jpg"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if skipped := s.Skipped(); len(skipped) != 1 || !strings.Contains(skipped[0].Error(), "gone.jpg") {
		t.Errorf("skipped %v", skipped)
	}
}

// TestEvaluation has Pillow's numbers, and leaves broken pictures out by name.
func TestEvaluation(t *testing.T) {
	base, err := os.ReadFile("testdata/base.png")
	if err != nil {
		t.Fatal(err)
	}
	dir := tree(t, "a/1.png="+string(base), "a/2.jpg=PK\x03\x04", "a/notes.txt=x", "b/3.png="+string(base), "b/4.png=")
	s, err := Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	v := ImageNet
	v.Side = 24
	batches := s.Evaluation(v, 3)
	if batches.Len() != 2 {
		t.Fatalf("%d batches of 4 pictures", batches.Len())
	}
	b, err := batches.Batch(0)
	if err != nil {
		t.Fatal(err)
	}
	if b.Rows != 2 || !slices.Equal(b.Labels, []int32{0, 1}) || !slices.Equal(b.IDs, []int{0, 2}) || len(b.Pixels) != 2*v.Numbers() {
		t.Errorf("%d rows of classes %v, pictures %v, %d numbers", b.Rows, b.Labels, b.IDs, len(b.Pixels))
	}
	want := read(t, "middle.png")
	for c := range 3 {
		for i := range 24 * 24 {
			if got, want := b.row(1)[c*24*24+i], (float32(want.Pix[3*i+c])/255-v.Mean[c])/v.Std[c]; got != want {
				t.Fatalf("colour %d of pixel %d is %v, want %v", c, i, got, want)
			}
		}
	}
	if b, err := batches.Batch(1); err != nil || b.Rows != 0 || len(b.Pixels) != 0 {
		t.Errorf("a batch of broken pictures: %d of them, %v", b.Rows, err)
	}
	var names []string
	for _, err := range s.Skipped() {
		path, _, _ := strings.Cut(err.Error(), ": ")
		names = append(names, filepath.Base(path))
	}
	if !slices.Equal(names, []string{"2.jpg", "notes.txt", "4.png"}) {
		t.Errorf("skipped %v", names)
	}
}

// TestMiddleOfAStrip: what a narrow picture would be when scaled is not made.
func TestMiddleOfAStrip(t *testing.T) {
	v := ImageNet
	for _, p := range []*Picture{blank(1, 1<<20), blank(1<<20, 1)} {
		p.Pix[len(p.Pix)/2] = 255
		if got := v.middle(p); got.Width != 224 || got.Height != 224 {
			t.Errorf("%d by %d", got.Width, got.Height)
		}
	}
}

// TestHolds tells classes of pictures from other data by what lies in its folders.
func TestHolds(t *testing.T) {
	for want, dirs := range map[bool][]string{
		true:  {tree(t, "a/1.jpg", "b/2.png"), tree(t, "train/a/1.JPEG", "val/a/2.jpg"), tree(t, "note.txt", ".git/x", "a/.hidden", "a/1.webp")},
		false: {tree(t, "a/1.txt", "b/2.txt"), tree(t, "1.jpg"), tree(t, "a/1.wav"), filepath.Join(t.TempDir(), "none")},
	} {
		for _, dir := range dirs {
			if Holds(dir) != want {
				t.Errorf("%s: want %v", dir, want)
			}
		}
	}
}

func TestNewlySkippedOnce(t *testing.T) {
	s, err := Open(tree(t, "a/1.jpg=no", "a/1.txt=no", "b/2.jpg=no"), nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []int{1, 0, 2, 0} { // the .txt; the pictures, which hold nothing, once each
		if i == 2 {
			for range 2 {
				s.read(0)
				s.read(1)
			}
		}
		if got := s.NewlySkipped(); len(got) != want {
			t.Errorf("time %d: %v, want %d", i, got, want)
		}
	}
}

// TestTrainingPassesOverBrokenBatches: another batch stands for one that is all
// broken, the same each time.
func TestTrainingPassesOverBrokenBatches(t *testing.T) {
	s, err := Open(tree(t, "a/1.jpg=no", "a/2.jpg", "b/3.jpg=no", "b/4.jpg=no"), nil)
	if err != nil {
		t.Fatal(err)
	}
	v := ImageNet
	v.Side = 8
	batches := s.Training(v, Augmentation{Scale: [2]float64{1, 1}, Ratio: [2]float64{1, 1}, Repeats: 1}, 1, 1, 1)
	for i := range batches.Len() {
		if b, err := batches.Batch(i); err != nil || !slices.Equal(b.IDs, []int{1}) {
			t.Errorf("batch %d: %v, %v", i, b, err)
		}
	}
	if err := os.WriteFile(s.Path(1), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := batches.Batch(0); err == nil || !strings.Contains(err.Error(), "none of 4 pictures") {
		t.Errorf("all broken: error %v", err)
	}
}
