package textfile

import (
	"errors"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

func TestEachLine(t *testing.T) {
	long := strings.Repeat("x", 1<<17)
	for text, want := range map[string][]string{
		"":                         nil,
		"\n":                       {""},
		"a\r\n\nb":                 {"a", "", "b"},
		"a\n" + long + "\nc\n":     {"a", long, "c"},
		"a\rb\r\r\nc\r":            {"a", "b", "", "c"},
		"a\u0085b\u2028c\x1cd\v\f": {"a\u0085b\u2028c\x1cd\v\f"},
		"\ufeffa\n\ufeffb":         {"a", "\ufeffb"},
		"\ufeff":                   nil,
		"\xef\xbba":                {"\xef\xbba"},
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

func TestEachRecord(t *testing.T) {
	var got []string
	err := EachRecord(strings.NewReader("\ufeffa\rb\r\n\rc\n"), "f", func(line []byte) error {
		got = append(got, string(line))
		return nil
	})
	if want := []string{"a\rb", "\rc"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
}

func TestUTF16(t *testing.T) {
	for _, text := range []string{"\xff\xfea\x00", "\xfe\xff\x00a"} {
		err := EachLine(strings.NewReader(text), "f", func([]byte) error { return nil })
		if err == nil || !strings.Contains(err.Error(), "f: cannot read: the text is in UTF-16, want UTF-8") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// A line is there as soon as its end is, whatever comes after it.
func TestNextWaitsForNoMore(t *testing.T) {
	in, out := io.Pipe()
	defer out.Close()
	lines := NewReader(in)
	for _, text := range []string{"a\n", "b\r", "\nc\r\n", "\xef\xbb\n"} {
		go io.WriteString(out, text)
		want := strings.Trim(text, "\r\n")
		if line, err := lines.Next(); string(line) != want || err != nil || !lines.Ended() {
			t.Errorf("%q, %v; want %q", line, err, want)
		}
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
	if runtime.GOOS == "windows" {
		return
	}
	if err := Open("label", "/dev/zero", read); err == nil || err.Error() != "/dev/zero: is a device, want a label file or a pipe" {
		t.Errorf("a device without an end: %v", err)
	}
}
