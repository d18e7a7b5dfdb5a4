package textfile

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

func TestEachLine(t *testing.T) {
	long := strings.Repeat("x", 1<<17)
	for text, want := range map[string][]string{
		"":                     nil,
		"\n":                   {""},
		"a\r\n\nb":             {"a", "", "b"},
		"a\n" + long + "\nc\n": {"a", long, "c"},
	} {
		var got []string
		err := EachLine(strings.NewReader(text), "f", func(line []byte) error {
			got = append(got, string(line))
			return nil
		})
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%.20q: %.60q, %v; want %.60q", text, got, err, want)
		}
	}
}

func TestEachLineErrors(t *testing.T) {
	err := EachLine(strings.NewReader("a\nb\n"), "f", func(line []byte) error {
		if string(line) == "b" {
			return errors.New("bad")
		}
		return nil
	})
	if err == nil || err.Error() != "f:2: bad" {
		t.Errorf("%v, want f:2: bad", err)
	}
	err = EachLine(iotest.ErrReader(io.ErrClosedPipe), "f", func([]byte) error { return nil })
	if !errors.Is(err, io.ErrClosedPipe) || !strings.HasPrefix(err.Error(), "f: cannot read") {
		t.Errorf("%v, want one that names the file", err)
	}
}

func TestOpen(t *testing.T) {
	read := func(r io.Reader, _ string) error {
		_, err := io.ReadAll(r)
		return err
	}
	if err := Open("label", "absent", read); err == nil || err.Error() != "absent: no such label file" {
		t.Errorf("missing file: %v", err)
	}
	if err := Open("label", "textfile_test.go", read); err != nil {
		t.Error(err)
	}
}
