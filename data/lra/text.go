package lra

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/mega-go/mega/data"
	"github.com/mega-go/mega/data/listops"
	"github.com/mega-go/mega/internal/textfile"
)

// IMDB returns the splits of film reviews in DIR, byte by byte: either aclImdb's
// directories {train,valid,test}/{neg,pos}/*.txt or the files
// {train,valid,test}.tsv of a label, a tab and the review. Where there is no
// valid, it is the test split, as in the Long Range Arena.
func IMDB(dir string) ([]data.TextSplit, error) {
	return textSplits(dir, "reviews", true, func(split string) (records, bool) {
		if path := filepath.Join(dir, split); isDir(path) {
			return reviewDirectory(path), true
		}
		path := filepath.Join(dir, split+".tsv")
		return labelledLines(path, 2), exists(path)
	})
}

// AAN returns the splits of pairs of papers in DIR, byte by byte: the files
// new_aan_pairs.{train,eval,test}.tsv or {train,valid,test}.tsv, a line a
// label, two names and two texts with tabs between.
func AAN(dir string) ([]data.TextSplit, error) {
	return textSplits(dir, "pairs of papers", true, func(split string) (records, bool) {
		path := filepath.Join(dir, split+".tsv")
		if !exists(path) {
			original := map[string]string{"valid": "eval"}
			path = filepath.Join(dir, "new_aan_pairs."+cmp.Or(original[split], split)+".tsv")
		}
		return labelledLines(path, 5), exists(path)
	})
}

// ListOps returns the splits in DIR: the files basic_{train,val,test}.tsv or
// {train,valid,test}.tsv of the generator (listops.WriteTSV writes them too).
func ListOps(dir string) ([]data.TextSplit, error) {
	return textSplits(dir, "ListOps", false, func(split string) (records, bool) {
		path := filepath.Join(dir, split+".tsv")
		if !exists(path) {
			original := map[string]string{"valid": "val"}
			path = filepath.Join(dir, "basic_"+cmp.Or(original[split], split)+".tsv")
		}
		return expressions(path), exists(path)
	})
}

type records = iter.Seq2[data.Record, error]

// textSplits returns the three splits that find finds; a missing valid is the
// test split.
func textSplits(dir, kind string, bytes bool, find func(split string) (records, bool)) ([]data.TextSplit, error) {
	var splits []data.TextSplit
	for _, name := range []string{"train", "valid", "test"} {
		r, ok := find(name)
		if !ok && name == "valid" {
			r, ok = find("test")
		}
		if !ok {
			return nil, fmt.Errorf("%s: no %s split of %s", dir, name, kind)
		}
		splits = append(splits, data.TextSplit{Name: name, Records: r, Bytes: bytes})
	}
	return splits, nil
}

// reviewDirectory yields DIR/neg/*.txt, then DIR/pos/*.txt, labelled so.
func reviewDirectory(dir string) records {
	return func(yield func(data.Record, error) bool) {
		for _, name := range []string{"neg", "pos"} {
			paths, err := filesIn(filepath.Join(dir, name), ".txt")
			if err != nil {
				yield(data.Record{}, err)
				return
			}
			for _, path := range paths {
				if !yield(review(path, name)) {
					return
				}
			}
		}
	}
}

// filesIn returns the files of a directory with the given ending, by name.
func filesIn(dir, ending string) ([]string, error) {
	entries, err := textfile.ReadDir(dir)
	var paths []string
	for _, e := range entries {
		if filepath.Ext(e.Name()) == ending {
			paths = append(paths, filepath.Join(dir, e.Name()))
		}
	}
	if err != nil || len(paths) == 0 {
		return nil, fmt.Errorf("%s: no such directory with *%s files", dir, ending)
	}
	return paths, nil
}

func review(path, label string) (data.Record, error) {
	text, err := textfile.ReadFile(path)
	if err == nil && len(text) == 0 {
		err = fmt.Errorf("%s: the file is empty", path)
	}
	return data.Record{Text: data.ByteWords(string(text)), Label: label, Where: path}, err
}

// labelledLines yields the lines of a tsv whose first field is the label. Of 2
// fields the last is the text, of 5 the last two are a pair.
func labelledLines(path string, fields int) records {
	return eachRecord(path, func(line []byte) (data.Record, error) { return parseLine(line, fields) })
}

// parseLine reads a line of labelledLines.
func parseLine(line []byte, fields int) (data.Record, error) {
	parts := strings.SplitN(string(bytes.TrimSpace(line)), "\t", fields)
	if len(parts) != fields {
		return data.Record{}, fmt.Errorf("%d fields with tabs between, want %d", len(parts), fields)
	}
	label, text := wholeNumber(parts[0]), parts[fields-1]
	if label == "" || text == "" {
		return data.Record{}, errors.New("the label or the text is empty")
	}
	r := data.Record{Text: data.ByteWords(text), Label: label}
	if fields == 5 {
		if parts[3] == "" {
			return data.Record{}, errors.New("the first text is empty")
		}
		r.Text, r.Pair = data.ByteWords(parts[3]), r.Text
	}
	return r, nil
}

// wholeNumber writes 1.0 as 1; AAN has its labels so. White space, which would
// make two words of a label, becomes _.
func wholeNumber(label string) string {
	if v, err := strconv.ParseFloat(label, 64); err == nil && v == math.Trunc(v) && math.Abs(v) < 1e9 {
		return strconv.Itoa(int(v))
	}
	return strings.Join(textfile.Fields(label), "_")
}

// expressions yields the expressions of a ListOps file, its parentheses left out.
func expressions(path string) records {
	return func(yield func(data.Record, error) bool) {
		all, err := listops.ReadTSV(path)
		if err != nil {
			yield(data.Record{}, err)
			return
		}
		listops.Records(all)(yield)
	}
}

// errStop ends the reading of a file whose records nobody wants any more.
var errStop = errors.New("stopped")

// eachRecord yields what parse makes of each line of a file.
func eachRecord(path string, parse func(line []byte) (data.Record, error)) records {
	return func(yield func(data.Record, error) bool) {
		number := 0
		err := textfile.Open("tsv", path, func(r io.Reader, name string) error {
			return textfile.EachRecord(r, name, func(line []byte) error {
				record, err := parse(line)
				number++
				record.Where = fmt.Sprintf("%s:%d", name, number)
				if err == nil && !yield(record, nil) {
					err = errStop
				}
				return err
			})
		})
		if err != nil && !errors.Is(err, errStop) {
			yield(data.Record{}, err)
		}
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
