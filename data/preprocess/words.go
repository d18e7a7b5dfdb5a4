package preprocess

import (
	"context"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mega-go/mega/data"
)

// asciiSpace is Python's str.isspace on ASCII.
var asciiSpace = [utf8.RuneSelf]bool{
	'\t': true, '\n': true, '\v': true, '\f': true, '\r': true, ' ': true,
	0x1c: true, 0x1d: true, 0x1e: true, 0x1f: true,
}

// eachWord calls f with every word of a text, as Python's str.split() finds
// them.
func eachWord(text string, f func(word string)) {
	start := -1 // of the word that i is in
	for i := 0; i < len(text); {
		n, space := 1, false
		if c := text[i]; c < utf8.RuneSelf {
			space = asciiSpace[c]
		} else {
			var r rune
			r, n = utf8.DecodeRuneInString(text[i:])
			space = unicode.IsSpace(r)
		}
		switch {
		case space && start >= 0:
			f(text[start:i])
			start = -1
		case !space && start < 0:
			start = i
		}
		i += n
	}
	if start >= 0 {
		f(text[start:])
	}
}

// counts is how often each word was seen.
type counts map[string]*int64

func (c counts) add(word string) {
	if n, ok := c[word]; ok {
		*n++
		return
	}
	one := int64(1)
	c[strings.Clone(word)] = &one // the text need not live on
}

// CountFile adds the words of a file, and one </s> a line, to a dictionary that the
// caller finalizes. progress, if not nil, gets the number of bytes read since its last
// call.
func CountFile(ctx context.Context, d *data.Dictionary, path string, workers int, progress func(bytes int)) error {
	workers = max(workers, 1)
	free := make(chan counts, workers) // one for each worker
	for range workers {
		free <- counts{}
	}
	work := func(text string) (int64, error) {
		if err := checkUTF8(text); err != nil {
			return 0, err
		}
		words, lines := <-free, int64(0)
		eachWord(text, words.add)
		eachLine(text, func(string) { lines++ })
		free <- words
		return lines, nil
	}
	lines := int64(0)
	err := eachChunk(ctx, path, workers, work, func(n int64) error {
		lines += n
		return nil
	}, orNothing(progress))
	if err != nil {
		return located(path, lines, err)
	}
	for range workers {
		for word, n := range <-free {
			d.Add(word, *n)
		}
	}
	d.Add(d.Symbol(data.EOS), lines)
	return nil
}

// orNothing returns a function that can be called.
func orNothing(progress func(bytes int)) func(bytes int) {
	if progress == nil {
		return func(int) {}
	}
	return progress
}
