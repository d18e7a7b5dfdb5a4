package printable

import (
	"strings"
	"testing"
)

func TestShorten(t *testing.T) {
	a := strings.Repeat("a", 60)
	if got, want := Shorten(`{"k":"`+strings.Repeat(a, 50)+`","l":"b"}`), `{"k":"`+a+`…","l":"b"}`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if s := `"` + strings.Repeat(a, 10) + `"`; Shorten(s) != s {
		t.Errorf("%s was cut", s)
	}
}
