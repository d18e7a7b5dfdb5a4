package labelled

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mega-go/mega/data/table"
	"github.com/mega-go/mega/format/npy"
	"github.com/mega-go/mega/internal/textfile"
)

// readArray reads series from an array of numpy [N, L] or [N, L, C], whose labels
// are in another file, or arrays of an archive that are called x and y, or x_train
// and y_train and so on, in whatever case.
func readArray(path string, o Options, use func(*Sample) error) error {
	if strings.EqualFold(filepath.Ext(table.Name(path)), ".npz") {
		return readArchive(path, o.unlabelled, use)
	}
	if o.Labels == "" && !o.unlabelled {
		return fmt.Errorf("%s: an array without labels: name the file of them (labels), or pack both into an .npz as x and y", path)
	}
	in, err := table.OpenBytes(path)
	if err != nil {
		return err
	}
	defer in.Close()
	if o.unlabelled {
		return eachSeries(path, in, nil, "", use)
	}
	labels, err := openLabels(o.Labels)
	if err != nil {
		return err
	}
	defer labels.close()
	return eachSeries(path, in, labels, "", use)
}

// labels are read one after the other.
type labels struct {
	name  string
	next  func() (string, error) // io.EOF after the last
	close func() error
}

// openLabels opens labels in an array of one dimension or in lines of text.
func openLabels(path string) (*labels, error) {
	in, err := table.OpenText(path, "")
	if err != nil {
		return nil, err
	}
	if !isArray(path) {
		lines := textfile.NewReader(in)
		return &labels{path, func() (string, error) {
			line, err := lines.Next()
			return textfile.Trim(string(line)), err
		}, in.Close}, nil
	}
	next, err := arrayLabels(in)
	if err != nil {
		in.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &labels{path, next, in.Close}, nil
}

func arrayLabels(in io.Reader) (func() (string, error), error) {
	a, err := npy.NewArray(in)
	if err != nil {
		return nil, err
	}
	if n := len(a.Shape); n == 0 || n > 2 || n == 2 && a.Shape[1] != 1 {
		return nil, fmt.Errorf("labels of the shape %v, want one a sample", a.Shape)
	}
	left := a.Shape[0]
	return func() (string, error) {
		if left--; left < 0 {
			return "", io.EOF
		}
		return a.NextText()
	}, nil
}

// eachSeries calls use with each series of an array and its label, if there are any.
func eachSeries(path string, in io.Reader, l *labels, split string, use func(*Sample) error) error {
	a, err := npy.NewArray(in)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if n := len(a.Shape); n < 2 || n > 3 || slices.Contains(a.Shape[1:], 0) {
		return fmt.Errorf("%s: an array of the shape %v, want samples × steps, or samples × steps × channels", path, a.Shape)
	}
	s := &Sample{Kind: Series, File: path, Split: split, Channels: 1}
	size := a.Shape[1]
	if len(a.Shape) == 3 {
		s.Channels = a.Shape[2]
		size *= s.Channels
	}
	for s.Line = 1; s.Line <= a.Shape[0]; s.Line++ {
		if err := s.next(a, l, size); err != nil {
			return fmt.Errorf("%s: sample %d: %w", path, s.Line, err)
		}
		if err := use(s); err != nil {
			return err
		}
	}
	if l == nil {
		return nil
	}
	for {
		switch label, err := l.next(); {
		case err == io.EOF:
			return nil
		case err != nil || label != "": // not an empty line at the end
			return fmt.Errorf("%s: more labels than the %d samples of %s", l.name, a.Shape[0], path)
		}
	}
}

// next reads a series and its label.
func (s *Sample) next(a *npy.Array, l *labels, size int) error {
	s.Values, s.LeftOut = s.Values[:0], ""
	for range size {
		x, err := a.Next()
		if err != nil {
			return err
		}
		s.add(float32(x))
	}
	if l == nil {
		return nil
	}
	label, err := l.next()
	if err == io.EOF {
		return fmt.Errorf("%s has no more labels", l.name)
	}
	if err != nil {
		return fmt.Errorf("its label in %s: %w", l.name, err)
	}
	if s.Label = label; label == "" {
		s.LeftOut = "samples without a label"
	}
	return nil
}

// archiveNames are the names of the parts' arrays in archives.
var archiveNames = map[string]string{"": "", "_train": Train, "_valid": Valid, "_val": Valid, "_dev": Valid, "_test": Test}

// readArchive reads the arrays of an archive in memory that does not grow with
// them.
func readArchive(path string, unlabelled bool, use func(*Sample) error) error {
	archive, close, err := openArchive(path)
	if err != nil {
		return err
	}
	defer close()
	found := false
	for _, ending := range []string{"", "_train", "_valid", "_val", "_dev", "_test"} {
		x, y := member(archive, "x"+ending), member(archive, "y"+ending)
		if x == nil || y == nil && !unlabelled {
			continue
		}
		found = true
		if unlabelled {
			y = nil
		}
		if err := readMembers(path, x, y, archiveNames[ending], use); err != nil {
			return err
		}
	}
	if found {
		return nil
	}
	var names []string
	for _, f := range archive.File {
		names = append(names, strings.TrimSuffix(f.Name, ".npy"))
	}
	return fmt.Errorf("%s: no arrays x and y, or x_train and y_train, but %s", path, strings.Join(names, ", "))
}

func openArchive(path string) (*zip.Reader, func() error, error) {
	if table.Name(path) != path {
		return nil, nil, fmt.Errorf("%s: an archive that is compressed twice, want the .npz", path)
	}
	f, close, err := textfile.OpenSeekable(path)
	if err != nil {
		return nil, nil, err
	}
	var info fs.FileInfo
	if info, err = f.Stat(); err == nil {
		var archive *zip.Reader
		if archive, err = zip.NewReader(f, info.Size()); err == nil {
			return archive, close, nil
		}
	}
	return nil, nil, errors.Join(fmt.Errorf("%s: not an archive of numpy: %w", path, err), close())
}

func member(archive *zip.Reader, name string) *zip.File {
	for _, f := range archive.File {
		if strings.EqualFold(f.Name, name+".npy") {
			return f
		}
	}
	return nil
}

func readMembers(path string, x, y *zip.File, split string, use func(*Sample) error) error {
	values, err := x.Open()
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	defer values.Close()
	if y == nil {
		return eachSeries(path+": "+x.Name, values, nil, split, use)
	}
	in, err := y.Open()
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	defer in.Close()
	name := path + ": " + y.Name
	next, err := arrayLabels(in)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return eachSeries(path+": "+x.Name, values, &labels{name: name, next: next}, split, use)
}
