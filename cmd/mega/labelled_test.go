package main

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// labelledArgs trains a model of no size.
func labelledArgs(path, dir string) []string {
	return []string{"train", path, "--save-dir", dir, "--held-out", "0.2,0.2",
		"--encoder-layers", "1", "--encoder-embed-dim", "16", "--encoder-hidden-dim", "16", "--z-dim", "8", "--n-dim", "2",
		"--dropout", "0", "--max-update", "60", "--total-num-update", "60"}
}

// labelledRun trains on reviews in a moment and returns the run directory.
func labelledRun(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "run")
	status, out, stderr := command(t, labelledArgs("testdata/reviews.csv", dir)...)
	if status != exitOK {
		t.Fatalf("status %d: %s", status, stderr)
	}
	for _, want := range []string{"40 texts of 2 classes: 24 to train, 8 to validate, 8 to test on", `"good"  20  50.0%`, "chosen by the data: --preset labelled-text --max-positions"} {
		if !strings.Contains(stderr, want) {
			t.Errorf("no %q in\n%s", want, stderr)
		}
	}
	if !strings.Contains(out, "of 8 held-out samples; always answering the most frequent class: 50.00%") {
		t.Errorf("training says %s", out)
	}
	return dir
}

// TestChosenUnderGiven: a warm-up and a decay that are chosen end with the updates that
// are given, and flags that are given are not printed as chosen.
func TestChosenUnderGiven(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	status, _, stderr := command(t, append(labelledArgs("testdata/reviews.csv", dir)[:4], "--max-update", "4", "--batch-size", "2",
		"--encoder-layers", "1", "--encoder-embed-dim", "8", "--encoder-hidden-dim", "8", "--encoder-ffn-embed-dim", "8", "--z-dim", "4", "--n-dim", "2")...)
	if status != exitOK {
		t.Fatalf("status %d: %s", status, stderr)
	}
	_, chosen, _ := strings.Cut(stderr, "chosen by the data: ")
	chosen, _, _ = strings.Cut(chosen, "\n")
	if !strings.HasSuffix(chosen, " --total-num-update 4 --warmup-updates 1 --validate-interval-updates 1") || strings.Contains(chosen, "--max-update") || strings.Contains(chosen, "--batch-size") {
		t.Errorf("chosen: %s", chosen)
	}
	for _, use := range []string{"generate", "score"} {
		status, _, stderr := command(t, use, dir, "testdata/reviews.csv")
		if want := dir + " is a classifier: mega classify says what class texts are of"; status != exitUsage || !strings.Contains(stderr, want) {
			t.Errorf("mega %s: status %d: %s", use, status, stderr)
		}
	}
}

// TestNothingLearned: a training after which a model knows no more than which class is
// the most frequent says so.
func TestNothingLearned(t *testing.T) {
	rows := "text,label\n"
	for i := range 40 {
		rows += fmt.Sprintf("%x,%t\n", uint32(i+1)*2654435769, i%10 == 3)
	}
	args := append(labelledArgs(tableFile(t, "noise.csv", rows), filepath.Join(t.TempDir(), "run")), "--max-update", "2")
	if _, stderr := mustRun(t, args...); !strings.Contains(stderr, "no better than always answering the most frequent class") {
		t.Errorf("training says %s", stderr)
	}
	if _, stderr := mustRun(t, labelledArgs("testdata/reviews.csv", filepath.Join(t.TempDir(), "run"))...); strings.Contains(stderr, "no better") {
		t.Errorf("a training that learns says %s", stderr)
	}
}

