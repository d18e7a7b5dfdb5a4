package audio

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mega-go/mega/data/mt19937"
)

// TestStratify checks the example in sklearn's documentation of
// StratifiedShuffleSplit: five splits in halves with random_state 0.
func TestStratify(t *testing.T) {
	r := mt19937.New(0)
	for i, want := range [][2][]int{
		{{5, 2, 3}, {4, 1, 0}},
		{{5, 1, 4}, {0, 2, 3}},
		{{5, 0, 2}, {4, 3, 1}},
		{{4, 1, 0}, {2, 3, 5}},
		{{0, 5, 1}, {3, 4, 2}},
	} {
		a, b := stratify([]int{0, 0, 0, 1, 1, 1}, 2, 3, 3, r)
		if !slices.Equal(a, want[0]) || !slices.Equal(b, want[1]) {
			t.Errorf("split %d: %v and %v, want %v", i, a, b, want)
		}
	}
}

func TestReferenceSplit(t *testing.T) {
	var labels []int
	for i := range 1000 {
		labels = append(labels, i%7*i%3)
	}
	train, valid, test := referenceSplit(labels, 3)
	if len(train) != 700 || len(valid) != 150 || len(test) != 150 {
		t.Fatalf("%d, %d and %d samples, want 700, 150 and 150", len(train), len(valid), len(test))
	}
	all := slices.Concat(train, valid, test)
	slices.Sort(all)
	for i, v := range all {
		if i != v {
			t.Fatal("a sample is in two splits or none")
		}
	}
	for name, part := range map[string][]int{"train": train, "valid": valid, "test": test} {
		counts := make([]float64, 3)
		for _, i := range part {
			counts[labels[i]]++
		}
		for c := range counts {
			whole := 0.0
			for _, l := range labels {
				if l == c {
					whole++
				}
			}
			if math.Abs(counts[c]-whole*float64(len(part))/1000) > 1 {
				t.Errorf("%s has %v of class %d, which has %v of 1000", name, counts[c], c, whole)
			}
		}
	}
}

// speechDir writes a directory of n clips of 160 samples for each word; those
// of index 0 have 100 samples.
func speechDir(t *testing.T, n int, words ...string) string {
	t.Helper()
	dir := t.TempDir()
	r := rand.New(rand.NewPCG(1, 2))
	for label, word := range words {
		os.MkdirAll(filepath.Join(dir, word), 0o755)
		os.WriteFile(filepath.Join(dir, word, "README"), nil, 0o644)
		for i := range n {
			clip := &Clip{Rate: 16000, Samples: make([]float32, 160)}
			if i == 0 {
				clip.Samples = clip.Samples[:100]
			}
			for t := range clip.Samples {
				clip.Samples[t] = float32(r.NormFloat64()*0.1) + float32(label)*0.1
			}
			var b bytes.Buffer
			WriteWAV(&b, clip)
			os.WriteFile(filepath.Join(dir, word, fmt.Sprintf("%02d.wav", i)), b.Bytes(), 0o644)
		}
	}
	return dir
}

