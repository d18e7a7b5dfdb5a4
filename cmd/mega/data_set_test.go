package main

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A setCase is how a command makes a data set in a directory: args with DIR for
// it. change makes the command give another set, spoil makes it fail.
type setCase struct {
	args          []string
	change, spoil func() []string // return further flags
}

// files returns a function that writes files, a name and a content each, below a
// directory.
func files(t *testing.T, dir string, pairs ...string) func() []string {
	return func() []string {
		for pair := range slices.Chunk(pairs, 2) {
			write(t, filepath.Join(dir, pair[0]), pair[1])
		}
		return nil
	}
}

func further(flags ...string) func() []string { return func() []string { return flags } }

// setCases has every command that makes data.
func setCases(t *testing.T) map[string]setCase {
	converted := func(kind string, change, spoil []string) setCase {
		from, flags := distribution(t, kind)
		return setCase{append([]string{"data", kind, from, "DIR"}, flags...), files(t, from, change...), files(t, from, spoil...)}
	}
	small := []string{"--train", "20", "--valid", "4", "--test", "4"}
	source := t.TempDir()
	files(t, source, "train", "a b c\nb c\n", "test", "c a\n", "text", strings.Repeat("any text", 9))()
	for i := range 20 {
		files(t, source, fmt.Sprint("a/", i), strings.Repeat(fmt.Sprint("text ", i), 50), fmt.Sprint("b/", i), strings.Repeat(fmt.Sprint(i), 200))()
	}
	const images = "pathfinder8/curv_contour_length_14/imgs/0/"
	return map[string]setCase{
		"data imdb": converted("imdb", []string{"train/neg/0_1.txt", "worse"}, []string{"test/pos/0_9.txt", ""}),
		"data aan": converted("aan", []string{"new_aan_pairs.train.tsv", "1.0\tP1\tP2\tnew\ttext\n0.0\tP1\tP3\tmore\tbread\n"},
			[]string{"new_aan_pairs.test.tsv", "1.0\tp\tq\ta text alone\n"}),
		"data listops-tsv": converted("listops-tsv", []string{"basic_train.tsv", "Source\tTarget\n( ( ( [MAX 3 ) 9 ) ] )\t9\n( ( ( [SM 2 ) 9 ) ] )\t1\n"},
			[]string{"basic_test.tsv", "Source\tTarget\njunk\n"}),
		"data cifar10": converted("cifar10", []string{"cifar-10-batches-bin/test_batch.bin", strings.Repeat("\x01", 3073)},
			[]string{"cifar-10-batches-bin/test_batch.bin", "short"}),
		"data pathfinder-images": converted("pathfinder-images", []string{images + "sample_0.png", greyPNG(t, 8, 200)}, []string{images + "sample_9.png", "short"}),
		"data speech":            converted("speech", []string{"yes/v0_nohash_0.wav", toneWAV(t, 500)}, []string{"no/v3_nohash_0.wav", "short"}),
		"data listops":           {append([]string{"data", "listops", "DIR", "--min-length", "5", "--max-length", "20", "--train", "200"}, small[2:]...), further("--seed", "2"), nil},
		"data pathfinder":        {append([]string{"data", "pathfinder", "DIR"}, small...), further("--seed", "2"), nil},
		"data shapes":            {append([]string{"data", "shapes", "DIR", "--size", "16"}, small...), further("--seed", "2"), nil},
		"data numbers":           {append([]string{"data", "numbers", "DIR"}, small...), further("--seed", "2"), nil},
		"data documents": {append([]string{"data", "documents", "DIR", "a=" + source + "/a", "b=" + source + "/b", "--window", "40"}, small...),
			further("--pairs"), further("--window", "9999999")},
		"data enwik8": {[]string{"data", "enwik8", source + "/text", "DIR", "--held-out", "9"}, further("--held-out", "10"), further("--held-out", "99")},
		"preprocess": {[]string{"preprocess", "--only-source", "--trainpref", source + "/train", "--testpref", source + "/test", "--destdir", "DIR"},
			files(t, source, "test", "b a\n"), files(t, source, "test", "\xff\n")},
	}
}

