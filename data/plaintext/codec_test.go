package plaintext

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mega-go/mega/data"
	"github.com/mega-go/mega/data/bytetext"
)

func codec(t *testing.T, bytes bool, words ...string) *Codec {
	t.Helper()
	d := data.NewDictionary()
	for _, w := range words {
		d.Add(w, 1)
	}
	c, err := New(d, bytes)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestBytes(t *testing.T) {
	c, err := New(bytetext.Dictionary(), false)
	if err != nil {
		t.Fatal(err)
	}
	text := "naïve\nco\xffde"
	ids, unknown, err := c.Encode(text)
	if err != nil || len(ids) != len(text) || unknown != nil {
		t.Fatalf("%d ids, %v, %v", len(ids), unknown, err)
	}
	if back := c.Decode(-1, ids); back != text {
		t.Errorf("back %q", back)
	}
	if c.Symbol(c.Newline()) != "\n" || c.Symbol(data.EOS) != "</s>" {
		t.Errorf("a newline is %q and </s> %q", c.Symbol(c.Newline()), c.Symbol(data.EOS))
	}
	if got := c.Banned(); !slices.Equal(got, []int32{data.BOS, data.Pad, data.Unknown}) {
		t.Errorf("banned %v", got)
	}
}

// A dictionary of some bytes refuses others; what fills it up is no byte.
func TestFewBytes(t *testing.T) {
	c := codec(t, true, "97", "98", "madeupword0000")
	if !c.Bytes() || c.Newline() != data.EOS || c.Vocabulary() != 7 {
		t.Errorf("bytes %v, newline %d, vocabulary %d", c.Bytes(), c.Newline(), c.Vocabulary())
	}
	if ids, _, err := c.Encode("ab\nb"); err != nil || !slices.Equal(ids, []int32{4, 5, data.EOS, 5}) {
		t.Errorf("ids %v, %v", ids, err)
	}
	if _, _, err := c.Encode("abc"); err == nil || !strings.Contains(err.Error(), "position 2") {
		t.Errorf("error %v", err)
	}
	if got := c.Banned(); !slices.Equal(got, []int32{data.BOS, data.Pad, data.Unknown, 6}) {
		t.Errorf("banned %v", got)
	}
}

func TestWords(t *testing.T) {
	c := codec(t, false, "the", "cat", "12")
	if c.Bytes() {
		t.Error("words and a number are taken for bytes")
	}
	ids, unknown, err := c.Encode("the  dog\nthe cat\n")
	if err != nil || !slices.Equal(ids, []int32{4, 3, 2, 4, 5, 2}) || !slices.Equal(unknown, []string{"dog"}) {
		t.Errorf("ids %v, unknown %v, %v", ids, unknown, err)
	}
	if text := c.Decode(data.EOS, ids); text != "the <unk>\nthe cat\n" {
		t.Errorf("text %q", text)
	}
	if text := c.Decode(4, []int32{5}); text != " cat" {
		t.Errorf("after a word %q", text)
	}
	if _, _, err := c.Encode("caf\xe9"); err == nil || !strings.Contains(err.Error(), "UTF-8") {
		t.Errorf("error %v", err)
	}
}

func TestLines(t *testing.T) {
	c := codec(t, true, "97", "98", "10")
	long := strings.Repeat("a", maxLine+5)
	var got []string
	_, err := c.Lines(strings.NewReader("ab\n\n"+long+"\nb"), func(l Line) error {
		got = append(got, fmt.Sprintf("%d:%d", l.Number, len(l.IDs)))
		return nil
	})
	want := []string{"1:3", "2:1", fmt.Sprintf("3:%d", maxLine), "3:6", "4:1"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("lines %v, %v, want %v", got, err, want)
	}
	if _, err := c.Lines(strings.NewReader("a\nab\nac"), func(Line) error { return nil }); err == nil || !strings.Contains(err.Error(), "line 3: byte 99") {
		t.Errorf("error %v", err)
	}
	words := codec(t, false, "a")
	if n, err := words.Lines(strings.NewReader("a b\nc"), func(Line) error { return nil }); n != 2 || err != nil {
		t.Errorf("%d unknown words, %v", n, err)
	}
}
