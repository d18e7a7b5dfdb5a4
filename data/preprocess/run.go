package preprocess

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/mega-go/mega/data"
	"github.com/mega-go/mega/data/pieces"
	"github.com/mega-go/mega/internal/atomicfile"
)

// Report says what was made.
type Report struct {
	Dictionaries []DictionaryReport // of each language
	Files        []FileReport       // all of the source language, then all of the target
	Warnings     []string           // what looks wrong with the texts and was taken as it is
}

// Run makes the dictionaries and token files, and puts all in place at once. It puts
// nothing in place if a text turns out to be wrong: texts of a pair that differ in
// their number of lines, a text that is empty or not UTF-8. Without Overwrite a file
// that is there and holds something else is an error too.
func Run(ctx context.Context, o Options) (*Report, error) {
	o.fill()
	if err := o.Validate(); err != nil {
		return nil, err
	}
	r := &run{Options: o, ctx: ctx}
	if err := r.openPieces(); err != nil {
		return nil, err
	}
	if err := r.measure(); err != nil {
		return nil, err
	}
	report := &Report{}
	err := atomicfile.WriteSet(o.DestDir, o.Entries(), true, func(temp string) error {
		r.temp = temp
		if err := r.write(report); err != nil || o.Overwrite {
			return err
		}
		return r.compare()
	})
	return report, err
}

// write makes all files in the temporary directory.
func (r *run) write(report *Report) error {
	dictionaries, err := r.dictionaries()
	if err != nil {
		return err
	}
	files := make([][]FileReport, len(dictionaries))
	for _, s := range r.encoded() {
		if err := r.encode(s, dictionaries, files); err != nil {
			return err
		}
	}
	if r.pieces != nil {
		if err := atomicfile.WriteFile(filepath.Join(r.temp, pieces.InData), r.pieces.File()); err != nil {
			return err
		}
	}
	report.Warnings = r.warnings
	for i, lang := range r.languages() {
		if err := dictionaries[i].Save(r.inTemp(r.dictPath(lang))); err != nil {
			return err
		}
		report.Dictionaries = append(report.Dictionaries, DictionaryReport{lang, dictionaries[i].Len()})
		report.Files = append(report.Files, files[i]...)
	}
	return nil
}

// inTemp returns where a file of DestDir is made.
func (r *run) inTemp(path string) string { return filepath.Join(r.temp, filepath.Base(path)) }

