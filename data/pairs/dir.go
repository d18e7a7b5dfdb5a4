package pairs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mega-go/mega/data"
	"github.com/mega-go/mega/data/lines"
	"github.com/mega-go/mega/data/pieces"
	"github.com/mega-go/mega/internal/textfile"
)

// Dir is a directory of sentence pairs in the reference's layout:
// dict.LANG.txt and SPLIT.SRC-TGT.LANG.bin and .idx of both languages.
type Dir struct {
	Path                   string
	SourceLang, TargetLang string
	Source, Target         *data.Dictionary
	Pieces                 *pieces.Set // what both dictionaries are of; nil for words
}

// OpenDir reads the two dictionaries of a directory, or the pieces that both are
// of. Languages that are not given, which are empty, are those of the files in it.
func OpenDir(path, source, target string) (*Dir, error) {
	entries, err := textfile.ReadDir(path)
	if err != nil {
		return nil, fmt.Errorf("%s: no such directory; want that of the data, which holds dict.LANG.txt and SPLIT.SRC-TGT.LANG.idx", path)
	}
	known := languagePairs(entries)
	if source == "" || target == "" {
		if source, target, err = inferPair(path, known, source, target); err != nil {
			return nil, err
		}
	}
	if !slices.Contains(known, [2]string{source, target}) && !slices.Contains(known, [2]string{target, source}) {
		return nil, fmt.Errorf("%s: no data of the language pair %s-%s, %s", path, source, target, describe(known))
	}
	return OpenDictionaries(path, source, target)
}

// OpenDictionaries reads what OpenDir does, of a directory that need hold nothing else.
func OpenDictionaries(path, source, target string) (*Dir, error) {
	d := &Dir{Path: path, SourceLang: source, TargetLang: target}
	file := filepath.Join(path, pieces.InData)
	if _, err := os.Lstat(file); err == nil {
		if d.Pieces, err = pieces.Open(file); err != nil {
			return nil, err
		}
		d.Source, d.Target = d.Pieces.Dictionary(), d.Pieces.Dictionary()
		return d, nil
	}
	var err error
	if d.Source, err = data.LoadDictionary(d.dictPath(source)); err != nil {
		return nil, err
	}
	d.Target, err = data.LoadDictionary(d.dictPath(target))
	if err != nil {
		return nil, err
	}
	return d, nil
}

func (d *Dir) dictPath(lang string) string {
	return filepath.Join(d.Path, "dict."+lang+".txt")
}

// languagePairs returns the pairs SRC-TGT of the token files, or raw texts, in a
// directory. A name is SPLIT.SRC-TGT.LANG, and LANG, one of the two, tells where
// a language such as zh-Hans ends; where both readings can be, dictionaries do.
func languagePairs(entries []os.DirEntry) [][2]string {
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	var pairs [][2]string
	for _, name := range names {
		parts := strings.Split(strings.TrimSuffix(name, ".idx"), ".")
		if len(parts) < 3 {
			continue
		}
		pair, lang := parts[len(parts)-2], parts[len(parts)-1]
		var readings [][2]string
		if target, ok := strings.CutPrefix(pair, lang+"-"); ok && target != "" {
			readings = append(readings, [2]string{lang, target})
		}
		if source, ok := strings.CutSuffix(pair, "-"+lang); ok && source != "" {
			readings = append(readings, [2]string{source, lang})
		}
		if len(readings) == 2 {
			readings = slices.DeleteFunc(readings, func(r [2]string) bool {
				return !slices.Contains(names, "dict."+r[0]+".txt") || !slices.Contains(names, "dict."+r[1]+".txt")
			})
		}
		for _, r := range readings {
			if !slices.Contains(pairs, r) {
				pairs = append(pairs, r)
			}
		}
	}
	return pairs
}

// inferPair fills in the languages that are not given.
func inferPair(path string, known [][2]string, source, target string) (string, string, error) {
	var found [][2]string
	for _, pair := range known {
		a, b := pair[0], pair[1]
		switch {
		case source == "" && target == "", source == a, target == b:
			found = append(found, [2]string{a, b})
		case source == b, target == a:
			found = append(found, [2]string{b, a})
		}
	}
	if len(found) == 1 {
		return found[0][0], found[0][1], nil
	}
	return "", "", fmt.Errorf("%s: cannot tell the languages, %s; give source_lang and target_lang", path, describe(known))
}

