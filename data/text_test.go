package data

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mega-go/mega/data/indexed"
)

// checksum is the CRC-32 of numbers as little-endian bytes.
func checksum(t *testing.T, numbers any) uint32 {
	t.Helper()
	var b bytes.Buffer
	if err := binary.Write(&b, binary.LittleEndian, numbers); err != nil {
		t.Fatal(err)
	}
	return crc32.ChecksumIEEE(b.Bytes())
}

func openText(t *testing.T, dir, split string, o TextOptions) *Text {
	t.Helper()
	d, err := OpenTextDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	text, err := d.Open(split, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { text.Close() })
	return text
}

// TestReferenceTextBatches: the first two batches of the validation split are
// those that the reference fed to its retrieval model: seed 2, batches of 6.
func TestReferenceTextBatches(t *testing.T) {
	text := openText(t, "testdata/text", "valid", TextOptions{MaxPositions: 512})
	s := sampler(t, text, SamplerOptions{BatchSize: 6, Seed: 2})
	batches, _ := s.Batches(1)
	for i, want := range []struct {
		lengths, pairLengths, labels []int32
		crc, pairCRC                 uint32
	}{
		{
			[]int32{139, 51, 103, 202, 115, 64}, []int32{55, 52, 30, 116, 46, 63},
			[]int32{1, 0, 0, 0, 1, 0}, 2792665447, 1655789765,
		},
		{
			[]int32{174, 184, 143, 115, 68, 154}, []int32{54, 12, 59, 155, 20, 133},
			[]int32{1, 1, 1, 0, 0, 0}, 3592936047, 3687755349,
		},
	} {
		b, err := text.Collate(batches[i])
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(b.Lengths, want.lengths) || !slices.Equal(b.Pair.Lengths, want.pairLengths) || !slices.Equal(b.Labels, want.labels) {
			t.Errorf("batch %d: lengths %v, %v, labels %v", i, b.Lengths, b.Pair.Lengths, b.Labels)
		}
		if crc := checksum(t, b.Tokens); crc != want.crc {
			t.Errorf("batch %d: the first texts differ from the reference's", i)
		}
		if crc := checksum(t, b.Pair.Tokens); crc != want.pairCRC {
			t.Errorf("batch %d: the second texts differ from the reference's", i)
		}
	}
}

func TestTextDictionaries(t *testing.T) {
	d, err := OpenTextDir("testdata/text")
	if err != nil {
		t.Fatal(err)
	}
	if last := int32(d.Source.Len() - 1); d.Source.Len()%8 != 1 || d.Source.Symbol(last) != CLS {
		t.Errorf("%d ids, the last %s", d.Source.Len(), d.Source.Symbol(last))
	}
	// The reference's dictionary puts the more frequent label first.
	if got := d.Classes(); !slices.Equal(got, []string{"1", "0"}) {
		t.Errorf("classes %v", got)
	}
}

// writeTextDir writes a text directory with the given token ids.
func writeTextDir(t *testing.T, sequences map[string][][]int32) string {
	t.Helper()
	dir := t.TempDir()
	for name, ids := range sequences {
		prefix := filepath.Join(dir, name)
		os.MkdirAll(filepath.Dir(prefix), 0o755)
		w, err := indexed.Create(prefix, indexed.Int32)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range ids {
			if err := w.Add(s); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, kind := range []string{"src-bin", "label-bin"} {
		os.MkdirAll(filepath.Join(dir, kind), 0o755)
		os.WriteFile(filepath.Join(dir, kind, "dict.txt"), []byte("a 2\nb 1\n"), 0o644)
	}
	return dir
}

func TestTextOptions(t *testing.T) {
	dir := writeTextDir(t, map[string][][]int32{
		"src-bin/train":    {{4, 5, 4, 2}, {5, 2}},
		"src-bin/train1":   {{4, 2}},
		"label-bin/train":  {{4, 2}, {2, 5}},
		"label-bin/train1": {{5}},
	})
	for _, c := range []struct {
		options TextOptions
		want    Batch
	}{
		{TextOptions{MaxPositions: 3}, Batch{
			Rows: 2, Length: 3, Tokens: []int32{5, 2, 1, 4, 5, 4},
			Lengths: []int32{2, 3}, Labels: []int32{1, 0}, IDs: []int{1, 0},
		}},
		{TextOptions{MaxPositions: 3, PrependCLS: true}, Batch{
			Rows: 2, Length: 3, Tokens: []int32{6, 5, 2, 6, 4, 5},
			Lengths: []int32{3, 3}, Labels: []int32{1, 0}, IDs: []int{1, 0},
		}},
	} {
		got, err := openText(t, dir, "train", c.options).Collate([]int{1, 0})
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(&c.want, got); d != "" {
			t.Errorf("%+v: %s", c.options, d)
		}
	}
	combined := openText(t, dir, "train", TextOptions{Combine: true})
	b, err := combined.Collate([]int{2})
	if err != nil || combined.Len() != 3 || !slices.Equal(b.Tokens, []int32{4, 2}) || b.Labels[0] != 1 {
		t.Errorf("combined: %d samples, the last %+v, %v", combined.Len(), b, err)
	}
}

func TestTextErrors(t *testing.T) {
	type files = map[string][][]int32
	for _, c := range []struct {
		files   files
		options TextOptions
		want    string
	}{
		{files{}, TextOptions{}, "src-bin/valid.idx: no such file"},
		{files{"src-bin/valid": {{4}}}, TextOptions{}, "label-bin/valid.idx: no such file"},
		{files{"src-bin/valid": nil, "label-bin/valid": nil}, TextOptions{}, "src-bin/valid.idx: no samples"},
		{files{"src-bin/valid": {{4}}, "label-bin/valid": {{4}, {4}}}, TextOptions{}, "label-bin/valid.idx has 2 labels"},
		{files{"src-bin/valid": {{4}}, "src1-bin/valid": {}, "label-bin/valid": {{4}}}, TextOptions{}, "src1-bin/valid.idx has 0 texts"},
		{files{"src-bin/valid": {{}}, "label-bin/valid": {{4}}}, TextOptions{}, "src-bin/valid.bin: line 1: the text is empty"},
		{files{"src-bin/valid": {{7}}, "label-bin/valid": {{4}}}, TextOptions{}, "src-bin/valid.bin: line 1: token 7 is beyond the dictionary of 7"},
		{files{"src-bin/valid": {{4}}, "src1-bin/valid": {{-1}}, "label-bin/valid": {{4}}}, TextOptions{}, "src1-bin/valid.bin: line 1: token -1"},
		{files{"src-bin/valid": {{4}}, "label-bin/valid": {{4, 5, 2}}}, TextOptions{}, "label-bin/valid.bin: line 1: the label has 2 words, want 1"},
		{files{"src-bin/valid": {{4}, {4}}, "label-bin/valid": {{4}, {5}}}, TextOptions{Classes: 1}, `label-bin/valid.bin: line 2: label "b" (id 5) is class 1, out of range for 1 classes`},
		{files{"src-bin/valid": {{4}}, "label-bin/valid": {{3}}}, TextOptions{}, `line 1: label "<unk>" (id 3) is class -1`},
	} {
		d, err := OpenTextDir(writeTextDir(t, c.files))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Open("valid", c.options); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want one with %q", err, c.want)
		}
	}
	if _, err := OpenTextDir("absent"); err == nil || !strings.HasPrefix(err.Error(), "absent: no such directory") {
		t.Errorf("missing directory: %v", err)
	}
}
