package data

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func readDictionary(t *testing.T, text string) *Dictionary {
	t.Helper()
	d, err := ReadDictionary(strings.NewReader(text), "dict.txt")
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDictionarySpecials(t *testing.T) {
	d := readDictionary(t, "the 9\na b 3\r\nz -1")
	if d.Len() != 7 || d.Index("the") != 4 || d.Index("a b") != 5 || d.Count(6) != -1 {
		t.Errorf("%v %v", d.symbols, d.counts)
	}
	for i, word := range []string{"<s>", "<pad>", "</s>", "<unk>"} {
		if d.Index(word) != int32(i) || d.Symbol(int32(i)) != word {
			t.Errorf("%s has id %d, want %d", word, d.Index(word), i)
		}
	}
	if d.Index("absent") != Unknown || d.Contains("absent") || d.Symbol(7) != "<unk>" || d.Symbol(-1) != "<unk>" {
		t.Error("an absent word is not <unk>")
	}
}

func TestDictionaryOverwrite(t *testing.T) {
	d := readDictionary(t, "a 1\nb 2\na 3 #fairseq:overwrite\n<pad> 7 #fairseq:overwrite\n")
	if d.Len() != 8 || d.Index("a") != 6 || d.Count(6) != 3 || d.Symbol(4) != "a" || d.Index("<pad>") != 7 {
		t.Errorf("%v %v %v", d.symbols, d.counts, d.index)
	}
}

func TestDictionaryErrors(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"a 1\nb\n", `dict.txt:2: want "<word> <count>", have "b"`},
		{"a 1\n\nb 2\n", `dict.txt:2: want "<word> <count>", have ""`},
		{"a one\n", `dict.txt:1: want "<word> <count>", have "a one"`},
		{"a 1\nb 2\na 3\n", `dict.txt:3: the word "a" is there twice`},
		{"<unk> 3\n", `dict.txt:1: the word "<unk>" is there twice`},
		{"a 1 #fairseq:overwrite\nb #fairseq:overwrite\n", "dict.txt:2: want"},
		{"a 1\n\xff 2\n", "dict.txt:2: not UTF-8"},
	} {
		if _, err := ReadDictionary(strings.NewReader(c.text), "dict.txt"); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%q: error %v, want %s", c.text, err, c.want)
		}
	}
	if _, err := LoadDictionary("absent/dict.txt"); err == nil || err.Error() != "absent/dict.txt: no such dictionary file" {
		t.Errorf("missing file: %v", err)
	}
}

// TestDictionaryRoundTrip: what fairseq-preprocess wrote comes out byte for byte.
func TestDictionaryRoundTrip(t *testing.T) {
	const path = "testdata/text/src-bin/dict.txt"
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	d, err := LoadDictionary(path)
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "dict.txt")
	if err := d.Save(out); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(out); !bytes.Equal(got, want) {
		t.Errorf("wrote %d bytes that differ from the %d read", len(got), len(want))
	}
}

// TestDictionaryFinalize rebuilds a dictionary of fairseq-preprocess from a
// text with its counts in another order.
func TestDictionaryFinalize(t *testing.T) {
	want, err := LoadDictionary("testdata/text/src-bin/dict.txt")
	if err != nil {
		t.Fatal(err)
	}
	d := NewDictionary()
	for id := int32(want.Len() - 1); id >= NumSpecial; id-- {
		if !strings.HasPrefix(want.Symbol(id), "madeupword") {
			d.Add(want.Symbol(id), want.Count(id))
		}
	}
	d.Finalize(-1, 0, 8)
	if !slices.Equal(d.symbols, want.symbols) || !slices.Equal(d.counts, want.counts) {
		t.Errorf("%v, want %v", d.symbols, want.symbols)
	}
}

func TestDictionaryThresholdAndLimit(t *testing.T) {
	build := func() *Dictionary {
		d := NewDictionary()
		d.CountLine("c a b a \x1c c\u3000a rare")
		return d
	}
	for _, c := range []struct {
		threshold       int64
		words, multiple int
		want            []string
	}{
		{-1, 0, 1, []string{"a", "c", "b", "rare"}},
		{2, 0, 0, []string{"a", "c"}},
		{-1, 5, 1, []string{"a"}},
		{-1, 2, 1, nil},
		{2, 0, 8, []string{"a", "c", "madeupword0000", "madeupword0001"}},
	} {
		d := build()
		d.Finalize(c.threshold, c.words, c.multiple)
		if !slices.Equal(d.symbols[NumSpecial:], c.want) || d.Count(EOS) != 2 {
			t.Errorf("%+v: %v %v", c, d.symbols, d.counts)
		}
	}
}

func TestEncodeDecode(t *testing.T) {
	d := readDictionary(t, "x 2\ny 1\n")
	got := d.Encode([]int32{9}, " y\tx  z\n")
	if want := []int32{9, 5, 4, Unknown, EOS}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got := d.Decode(got[1:], "<unk>"); got != "y x <unk>" {
		t.Errorf("decoded %q", got)
	}
}

func FuzzReadDictionary(f *testing.F) {
	f.Add([]byte("the 9\na 3 #fairseq:overwrite\n"))
	f.Add([]byte("a b 3\r\n"))
	f.Add([]byte("<s> 9 #fairseq:overwrite\nthe 2\nthe 1 #fairseq:overwrite\n 3\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := ReadDictionary(bytes.NewReader(text), "f")
		if err != nil {
			return
		}
		var out bytes.Buffer
		if _, err := d.WriteTo(&out); err != nil {
			t.Fatal(err)
		}
		back, err := ReadDictionary(&out, "back")
		if marked := d.Len() > int(NumSpecial) && strings.HasPrefix(d.Symbol(NumSpecial), "\ufeff"); !marked && (err != nil || !slices.Equal(back.symbols, d.symbols) || !maps.Equal(back.index, d.index)) {
			t.Errorf("%q is written as %q, which has other words: %v", text, out.String(), err)
		}
		d.Finalize(-1, 0, 8)
		d.Encode(nil, string(text))
	})
}