// compare fails if a file of DestDir would change.
func (r *run) compare() error {
	for _, name := range r.Entries() {
		path := filepath.Join(r.DestDir, name)
		same, err := sameContent(path, r.inTemp(name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err == nil && !same {
			return fmt.Errorf("%s is there already and holds something else: choose another directory, or give overwrite to replace it", path)
		}
	}
	return nil
}

// sameContent reports whether two files hold the same.
func sameContent(a, b string) (bool, error) {
	x, err := os.Open(a)
	if err != nil {
		return false, err
	}
	defer x.Close()
	y, err := os.Open(b)
	if errors.Is(err, fs.ErrNotExist) { // of another format
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer y.Close()
	const size = 1 << 16
	p, q := make([]byte, size), make([]byte, size)
	for {
		n, err := io.ReadFull(x, p)
		m, _ := io.ReadFull(y, q)
		if err != nil || n != m || !bytes.Equal(p[:n], q[:m]) {
			ended := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
			return ended && bytes.Equal(p[:n], q[:m]), nil
		}
	}
}

// A DictionaryReport says how large a dictionary is.
type DictionaryReport struct {
	Language string // empty where none was given
	Types    int
}

// String returns the line that fairseq-preprocess logs.
func (d DictionaryReport) String() string {
	return fmt.Sprintf("[%s] Dictionary: %d types", languageName(d.Language), d.Types)
}

// run is the state of a Run.
type run struct {
	Options
	ctx      context.Context
	temp     string // directory in which files are made
	progress Progress
	warnings []string
	pieces   *pieces.Set // nil for words
}

// openPieces reads the file of pieces, if one is given.
func (r *run) openPieces() (err error) {
	if r.Pieces == "" {
		return nil
	}
	r.pieces, err = pieces.Open(r.Pieces)
	return err
}

// measure adds up what there is to read, and so finds missing files at once.
func (r *run) measure() error {
	for _, s := range r.splits() {
		for i, lang := range r.languages() {
			info, err := os.Stat(textPath(s.prefix, lang))
			if err != nil {
				return openError(textPath(s.prefix, lang), err)
			}
			if !info.Mode().IsRegular() { // texts are read twice
				return fmt.Errorf("%s: is %s, want a text file", textPath(s.prefix, lang), kind(info.Mode()))
			}
			if !r.DictOnly {
				r.progress.Total += info.Size()
			}
			if s.name == "train" && r.counts(i) {
				r.progress.Total += info.Size()
			}
		}
	}
	return nil
}

// kind says what a file is that is not a regular one.
func kind(mode os.FileMode) string {
	switch {
	case mode.IsDir():
		return "a directory"
	case mode&os.ModeNamedPipe != 0:
		return "a pipe, which can be read only once"
	}
	return "a device"
}

// encoded returns the splits that token files are made of.
func (o *Options) encoded() []split {
	if o.DictOnly {
		return nil
	}
	return o.splits()
}

// counts tells whether a dictionary is made of the training text of a language.
func (r *run) counts(language int) bool {
	if r.pieces != nil {
		return false
	}
	if r.JoinedDictionary {
		return r.SourceDict == "" && r.TargetDict == ""
	}
	return []string{r.SourceDict, r.TargetDict}[language] == ""
}

// reading returns a function that counts the bytes read of a file.
func (r *run) reading(path string) func(bytes int) {
	return func(bytes int) {
		r.progress.File = path
		r.progress.Done += int64(bytes)
		if r.Progress != nil {
			r.Progress(r.progress)
		}
	}
}

// dictionaries makes or loads the dictionary of each language.
func (r *run) dictionaries() ([]*data.Dictionary, error) {
	if r.pieces != nil {
		return []*data.Dictionary{r.pieces.Dictionary(), r.pieces.Dictionary()}, nil
	}
	if r.JoinedDictionary {
		path := r.SourceDict
		if path == "" {
			path = r.TargetDict
		}
		d, err := r.dictionary(path, r.languages(), r.ThresholdSource, r.WordsSource)
		return []*data.Dictionary{d, d}, err
	}
	source, err := r.dictionary(r.SourceDict, []string{r.SourceLang}, r.ThresholdSource, r.WordsSource)
	if err != nil || r.OnlySource {
		return []*data.Dictionary{source}, err
	}
	target, err := r.dictionary(r.TargetDict, []string{r.TargetLang}, r.ThresholdTarget, r.WordsTarget)
	return []*data.Dictionary{source, target}, err
}

// dictionary loads a dictionary, or makes one of the training texts of some
// languages.
func (r *run) dictionary(path string, languages []string, threshold int64, words int) (*data.Dictionary, error) {
	if path != "" {
		return data.OpenDictionary(path)
	}
	d := data.NewDictionary()
	for _, lang := range languages {
		text := textPath(r.TrainPref, lang)
		if err := CountFile(r.ctx, d, text, r.Workers, r.reading(text)); err != nil {
			return nil, err
		}
	}
	d.Finalize(threshold, words, r.PaddingFactor)
	return d, nil
}

// encode writes the token files of a split, in every language or in none.
func (r *run) encode(s split, dictionaries []*data.Dictionary, files [][]FileReport) error {
	var done [2]*encoding
	defer func() {
		done[0].abort()
		done[1].abort()
	}()
	for i, lang := range r.languages() {
		text := textPath(s.prefix, lang)
		e, err := encode(r.ctx, dictionaries[i], r.pieces, r.DatasetImpl, text, r.inTemp(r.outputPath(s.name, lang)), r.Workers, r.reading(text))
		if err != nil {
			return err
		}
		e.Language, e.Output = lang, r.outputPath(s.name, lang)
		done[i] = e
		r.warnUnknown(e.FileReport)
	}
	if !r.OnlySource {
		if err := r.align(done[0], done[1]); err != nil {
			return err
		}
	}
	for i := range r.languages() {
		if err := done[i].finish(); err != nil {
			return err
		}
		files[i] = append(files[i], done[i].FileReport)
	}
	return nil
}

// One unknown word in tooMany is a share that hardly any right dictionary leaves.
const tooMany = 2

func (r *run) warnUnknown(f FileReport) {
	if words := f.Tokens - f.Sentences; words > 0 && f.Replaced > words/tooMany {
		r.warnings = append(r.warnings, fmt.Sprintf("%s: %s%% of the words are not in the dictionary of %d; is it the right one?",
			f.Input, percent(f.Replaced, words), f.Types))
	}
}

// align holds the two texts of a pair against each other.
func (r *run) align(a, b *encoding) error {
	line, more := oneSided(a.sizes, b.sizes)
	hint := ""
	if line >= 0 {
		empty, full := a, b
		if a.sizes[line] > 0 {
			empty, full = b, a
		}
		hint = fmt.Sprintf("%s:%d: the line is empty, but %s:%d is not", empty.Input, line+1, full.Input, line+1)
		if more > 0 {
			hint += fmt.Sprintf(" (and %d more such lines)", more)
		}
	}
	if len(a.sizes) != len(b.sizes) {
		shorter, longer := a, b
		if len(a.sizes) > len(b.sizes) {
			shorter, longer = b, a
		}
		err := fmt.Errorf("%s has %d lines, %s has %d: line %d of %s has no counterpart",
			shorter.Input, len(shorter.sizes), longer.Input, len(longer.sizes), len(shorter.sizes)+1, longer.Input)
		if hint != "" {
			err = fmt.Errorf("%w; they may part at %s", err, hint)
		}
		return err
	}
	if hint != "" {
		r.warnings = append(r.warnings, hint)
	}
	return nil
}

// oneSided returns the first line that is empty in one of two texts only, -1 if
// there is none, and how many more there are.
func oneSided(a, b []int32) (first, more int) {
	first = -1
	for i := range min(len(a), len(b)) {
		switch {
		case (a[i] == 0) == (b[i] == 0):
		case first < 0:
			first = i
		default:
			more++
		}
	}
	return first, more
}
