package labelled

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/mega-go/mega/data/audio"
	"github.com/mega-go/mega/data/table"
	"github.com/mega-go/mega/internal/textfile"
)

// readFolder reads a directory: of tables or arrays called train, valid and test;
// of folders of these names; or of folders named for classes.
func readFolder(dir string, o Options, use func(*Sample) error) error {
	if o.unlabelled {
		f := folder{Options: o, use: use}
		return f.walk(dir, "")
	}
	entries, err := textfile.ReadDir(dir)
	if err != nil {
		return err
	}
	parts := map[string]string{} // by split
	for _, e := range entries {
		base, _, _ := strings.Cut(e.Name(), ".")
		split, ok := splitOf(base)
		if !ok || !e.IsDir() && !IsFile(e.Name()) {
			continue
		}
		if other := parts[split]; other != "" {
			return fmt.Errorf("%s: both %s and %s are for %s", dir, filepath.Base(other), e.Name(), split)
		}
		parts[split] = filepath.Join(dir, e.Name())
	}
	if parts[Train] == "" {
		return readClasses(dir, entries, o, use)
	}
	for _, split := range Splits {
		if path := parts[split]; path != "" {
			if err := readPart(path, o, func(s *Sample) error {
				s.Split = split
				return use(s)
			}); err != nil {
				return err
			}
		}
	}
	return nil
}

// readClasses reads folders named for classes, and what is below them.
func readClasses(dir string, entries []fs.DirEntry, o Options, use func(*Sample) error) error {
	f := folder{Options: o, use: use}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if info, err := os.Stat(path); err != nil || !info.IsDir() {
			if err := use(&Sample{File: path, LeftOut: "files beside the folders of classes"}); err != nil {
				return err
			}
			continue
		}
		if err := f.walk(path, e.Name()); err != nil {
			return err
		}
	}
	if f.samples == 0 {
		return fmt.Errorf("%s: no labelled data: want folders named for classes with a file a sample, or train.csv, valid.csv and test.csv (or another kind of table)", dir)
	}
	return nil
}

// A folder reads the files of folders named for classes.
type folder struct {
	Options
	use     func(*Sample) error
	samples int
	kind    string // of the first sample
	text    bytes.Buffer
}

func (f *folder) walk(dir, class string) error {
	return filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if path != dir && textfile.Clutter(e.Name()) {
			if e.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if info, err := os.Stat(path); e.IsDir() || err != nil || !info.Mode().IsRegular() {
			return nil // a folder, a broken link, a pipe
		}
		s, err := f.sample(path)
		if err != nil {
			return err
		}
		if s.Label = class; s.LeftOut == "" {
			f.samples++
		}
		return f.use(s)
	})
}

// sample reads a file.
func (f *folder) sample(path string) (*Sample, error) {
	if f.unlabelled && IsFile(path) {
		return nil, fmt.Errorf("%s: a table or an array among files that are a sample each: name it itself", path)
	}
	s := &Sample{Kind: Texts, File: path}
	if strings.EqualFold(filepath.Ext(path), ".wav") {
		s.Kind = Sound
	}
	if f.kind == "" {
		f.kind = s.Kind
	}
	if s.Kind != f.kind {
		s.LeftOut = "files that are no " + f.kind
		return s, nil
	}
	if s.Kind == Sound {
		return s, f.sound(s)
	}
	return s, f.read(s)
}

// sound measures a recording.
func (f *folder) sound(s *Sample) error {
	frames, rate, err := audio.MeasureWAV(s.File)
	s.Path, s.Size, s.Rate = s.File, frames, rate
	switch {
	case errors.Is(err, audio.ErrNoSamples):
		s.LeftOut = "recordings without a sample"
	case err != nil && f.SkipMalformed:
		s.LeftOut = "recordings that cannot be read"
	default:
		return err
	}
	return nil
}

// maxText bounds a file that is one text.
const maxText = 1 << 28

// read reads a text: its bytes as they are, but for marks and encodings that say
// what they are, and without the line end that files end with.
func (f *folder) read(s *Sample) error {
	in, err := table.OpenText(s.File, f.Encoding)
	if err == nil {
		defer in.Close()
		f.text.Reset()
		if _, err = f.text.ReadFrom(io.LimitReader(in, maxText+1)); err != nil {
			err = fmt.Errorf("%s: cannot read: %w", s.File, err)
		}
	}
	text := bytes.TrimSuffix(bytes.TrimSuffix(f.text.Bytes(), []byte("\n")), []byte("\r"))
	switch {
	case errors.Is(err, table.ErrNoMark):
		s.LeftOut = "files that are no text"
	case err != nil && f.SkipMalformed:
		s.LeftOut = "files that cannot be read"
	case err != nil:
		return err
	case len(text) > maxText:
		s.LeftOut = fmt.Sprintf("files of more than %d MB", maxText>>20)
	case bytes.IndexByte(text, 0) >= 0:
		s.LeftOut = "files that are no text"
	case len(bytes.TrimSpace(text)) == 0:
		s.LeftOut = "files without a text"
	}
	s.Texts = [][]byte{text}
	return nil
}