// TestInputsStay: a text that lies where the data goes is read, and stays.
func TestInputsStay(t *testing.T) {
	dir := t.TempDir()
	files(t, dir, "train", "a b c\n", "train.txt", strings.Repeat("any text", 9), "notes", "mine\n")()
	for _, c := range []struct {
		line string
		want int
	}{
		{"preprocess --only-source --trainpref DIR/train --destdir DIR", exitOK},
		{"preprocess --only-source --trainpref DIR/train --destdir DIR --overwrite", exitOK},
		{"preprocess --only-source --trainpref DIR/train --destdir DIR --overwrite --dataset-impl raw", exitOK},
		{"data enwik8 DIR/train.txt DIR --held-out 9 --overwrite", exitUsage},
	} {
		if status, _, stderr := command(t, strings.Fields(strings.ReplaceAll(c.line, "DIR", dir))...); status != c.want {
			t.Errorf("%s: status %d, %s", c.line, status, stderr)
		}
		for name, text := range map[string]string{"train": "a b c\n", "train.txt": strings.Repeat("any text", 9), "notes": "mine\n"} {
			if has, err := os.ReadFile(filepath.Join(dir, name)); string(has) != text {
				t.Errorf("%s: %s holds %q, %v", c.line, name, has, err)
			}
		}
	}
}

// contents maps the files below a directory to what they hold.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		all[strings.TrimPrefix(path, dir)] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestDataChangesAtOnce: a command that makes data replaces none unasked, leaves
// what is there if it fails, and keeps files that are not its own.
func TestDataChangesAtOnce(t *testing.T) {
	cases := setCases(t)
	root := newRoot()
	names := []string{"preprocess"}
	for _, c := range root.Commands() {
		for _, sub := range c.Commands() {
			if sub.Flags().Lookup("overwrite") != nil && sub.Name() != "pieces" { // a file, not a set
				names = append(names, c.Name()+" "+sub.Name())
			}
		}
	}
	if have := slices.Sorted(maps.Keys(cases)); !slices.Equal(slices.Sorted(slices.Values(names)), have) {
		t.Errorf("the commands are %q, the cases %q", names, have)
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) { checkSet(t, c) })
	}
}

func checkSet(t *testing.T, c setCase) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "new", "dir")
	run := func(succeeds bool, more ...string) string {
		t.Helper()
		args := slices.Clone(c.args)
		args[slices.Index(args, "DIR")] = dir
		status, _, stderr := command(t, append(args, more...)...)
		if status > exitUsage || succeeds != (status == exitOK) {
			t.Fatalf("%q: status %d: %s", more, status, stderr)
		}
		if strings.Contains(stderr, ".tmp-") {
			t.Errorf("%q: names a temporary: %s", more, stderr)
		}
		return stderr
	}
	is := func(what string, want map[string]string) {
		t.Helper()
		if got := contents(t, parent); !maps.Equal(got, want) {
			t.Errorf("%s leaves %q, want %q", what, slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
		}
	}
	run(true)
	first := contents(t, parent)
	other := c.change()
	if stderr := run(false, other...); !strings.Contains(stderr, "there already") || !strings.Contains(stderr, "--overwrite") {
		t.Errorf("another set unasked: %s", stderr)
	}
	is("another set unasked", first)
	run(true, append(other, "--overwrite")...)
	second := contents(t, parent)
	if maps.Equal(first, second) {
		t.Error("--overwrite changes nothing")
	}
	write(t, filepath.Join(dir, "notes"), "mine")
	second["/new/dir/notes"] = "mine"
	run(true, append(other, "--overwrite")...)
	is("a set beside other files", second)
	if c.spoil != nil {
		run(false, append(c.spoil(), "--overwrite")...)
		is("a set that fails", second)
	}
}
