package preprocess

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/mega-go/mega/data"
	"github.com/mega-go/mega/data/indexed"
	"github.com/mega-go/mega/data/pieces"
	"github.com/mega-go/mega/internal/atomicfile"
	"github.com/mega-go/mega/internal/textfile"
)

// FileReport says what became of one text.
type FileReport struct {
	Language  string // empty where none was given
	Input     string // the text
	Output    string // the token file, without .bin and .idx
	Types     int    // ids of the dictionary
	Sentences int64
	Tokens    int64 // </s> of each sentence included
	Replaced  int64 // words that the dictionary lacks
	Empty     int64 // sentences without words
}

// String returns the line that fairseq-preprocess logs.
func (r FileReport) String() string {
	return fmt.Sprintf("[%s] %s: %d sents, %d tokens, %s%% replaced by <unk>",
		languageName(r.Language), r.Input, r.Sentences, r.Tokens, percent(r.Replaced, r.Tokens))
}

// languageName is the way Python writes a language that may be missing.
func languageName(lang string) string {
	if lang == "" {
		return "None"
	}
	return lang
}

// percent writes a share as Python's '{:.3}' writes it.
func percent(part, whole int64) string {
	s := strconv.FormatFloat(100*float64(part)/float64(max(whole, 1)), 'g', 3, 64)
	switch {
	case s == "100":
		return "1e+02" // Python goes over to exponents one digit sooner
	case !strings.ContainsAny(s, ".e"):
		return s + ".0"
	}
	return s
}

// An encoding is a token file that is written but not yet in place.
type encoding struct {
	FileReport
	writer tokenWriter
	sizes  []int32 // words of each sentence
}

// A tokenWriter writes the tokens of a text somewhere. After Abort nothing is
// there, unless Close came first.
type tokenWriter interface {
	Add(ids []int32) error
	Close() error
	Abort()
}

// create returns the writer of a format (--dataset-impl).
func create(impl, input, output string, vocabulary int) (tokenWriter, error) {
	switch impl {
	case "raw":
		return copyText(input, output)
	case "cached", "lazy":
		return indexed.CreateCached(output)
	}
	return indexed.Create(output, indexed.BestDType(vocabulary))
}

// textCopy is the writer of raw text, which stays as it is.
type textCopy struct{ *atomicfile.File }

func copyText(input, output string) (tokenWriter, error) {
	in, err := os.Open(input)
	if err != nil {
		return nil, openError(input, err)
	}
	defer in.Close()
	out, err := atomicfile.Create(output)
	if err != nil {
		return nil, err
	}
	if _, err := io.Copy(out, in); err != nil {
		out.Abort()
		return nil, fmt.Errorf("%s: cannot copy: %w", input, err)
	}
	return textCopy{out}, nil
}

func (t textCopy) Add([]int32) error { return nil }
func (t textCopy) Close() error      { return t.Commit() }

// finish puts the file in place.
func (e *encoding) finish() error { return e.writer.Close() }

// abort removes what was written, unless finish was called.
func (e *encoding) abort() {
	if e != nil {
		e.writer.Abort()
	}
}

// encode writes the token file OUTPUT.bin and .idx of a text, which still is to be put
// in place or removed. progress, if not nil, is told how many bytes were read since it
// was last told.
func encode(ctx context.Context, d *data.Dictionary, set *pieces.Set, impl, input, output string, workers int, progress func(bytes int)) (*encoding, error) {
	w, err := create(impl, input, output, d.Len())
	if err != nil {
		return nil, err
	}
	e := &encoding{FileReport{Input: input, Output: output, Types: d.Len()}, w, nil}
	work := func(text string) (encoded, error) { return encodeChunk(d, set, text) }
	err = eachChunk(ctx, input, max(workers, 1), work, e.add, orNothing(progress))
	if err != nil {
		err = located(input, e.Sentences, err)
	} else if e.Sentences == 0 {
		err = fmt.Errorf("%s: the file is empty", input)
	}
	if err != nil {
		w.Abort()
		return nil, err
	}
	return e, nil
}

// encoded is a chunk as tokens.
type encoded struct {
	ids      []int32 // of all sentences
	sizes    []int32 // of each, </s> included
	replaced int64
}

func encodeChunk(d *data.Dictionary, set *pieces.Set, text string) (encoded, error) {
	if err := checkUTF8(text); err != nil {
		return encoded{}, err
	}
	e := encoded{ids: make([]int32, 0, len(text)/4)}
	unknown := d.Symbol(data.Unknown)
	eachLine(text, func(line string) {
		before := len(e.ids)
		if set != nil {
			e.addPieces(set, line)
			return
		}
		eachWord(line, func(word string) {
			id := d.Index(word)
			if id == data.Unknown && word != unknown {
				e.replaced++
			}
			e.ids = append(e.ids, id)
		})
		e.ids = append(e.ids, data.EOS)
		e.sizes = append(e.sizes, int32(len(e.ids)-before))
	})
	return e, nil
}

// add writes a chunk.
func (e *encoding) add(c encoded) error {
	ids := c.ids
	for _, n := range c.sizes {
		if err := e.writer.Add(ids[:n]); err != nil {
			return err
		}
		ids = ids[n:]
		if n == 1 {
			e.Empty++
		}
		e.sizes = append(e.sizes, n-1)
	}
	e.Sentences += int64(len(c.sizes))
	e.Tokens += int64(len(c.ids))
	e.Replaced += c.replaced
	return nil
}

// addPieces adds a line in pieces, without the white space at its ends.
func (e *encoded) addPieces(set *pieces.Set, line string) {
	before := len(e.ids)
	e.ids = set.Append(e.ids, textfile.Trim(line))
	for _, id := range e.ids[before:] {
		if id == data.Unknown {
			e.replaced++
		}
	}
	e.ids = append(e.ids, data.EOS)
	e.sizes = append(e.sizes, int32(len(e.ids)-before))
}
