package data

import (
	"bytes"
	"errors"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// records returns a split of given records, then an error if there is one.
func records(name string, err error, all ...Record) TextSplit {
	return TextSplit{Name: name, Records: func(yield func(Record, error) bool) {
		for _, r := range all {
			if !yield(r, nil) {
				return
			}
		}
		if err != nil {
			yield(Record{}, err)
		}
	}}
}

// textOf returns what a split of a text directory was made of.
func textOf(t *testing.T, d *TextDir, split string) iter.Seq2[Record, error] {
	t.Helper()
	text, err := d.Open(split, TextOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { text.Close() })
	return func(yield func(Record, error) bool) {
		for i := range text.Len() {
			b, err := text.Collate([]int{i})
			if err != nil {
				t.Fatal(err)
			}
			r := Record{Text: d.Source.Decode(b.Tokens, "<unk>"), Pair: d.Source.Decode(b.Pair.Tokens, "<unk>"), Label: d.Classes()[b.Labels[0]]}
			if !yield(r, nil) {
				return
			}
		}
	}
}

// TestWriteTextRoundTrip: what fairseq-preprocess wrote comes out the same
// when it is written from its words. (The dictionary is the split's own, so
// only the words are compared; the bytes are TestRewrite's matter.)
func TestWriteTextRoundTrip(t *testing.T) {
	want, err := OpenTextDir("testdata/text")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := WriteText(dir, TextSplit{Name: "train", Records: textOf(t, want, "valid")}, TextSplit{Name: "valid", Records: textOf(t, want, "valid")}); err != nil {
		t.Fatal(err)
	}
	got, err := OpenTextDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	collect := func(seq iter.Seq2[Record, error]) (all []Record) {
		for r := range seq {
			all = append(all, r)
		}
		return all
	}
	for _, split := range []string{"train", "valid"} {
		if !slices.Equal(collect(textOf(t, got, split)), collect(textOf(t, want, "valid"))) {
			t.Errorf("%s holds other records than were written", split)
		}
	}
	src, _ := os.ReadFile(filepath.Join(dir, "src-bin", "dict.txt"))
	src1, _ := os.ReadFile(filepath.Join(dir, "src1-bin", "dict.txt"))
	if !bytes.Equal(src, src1) || len(src) == 0 {
		t.Error("the two texts of a pair have different dictionaries")
	}
}

func TestWriteTextErrors(t *testing.T) {
	a, b, pair := Record{Text: "x", Label: "0"}, Record{Text: "y", Label: "1"}, Record{Text: "x", Pair: "y", Label: "0"}
	for want, splits := range map[string][]TextSplit{
		"no splits":                     nil,
		`split "train" has no samples`:  {records("train", nil)},
		`split "valid" has no samples`:  {records("train", nil, a), records("valid", nil)},
		"sample 0: either all samples":  {records("train", nil, a), records("valid", nil, pair)},
		`sample 1: the label "1" does`:  {records("train", nil, a), records("valid", nil, a, b)},
		"sample 1: either all samples ": {records("train", nil, pair, a, pair)},
		"broken":                        {records("train", errors.New("broken"), a)},
	} {
		dir := t.TempDir()
		if err := WriteText(dir, splits...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
		if left, _ := filepath.Glob(filepath.Join(dir, "*", ".*")); len(left) > 0 {
			t.Errorf("%s: left behind: %v", want, left)
		}
	}
}

func TestByteWords(t *testing.T) {
	for text, want := range map[string]string{"": "", "A": "65", "a é": "97 32 195 169"} {
		if got := ByteWords(text); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}

// TestWritePixelsRoundTrip writes the images of a file again.
func TestWritePixelsRoundTrip(t *testing.T) {
	want, err := OpenPixels("testdata/image", "valid", PixelOptions{})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	split := PixelSplit{"valid", images(want.images, want.labels)}
	if err := WritePixels(dir, split); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"input/valid.src", "label/valid.label"} {
		a, _ := os.ReadFile(filepath.Join("testdata/image", path))
		b, _ := os.ReadFile(filepath.Join(dir, path))
		if !bytes.Equal(a, b) {
			t.Errorf("%s differs from what was read", path)
		}
	}
}

func TestWritePixelsErrors(t *testing.T) {
	for want, split := range map[string]PixelSplit{
		"has no images": {"train", func(func(Image, error) bool) {}},
		"broken":        {"train", func(yield func(Image, error) bool) { yield(Image{}, errors.New("broken")) }},
	} {
		dir := t.TempDir()
		if err := WritePixels(dir, split); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
		if left, _ := filepath.Glob(filepath.Join(dir, "*", "*")); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	}
}

// images yields images with their labels.
func images(pixels [][]byte, labels []int32) iter.Seq2[Image, error] {
	return func(yield func(Image, error) bool) {
		for i := range pixels {
			if !yield(Image{pixels[i], labels[i]}, nil) {
				return
			}
		}
	}
}
