package train

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// list returns names as "name:directory", sorted.
func list(n names) []string {
	var out []string
	for _, s := range n {
		out = append(out, s.Name+":"+s.Dir)
	}
	slices.Sort(out)
	return out
}

func TestNames(t *testing.T) {
	c := DefaultConfig()
	c.SaveInterval, c.KeepLastEpochs, c.KeepIntervalUpdates, c.KeepBestCheckpoints = 2, 1, 2, 2
	c.BestCheckpointMetric, c.MaximizeBestCheckpointMetric = "accuracy", true
	value := func(x float64) *float64 { return &x }
	var n names
	for _, step := range []struct {
		m    savePoint
		want string
	}{
		{savePoint{"a", 1, 10, false, true, value(50)},
			"checkpoint.best_accuracy_50.00:a checkpoint_1_10:a checkpoint_best:a checkpoint_last:a"},
		{savePoint{"b", 1, 20, false, true, nil},
			"checkpoint.best_accuracy_50.00:a checkpoint_1_10:a checkpoint_1_20:b checkpoint_best:a checkpoint_last:b"},
		{savePoint{"c", 1, 25, true, false, value(60)},
			"checkpoint.best_accuracy_50.00:a checkpoint.best_accuracy_60.00:c checkpoint_1_10:a checkpoint_1_20:b checkpoint_best:c checkpoint_last:c"},
		{savePoint{"d", 2, 30, false, true, value(55)},
			"checkpoint.best_accuracy_55.00:d checkpoint.best_accuracy_60.00:c checkpoint_1_20:b checkpoint_2_30:d checkpoint_best:d checkpoint_last:d"},
		{savePoint{"e", 2, 50, true, true, nil},
			"checkpoint.best_accuracy_55.00:d checkpoint.best_accuracy_60.00:c checkpoint2:e checkpoint_1_20:b checkpoint_2_30:d checkpoint_best:d checkpoint_last:e"},
		{savePoint{"f", 4, 100, true, true, nil},
			"checkpoint.best_accuracy_55.00:d checkpoint.best_accuracy_60.00:c checkpoint4:f checkpoint_1_20:b checkpoint_2_30:d checkpoint_best:d checkpoint_last:f"},
	} {
		n = n.after(step.m, &c)
		if got := strings.Join(list(n), " "); got != step.want {
			t.Errorf("after %s:\ngot  %s\nwant %s", step.m.dir, got, step.want)
		}
	}
}

func TestNamesKeepsSmallest(t *testing.T) {
	n := names{{"x", topKind, 2, "a"}, {"y", topKind, 1, "b"}, {"z", epochKind, 0, "c"}}
	if got := strings.Join(list(n.keep(topKind, 1, true)), " "); got != "y:b z:c" {
		t.Errorf("got %s", got)
	}
}

func TestStorePublish(t *testing.T) {
	s := store{t.TempDir()}
	for _, dir := range []string{"update_1", "update_2", "update_3", ".update_9.tmp-0123abcd", "mine"} {
		if err := os.Mkdir(s.path(dir), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	for link, target := range map[string]string{"checkpoint7": "update_3", "pinned": "update_1", lastName: "update_1"} {
		if err := os.Symlink(target, s.path(link)); err != nil {
			t.Fatal(err)
		}
	}
	n := names{{bestName, bestKind, 0, "update_2"}, {lastName, lastKind, 0, "update_2"}}
	if err := s.publish(n); err != nil {
		t.Fatal(err)
	}
	entries, err := filepath.Glob(filepath.Join(s.dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, filepath.Base(e))
	}
	if want := "checkpoint_best checkpoint_last mine pinned update_1 update_2"; strings.Join(got, " ") != want {
		t.Errorf("got %v, want %s", got, want)
	}
	if last, err := s.last(); err != nil || last != "update_2" {
		t.Errorf("last is %q, %v", last, err)
	}
	if name, err := s.unused(2); err != nil || name != "update_2.2" {
		t.Errorf("unused is %q, %v", name, err)
	}
}
