package pairs

import (
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mega-go/mega/data"
	"github.com/mega-go/mega/data/indexed"
	"github.com/mega-go/mega/data/lines"
)

func numbers(t *testing.T, text string) []int {
	t.Helper()
	var all []int
	for _, field := range strings.Fields(text) {
		n, err := strconv.Atoi(field)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, n)
	}
	return all
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestSortAsGNU compares with GNU's std::sort on random lengths and on those
// that it must leave to heapsort.
func TestSortAsGNU(t *testing.T) {
	for line := range strings.Lines(readFile(t, "std_sort.txt")) {
		before, after, _ := strings.Cut(line, "|")
		lengths, want := numbers(t, before), numbers(t, after)
		rows := make([]int, len(lengths))
		for i := range rows {
			rows[i] = i
		}
		byLengthDescending(rows, func(i int) int32 { return int32(lengths[i]) })
		if !slices.Equal(rows, want) {
			t.Errorf("%d lengths: %v, want %v", len(rows), rows, want)
		}
	}
}

// TestGenerationOrder: in the order in which the official generate.py printed
// them, the very sentences.
func TestGenerationOrder(t *testing.T) {
	dir, err := OpenDir("testdata/mt", "", "")
	if err != nil {
		t.Fatal(err)
	}
	if dir.SourceLang != "en" || dir.TargetLang != "de" || !dir.Joined() {
		t.Errorf("%s-%s, joined %v", dir.SourceLang, dir.TargetLang, dir.Joined())
	}
	for _, c := range []struct {
		split     string
		batchSize int
	}{{"test", 50}, {"valid", 7}} {
		s, err := dir.Open(c.split, OpenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		o := SamplerOptions{MaxSource: 1024, MaxTarget: 1024}
		o.BatchSize, o.Multiple, o.Seed, o.NaturalOrder = c.batchSize, 8, 1, c.split == "test"
		sampler, err := NewSampler(s.Dataset, o)
		if err != nil {
			t.Fatal(err)
		}
		var got []int
		batches, _ := sampler.Batches(1)
		for _, indices := range batches {
			b, err := s.Collate(indices, ReferencePadding)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, b.IDs...)
		}
		if want := numbers(t, readFile(t, c.split+".order")); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", c.split, got, want)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestEpochsAsTrained compares with what the official implementation wrote into
// a checkpoint after 91 epochs: 13 batches an epoch, the last of which had 168
// pairs and 2016 target tokens.
func TestEpochsAsTrained(t *testing.T) {
	f, err := os.Open("testdata/train.lengths.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	sizes := numbers(t, strings.ReplaceAll(string(text), ",", " "))
	var source, target lines.Memory
	for i := 0; i < len(sizes); i += 2 {
		source = append(source, make([]int32, sizes[i]))
		target = append(target, make([]int32, sizes[i+1]))
	}
	d, err := New(source, target, Options{SourceVocabulary: 1, TargetVocabulary: 1})
	if err != nil {
		t.Fatal(err)
	}
	o := SamplerOptions{MaxSource: 1024, MaxTarget: 1024, SkipTooLong: true}
	o.BatchSize, o.MaxTokens, o.Multiple, o.Seed, o.Shuffle = 1024, 2048, 8, 1, true
	sampler, err := NewSampler(d, o)
	if err != nil {
		t.Fatal(err)
	}
	batches, _ := sampler.Batches(91)
	last, err := d.Collate(batches[len(batches)-1], Padding{})
	if err != nil {
		t.Fatal(err)
	}
	got := []int{len(batches), last.Rows, last.NumTokens()}
	if want := []int{13, 168, 2016}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	again, _ := sampler.Batches(91)
	other, _ := sampler.Batches(92)
	if !cmp.Equal(again, batches) || cmp.Equal(other, batches) {
		t.Error("the batches of an epoch must depend on its number, and on it alone")
	}
}

func small(t *testing.T) *Dataset {
	t.Helper()
	d, err := New(
		lines.Memory{{4, 5, 2}, {6, 2}, {7, 8, 9, 2}},
		lines.Memory{{5, 2}, {4, 6, 2}, {2}},
		Options{SourceVocabulary: 10, TargetVocabulary: 7})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestCollate(t *testing.T) {
	want := Batch{
		Rows: 3, SourceLength: 4, TargetLength: 3, IDs: []int{2, 0, 1},
		SourceLengths: []int32{4, 3, 2}, TargetLengths: []int32{1, 2, 3},
	}
	for p, tokens := range map[Padding][3][]int32{
		{}: {
			{7, 8, 9, 2, 4, 5, 2, 1, 6, 2, 1, 1},
			{2, 1, 1, 2, 5, 1, 2, 4, 6}, {2, 1, 1, 5, 2, 1, 4, 6, 2},
		},
		ReferencePadding: {
			{7, 8, 9, 2, 1, 4, 5, 2, 1, 1, 6, 2},
			{2, 1, 1, 2, 5, 1, 2, 4, 6}, {2, 1, 1, 5, 2, 1, 4, 6, 2},
		},
		{LeftTarget: true}: {
			{7, 8, 9, 2, 4, 5, 2, 1, 6, 2, 1, 1},
			{1, 1, 2, 1, 2, 5, 2, 4, 6}, {1, 1, 2, 1, 5, 2, 4, 6, 2},
		},
	} {
		got, err := small(t).Collate([]int{0, 1, 2}, p)
		if err != nil {
			t.Fatal(err)
		}
		want.Source, want.PrevOutput, want.Targets = tokens[0], tokens[1], tokens[2]
		want.LeftPadSource, want.LeftPadTarget = p.LeftSource, p.LeftTarget
		if diff := cmp.Diff(&want, got); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", p, diff)
		}
		if !slices.Equal(got.SourceRow(1), []int32{4, 5, 2}) || !slices.Equal(got.TargetRow(2), []int32{4, 6, 2}) || got.NumTokens() != 6 {
			t.Errorf("%+v: rows %v and %v, %d tokens", p, got.SourceRow(1), got.TargetRow(2), got.NumTokens())
		}
	}
}

func TestWithoutTargets(t *testing.T) {
	d, err := New(lines.Memory{{4, 2}, {5, 6, 2}}, nil, Options{SourceVocabulary: 7})
	if err != nil {
		t.Fatal(err)
	}
	b, err := d.Collate([]int{0, 1}, Padding{})
	if err != nil {
		t.Fatal(err)
	}
	if d.HasTargets() || b.Targets != nil || b.PrevOutput != nil || b.TargetRow(0) != nil || b.NumTokens() != 5 {
		t.Errorf("targets of nothing: %+v", b)
	}
	if target, err := d.Target(0); target != nil || err != nil {
		t.Errorf("target %v, %v", target, err)
	}
	o := SamplerOptions{}
	o.MaxTokens = 3
	s, err := NewSampler(d, o)
	if err != nil {
		t.Fatal(err)
	}
	if batches, err := s.Batches(1); err != nil || len(batches) != 2 {
		t.Errorf("%v; want the limit to hold for sources too", err)
	}
}

func TestTruncateSource(t *testing.T) {
	d, err := New(lines.Memory{{4, 5, 6, 2}, {4, 5, 2}}, nil, Options{SourceVocabulary: 7, TruncateSource: 3})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		if got, err := d.Source(i); err != nil || !slices.Equal(got, []int32{4, 5, 2}) {
			t.Errorf("source %d: %v, %v", i, got, err)
		}
	}
}

func TestOrder(t *testing.T) {
	o := SamplerOptions{}
	o.BatchSize, o.NaturalOrder = 1, true
	s, err := NewSampler(small(t), o)
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := s.Batches(5); !cmp.Equal(got, [][]int{{1}, {0}, {2}}) {
		t.Errorf("batches %v, want them by source length", got)
	}
}

func TestChunks(t *testing.T) {
	d := small(t) // sizes 3:2, 2:3, 4:1
	o := SamplerOptions{SourceChunk: 3, TargetChunk: 2}
	o.NaturalOrder, o.MaxTokens = true, 8
	// With chunks the sizes are 4 (target 3 is two chunks), 3 and 6.
	s, err := NewSampler(d, o)
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := s.Batches(1); !cmp.Equal(got, [][]int{{1, 0}, {2}}) {
		t.Errorf("batches %v", got)
	}
	o.MaxTokens = 5
	if _, err := NewSampler(d, o); err == nil || !strings.Contains(err.Error(), "sample 2 has 6 tokens") {
		t.Errorf("error %v", err)
	}
}

func TestTooLong(t *testing.T) {
	d := small(t)
	o := SamplerOptions{MaxSource: 3}
	o.BatchSize = 8
	if _, err := NewSampler(d, o); err == nil || !strings.HasPrefix(err.Error(), "line 3: the source has 4 tokens, more than the 3 that") {
		t.Errorf("error %v", err)
	}
	o.MaxTarget = 2
	if _, err := NewSampler(d, o); err == nil || !strings.Contains(err.Error(), "line 2: the target has 3 tokens") || !strings.Contains(err.Error(), "; 1 more pairs") {
		t.Errorf("error %v", err)
	}
	o.SkipTooLong = true
	s, err := NewSampler(d, o)
	if err != nil {
		t.Fatal(err)
	}
	batches, _ := s.Batches(1)
	skipped := s.Skipped()
	slices.Sort(skipped)
	if !cmp.Equal(batches, [][]int{{0}}) || !slices.Equal(skipped, []int{1, 2}) {
		t.Errorf("batches %v, skipped %v", batches, skipped)
	}
	o.MaxSource = 1
	if _, err := NewSampler(d, o); err == nil || !strings.Contains(err.Error(), "all 3 pairs are longer") {
		t.Errorf("error %v", err)
	}
}

func TestDatasetErrors(t *testing.T) {
	one := lines.Memory{{4, 2}}
	for want, err := range map[string]error{
		"the data set is empty":       second(New(lines.Memory{}, nil, Options{SourceVocabulary: 9})),
		"1 sources, but 2 targets":    second(New(one, lines.Memory{{2}, {2}}, Options{SourceVocabulary: 9, TargetVocabulary: 9})),
		"want the sizes":              second(New(one, one, Options{SourceVocabulary: 9})),
		"truncated to -1":             second(New(one, nil, Options{SourceVocabulary: 9, TruncateSource: -1})),
		"there is no sample to batch": second(data.BatchBySize(nil, nil, data.SamplerOptions{})),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
	d, err := New(lines.Memory{{4, 2}, {12, 2}, {}}, lines.Memory{{9, 2}, {2}, {2}}, Options{SourceVocabulary: 10, TargetVocabulary: 6})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"line 1: token 9 is beyond the dictionary of 6", "line 2: token 12 is beyond the dictionary of 10", "line 3: the sentence has no tokens"} {
		if _, err := d.Collate([]int{i}, Padding{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
	if _, err := d.Collate([]int{3}, Padding{}); err == nil {
		t.Error("no error for a pair that is not there")
	}
}

func second[T any](_ T, err error) error { return err }

// writeDir makes a directory of the dictionaries and token files named, each
// sentence of which is its number of tokens.
func writeDir(t *testing.T, dicts []string, files map[string][]int) string {
	t.Helper()
	dir := t.TempDir()
	for _, lang := range dicts {
		if err := os.WriteFile(filepath.Join(dir, "dict."+lang+".txt"), []byte("a 1\n"+lang+" 1\n"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for name, sizes := range files {
		w, err := indexed.Create(filepath.Join(dir, name), indexed.Uint16)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range sizes {
			if err := w.Add(append(slices.Repeat([]int32{4}, n-1), 2)); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestDir(t *testing.T) {
	path := writeDir(t, []string{"en", "de"}, map[string][]int{
		"train.en-de.en": {2, 3}, "train.en-de.de": {3, 4}, "train1.en-de.en": {5}, "train1.en-de.de": {6},
		"test.en-de.en": {2},
	})
	for _, c := range []struct {
		source, target string
		combine        bool
		upsample       int
		want           []int // sizes of sources
	}{
		{"", "", false, 0, []int{2, 3}},
		{"en", "", true, 0, []int{2, 3, 5}},
		{"", "en", true, 0, []int{3, 4, 6}},
		{"de", "en", true, 2, []int{3, 4, 3, 4, 6}},
		{"en", "de", false, 2, []int{2, 3}},
	} {
		d, err := OpenDir(path, c.source, c.target)
		if err != nil {
			t.Fatal(err)
		}
		s, err := d.Open("train", OpenOptions{Combine: c.combine, UpsamplePrimary: c.upsample})
		if err != nil {
			t.Fatal(err)
		}
		var got []int
		for i := range s.Len() {
			got = append(got, s.SourceSize(i))
		}
		if !slices.Equal(got, c.want) || !s.HasTargets() || d.Joined() {
			t.Errorf("%s-%s: sources of %v tokens, want %v", c.source, c.target, got, c.want)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	d, err := OpenDir(path, "en", "de")
	if err != nil {
		t.Fatal(err)
	}
	s, err := d.Open("test", OpenOptions{})
	if err != nil || s.HasTargets() {
		t.Errorf("a test set without references: %v", err)
	}
	if _, err := d.Open("valid", OpenOptions{}); err == nil || !strings.Contains(err.Error(), `no split "valid" of en-de`) {
		t.Errorf("error %v", err)
	}
}

// TestLanguages: names of files tell languages that have hyphens.
func TestLanguages(t *testing.T) {
	for _, c := range []struct {
		files          string
		source, target string // given
		want           string // the two languages, or a part of the error
	}{
		{"train.en-zh-Hans.en.idx train.en-zh-Hans.zh-Hans.idx", "", "", "en zh-Hans"},
		{"train.zh-Hans-en.zh-Hans.idx", "", "", "zh-Hans en"},
		{"train.pt_BR-zh-Hant-TW.pt_BR.idx", "zh-Hant-TW", "", "zh-Hant-TW pt_BR"},
		{"train.en-zh-Hans.en train.en-zh-Hans.zh-Hans", "", "zh-Hans", "en zh-Hans"}, // raw
		{"train.zh-Hans-zh.zh.idx dict.zh.txt dict.zh-Hans.txt", "", "", "zh-Hans zh"},
		{"._train.en-fr.en.idx train.en-de.en.idx", "", "", "en de"},
		{"train.en-de.en.idx train.en-zh-Hans.en.idx", "", "", "it has en-de, en-zh-Hans"},
		{"train.en.idx dict.en.txt", "", "", "no token files of a pair"},
	} {
		dir := t.TempDir()
		for _, name := range strings.Fields(c.files) {
			if err := os.WriteFile(filepath.Join(dir, name), nil, 0o666); err != nil {
				t.Fatal(err)
			}
		}
		for _, lang := range strings.Fields(c.want) {
			if err := os.WriteFile(filepath.Join(dir, "dict."+lang+".txt"), []byte("a 1\n"), 0o666); err != nil && !strings.Contains(c.want, ",") {
				t.Fatal(err)
			}
		}
		d, err := OpenDir(dir, c.source, c.target)
		if err != nil && strings.Contains(err.Error(), c.want) {
			continue
		}
		if err != nil || d.SourceLang+" "+d.TargetLang != c.want {
			t.Errorf("%s: %+v, %v; want %s", c.files, d, err, c.want)
		}
	}
}

func TestDirErrors(t *testing.T) {
	pair := map[string][]int{"train.en-de.en": {2, 3}, "train.en-de.de": {3}}
	path := writeDir(t, []string{"en", "de"}, pair)
	for want, err := range map[string]error{
		"no such directory":                             second(OpenDir(path+"x", "", "")),
		"no data of the language pair en-fr, it":        second(OpenDir(path, "en", "fr")),
		"cannot tell the languages, it has no":          second(OpenDir(t.TempDir(), "", "")),
		"cannot tell the languages, it has en-de; give": second(OpenDir(path, "fr", "")),
		"dict.de.txt: no such dictionary file":          second(OpenDir(writeDir(t, []string{"en"}, pair), "", "")),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
	d, err := OpenDir(path, "", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Open("train", OpenOptions{}); err == nil || !strings.Contains(err.Error(), "train.en-de.en,de: 2 sources, but 1 targets") {
		t.Errorf("error %v", err)
	}
}

// FuzzSampler: every pair is in one batch or left out, and batches keep to
// their limits.
func FuzzSampler(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4, 5, 6, 7, 8}, uint8(3), uint8(40), uint8(2), uint8(6))
	f.Fuzz(func(t *testing.T, raw []byte, batchSize, maxTokens, multiple, longest uint8) {
		var source, target lines.Memory
		for i := 0; i+1 < len(raw); i += 2 {
			source = append(source, make([]int32, raw[i]%32+1))
			target = append(target, make([]int32, raw[i+1]%32+1))
		}
		if len(source) == 0 {
			return
		}
		d, err := New(source, target, Options{SourceVocabulary: 1, TargetVocabulary: 1})
		if err != nil {
			t.Fatal(err)
		}
		o := SamplerOptions{MaxSource: int(longest % 40), MaxTarget: int(longest % 40), SkipTooLong: true}
		o.BatchSize, o.MaxTokens, o.Multiple = int(batchSize)+1, int(maxTokens), int(multiple)
		s, err := NewSampler(d, o)
		if err != nil {
			return
		}
		seen := slices.Clone(s.Skipped())
		batches, _ := s.Batches(1)
		for _, indices := range batches {
			seen = append(seen, indices...)
			b, err := d.Collate(indices, ReferencePadding)
			if err != nil {
				t.Fatal(err)
			}
			if b.Rows > o.BatchSize || !slices.IsSortedFunc(b.SourceLengths, func(a, b int32) int { return int(b - a) }) {
				t.Fatalf("%d rows of at most %d, lengths %v", b.Rows, o.BatchSize, b.SourceLengths)
			}
		}
		slices.Sort(seen)
		for i, id := range seen {
			if i != id {
				t.Fatalf("pairs in batches or left out: %v", seen)
			}
		}
		if len(seen) != d.Len() {
			t.Fatalf("%d of %d pairs", len(seen), d.Len())
		}
	})
}
