package preprocess

import (
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mega-go/mega/data"
	"github.com/mega-go/mega/data/indexed"
	"github.com/mega-go/mega/data/lines"
)

// writeFiles writes files named and filled in turn to a new directory.
func writeFiles(t *testing.T, namesAndTexts ...string) string {
	t.Helper()
	dir := t.TempDir()
	for i := 0; i < len(namesAndTexts); i += 2 {
		if err := os.WriteFile(filepath.Join(dir, namesAndTexts[i]), []byte(namesAndTexts[i+1]), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// unpack writes the texts of testdata to a new directory.
func unpack(t *testing.T) string {
	t.Helper()
	var files []string
	for _, name := range []string{"train.en", "train.de", "valid.en", "valid.de", "test.en", "test.de"} {
		f, err := os.Open("testdata/" + name + ".gz")
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
		files = append(files, name, string(text))
	}
	return writeFiles(t, files...)
}

func mustRun(t *testing.T, o Options) *Report {
	t.Helper()
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// checkReference compares a directory with the checksums of what the official
// fairseq-preprocess wrote, as far as names begin with prefix.
func checkReference(t *testing.T, dir, prefix string) {
	t.Helper()
	sums, err := os.ReadFile("testdata/reference.sha256")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(sums)) {
		want, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		if !strings.HasPrefix(name, prefix) {
			continue
		}
		n++
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Error(err)
		}
		if sum := sha256.Sum256(b); hex.EncodeToString(sum[:]) != want {
			t.Errorf("%s differs from the reference's", name)
		}
	}
	if n == 0 {
		t.Fatalf("no checksum of %s", prefix)
	}
}

func TestPairAsReference(t *testing.T) {
	texts := unpack(t)
	for _, workers := range []int{1, 3} {
		dir := filepath.Join(t.TempDir(), "new", "dir")
		var last Progress
		r := mustRun(t, Options{
			SourceLang: "en", TargetLang: "de", JoinedDictionary: true, DestDir: dir, Workers: workers,
			TrainPref: filepath.Join(texts, "train"),
			ValidPref: []string{filepath.Join(texts, "valid")}, TestPref: []string{filepath.Join(texts, "test")},
			Progress: func(p Progress) { last = p },
		})
		checkReference(t, dir, "")
		var lines []string
		for _, f := range r.Files {
			f.Input = filepath.Base(f.Input)
			lines = append(lines, f.String())
		}
		want := []string{
			"[en] train.en: 2200 sents, 23847 tokens, 0.0% replaced by <unk>",
			"[en] valid.en: 200 sents, 2166 tokens, 0.0% replaced by <unk>",
			"[en] test.en: 200 sents, 2159 tokens, 0.0% replaced by <unk>",
			"[de] train.de: 2200 sents, 23138 tokens, 0.0% replaced by <unk>",
			"[de] valid.de: 200 sents, 2106 tokens, 0.0% replaced by <unk>",
			"[de] test.de: 200 sents, 2088 tokens, 0.0% replaced by <unk>",
		}
		if !slices.Equal(lines, want) || len(r.Warnings) > 0 {
			t.Errorf("report %q, warnings %q", lines, r.Warnings)
		}
		if last.Done != last.Total || last.Total == 0 {
			t.Errorf("progress ended at %d of %d", last.Done, last.Total)
		}
	}
}

func TestGivenDictionaries(t *testing.T) {
	texts := unpack(t)
	first := t.TempDir()
	pair := Options{SourceLang: "en", TargetLang: "de", JoinedDictionary: true}
	pair.TrainPref, pair.DestDir = filepath.Join(texts, "train"), first
	mustRun(t, pair)
	for name, o := range map[string]Options{
		"source, joined": {JoinedDictionary: true, SourceDict: filepath.Join(first, "dict.en.txt")},
		"target, joined": {JoinedDictionary: true, TargetDict: filepath.Join(first, "dict.de.txt")},
		"both":           {SourceDict: filepath.Join(first, "dict.en.txt"), TargetDict: filepath.Join(first, "dict.de.txt")},
	} {
		o.SourceLang, o.TargetLang, o.DestDir = "en", "de", t.TempDir()
		o.TestPref = []string{filepath.Join(texts, "test")}
		mustRun(t, o)
		checkReference(t, o.DestDir, "test.")
		checkReference(t, o.DestDir, "dict.")
		if _, err := os.Stat(filepath.Join(o.DestDir, "train.en-de.en.bin")); err == nil {
			t.Errorf("%s: a training set was made of nothing", name)
		}
	}
}

// sentences reads a token file as text.
func sentences(t *testing.T, dict, prefix string) []string {
	t.Helper()
	d, err := data.LoadDictionary(dict)
	if err != nil {
		t.Fatal(err)
	}
	f, err := indexed.Open(prefix)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []string
	for i := range f.Len() {
		ids := make([]int32, f.Size(i))
		if err := f.Read(ids, i); err != nil {
			t.Fatal(err)
		}
		if ids[len(ids)-1] != data.EOS {
			t.Errorf("sentence %d does not end in </s>", i)
		}
		all = append(all, d.Decode(ids, "<unk>"))
	}
	return all
}

func TestOnlySource(t *testing.T) {
	texts := writeFiles(t, "train", "b a b\r\n\rc <unk> b a\u2003a\x1cd\nlast", "valid", "a e\n\nd b d\n")
	dir := t.TempDir()
	r := mustRun(t, Options{
		OnlySource: true, DestDir: dir, ThresholdSource: 2, PaddingFactor: 4,
		TrainPref: filepath.Join(texts, "train"), ValidPref: []string{filepath.Join(texts, "valid"), filepath.Join(texts, "train")},
	})
	dict := filepath.Join(dir, "dict.txt")
	if b, err := os.ReadFile(dict); err != nil || string(b) != "a 3\nb 3\nmadeupword0000 0\nmadeupword0001 0\n" {
		t.Errorf("dict.txt is %q, %v", b, err)
	}
	if got, want := sentences(t, dict, filepath.Join(dir, "train")), []string{"b a b", "", "<unk> <unk> b a a <unk>", "<unk>"}; !slices.Equal(got, want) {
		t.Errorf("train: %q, want %q", got, want)
	}
	if got, want := sentences(t, dict, filepath.Join(dir, "valid")), []string{"a <unk>", "", "<unk> b <unk>"}; !slices.Equal(got, want) {
		t.Errorf("valid: %q, want %q", got, want)
	}
	if got := sentences(t, dict, filepath.Join(dir, "valid1")); len(got) != 4 {
		t.Errorf("valid1: %q", got)
	}
	valid := r.Files[1]
	if valid.Replaced != 3 || valid.Empty != 1 || valid.Types != 8 || !strings.HasSuffix(valid.String(), "valid: 3 sents, 8 tokens, 37.5% replaced by <unk>") {
		t.Errorf("report %v %+v", valid, valid)
	}
	if len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], "60.0% of the words are not in the dictionary of 8") {
		t.Errorf("warnings %q", r.Warnings)
	}
}

