package filemap

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
)

func write(t *testing.T, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// files opens the same content every way there is.
func files(t *testing.T, data []byte) map[string]*File {
	t.Helper()
	mapped, err := Open(write(t, data))
	if err != nil {
		t.Fatal(err)
	}
	read := &File{name: "read", size: int64(len(data)), from: bytes.NewReader(data), free: func() error { return nil }}
	all := map[string]*File{"open": mapped, "bytes": FromBytes("bytes", data), "ranges": read}
	for _, f := range all {
		t.Cleanup(func() { f.Close() })
	}
	return all
}

func TestRanges(t *testing.T) {
	data := []byte("0123456789")
	for name, f := range files(t, data) {
		for _, c := range [][2]int64{{0, 10}, {0, 0}, {10, 0}, {3, 4}, {9, 1}} {
			got, err := f.Bytes(c[0], c[1])
			if err != nil || !bytes.Equal(got, data[c[0]:c[0]+c[1]]) {
				t.Errorf("%s: Bytes(%d, %d) = %q, %v", name, c[0], c[1], got, err)
			}
		}
		for _, c := range [][2]int64{{0, 11}, {11, 0}, {-1, 1}, {1, -1}, {5, 1<<63 - 1}, {1<<63 - 1, 5}} {
			if got, err := f.Bytes(c[0], c[1]); err == nil {
				t.Errorf("%s: Bytes(%d, %d) = %q, want an error", name, c[0], c[1], got)
			}
		}
	}
}

func TestReadAt(t *testing.T) {
	for name, f := range files(t, []byte("0123456789")) {
		if err := iotest.TestReader(io.NewSectionReader(f, 0, f.Size()), []byte("0123456789")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if n, err := f.ReadAt(make([]byte, 4), 8); n != 2 || err != io.EOF {
			t.Errorf("%s: at the end ReadAt gave %d, %v", name, n, err)
		}
		if n, err := f.ReadAt(make([]byte, 4), -1); n != 0 || err == nil {
			t.Errorf("%s: before the start ReadAt gave %d, %v", name, n, err)
		}
	}
}

func TestClosed(t *testing.T) {
	for name, f := range files(t, []byte("x")) {
		if err := errors.Join(f.Close(), f.Close()); err != nil {
			t.Errorf("%s: Close: %v", name, err)
		}
		_, err := f.Bytes(0, 1)
		if viewErr := f.View(0, 1, func([]byte) error { return nil }); !errors.Is(err, ErrClosed) || !errors.Is(viewErr, ErrClosed) {
			t.Errorf("%s: after Close: %v, %v", name, err, viewErr)
		}
	}
}

func TestOpensOnlyRegularFiles(t *testing.T) {
	for _, path := range []string{t.TempDir(), os.DevNull, filepath.Join(t.TempDir(), "absent")} {
		if _, err := Open(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("Open(%s): %v", path, err)
		}
	}
	f, err := Open(write(t, nil))
	if err != nil || f.Size() != 0 || f.Close() != nil {
		t.Errorf("an empty file: %v", err)
	}
}

// TestShrinkingFileIsAnError truncates a mapped file: reading beyond its new
// end faults, which must not end the process.
func TestShrinkingFileIsAnError(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("an open file cannot be truncated")
	}
	path := write(t, make([]byte, 1<<20))
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	dst := make([]byte, 1<<20)
	err = f.View(0, 1<<20, func(b []byte) error { copy(dst, b); return nil })
	if err == nil || !strings.Contains(err.Error(), "shorter") {
		t.Errorf("reading a truncated file: %v", err)
	}
}

func TestViewPassesOtherPanicsOn(t *testing.T) {
	defer func() {
		if recover() != "mine" {
			t.Error("the panic was swallowed")
		}
	}()
	_ = FromBytes("x", []byte("x")).View(0, 1, func([]byte) error { panic("mine") })
}

// TestLargeViewsReadTheSameAgain reads a map twice from odd places, between which
// its pages leave the process.
func TestLargeViewsReadTheSameAgain(t *testing.T) {
	data := make([]byte, 3<<20)
	for i := range data {
		data[i] = byte(i % 251)
	}
	for name, f := range files(t, data) {
		for range 2 {
			for _, off := range []int64{0, 1, 4095, 4096, 12345} {
				want := data[off : off+2<<20]
				err := f.View(off, 2<<20, func(b []byte) error {
					if !bytes.Equal(b, want) {
						return errors.New("other bytes")
					}
					return nil
				})
				if err != nil {
					t.Errorf("%s: at %d: %v", name, off, err)
				}
			}
		}
	}
}