// TestModelPaths: colons part models, and archives from what is in them.
func TestModelPaths(t *testing.T) {
	for path, want := range map[string]string{
		"a.pt": "a.pt", "a.pt:b.pt": "a.pt|b.pt", "m.zip:x/y.pt": "m.zip:x/y.pt", "m.zip:x.pt:n.ZIP:z.pt:a": "m.zip:x.pt|n.ZIP:z.pt|a",
		"m.zip:n.zip": "m.zip|n.zip", "m.zip:testdata": "m.zip|testdata", "a:": "a|", "": "",
	} {
		if got := strings.Join(modelPaths(path), "|"); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}

// tableFile writes a file and returns its path.
func tableFile(t *testing.T, name, text string) string {
	path := filepath.Join(t.TempDir(), name)
	write(t, path, text)
	return path
}

// TestLabelled: labelled data goes to a score in one command; the run goes on only
// with the same data, and other data is evaluated whole.
func TestLabelled(t *testing.T) {
	dir := labelledRun(t)
	status, out, stderr := command(t, "eval", "--checkpoint", dir)
	if status != exitOK || !strings.HasPrefix(out, "test: 8 samples") {
		t.Errorf("eval: status %d: %s%s", status, out, stderr)
	}
	text, err := os.ReadFile("testdata/reviews.csv")
	if err != nil {
		t.Fatal(err)
	}
	same := tableFile(t, "same.csv", string(text))
	other := tableFile(t, "other.tsv", "label\ttext\ngood\ta joy to watch\nbad\tdull from start to end\nbad\tI left early\n")
	unknown := tableFile(t, "unknown.csv", "label,text\nugly,x\n")
	for path, want := range map[string]string{same: "test: 8 samples", other: "test: 3 samples"} {
		if status, out, stderr := command(t, "eval", path, "--checkpoint", dir); status != exitOK || !strings.HasPrefix(out, want) {
			t.Errorf("eval %s: status %d, want %s: %s%s", filepath.Base(path), status, want, out, stderr)
		}
	}
	if status, _, stderr := command(t, "eval", unknown, "--checkpoint", dir); status != exitFailure || !strings.Contains(stderr, `unknown.csv:2: label "ugly" is none of the model's classes`) {
		t.Errorf("eval of another class: status %d: %s", status, stderr)
	}
	if status, out, stderr := command(t, "classify", "--checkpoint", dir, other); status != exitOK ||
		!strings.HasPrefix(out, "label\ttext\tclass\tprobability\ngood\ta joy to watch\tgood\t0.") || strings.Count(out, "\n") != 4 {
		t.Errorf("classify: status %d: %s%s", status, out, stderr)
	}
	answers := filepath.Join(t.TempDir(), "answers.tsv")
	if status, out, stderr := command(t, "eval", other, "--checkpoint", dir, "--output", answers); status != exitOK || !strings.HasPrefix(out, "test: 3 samples") {
		t.Errorf("eval --output: status %d: %s%s", status, out, stderr)
	}
	if text, err := os.ReadFile(answers); err != nil || !strings.HasPrefix(string(text), "label\ttext\tclass\tprobability\ngood\ta joy to watch\tgood\t0.") || strings.Count(string(text), "\n") != 4 {
		t.Errorf("eval --output wrote %q, %v", text, err)
	}
	folders := t.TempDir()
	write(t, filepath.Join(folders, "good", "1.txt"), "a joy to watch\n")
	write(t, filepath.Join(folders, "bad", "2.txt"), "dull from start to end\n")
	write(t, filepath.Join(folders, "bad", "empty.txt"), "\n")
	mustRun(t, "eval", folders, "--checkpoint", dir, "--output", answers)
	if text, err := os.ReadFile(answers); err != nil || !strings.HasPrefix(string(text), "path,label,class,probability\n"+folders+"/bad/2.txt,bad,bad,0.") || !strings.Contains(string(text), "/bad/empty.txt,bad,,\n") {
		t.Errorf("eval --output of folders wrote %q, %v", text, err)
	}
	if status, out, stderr := command(t, "classify", "--checkpoint", dir, folders); status != exitOK || !strings.HasPrefix(out, "path,class,probability\n"+folders+"/bad/2.txt,bad,0.") || strings.Count(out, "\n") != 4 {
		t.Errorf("classify of folders: status %d: %s%s", status, out, stderr)
	}
	changed := tableFile(t, "changed.csv", strings.Replace(string(text), "film", "movie", 1))
	if status, _, stderr := command(t, labelledArgs(changed, dir)...); status != exitFailure || !strings.Contains(stderr, "another configuration") {
		t.Errorf("going on with other data: status %d: %s", status, stderr)
	}
}

// TestAnswersSayParts: eval --output says in which part of the training each sample of
// its data was, however the data lies, and nothing of rows that were left out.
func TestAnswersSayParts(t *testing.T) {
	data, err := os.ReadFile("testdata/reviews.csv")
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	rows = rows[1:]
	slices.SortStableFunc(rows, func(a, b []string) int { return cmp.Compare(a[2], b[2]) })
	folders, text := t.TempDir(), "id,label,text\n7,,nobody said what this is\n"
	for i, row := range rows {
		write(t, filepath.Join(folders, row[2], fmt.Sprintf("%02d.txt", i)), row[1]+"\n")
		text += fmt.Sprintf("%s,%s,%q\n", row[0], row[2], strings.ReplaceAll(row[1], `"`, "'"))
	}
	table := tableFile(t, "same.csv", text)
	for _, path := range []string{folders, table} {
		dir, answers := filepath.Join(t.TempDir(), "run"), filepath.Join(t.TempDir(), "answers.csv")
		mustRun(t, labelledArgs(path, dir)...)
		out, _ := mustRun(t, "eval", dir, "--output", answers, "--json")
		var e struct{ Accuracy float64 }
		if err := json.Unmarshal([]byte(out), &e); err != nil {
			t.Fatal(err)
		}
		written, err := os.ReadFile(answers)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(bytes.NewReader(written)).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		if header := strings.Join(rows[0], ","); !strings.HasSuffix(header, ",class,probability,part") || rows[0][1] != "label" {
			t.Fatalf("%s: header %s", path, header)
		}
		parts, right := map[string]int{}, 0
		for _, row := range rows[1:] {
			parts[row[len(row)-1]]++
			if row[len(row)-1] == "test" && row[1] == row[len(row)-3] {
				right++
			}
		}
		want := map[string]int{"train": 24, "valid": 8, "test": 8}
		if path == table {
			want[""] = 1
		}
		if !maps.Equal(parts, want) {
			t.Errorf("%s: parts %v", path, parts)
		}
		if got := 100 * float64(right) / 8; math.Abs(got-e.Accuracy) > 1e-9 {
			t.Errorf("%s: the rows of the test are answered with an accuracy of %g, and eval says %g", path, got, e.Accuracy)
		}
		const warning = "may have been trained on"
		if _, stderr := mustRun(t, "eval", dir, "--split-seed", "0", "--held-out", "0.2,0.2"); strings.Contains(stderr, warning) {
			t.Errorf("%s: the division of training is warned of: %s", path, stderr)
		}
		if _, stderr := mustRun(t, "eval", dir, "--output", answers, "--split-seed", "7"); !strings.Contains(stderr, warning) { // which divides otherwise
			t.Errorf("%s: another division is not warned of: %s", path, stderr)
		}
		if written, err = os.ReadFile(answers); err != nil || bytes.Contains(written, []byte(",part\n")) {
			t.Errorf("%s, %v: says parts that are not those of the training:\n%.200s", path, err, written)
		}
	}
}

// TestClassWeights: the weights of the classes are printed and kept, and a run goes on
// only with the same ones.
func TestClassWeights(t *testing.T) {
	rows := "text,label\n"
	for i := range 40 {
		rows += fmt.Sprintf("text %d,%s\n", i, []string{"often", "often", "often", "seldom"}[i%4])
	}
	path, dir := tableFile(t, "in.csv", rows), filepath.Join(t.TempDir(), "run")
	args := append(labelledArgs(path, dir), "--class-weights", "balanced")
	for _, args := range [][]string{append(slices.Clone(args), "--max-update", "10"), args} {
		_, stderr := mustRun(t, args...)
		for _, want := range []string{`"seldom"  10  25.0%  weight 2`, "--best-checkpoint-metric loss --maximize-best-checkpoint-metric=false"} {
			if !strings.Contains(stderr, want) {
				t.Errorf("no %q in\n%s", want, stderr)
			}
		}
	}
	config, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil || !strings.Contains(string(config), `"weight": 2`) {
		t.Errorf("%v, and no weights in %s", err, config)
	}
	if status, _, stderr := command(t, append(labelledArgs(path, dir), "--class-weights", "seldom=3")...); status != exitFailure || !strings.Contains(stderr, "class_weights") {
		t.Errorf("going on with other weights: status %d: %s", status, stderr)
	}
	for value, want := range map[string]string{"rare=2": `--class-weights names class "rare"`, "often": "want none, balanced, or CLASS=WEIGHT"} {
		if status, _, stderr := command(t, append(labelledArgs(path, dir), "--class-weights", value)...); status != exitUsage || !strings.Contains(stderr, want) {
			t.Errorf("--class-weights %s: status %d: %s", value, status, stderr)
		}
	}
	if status, out, stderr := command(t, "data", "look", path, "--class-weights", "seldom=3"); status != exitOK || !strings.Contains(out, "weight 3") {
		t.Errorf("look: status %d: %s%s", status, out, stderr)
	}
	if status, _, stderr := command(t, append(tiny(dir+"2"), "--class-weights", "balanced")...); status == exitOK || !strings.Contains(stderr, "--class-weights is for labelled data") {
		t.Errorf("of data that is not labelled: status %d: %s", status, stderr)
	}
}
