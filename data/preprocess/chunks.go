package preprocess

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/mega-go/mega/internal/textfile"
)

// chunkSize is about how much of a text one worker takes at a time.
const chunkSize = 1 << 20

// A chunk is a stretch of a text that ends with a line.
type chunk struct {
	text string
	err  error // of reading, instead
}

// eachChunk reads a file in chunks, works on them in parallel and hands the
// results to sink in the file's order. done is told how many bytes were handed
// on. It ends early with the context.
func eachChunk[T any](ctx context.Context, path string, workers int, work func(text string) (T, error), sink func(T) error, done func(n int)) error {
	f, err := os.Open(path)
	if err != nil {
		return openError(path, err)
	}
	defer f.Close()
	ctx, cancel := context.WithCancel(ctx)
	order := make(chan chan result[T], 2*workers)
	jobs := make(chan job[T])
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for j := range jobs {
				j.run(work)
			}
		})
	}
	group.Go(func() {
		defer close(order)
		defer close(jobs)
		feed(ctx, newChunkReader(f, path, chunkSize), jobs, order)
	})
	defer group.Wait()
	defer cancel()
	for pending := range order {
		r := <-pending
		if r.err != nil {
			return r.err
		}
		if err := sink(r.value); err != nil {
			return err
		}
		done(r.size)
	}
	return ctx.Err()
}

// A job is a chunk and where its result goes.
type job[T any] struct {
	chunk chunk
	out   chan result[T] // has room
}

type result[T any] struct {
	value T
	size  int
	err   error
}

func (j job[T]) run(work func(string) (T, error)) {
	r := result[T]{size: len(j.chunk.text), err: j.chunk.err}
	if r.err == nil {
		r.value, r.err = work(j.chunk.text)
	}
	j.out <- r
}

// feed sends all chunks to jobs, and the places of their results to order, up to
// an error or the end of the context.
func feed[T any](ctx context.Context, in *chunkReader, jobs chan<- job[T], order chan<- chan result[T]) {
	for {
		text, err := in.next()
		if err == io.EOF {
			return
		}
		j := job[T]{chunk{text, err}, make(chan result[T], 1)}
		select {
		case order <- j.out:
		case <-ctx.Done():
			return
		}
		select {
		case jobs <- j:
		case <-ctx.Done():
			j.out <- result[T]{err: ctx.Err()}
			return
		}
		if err != nil {
			return
		}
	}
}

// chunkReader cuts a text into chunks.
type chunkReader struct {
	in    io.Reader
	path  string // for errors
	size  int
	begun bool   // the text's beginning has been read
	rest  []byte // read, but not handed out
	err   error  // that reading ended with
}

func newChunkReader(in io.Reader, path string, size int) *chunkReader {
	return &chunkReader{in: in, path: path, size: size}
}

// next returns the next chunk, io.EOF after the last one.
func (r *chunkReader) next() (string, error) {
	for size := r.size; ; size *= 2 {
		if r.err == nil && len(r.rest) < size {
			more := make([]byte, size)
			n := copy(more, r.rest)
			var m int
			m, r.err = io.ReadFull(r.in, more[n:])
			r.rest = more[:n+m]
		}
		if !r.begun {
			r.begun = true
			rest, err := textfile.SkipMark(r.rest)
			if err != nil {
				return "", fmt.Errorf("%s: %w", r.path, err)
			}
			r.rest = rest
		}
		if r.err == io.EOF || r.err == io.ErrUnexpectedEOF {
			return r.last()
		}
		if r.err != nil {
			return "", fmt.Errorf("%s: cannot read: %w", r.path, r.err)
		}
		if cut := lastLineEnd(r.rest); cut > 0 {
			text := string(r.rest[:cut])
			r.rest = r.rest[cut:]
			return text, nil
		}
	}
}

// last returns what is left at the end of the text.
func (r *chunkReader) last() (string, error) {
	if len(r.rest) == 0 {
		return "", io.EOF
	}
	text := string(r.rest)
	r.rest = nil
	return text, nil
}

// lastLineEnd returns where the last line that surely ends in b ends: after a
// line feed, or else after a carriage return that no line feed can follow.
func lastLineEnd(b []byte) int {
	if i := bytes.LastIndexByte(b, '\n'); i >= 0 {
		return i + 1
	}
	if len(b) == 0 {
		return 0
	}
	return bytes.LastIndexByte(b[:len(b)-1], '\r') + 1
}

// eachLine calls f with every line of a chunk, its end removed. As for Python, a
// line feed, a carriage return or the two together end a line.
func eachLine(text string, f func(line string)) {
	ends := "\n"
	if strings.IndexByte(text, '\r') >= 0 {
		ends = "\r\n"
	}
	for len(text) > 0 {
		i := strings.IndexAny(text, ends)
		if i < 0 {
			f(text)
			return
		}
		f(text[:i])
		if strings.HasPrefix(text[i:], "\r\n") {
			i++
		}
		text = text[i+1:]
	}
}

// errNotUTF8 is what is wrong with line number of a chunk, counted from 0.
type errNotUTF8 struct{ line int }

func (e errNotUTF8) Error() string { return "not UTF-8" }

// checkUTF8 reports the first line that is not UTF-8.
func checkUTF8(text string) error {
	if utf8.ValidString(text) {
		return nil
	}
	number, bad := 0, -1
	eachLine(text, func(line string) {
		if bad < 0 && !utf8.ValidString(line) {
			bad = number
		}
		number++
	})
	return errNotUTF8{bad}
}

// located gives an error about a line of a chunk the file's name and the line's
// number; before is the number of lines before the chunk.
func located(path string, before int64, err error) error {
	var bad errNotUTF8
	if errors.As(err, &bad) {
		return fmt.Errorf("%s:%d: %w; want text in UTF-8", path, before+int64(bad.line)+1, err)
	}
	return err
}

// openError words a failure to open a file.
func openError(path string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: no such file", path)
	}
	var e *fs.PathError
	if errors.As(err, &e) {
		err = e.Err
	}
	return fmt.Errorf("%s: cannot open: %w", path, err)
}