func openSpeech(t *testing.T, dir string, o Options) *SpeechCommands {
	t.Helper()
	s, err := OpenSpeechCommands(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func split(t *testing.T, s *SpeechCommands, name string) *Speech {
	t.Helper()
	d, err := s.Split(name)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestReferenceTask(t *testing.T) {
	s := openSpeech(t, speechDir(t, 21, "no", "yes"), Options{Classes: []string{"yes", "no"}, Length: 160})
	seen := map[string]bool{}
	for name, want := range map[string]int{"train": 28, "valid": 6, "test": 6} {
		d := split(t, s, name)
		if d.Len() != want {
			t.Errorf("%s has %d clips, want %d", name, d.Len(), want)
		}
		for i, label := range d.Labels() {
			seen[d.Path(i)] = true
			if word := filepath.Base(filepath.Dir(d.Path(i))); s.Classes()[label] != word {
				t.Errorf("%s has label %d", d.Path(i), label)
			}
		}
	}
	if len(seen) != 40 {
		t.Errorf("%d different clips, want 40: 42 less 2 of another length", len(seen))
	}
	checkUnit(t, split(t, s, "train"))
}

// checkUnit checks that a split's samples have mean 0 and variance 1.
func checkUnit(t *testing.T, d *Speech) {
	t.Helper()
	indices := make([]int, d.Len())
	for i := range indices {
		indices[i] = i
	}
	b, err := d.Collate(indices)
	if err != nil {
		t.Fatal(err)
	}
	sum, square := 0.0, 0.0
	for _, v := range b.Samples {
		sum += float64(v)
		square += float64(v) * float64(v)
	}
	n := float64(len(b.Samples))
	if math.Abs(sum/n) > 1e-6 || math.Abs(square/n-1) > 1e-3 {
		t.Errorf("mean %v, mean square %v; want 0 and 1", sum/n, square/n)
	}
}

func TestListsPadAndCut(t *testing.T) {
	dir := speechDir(t, 4, "a", "b")
	os.WriteFile(filepath.Join(dir, "validation_list.txt"), []byte("a/00.wav\nb/03.wav\n"), 0o644)
	os.WriteFile(filepath.Join(dir, "testing_list.txt"), []byte("b/01.wav\r\n"), 0o644)
	outer := t.TempDir()
	if err := os.Rename(dir, filepath.Join(outer, "SpeechCommands")); err != nil {
		t.Fatal(err)
	}
	s := openSpeech(t, outer, Options{Classes: []string{"a", "b"}, Lists: true, Length: 120})
	for name, want := range map[string]int{"train": 5, "valid": 2, "test": 1} {
		if n := split(t, s, name).Len(); n != want {
			t.Errorf("%s has %d clips, want %d", name, n, want)
		}
	}
	b, err := split(t, s, "valid").Collate([]int{1, 0})
	if err != nil {
		t.Fatal(err)
	}
	silence := -s.Normalization.Mean[0] / s.Normalization.Std[0]
	short := b.Samples[b.Length:]
	if b.Length != 120 || short[99] == silence || short[100] != silence || short[119] != silence {
		t.Errorf("a clip of 100 samples ends in %v; want silence, %v, from 100 on", short[98:102], silence)
	}
	if !slices.Equal(b.Labels, []int32{1, 0}) || !slices.Equal(b.Lengths, []int32{120, 120}) {
		t.Errorf("labels %v, lengths %v", b.Labels, b.Lengths)
	}
}

// TestListSpellings: a list may spell the names of recordings in other ways, and
// must not name what is not there.
func TestListSpellings(t *testing.T) {
	dir := speechDir(t, 4, "a", "b")
	os.WriteFile(filepath.Join(dir, "a", "._00.wav"), []byte("not a recording"), 0o644)
	write := func(valid, test string) {
		os.WriteFile(filepath.Join(dir, "validation_list.txt"), []byte(valid), 0o644)
		os.WriteFile(filepath.Join(dir, "testing_list.txt"), []byte(test), 0o644)
	}
	o := Options{Classes: []string{"a", "b"}, Lists: true, Length: 160}
	write("\ufeff./a/00.wav\r\nb\\03.wav  \r\n\r\n", "/home/x/B/01.WAV\nyes/00.wav\n")
	s := openSpeech(t, dir, o)
	if n := []int{split(t, s, "train").Len(), split(t, s, "valid").Len(), split(t, s, "test").Len()}; !slices.Equal(n, []int{5, 2, 1}) {
		t.Errorf("splits of %v recordings, want 5, 2, 1", n)
	}
	for want, lists := range map[string][2]string{
		"testing_list.txt:1: lamp/1.wav names no recording, as 2 of the 4 entries": {"a/00.wav\n\na/9.wav\n", "lamp/1.wav\nb/01.wav\n"},
		"testing_list.txt:1: a/00.wav is in":                                       {"a/00.wav\n", "a/00.wav\n"},
		`testing_list.txt:2: "01.wav", want WORD/FILE.wav`:                         {"a/00.wav\n", "b/01.wav\n01.wav\n"},
	} {
		write(lists[0], lists[1])
		if _, err := OpenSpeechCommands(dir, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

// TestListsMixWords: batches are cut in the order of the training split, in
// which words must not come one after another.
func TestListsMixWords(t *testing.T) {
	dir := speechDir(t, 20, "a", "b")
	os.WriteFile(filepath.Join(dir, "validation_list.txt"), []byte("a/00.wav\n"), 0o644)
	os.WriteFile(filepath.Join(dir, "testing_list.txt"), []byte("b/00.wav\n"), 0o644)
	labels := split(t, openSpeech(t, dir, Options{Classes: []string{"a", "b"}, Lists: true}), "train").Labels()
	changes := 0
	for i := range labels[1:] {
		if labels[i] != labels[i+1] {
			changes++
		}
	}
	if len(labels) != 38 || changes < 10 {
		t.Errorf("%d recordings change words %d times: %v", len(labels), changes, labels)
	}
}

// TestReferenceNormalization compares with the reference's formula, applied to
// two clips by hand.
func TestReferenceNormalization(t *testing.T) {
	clips := [][]float32{{0.5, -0.25, 0}, {0.25, 0.75, 0}}
	var m moments
	for _, x := range clips {
		m.add(x)
	}
	got := slices.Clone(clips[0])
	m.reference().Apply(got)
	for i, v := range clips[0] {
		a, b := float64(v)/32768, float64(clips[1][i])/32768
		mean := (a + b) / 2
		std := math.Sqrt((a-mean)*(a-mean) + (b-mean)*(b-mean)) // over n-1 = 1
		if want := (a - mean) / (std + 1e-5); math.Abs(float64(got[i])-want) > 1e-6 {
			t.Errorf("time step %d: %v, want %v", i, got[i], want)
		}
	}
}

func TestSilenceStaysSilence(t *testing.T) {
	var m moments
	m.add(make([]float32, 5))
	x := make([]float32, 5)
	m.overall().Apply(x)
	if !slices.Equal(x, make([]float32, 5)) {
		t.Errorf("silence became %v", x)
	}
}

func TestSpeechErrors(t *testing.T) {
	dir := speechDir(t, 3, "a", "b")
	os.Mkdir(filepath.Join(dir, "c"), 0o755)
	for _, c := range []struct {
		options Options
		want    string
	}{
		{Options{}, `yes: no directory of recordings of "yes"; want one for each of yes no up`},
		{Options{Classes: []string{"c"}}, "c: no WAV files"},
		{Options{Classes: []string{"a"}}, "none of 3 recordings has 16000 samples"},
		{Options{Classes: []string{"a"}, Lists: true}, "_list.txt: no such list file"},
		{Options{Classes: []string{"a", "a"}}, `the word "a" is given twice`},
		{Options{Classes: []string{"a", "../b"}}, `word 2 is "../b", want the name of a directory`},
		{Options{Classes: []string{""}}, `word 1 is ""`},
		{Options{Rate: 1}, "1 samples a second and 16000 a clip"},
	} {
		if _, err := OpenSpeechCommands(dir, c.options); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: error %v, want one with %q", c.options, err, c.want)
		}
	}
	s := openSpeech(t, dir, Options{Classes: []string{"a", "b"}, Length: 160})
	if _, err := s.Split("dev"); err == nil || !strings.Contains(err.Error(), `split "dev"`) {
		t.Errorf("unknown split: %v", err)
	}
	os.WriteFile(filepath.Join(dir, "b", "01.wav"), []byte("RIFF"), 0o644)
	if _, err := OpenSpeechCommands(dir, Options{Classes: []string{"a", "b"}, Length: 160}); err == nil || !strings.HasSuffix(err.Error(), "b/01.wav: not a WAV file") {
		t.Errorf("broken file: %v", err)
	}
}