func TestOnlySourceWithLanguage(t *testing.T) {
	texts := writeFiles(t, "a.en", "x y\n")
	dir := t.TempDir()
	mustRun(t, Options{OnlySource: true, SourceLang: "en", DestDir: dir, TrainPref: filepath.Join(texts, "a")})
	for _, name := range []string{"dict.en.txt", "train.en-None.en.bin", "train.en-None.en.idx"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
}

func TestSeparateDictionaries(t *testing.T) {
	texts := writeFiles(t, "a.en", "x x x y y z\n", "a.de", "u u u v v w\n")
	dir := t.TempDir()
	mustRun(t, Options{
		SourceLang: "en", TargetLang: "de", DestDir: dir, TrainPref: filepath.Join(texts, "a"),
		WordsSource: 5, ThresholdTarget: 2, PaddingFactor: 1,
	})
	for name, want := range map[string]string{"dict.en.txt": "x 3\n", "dict.de.txt": "u 3\nv 2\n"} {
		if b, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(b) != want {
			t.Errorf("%s: %q, want %q; %v", name, b, want, err)
		}
	}
}

func TestWarnings(t *testing.T) {
	texts := writeFiles(t, "a.en", "a\n\nb\nc\n", "a.de", "a\nx\n\nc\n")
	r := mustRun(t, Options{SourceLang: "en", TargetLang: "de", DestDir: t.TempDir(), TrainPref: filepath.Join(texts, "a")})
	if len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], "a.en:2: the line is empty, but") ||
		!strings.Contains(r.Warnings[0], "a.de:2 is not (and 1 more such lines)") {
		t.Errorf("warnings %q", r.Warnings)
	}
}

func TestTextErrors(t *testing.T) {
	for name, c := range map[string]struct {
		files []string
		want  string
	}{
		"shorter":       {[]string{"a.en", "a\nb\nc\n", "a.de", "a\nb\n"}, "a.de has 2 lines, "},
		"where":         {[]string{"a.en", "a\nb\nc\n", "a.de", "a\n\n"}, "line 3 of "},
		"hint":          {[]string{"a.en", "a\n\nc\n", "a.de", "a\nb\n"}, "they may part at "},
		"not UTF-8":     {[]string{"a.en", "a\nb\n", "a.de", "a\n\xff\n"}, "a.de:2: not UTF-8"},
		"empty":         {[]string{"a.en", "", "a.de", ""}, "a.en: the file is empty"},
		"missing":       {[]string{"a.en", "a\n"}, "a.de: no such file"},
		"bad given one": {[]string{"a.en", "a\n", "a.de", "b\n", "dict", "x\n"}, "dict:1: "},
	} {
		texts, dir := writeFiles(t, c.files...), t.TempDir()
		o := Options{SourceLang: "en", TargetLang: "de", DestDir: dir, TrainPref: filepath.Join(texts, "a")}
		if name == "bad given one" {
			o.SourceDict = filepath.Join(texts, "dict")
		}
		_, err := Run(t.Context(), o)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
		if left, _ := os.ReadDir(dir); len(left) > 0 {
			t.Errorf("%s: left behind %v", name, left)
		}
	}
}

