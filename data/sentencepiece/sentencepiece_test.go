package sentencepiece

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// The models in testdata were trained by the original spm_train on number names
// and a few comments, and their .txt files are what the original spm_encode made
// of in.txt.
var models = []string{"unigram", "bpe", "words", "characters"}

func lines(t *testing.T, name string) []string {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
}

func load(t testing.TB, name string) *Model {
	t.Helper()
	m, err := Load("testdata/" + name + ".model")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestEncodeAsOriginal(t *testing.T) {
	in := lines(t, "in.txt")
	for _, name := range models {
		m, want := load(t, name), lines(t, name+".txt")
		for i, line := range in {
			if got := m.Encode(line); got != want[i] {
				t.Errorf("%s: %q\n got %q\nwant %q", name, line, got, want[i])
			}
		}
	}
}

func TestDecode(t *testing.T) {
	for _, c := range []struct{ model, text, want string }{
		{"unigram", "  sechs und  siebzig Äpfel", "sechs und siebzig Aepfel"},
		{"bpe", "emoji 😀 <sep>func", "emoji 😀 <sep>func"},
		{"words", "vier tausend", "vier tausend"},
		{"characters", "vier tausend", "vier tausend"},
	} {
		m := load(t, c.model)
		if got := m.Decode(m.Encode(c.text)); got != c.want {
			t.Errorf("%s: %q, want %q", c.model, got, c.want)
		}
	}
	m := load(t, "bpe")
	if got := m.Decode("<s> a <0xC3> <0xA4> <0xFF> </s>"); got != "aä\uFFFD" {
		t.Errorf("%q", got)
	}
	if v := m.Vocabulary(); len(v) != m.Len() || v[0] != "<unk>" {
		t.Errorf("%d pieces, first %q", len(v), v[0])
	}
}

func (m message) model(a algorithm) message {
	return m.bytes(2, message(nil).varint(3, uint64(a)))
}

func (m message) plain() message { // no change of spaces
	return m.bytes(3, message(nil).varint(3, 0).varint(4, 0).varint(5, 0))
}

// TestUnusedPieces: pieces that are not to be used are taken apart again.
func TestUnusedPieces(t *testing.T) {
	base := message(nil).piece("<unk>", 0, unknown).piece("a", -3, normal).piece("b", -4, normal).
		piece("ab", -1, unused).piece("abab", -2, unused).piece("abc", -2.5, normal).plain()
	for _, c := range []struct {
		a    algorithm
		text string
		want []string
	}{
		{bytePair, "abab", []string{"a", "b", "a", "b"}},
		{bytePair, "aab", []string{"a", "a", "b"}},
		{bytePair, "abc", []string{"abc"}},
		{unigram, "abab", []string{"a", "b", "a", "b"}},
		{unigram, "abcdd", []string{"abc", "dd"}},
	} {
		m, err := Parse(base.model(c.a), "model")
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Pieces(c.text); !slices.Equal(got, c.want) {
			t.Errorf("%v, %q: %q, want %q", c.a, c.text, got, c.want)
		}
	}
}

func TestEmptyText(t *testing.T) {
	for _, name := range models {
		if got := load(t, name).Pieces(""); len(got) != 0 {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestParseErrors(t *testing.T) {
	unk := message(nil).piece("<unk>", 0, unknown)
	whole, err := os.ReadFile("testdata/unigram.model")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		b    []byte
		want string
	}{
		"empty":         {nil, "no piece for unknown"},
		"cut off":       {whole[:len(whole)-5], "ends in the middle"},
		"text":          {[]byte("<unk> 0\n"), "not a SentencePiece model"},
		"two unknown":   {slices.Concat(unk, message(nil).piece("u", 0, unknown)), "two pieces for unknown"},
		"no text":       {unk.piece("", 0, normal), "is empty or there twice"},
		"twice":         {unk.piece("a", 0, normal).piece("a", 0, normal), "is empty or there twice"},
		"unknown type":  {unk.piece("a", 0, 9), "unknown type 9"},
		"unknown model": {unk.model(7), "unknown type 7"},
		"no bytes":      {unk.bytes(2, message(nil).varint(35, 1)), "no piece for byte 0"},
		"bad byte":      {unk.piece("<0x1>", 0, byteValue), "is to be a byte"},
		"short rules":   {unk.bytes(3, message(nil).bytes(2, []byte{1})), "rules are cut off"},
		"long rules":    {unk.bytes(3, message(nil).bytes(2, []byte{8, 0, 0, 0, 1})), "rules are cut off"},
	} {
		if _, err := Parse(c.b, "m"); err == nil || !strings.HasPrefix(err.Error(), "m: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
	if _, err := Load("testdata/none.model"); err == nil || !strings.Contains(err.Error(), "no such SentencePiece model") {
		t.Errorf("error %v", err)
	}
}

// FuzzParse: whatever the model, no text makes it fail, and the pieces hold all
// of the normalised text.
func FuzzParse(f *testing.F) {
	for _, name := range models {
		b, err := os.ReadFile("testdata/" + name + ".model")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, "sechs und \xff ▁ 😀 <sep>")
	}
	f.Fuzz(func(t *testing.T, b []byte, text string) {
		m, err := Parse(b, "model")
		if err != nil {
			return
		}
		got := strings.Join(m.Pieces(text), "")
		if want := m.normaliser.normalise(text); got != want && !m.byteFallback {
			t.Errorf("%q: pieces of %q", want, got)
		}
		m.Decode(m.Encode(text))
	})
}

func BenchmarkEncode(b *testing.B) {
	text := strings.Repeat("vier hundert vier und siebzig tausend drei hundert vier und fünfzig ", 4)
	for _, name := range []string{"unigram", "bpe"} {
		m := load(b, name)
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				m.Pieces(text)
			}
		})
	}
}
