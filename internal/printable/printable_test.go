package printable

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"testing"
	"testing/quick"
	"unicode/utf8"
)

func TestString(t *testing.T) {
	for in, want := range map[string]string{
		"":                      "",
		"plain\tülain\n𝛼":       "plain\tülain\n𝛼",
		"\x1b]0;PWNED\a\x1b[1m": `\u001b]0;PWNED\u0007\u001b[1m`,
		"a\rb\x00\x7f":          `a\u000db\u0000\u007f`,
		"\u0080\u009b\u00a0":    "\\u0080\\u009b\u00a0",
		"a\u202eb\u2066\u200f":  `a\u202eb\u2066\u200f`,
		"\x9b31m\xff\xe2\x82":   `\x9b31m\xff\xe2\x82`,
		"\ufffd":                "\ufffd",
	} {
		if got := String(in); got != want {
			t.Errorf("String(%q) = %q, want %q", in, got, want)
		}
	}
}

// Pieces of a text come out like the whole, and nothing forbidden does.
func TestWriter(t *testing.T) {
	check := func(text []byte, cuts []byte) bool {
		var out bytes.Buffer
		w := NewWriter(&out)
		for rest := text; len(rest) > 0; {
			n := 1
			if len(cuts) > 0 {
				n, cuts = int(cuts[0]%5)+1, cuts[1:]
			}
			n = min(n, len(rest))
			if m, err := w.Write(rest[:n]); m != n || err != nil {
				return false
			}
			rest = rest[n:]
		}
		if w.Close() != nil || out.String() != String(string(text)) {
			return false
		}
		for _, r := range out.String() {
			if forbidden(r) {
				return false
			}
		}
		return utf8.Valid(out.Bytes())
	}
	if err := quick.Check(check, &quick.Config{MaxCount: 2000}); err != nil {
		t.Error(err)
	}
	if !check([]byte("ä\u202e€\x1b𝛼\xf0\x9d"), []byte{0, 0, 0, 0, 0, 0, 0}) {
		t.Error("wrong byte by byte")
	}
}

// A character goes out as soon as it is whole: what streams must not lag.
func TestWriterDoesNotLag(t *testing.T) {
	var out bytes.Buffer
	io.WriteString(NewWriter(&out), "a€")
	if out.String() != "a€" {
		t.Errorf("got %q", out.String())
	}
}

func TestJSONKeepsItsMeaning(t *testing.T) {
	const text = "a\u0085b\x7f\u202ec\x1b\"\\"
	encoded, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	var got string
	if err := json.Unmarshal([]byte(String(string(encoded))), &got); err != nil || got != text {
		t.Errorf("got %q, %v, want %q", got, err, text)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

func TestWriterFails(t *testing.T) {
	w := NewWriter(broken{})
	if _, err := w.Write([]byte("a")); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("got %v", err)
	}
	if Terminal(w) != nil {
		t.Error("a terminal")
	}
}
