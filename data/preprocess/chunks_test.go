package preprocess

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"unicode"

	"github.com/mega-go/mega/data"
	"github.com/mega-go/mega/data/indexed"
)

func lineSlice(text string) []string {
	var all []string
	eachLine(text, func(line string) { all = append(all, line) })
	return all
}

// FuzzChunks holds chunks, lines and words against their definitions on the
// whole text.
func FuzzChunks(f *testing.F) {
	f.Add("a b\r\n\rc\n\nd", 3)
	f.Add("\r\r\r\n", 1)
	f.Add("no end", 2)
	f.Add("\u2028x\u00a0y\x85z \u0085", 1)
	f.Add("\ufeffmarked\n", 2)
	f.Add("\xff\xfex\x00", 2)
	f.Fuzz(func(t *testing.T, text string, size int) {
		size = size&15 + 4 // room for a byte order mark
		r := newChunkReader(iotest.OneByteReader(strings.NewReader(text)), "text", size)
		if strings.HasPrefix(text, "\xff\xfe") || strings.HasPrefix(text, "\xfe\xff") {
			if _, err := r.next(); err == nil || !strings.Contains(err.Error(), "text: the text is in UTF-16") {
				t.Fatalf("UTF-16 gives %v", err)
			}
			return
		}
		text = strings.TrimPrefix(text, "\ufeff")
		lines := strings.Split(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text), "\n")
		if lines[len(lines)-1] == "" {
			lines = lines[:len(lines)-1]
		}
		var got []string
		var whole strings.Builder
		for {
			chunk, err := r.next()
			if err == io.EOF {
				break
			}
			if err != nil || chunk == "" {
				t.Fatalf("chunk %q, %v", chunk, err)
			}
			whole.WriteString(chunk)
			got = append(got, lineSlice(chunk)...)
		}
		if whole.String() != text || !slices.Equal(got, lines) {
			t.Fatalf("lines %q, want %q", got, lines)
		}
		var words []string
		eachWord(text, func(w string) { words = append(words, w) })
		isSpace := func(r rune) bool { return unicode.IsSpace(r) || 0x1c <= r && r <= 0x1f }
		if want := strings.FieldsFunc(text, isSpace); !slices.Equal(words, want) {
			t.Fatalf("words %q, want %q", words, want)
		}
	})
}

// TestLargeFile takes a text of many chunks through both passes and compares
// with the plain way, line by line.
func TestLargeFile(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var b strings.Builder
	for b.Len() < 5*chunkSize/2 {
		for range r.IntN(20) {
			fmt.Fprintf(&b, "w%d ", int(r.ExpFloat64()*300))
		}
		b.WriteByte('\n')
	}
	text := b.String()
	dir := writeFiles(t, "text", text)
	path := filepath.Join(dir, "text")

	want := data.NewDictionary()
	for line := range strings.Lines(text) {
		want.CountLine(line)
	}
	want.Finalize(3, 1000, 8)
	got := data.NewDictionary()
	if err := CountFile(t.Context(), got, path, 3, nil); err != nil {
		t.Fatal(err)
	}
	if got.Count(data.EOS) != int64(strings.Count(text, "\n"))+1 {
		t.Errorf("%d lines counted", got.Count(data.EOS)-1)
	}
	got.Finalize(3, 1000, 8)
	for id := int32(0); int(id) < max(got.Len(), want.Len()); id++ {
		if got.Symbol(id) != want.Symbol(id) || got.Count(id) != want.Count(id) && id >= data.NumSpecial {
			t.Fatalf("id %d is %s, want %s", id, got.Symbol(id), want.Symbol(id))
		}
	}

	output := filepath.Join(dir, "out")
	report, err := encode(t.Context(), got, nil, "mmap", path, output, 3, nil)
	if err == nil {
		err = report.finish()
	}
	if err != nil {
		t.Fatal(err)
	}
	f, err := indexed.Open(output)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	i, tokens := 0, 0
	for line := range strings.Lines(text) {
		ids := make([]int32, f.Size(i))
		if err := f.Read(ids, i); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(ids, want.Encode(nil, line)) {
			t.Fatalf("line %d differs", i+1)
		}
		i++
		tokens += len(ids)
	}
	if report.Sentences != int64(i) || report.Tokens != int64(tokens) || f.Len() != i {
		t.Errorf("%+v, want %d sentences and %d tokens", report, i, tokens)
	}
}

// TestErrorsKeepOrder: the error of an earlier chunk wins, whichever worker is
// done first, and its line is counted through all chunks.
func TestErrorsKeepOrder(t *testing.T) {
	line := strings.Repeat("x", 99) + "\n"
	text := strings.Repeat(line, 3*chunkSize/100)
	bad := []byte(text)
	bad[2*chunkSize+50], bad[3*chunkSize-5000] = 0xff, 0xff
	path := filepath.Join(writeFiles(t, "text", string(bad)), "text")
	want := fmt.Sprintf("text:%d: not UTF-8", (2*chunkSize+50)/100+1)
	for range 3 {
		err := CountFile(t.Context(), data.NewDictionary(), path, 3, nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

func TestSinkError(t *testing.T) {
	path := filepath.Join(writeFiles(t, "text", strings.Repeat("x\n", 2*chunkSize)), "text")
	stop := errors.New("stop")
	err := eachChunk(context.Background(), path, 2, func(string) (int, error) { return 0, nil },
		func(int) error { return stop }, func(int) {})
	if err != stop {
		t.Errorf("error %v", err)
	}
}

func TestReadError(t *testing.T) {
	r := newChunkReader(iotest.ErrReader(errors.New("broken")), "text", 8)
	if _, err := r.next(); err == nil || err.Error() != "text: cannot read: broken" {
		t.Errorf("error %v", err)
	}
}