func describe(known [][2]string) string {
	if len(known) == 0 {
		return "it has no token files of a pair (SPLIT.SRC-TGT.LANG.idx)"
	}
	var names []string
	for _, pair := range known {
		names = append(names, pair[0]+"-"+pair[1])
	}
	return "it has " + strings.Join(names, ", ")
}

// Joined tells whether both languages have the same words under the same ids,
// as a model that shares its embeddings needs (--share-all-embeddings).
func (d *Dir) Joined() bool {
	if d.Source.Len() != d.Target.Len() {
		return false
	}
	for id := range int32(d.Source.Len()) {
		if d.Source.Symbol(id) != d.Target.Symbol(id) {
			return false
		}
	}
	return true
}

// OpenOptions says how a split of a Dir is opened.
type OpenOptions struct {
	// Combine appends SPLIT1, SPLIT2, … as far as they are there, which the
	// reference does for the training split.
	Combine bool
	// UpsamplePrimary is how many times SPLIT itself is read where Combine finds more
	// (--upsample-primary); 0 stands for 1.
	UpsamplePrimary int
	// TruncateSource is as in Options.
	TruncateSource int
}

// Split is an open split of a Dir.
type Split struct {
	*Dataset
	files []*lines.Files
}

// Has reports whether there is a split.
func (d *Dir) Has(split string) bool { return d.prefix(split) != nil }

// Open opens a split (train, valid, test). The targets may be missing. Close it
// when done.
func (d *Dir) Open(split string, o OpenOptions) (*Split, error) {
	prefix := d.prefix(split)
	if prefix == nil {
		return nil, fmt.Errorf("%s: no split %q of %s-%s (%s.%s-%s.%s.idx)",
			d.Path, split, d.SourceLang, d.TargetLang, split, d.SourceLang, d.TargetLang, d.SourceLang)
	}
	s := &Split{}
	source, err := s.open(d.Source, prefix, d.SourceLang, o)
	if err != nil {
		return nil, err
	}
	var target lines.Lines // stays nil, not a nil *lines.Files
	if lines.Exists(prefix(0, d.TargetLang)) {
		files, err := s.open(d.Target, prefix, d.TargetLang, o)
		if err != nil {
			return nil, errors.Join(err, s.Close())
		}
		target = files
	}
	if s.Dataset, err = New(source, target, Options{d.Source.Len(), d.Target.Len(), o.TruncateSource}); err != nil {
		s.Close()
		return nil, fmt.Errorf("%s: %w", prefix(0, d.SourceLang+","+d.TargetLang), err)
	}
	return s, nil
}

// prefix returns the names of the token files of a split, by number and
// language: those of SRC-TGT, or else of TGT-SRC, or nil if there are none.
func (d *Dir) prefix(split string) func(k int, lang string) string {
	for _, pair := range []string{d.SourceLang + "-" + d.TargetLang, d.TargetLang + "-" + d.SourceLang} {
		prefix := func(k int, lang string) string {
			return filepath.Join(d.Path, fmt.Sprintf("%s%s.%s.%s", split, lines.Suffix(k), pair, lang))
		}
		if lines.Exists(prefix(0, d.SourceLang)) {
			return prefix
		}
	}
	return nil
}

func (s *Split) open(dictionary *data.Dictionary, prefix func(k int, lang string) string, lang string, o OpenOptions) (*lines.Files, error) {
	names := lines.Numbered(func(k int) string { return prefix(k, lang) }, o.Combine)
	if len(names) > 1 && o.UpsamplePrimary > 1 {
		names = append(slices.Repeat(names[:1], o.UpsamplePrimary-1), names...)
	}
	f, err := lines.Open(dictionary.Encode, names...)
	if err == nil {
		s.files = append(s.files, f)
	}
	return f, err
}

// Close closes the files.
func (s *Split) Close() error {
	var errs []error
	for _, f := range s.files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}
