package train

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mega-go/mega/checkpoint"
)

// namesIn lists the names of checkpoints in a run directory.
func namesIn(t *testing.T, dir string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(Checkpoints(dir), namePrefix+"*"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("names %v, %v", paths, err)
	}
	return paths
}

// copies are what becomes of a run directory's names when it is copied by tools
// and to places that do not know links.
var copies = map[string]func(t *testing.T, dir string){
	"no names": func(t *testing.T, dir string) {
		for _, path := range namesIn(t, dir) {
			must(t, os.Remove(path))
		}
	},
	"files for links": func(t *testing.T, dir string) {
		for _, path := range namesIn(t, dir) {
			target := checkpoint.ReadName(path)
			must(t, os.Remove(path))
			must(t, os.WriteFile(path, []byte(target), 0o666))
		}
	},
	"empty directories for links": func(t *testing.T, dir string) {
		for _, path := range namesIn(t, dir) {
			must(t, os.Remove(path))
			must(t, os.Mkdir(path, 0o777))
		}
	},
	"links followed": followLinks,
	"links followed, what they named left out": func(t *testing.T, dir string) {
		followLinks(t, dir)
		saved, _ := filepath.Glob(filepath.Join(Checkpoints(dir), checkpoint.SavedPrefix+"*"))
		for _, path := range saved {
			must(t, os.RemoveAll(path))
		}
	},
	"absolute links to where the run was": func(t *testing.T, dir string) {
		for _, path := range namesIn(t, dir) {
			target := checkpoint.ReadName(path)
			must(t, os.Remove(path))
			must(t, os.Symlink(filepath.Join("/gone", target), path))
		}
	},
}

func followLinks(t *testing.T, dir string) {
	for _, path := range namesIn(t, dir) {
		from := filepath.Join(Checkpoints(dir), checkpoint.ReadName(path))
		must(t, os.Remove(path))
		must(t, os.CopyFS(path, os.DirFS(from)))
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestCopiesWithoutLinksGoOn: a copied run goes on as the run itself would, and
// its best checkpoint is found.
func TestCopiesWithoutLinksGoOn(t *testing.T) {
	c := toyConfig()
	c.ValidateIntervalUpdates, c.KeepLastEpochs = 3, 1
	values := []float64{50, 70, 60, 60, 60, 60}
	start := func(dir string) {
		m := newToy()
		m.onValid = func(n int) (Metrics, error) { return Metrics{"accuracy": values[n-1]}, nil }
		interruptToy(t, m, c, dir, 10)
	}
	whole := filepath.Join(t.TempDir(), "whole")
	start(whole)
	trainToy(t, newToy(), c, whole)
	want, _ := lastState(t, whole)
	for name, change := range copies {
		dir := filepath.Join(t.TempDir(), "run")
		start(dir)
		best, err := os.ReadFile(filepath.Join(Checkpoints(dir), bestName, checkpoint.StateFile))
		must(t, err)
		change(t, dir)
		if got := openedState(t, dir); got != string(best) {
			t.Errorf("%s: the run stands for another checkpoint than its best", name)
		}
		if s := trainToy(t, newToy(), c, dir); s.Updates != c.MaxUpdate {
			t.Errorf("%s: ended at %d", name, s.Updates)
		}
		if bits, _ := lastState(t, dir); !slices.Equal(bits, want) {
			t.Errorf("%s: weights or moments differ from those of a run that was not copied", name)
		}
		checkTidy(t, Checkpoints(dir))
	}
}

// openedState returns the state of the checkpoint that a run directory opens as.
func openedState(t *testing.T, dir string) string {
	t.Helper()
	c, err := checkpoint.Open(dir)
	must(t, err)
	defer c.Close()
	text, err := os.ReadFile(filepath.Join(c.Path, checkpoint.StateFile))
	must(t, err)
	return string(text)
}

// TestBrokenCopyIsRefused: of two copies of a checkpoint none is deleted if they
// differ.
func TestBrokenCopyIsRefused(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	interruptToy(t, newToy(), toyConfig(), dir, 5)
	followLinks(t, dir)
	must(t, os.Truncate(filepath.Join(Checkpoints(dir), "update_5", checkpoint.ModelFile), 99))
	before := contents(t, Checkpoints(dir))
	if got := runError(toyConfig(), dir); !strings.Contains(got, "is no whole copy of") {
		t.Errorf("got %q", got)
	}
	if after := contents(t, Checkpoints(dir)); after != before {
		t.Errorf("files changed:\n%s\nwere\n%s", after, before)
	}
}

// TestLastIsPublishedFirst: wherever publishing stops, checkpoint_last is already
// the checkpoint whose state says what the other names should be.
func TestLastIsPublishedFirst(t *testing.T) {
	s := store{t.TempDir()}
	for _, dir := range []string{"update_1", "update_2", bestName + "/in the way"} {
		must(t, os.MkdirAll(s.path(dir), 0o777))
	}
	must(t, os.Symlink("update_1", s.path(lastName)))
	best := 1.0
	if err := s.publish(names{}.after(savePoint{dir: "update_2", best: &best}, &Config{SaveInterval: 1})); err == nil {
		t.Fatal("a directory under the name of a checkpoint was replaced")
	}
	if last := checkpoint.ReadName(s.path(lastName)); last != "update_2" {
		t.Errorf("last is %q", last)
	}
}

// TestNewerThanItsLinkGoesOn: a newer checkpoint that was copied beside an old
// checkpoint_last is gone on from, and not deleted.
func TestNewerThanItsLinkGoesOn(t *testing.T) {
	dir, newer := filepath.Join(t.TempDir(), "run"), filepath.Join(t.TempDir(), "newer")
	interruptToy(t, newToy(), toyConfig(), dir, 5)
	interruptToy(t, newToy(), toyConfig(), newer, 9)
	must(t, os.CopyFS(filepath.Join(Checkpoints(dir), "update_9"), os.DirFS(filepath.Join(Checkpoints(newer), "update_9"))))
	interruptToy(t, newToy(), toyConfig(), dir, 11)
	if _, s := lastState(t, dir); s.Updates != 11 {
		t.Errorf("at update %d", s.Updates)
	}
}

// checkTidy fails if a directory of checkpoints holds anything without a name.
func checkTidy(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	targets := make(map[string]bool)
	for _, e := range entries {
		if target, err := os.Readlink(filepath.Join(dir, e.Name())); err == nil {
			targets[target] = true
		}
	}
	for _, e := range entries {
		if e.IsDir() && !targets[e.Name()] {
			t.Errorf("%s is left over", e.Name())
		}
	}
}
