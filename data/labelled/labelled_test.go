package labelled

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mega-go/mega/data/audio"
)

// files writes files by their paths below a directory, which it returns.
func files(t *testing.T, contents map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range contents {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// read returns what labelled data holds, a line a sample.
func read(path string, o Options) string {
	var b strings.Builder
	err := Read(path, o, func(s *Sample) error {
		where := strings.TrimPrefix(s.Where(), path)
		switch {
		case s.LeftOut != "":
			fmt.Fprintf(&b, "%s -%s\n", where, s.LeftOut)
		case s.Kind == Sound:
			fmt.Fprintf(&b, "%s %s%s %d at %d\n", where, s.Label, s.Split, s.Size, s.Rate)
		case s.Kind == Series:
			fmt.Fprintf(&b, "%s %s%s %v/%d\n", where, s.Label, s.Split, s.Values, s.Channels)
		default:
			fmt.Fprintf(&b, "%s %s%s %q\n", where, s.Label, s.Split, s.Texts)
		}
		return nil
	})
	if err != nil {
		b.WriteString(strings.ReplaceAll(err.Error(), path, "") + "\n")
	}
	return b.String()
}

// array encodes an array of numpy.
func array(descr, shape string, values any) string {
	header := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }\n", descr, shape)
	var b bytes.Buffer
	b.WriteString("\x93NUMPY\x01\x00")
	binary.Write(&b, binary.LittleEndian, uint16(len(header)))
	b.WriteString(header)
	binary.Write(&b, binary.LittleEndian, values)
	return b.String()
}

func archive(members map[string]string) string {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for name, text := range members {
		f, _ := w.Create(name + ".npy")
		f.Write([]byte(text))
	}
	w.Close()
	return b.String()
}

func wav(samples int) string {
	var b bytes.Buffer
	audio.WriteWAV(&b, &audio.Clip{Rate: 8000, Samples: make([]float32, samples)})
	return b.String()
}

// TestRead: the forms of labelled data, and what is wrong with some.
func TestRead(t *testing.T) {
	for _, test := range []struct {
		name    string
		files   map[string]string
		path    string
		options Options
		want    string
	}{
		{"a table", map[string]string{"a.csv": "id,Text,label\n1,hi, a \n2, ,b\n3,x,\n"}, "a.csv", Options{},
			":2 a [\"hi\"]\n:3 -rows without a text\n:4 -rows without a label\n"},
		{"columns by name", map[string]string{"a.csv": "x,y1,z\nhi,a,test\nho,b,dev\n"}, "a.csv",
			Options{TextColumn: []string{"x"}, LabelColumn: "y1", SplitColumn: "z"}, ":2 atest [\"hi\"]\n:3 bvalid [\"ho\"]\n"},
		{"a split that is none", map[string]string{"a.csv": "text,label,z\nhi,a,fun\n"}, "a.csv", Options{SplitColumn: "z"},
			":2: column z is \"fun\", want train, valid or test\n"},
		{"no such column", map[string]string{"a.csv": "text,label\nhi,a\n"}, "a.csv", Options{TextColumn: []string{"txt"}},
			": no column \"txt\", want one of text, label\n"},
		{"no labels", map[string]string{"a.csv": "text,zzz\nhi,a\n"}, "a.csv", Options{},
			": no column is called label, labels, class, category, target, sentiment, intent, y: name that of the classes (label_column), one of text, zzz\n"},
		{"pairs", map[string]string{"a.jsonl": `{"premise":"p","hypothesis":"h","label":1}` + "\n" + `{"premise":null,"hypothesis":"h","label":true}`}, "a.jsonl", Options{},
			":1 1 [\"p\" \"h\"]\n:2 -rows without a text\n"},
		{"malformed", map[string]string{"a.csv": "text,label\nhi\n"}, "a.csv", Options{}, ":2: the row has 1 cells, want 2 as the first row has\n"},
		{"malformed, skipped", map[string]string{"a.csv": "text,label\nhi\nho,b\n"}, "a.csv", Options{SkipMalformed: true}, ":2 -malformed rows\n:3 b [\"ho\"]\n"},
		{"steps", map[string]string{"a.csv": "label,t0,t1\na,1,-2e1\nb,3,\nc,,4\nd,nan,1\ne,,\n"}, "a.csv", Options{},
			":2 a [1 -20]/1\n:3 b [3]/1\n:4 -series with missing numbers\n:5 -series with missing numbers\n:6 -rows without numbers\n"},
		{"no number", map[string]string{"a.csv": "label,t0\na,1x\n"}, "a.csv", Options{}, ":2: column t0 is \"1x\", want a number, or name the column of texts (text_column)\n"},
		{"lists", map[string]string{"a.jsonl": `{"values":[1,2.5,null],"label":"a"}` + "\n" + `{"values":[1, 2],"label":"b"}`}, "a.jsonl", Options{},
			":1 -series with missing numbers\n:2 b [1 2]/1\n"},
		{"channels that nobody names", map[string]string{"a.csv": "id,x,y,class\n1,1 2 3,4;5;6,a\n2,7 8,,b\n"}, "a.csv", Options{},
			":2 a [1 4 2 5 3 6]/2\n:3: column y has 0 numbers, x 2: channels have one length\n"},
		{"lists of one", map[string]string{"a.jsonl": `{"x":[1],"class":"a"}` + "\n" + `{"x":[2,3],"class":"b"}`}, "a.jsonl", Options{}, ":1 a [1]/1\n:2 b [2 3]/1\n"},
		{"channels", map[string]string{"a.csv": "p,q,label\n1 2 3,4;5;6,a\n1 2,3,b\n"}, "a.csv", Options{ValuesColumn: []string{"p", "q"}},
			":2 a [1 4 2 5 3 6]/2\n:3: column q has 1 numbers, p 2: channels have one length\n"},
		{"an array", map[string]string{"a.npy": array("<f4", "2, 2", []float32{1, 2, 3, 4}), "l.txt": "a\nb\n"}, "a.npy", Options{Labels: "l.txt"},
			":1 a [1 2]/1\n:2 b [3 4]/1\n"},
		{"half precision, labels of bytes", map[string]string{"a.npy": array(">f2", "2, 2", []byte{0x3c, 0, 0xc0, 0, 0x38, 0, 0, 0}), "l.npy": array("|S3", "2,", []byte("yesno\x00"))}, "a.npy", Options{Labels: "l.npy"},
			":1 yes [1 -2]/1\n:2 no [0.5 0]/1\n"},
		{"an empty line after the labels", map[string]string{"a.npy": array("<f4", "1, 2", []float32{1, 2}), "l.txt": "a\n\n"}, "a.npy", Options{Labels: "l.txt"},
			":1 a [1 2]/1\n"},
		{"labels too many", map[string]string{"a.npy": array("<f4", "1, 2", []float32{1, 2}), "l.txt": "a\n\nb\n"}, "a.npy", Options{Labels: "l.txt"},
			":1 a [1 2]/1\nl.txt: more labels than the 1 samples of \n"},
		{"a recording that is empty", map[string]string{"a/1.wav": "RIFF\x24\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x80\x3e\x00\x00\x02\x00\x10\x00data\x00\x00\x00\x00"}, "", Options{},
			"/a/1.wav -recordings without a sample\n: no labelled data: want folders named for classes with a file a sample, or train.csv, valid.csv and test.csv (or another kind of table)\n"},
		{"labels too few", map[string]string{"a.npy": array("<f4", "2, 2", []float32{1, 2, 3, 4}), "l.txt": "a\n"}, "a.npy", Options{Labels: "l.txt"},
			":1 a [1 2]/1\n: sample 2: l.txt has no more labels\n"},
		{"labels cut off", map[string]string{"a.npy": array("<f4", "1, 2", []float32{1, 2}), "l.npy": array("<i8", "1,", []int64{})}, "a.npy", Options{Labels: "l.npy"},
			": sample 1: its label in l.npy: the array is cut off\n"},
		{"an array without labels", map[string]string{"a.npy": ""}, "a.npy", Options{},
			": an array without labels: name the file of them (labels), or pack both into an .npz as x and y\n"},
		{"an archive", map[string]string{"a.npz": archive(map[string]string{
			"x_train": array("|u1", "1, 2, 2", []byte{1, 2, 3, 4}), "y_train": array("<i8", "1,", []int64{7}),
			"X_test": array("<f8", "1, 2, 2", []float64{1, 2, 3, 4}), "y_test": array("<U2", "1,", []int32{'o', 'k'})})}, "a.npz", Options{},
			": x_train.npy:1 7train [1 2 3 4]/2\n: X_test.npy:1 oktest [1 2 3 4]/2\n"},
		{"folders", map[string]string{"b/1.txt": "one\n", "b/sub/2": "two", "a/x.bin": "\x00", "a/.DS_Store": "x", "a/3": " \n", "README": "x", "b/4": "\xFF\xFEh\x00i\x00"}, "", Options{},
			"/README -files beside the folders of classes\n/a/3 -files without a text\n/a/x.bin -files that are no text\n/b/1.txt b [\"one\"]\n/b/4 b [\"hi\"]\n/b/sub/2 b [\"two\"]\n"},
		{"recordings", map[string]string{"a/1.wav": wav(3), "b/2.WAV": wav(5), "b/notes": "x"}, "", Options{},
			"/a/1.wav a 3 at 8000\n/b/2.WAV b 5 at 8000\n/b/notes -files that are no recordings\n"},
		{"folders of parts", map[string]string{"train/a/1": "x", "test/a/1": "y", "unsup/1": "z"}, "", Options{},
			"/train/a/1 atrain [\"x\"]\n/test/a/1 atest [\"y\"]\n"},
		{"tables of parts", map[string]string{"train.csv": "text,label\nx,a\n", "dev.tsv": "text\tlabel\ny\tb\n"}, "", Options{},
			"/train.csv:2 atrain [\"x\"]\n/dev.tsv:2 bvalid [\"y\"]\n"},
		{"an empty folder", nil, "", Options{},
			": no labelled data: want folders named for classes with a file a sample, or train.csv, valid.csv and test.csv (or another kind of table)\n"},
		{"no data", map[string]string{"a.txt": "x"}, "a.txt", Options{},
			": not labelled data by its name, want a directory, or a file that ends in [.csv .tsv .jsonl .ndjson .parquet] or [.npy .npz] (and .gz or .zst if it is compressed)\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := files(t, test.files)
			if test.options.Labels != "" {
				test.options.Labels = filepath.Join(dir, test.options.Labels)
			}
			got := strings.ReplaceAll(read(filepath.Join(dir, test.path), test.options), dir+"/", "")
			if got != test.want {
				t.Errorf("got\n%swant\n%s", got, test.want)
			}
		})
	}
}