func TestOptionErrors(t *testing.T) {
	texts := writeFiles(t, "a.en", "a\n", "a.de", "b\n", "dict.en.txt", "a 1\n")
	for want, o := range map[string]Options{
		"give destdir":                          {OnlySource: true, TrainPref: "a"},
		"give source_lang":                      {DestDir: texts, TrainPref: "a", SourceLang: "en"},
		"are both":                              {DestDir: texts, TrainPref: "a", SourceLang: "en", TargetLang: "en"},
		"the end of a file's name":              {DestDir: texts, TrainPref: "a", SourceLang: "../en", TargetLang: "de"},
		"no text; give":                         {DestDir: texts, OnlySource: true},
		"padding factor -1":                     {DestDir: texts, OnlySource: true, TrainPref: "a", PaddingFactor: -1},
		"for two languages":                     {DestDir: texts, OnlySource: true, TrainPref: "a", JoinedDictionary: true},
		"not both":                              {DestDir: texts, SourceLang: "en", TargetLang: "de", TrainPref: "a", JoinedDictionary: true, SourceDict: "a", TargetDict: "b"},
		"to make the joined dictionary":         {DestDir: texts, SourceLang: "en", TargetLang: "de", ValidPref: []string{"a"}, JoinedDictionary: true},
		"to make the source dictionary":         {DestDir: texts, OnlySource: true, ValidPref: []string{"a"}},
		"to make the target dictionary":         {DestDir: texts, SourceLang: "fr", TargetLang: "de", ValidPref: []string{"a"}, SourceDict: "x"},
		"dict.en.txt is there already":          {DestDir: texts, OnlySource: true, SourceLang: "en", TrainPref: "a"},
		"is there already: use it with tgtdict": {DestDir: texts, SourceLang: "fr", TargetLang: "en", TrainPref: "a"},
		"is a directory":                        {DestDir: t.TempDir(), OnlySource: true, TrainPref: texts},
	} {
		if _, err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

func TestCancel(t *testing.T) {
	texts := writeFiles(t, "a", strings.Repeat("a b c\n", 1<<20))
	ctx, cancel := context.WithCancel(t.Context())
	dir := t.TempDir()
	_, err := Run(ctx, Options{OnlySource: true, DestDir: dir, TrainPref: filepath.Join(texts, "a"), Workers: 2, Progress: func(Progress) { cancel() }})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left behind %v", left)
	}
}

// TestFormats: the cached format holds what mmap does, and raw is the text.
func TestFormats(t *testing.T) {
	const text = "b a\r\n\na c"
	dir := t.TempDir()
	prefix := filepath.Join(dir, "text")
	if err := os.WriteFile(prefix, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	var want [][]int32
	for _, impl := range Formats {
		out := filepath.Join(dir, impl)
		o := Options{OnlySource: true, TrainPref: prefix, DestDir: out, DatasetImpl: impl}
		if r, err := Run(t.Context(), o); err != nil || r.Files[0].Sentences != 3 {
			t.Fatalf("%s: %+v, %v", impl, r, err)
		}
		d, err := data.LoadDictionary(filepath.Join(out, "dict.txt"))
		if err != nil {
			t.Fatal(err)
		}
		f, err := lines.OpenSplit(d.Encode, filepath.Join(out, "train"), true)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		var got [][]int32
		for i := range f.Len() {
			got = append(got, make([]int32, f.Size(i)))
			if err := f.Read(got[i], i, 0); err != nil {
				t.Fatal(err)
			}
		}
		if want == nil {
			want = got
		}
		if len(got) != 3 || !slices.EqualFunc(got, want, slices.Equal) {
			t.Errorf("%s: %v, want %v", impl, got, want)
		}
	}
	o := Options{OnlySource: true, TrainPref: prefix, DestDir: filepath.Join(dir, "mmap"), DatasetImpl: "raw", SourceDict: filepath.Join(dir, "mmap", "dict.txt")}
	if _, err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "train.bin is there already") {
		t.Errorf("raw over mmap: %v", err)
	}
	if raw, err := os.ReadFile(filepath.Join(dir, "raw", "train")); string(raw) != text {
		t.Errorf("raw: %q, %v", raw, err)
	}
}

func TestPercent(t *testing.T) {
	for _, c := range []struct {
		part, whole int64
		want        string
	}{{0, 5, "0.0"}, {1, 1, "1e+02"}, {1, 8, "12.5"}, {1, 20, "5.0"}, {1, 3000, "0.0333"}, {1, 3000000, "3.33e-05"}, {0, 0, "0.0"}} {
		if got := percent(c.part, c.whole); got != c.want {
			t.Errorf("%d of %d: %s, want %s", c.part, c.whole, got, c.want)
		}
	}
}
