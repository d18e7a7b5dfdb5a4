package pieces

import (
	"slices"
	"strings"
	"testing"

	"github.com/mega-go/mega/data"
)

// bpe is a tokenizer.json: its ids have a gap, and special symbols of their own.
const bpe = ` {"added_tokens":[{"id":6,"content":"</s>"},{"id":4,"content":"<x>"}],
"decoder":{"type":"ByteLevel"},
"model":{"type":"BPE","unk_token":"<unk>","vocab":{"<unk>":0,"a":1,"b":2,"ab":3},"merges":["a b"]}}`

func open(t *testing.T) *Set {
	t.Helper()
	s, err := Parse([]byte(bpe), "f")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestIDs: special symbols have the ids that they have in every dictionary, the
// other pieces those after them in their order.
func TestIDs(t *testing.T) {
	s := open(t)
	if got, want := s.Append(nil, "aab<x>c</s>"), []int32{4, 6, 7, data.Unknown, data.EOS}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	var names []string
	for id := range int32(s.Dictionary().Len()) {
		names = append(names, s.Dictionary().Symbol(id))
	}
	if got, want := strings.Join(names, " "), "<s> <pad> </s> <unk> a b ab <x> madeupword0005"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	var text []byte
	for _, id := range s.Append(nil, "aab<x>c") {
		text = s.AppendText(text, id, false)
	}
	if string(text) != "aab<x>\uFFFD" {
		t.Errorf("%q", text)
	}
	if got, want := s.Silent(), []int32{data.Unknown, 8}; !slices.Equal(got, want) {
		t.Errorf("silent ids %v, want %v", got, want)
	}
}

func TestPacked(t *testing.T) {
	s, err := Unpack(open(t).Packed())
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Append(nil, "ab"); !slices.Equal(got, []int32{6}) {
		t.Errorf("%v", got)
	}
	for _, packed := range [][]byte{nil, {1, 2}, s.Packed()[:20]} {
		if _, err := Unpack(packed); err == nil || !strings.Contains(err.Error(), "checkpoint's pieces") {
			t.Errorf("%v: error %v", packed, err)
		}
	}
}

func TestOpen(t *testing.T) {
	if _, err := Open("../sentencepiece/testdata/bpe.model"); err != nil {
		t.Error(err)
	}
	for path, want := range map[string]string{
		"none":      "none: no such file of pieces, want",
		"pieces.go": "pieces.go: not a SentencePiece model",
	} {
		if _, err := Open(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", path, err, want)
		}
	}
}

// TestJoin: pieces with spaces between become a line of text again, whatever a
// model chose.
func TestJoin(t *testing.T) {
	m, err := Open("../sentencepiece/testdata/bpe.model")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*Set{open(t), m} {
		if got := s.Join(s.Words("ab aab") + " <unk> </s> noword"); !strings.HasPrefix(got, "ab") || !strings.HasSuffix(got, "<unk>noword") {
			t.Errorf("%q", got)
		}
	}
	s, err := Parse([]byte(strings.Replace(bpe, `"a":1,`, `"a":1,"Ċ":5,"Ã":7,`, 1)), "f")
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Join("a Ċ Ã b"); got != "a \uFFFDb" {
		t.Errorf("%q", got)
	}
}