// texts yields n samples of two classes, nine in ten of the first; each text
// comes copies times.
func texts(n, copies int) func(yield func(Sample) bool) {
	return func(yield func(Sample) bool) {
		for i := range n {
			label := "often"
			if i%10 == 9 {
				label = "seldom"
			}
			if !yield(Sample{Texts: [][]byte{fmt.Appendf(nil, "text %d", i/copies/10*10+i%10)}, Label: label}) {
				return
			}
		}
	}
}

// TestDivide: every class is divided by the shares, seed fixes how, and no text
// is both trained on and held out.
func TestDivide(t *testing.T) {
	load := func(o Options, copies int) *Set {
		s, err := Collect("memory", texts(1000, copies), o)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := load(Options{HeldOut: []float64{0.1, 0.2}}, 1)
	if want := [3]int{700, 100, 200}; s.Summary.Parts != want {
		t.Errorf("parts %v, want %v", s.Summary.Parts, want)
	}
	for i, want := range [][3]int{{630, 90, 180}, {70, 10, 20}} {
		if got := s.Summary.Classes[i].Parts; got != want {
			t.Errorf("class %d: %v, want %v", i, got, want)
		}
	}
	again, other := load(Options{HeldOut: []float64{0.1, 0.2}}, 1), load(Options{HeldOut: []float64{0.1, 0.2}, SplitSeed: 1}, 1)
	if !slices.Equal(s.parts, again.parts) || slices.Equal(s.parts, other.parts) || s.Summary.Digest != again.Summary.Digest {
		t.Error("the seed does not fix the parts")
	}
	copied := load(Options{}, 5)
	where := map[string]uint8{}
	for i, part := range copied.parts {
		text := string(copied.Texts(i)[0])
		if was, ok := where[text]; ok && was != part {
			t.Fatalf("%q is in two parts", text)
		}
		where[text] = part
	}
	if copied.Summary.Copies != 800 || copied.Summary.Between != 0 {
		t.Errorf("%d copies, %d of them trained on", copied.Summary.Copies, copied.Summary.Between)
	}
}

// TestRedivided: what counts is where samples come, not which options say so.
func TestRedivided(t *testing.T) {
	var rows, divided strings.Builder
	for i := range 40 {
		fmt.Fprintf(&rows, "t%d,%d\n", i, i%2)
		fmt.Fprintf(&divided, "t%d,%d,%s\n", i, i%2, Splits[min(i%5, 2)])
	}
	dir := files(t, map[string]string{"rows.csv": "text,label\n" + rows.String(), "divided.csv": "text,label,split\n" + divided.String()})
	shares := []float64{0.25, 0.25}
	for _, c := range []struct {
		file         string
		now, trained Options
		want         bool
	}{
		{"rows.csv", Options{}, Options{HeldOut: []float64{0.1, 0.1}}, false},
		{"rows.csv", Options{SplitSeed: 7}, Options{}, true},
		{"rows.csv", Options{HeldOut: shares}, Options{}, true},
		{"divided.csv", Options{SplitSeed: 7, HeldOut: shares, SplitColumn: "split"}, Options{SplitColumn: "split"}, false},
	} {
		path := filepath.Join(dir, c.file)
		before, err := Load(path, c.trained)
		if err != nil {
			t.Fatal(err)
		}
		s, err := LoadFor(path, c.now, before.Names, before.Summary.Digest, c.trained)
		if err != nil {
			t.Fatal(err)
		}
		if !s.Known || s.Redivided != c.want || s.Redivided == slices.Equal(s.parts, before.parts) {
			t.Errorf("%s, %+v after %+v: known %v, divided otherwise %v", c.file, c.now, c.trained, s.Known, s.Redivided)
		}
	}
}

// TestPartsOfTheData: where the data says what is held out, it is so.
func TestPartsOfTheData(t *testing.T) {
	var train, test strings.Builder
	for i := range 40 {
		fmt.Fprintf(&train, "t%d,%d\n", i, i%2)
		if i < 10 {
			fmt.Fprintf(&test, "t%d,%d\n", i, i%2)
		}
	}
	dir := files(t, map[string]string{"train.csv": "text,label\n" + train.String(), "test.csv": "text,label\n" + test.String()})
	for path, o := range map[string]Options{dir: {}, dir + "/train.csv": {TestFile: dir + "/test.csv"}} {
		s, err := Look(path, o)
		if err != nil {
			t.Fatal(err)
		}
		if want := [3]int{36, 4, 10}; s.Parts != want || s.Between < 8 {
			t.Errorf("%s: parts %v, %d between, want %v", path, s.Parts, s.Between, want)
		}
	}
}

// TestNoClasses: labels that are no classes are an error that says so.
func TestNoClasses(t *testing.T) {
	for text, want := range map[string]string{
		"text,label\nx,a\ny,a\n": `all 2 samples are of the class "a"`,
		"text,label\n":           "no samples",
		"text,label\nx,\n":       "left out: 1 rows without a label",
		"text,label\nx,a\ny,b\n": "no sample is left for valid of 2",
		"text,label\n" + strings.Join(strings.Fields(strings.Repeat("x ", 30)), ",1\n"): "",
	} {
		_, err := Look(filepath.Join(files(t, map[string]string{"a.csv": text}), "a.csv"), Options{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// TestClassesOfAnotherFile: what is wrong with labels is told of the file they are in.
func TestClassesOfAnotherFile(t *testing.T) {
	dir := files(t, map[string]string{"a.npy": array("<f4", "2, 2", []float32{1, 2, 3, 4}), "l.txt": "a\na\n"})
	labels := filepath.Join(dir, "l.txt")
	_, err := Look(filepath.Join(dir, "a.npy"), Options{Labels: labels})
	if want := labels + `: all 2 samples are of the class "a"`; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}

// TestReadUnlabelled: what has labels is read without them, and so is what has none.
func TestReadUnlabelled(t *testing.T) {
	for path, want := range map[string]string{
		"docs":       "docs/a/1 x;docs/b/c/2 y;",
		"flat":       "flat/1 z;",
		"in.csv":     "in.csv:2 x;",
		"mixed":      "mixed/in.csv: a table or an array among files that are a sample each: name it itself",
		"bare.jsonl": "bare.jsonl:1 u;",
	} {
		dir := files(t, map[string]string{
			"docs/a/1": "x", "docs/b/c/2": "y", "flat/1": "z", "in.csv": "text,label\nx,1\n", "mixed/in.csv": "text\nx\n", "bare.jsonl": `{"text":"u"}`,
		})
		got := ""
		err := ReadUnlabelled(filepath.Join(dir, path), Options{LabelColumn: "absent"}, func(s *Sample) error {
			got += fmt.Sprintf("%s %s;", strings.TrimPrefix(s.Where(), dir+"/"), s.Texts[0])
			return nil
		})
		if err != nil {
			got = strings.TrimPrefix(err.Error(), dir+"/")
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
}
