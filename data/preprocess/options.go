package preprocess

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/mega-go/mega/data/lines"
	"github.com/mega-go/mega/data/pieces"
)

// DefaultPaddingFactor is fairseq's default of --padding-factor.
const DefaultPaddingFactor = 8

// Options are the arguments of fairseq-preprocess.
type Options struct {
	SourceLang, TargetLang string // --source-lang, --target-lang: suffixes of the texts
	OnlySource             bool   // --only-source: one language, which may have no suffix

	TrainPref           string   // --trainpref: the texts are TrainPref.LANG
	ValidPref, TestPref []string // --validpref, --testpref: the second becomes valid1, test1, …
	DestDir             string   // --destdir, made if it is not there
	Overwrite           bool     // replace files of DestDir that hold something else

	ThresholdSource, ThresholdTarget int64  // --thresholdsrc, --thresholdtgt: rarer words become <unk>
	WordsSource, WordsTarget         int    // --nwordssrc, --nwordstgt: the most ids, special ones included; not positive: all
	SourceDict, TargetDict           string // --srcdict, --tgtdict: a dictionary to use instead of a new one
	Pieces                           string // file of the pieces that lines are cut into; "" for words
	JoinedDictionary                 bool   // --joined-dictionary: one for both languages, by the source's settings
	DictOnly                         bool   // --dict-only of later fairseqs: no token files
	DatasetImpl                      string // --dataset-impl: mmap, the default, cached, lazy (the same files) or raw, a copy of the text
	PaddingFactor                    int    // --padding-factor; 0 stands for the default, 1 pads nothing

	Workers  int            // --workers; 0 stands for all cores
	Progress func(Progress) // told now and then how far it is; may be nil
}

// Formats are the values of DatasetImpl.
var Formats = []string{"mmap", "cached", "lazy", "raw"}

// Progress says how far the whole work is.
type Progress struct {
	File        string // being read
	Done, Total int64  // bytes, over all passes
}

// fill puts in defaults.
func (o *Options) fill() {
	if o.PaddingFactor == 0 {
		o.PaddingFactor = DefaultPaddingFactor
	}
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
}

// Validate reports what is missing or cannot be.
func (o *Options) Validate() error {
	pair := !o.OnlySource
	switch {
	case o.DestDir == "":
		return errors.New("no directory for the result; give destdir")
	case pair && (o.SourceLang == "" || o.TargetLang == ""):
		return errors.New("no pair of languages; give source_lang and target_lang, or only_source for a single text")
	case pair && o.SourceLang == o.TargetLang:
		return fmt.Errorf("source and target language are both %q", o.SourceLang)
	case strings.ContainsAny(o.SourceLang+o.TargetLang, `/\`):
		return fmt.Errorf("languages %q and %q: a language is the end of a file's name", o.SourceLang, o.TargetLang)
	case o.TrainPref == "" && len(o.ValidPref) == 0 && len(o.TestPref) == 0:
		return errors.New("no text; give trainpref, validpref or testpref")
	case !slices.Contains(Formats, o.DatasetImpl) && o.DatasetImpl != "":
		return fmt.Errorf("dataset-impl is %q, want one of %s", o.DatasetImpl, strings.Join(Formats, ", "))
	case o.PaddingFactor < 0:
		return fmt.Errorf("padding factor %d, want 1 at least", o.PaddingFactor)
	}
	if o.Pieces != "" {
		return o.validatePieces()
	}
	return o.validateDictionaries()
}

// validatePieces reports what contradicts that both dictionaries are of pieces.
func (o *Options) validatePieces() error {
	switch {
	case o.OnlySource:
		return errors.New("pieces are for two languages; a language model takes plain text and its pieces when it is trained")
	case o.SourceDict != "" || o.TargetDict != "" || o.WordsSource > 0 || o.WordsTarget > 0 || o.ThresholdSource > 0 || o.ThresholdTarget > 0:
		return errors.New("pieces are the dictionary of both languages: no other, no number of words and no threshold can be given beside them")
	case o.DatasetImpl == "raw":
		return errors.New("dataset-impl is raw, which copies the texts as they are, not in pieces; want mmap")
	}
	return nil
}

func (o *Options) validateDictionaries() error {
	if o.JoinedDictionary {
		switch {
		case o.OnlySource:
			return errors.New("joined_dictionary is for two languages, only_source for one")
		case o.SourceDict != "" && o.TargetDict != "":
			return errors.New("joined_dictionary takes one of srcdict and tgtdict, not both")
		case o.SourceDict == "" && o.TargetDict == "" && o.TrainPref == "":
			return errors.New("no text to make the joined dictionary of; give trainpref, srcdict or tgtdict")
		}
	} else {
		switch {
		case o.SourceDict == "" && o.TrainPref == "":
			return errors.New("no text to make the source dictionary of; give trainpref or srcdict")
		case !o.OnlySource && o.TargetDict == "" && o.TrainPref == "":
			return errors.New("no text to make the target dictionary of; give trainpref or tgtdict")
		}
	}
	if o.Overwrite {
		return nil
	}
	if o.SourceDict == "" {
		if err := mustNotExist(o.dictPath(o.SourceLang), "srcdict"); err != nil {
			return err
		}
	}
	if !o.OnlySource && o.TargetDict == "" {
		return mustNotExist(o.dictPath(o.TargetLang), "tgtdict")
	}
	return nil
}

// mustNotExist keeps a dictionary from being replaced by mistake: models trained
// with it would become useless.
func mustNotExist(path, key string) error {
	if _, err := os.Stat(path); err != nil {
		return nil
	}
	return fmt.Errorf("%s is there already: use it with %s, choose another directory, or give overwrite to replace it", path, key)
}

// dictPath returns where the dictionary of a language goes.
func (o *Options) dictPath(lang string) string {
	return filepath.Join(o.DestDir, "dict"+suffix(lang)+".txt")
}

// textPath returns the text of a language.
func textPath(prefix, lang string) string { return prefix + suffix(lang) }

func suffix(lang string) string {
	if lang == "" {
		return ""
	}
	return "." + lang
}

// outputPath returns the token file of a split and language, without extension.
// A single language with a suffix is "en-None.en", as in the reference.
func (o *Options) outputPath(split, lang string) string {
	name := split
	if lang != "" {
		name += fmt.Sprintf(".%s-%s.%s", languageName(o.SourceLang), languageName(o.TargetLang), lang)
	}
	return filepath.Join(o.DestDir, name)
}

// Entries returns the names of the files that are made in DestDir, of any format:
// texts that lie there and are read are none of them.
func (o *Options) Entries() []string {
	var names []string
	for _, lang := range o.languages() {
		names = append(names, filepath.Base(o.dictPath(lang)))
		for _, s := range o.encoded() {
			name := filepath.Base(o.outputPath(s.name, lang))
			names = append(names, name+".bin", name+".idx", name)
		}
	}
	if !o.OnlySource {
		names = append(names, pieces.InData)
	}
	return slices.DeleteFunc(names, o.reads)
}

// reads tells whether a file of DestDir is one of the texts.
func (o *Options) reads(name string) bool {
	made, err := os.Stat(filepath.Join(o.DestDir, name))
	for _, s := range o.splits() {
		for _, lang := range o.languages() {
			text, missing := os.Stat(textPath(s.prefix, lang))
			if err == nil && missing == nil && os.SameFile(made, text) {
				return true
			}
		}
	}
	return false
}

// A split is a text, or a pair of texts, and the name that it gets.
type split struct{ prefix, name string }

func (o *Options) splits() []split {
	var all []split
	if o.TrainPref != "" {
		all = append(all, split{o.TrainPref, "train"})
	}
	all = append(all, numbered("valid", o.ValidPref)...)
	return append(all, numbered("test", o.TestPref)...)
}

// numbered names splits NAME, NAME1, NAME2, ….
func numbered(name string, prefixes []string) []split {
	var all []split
	for k, prefix := range prefixes {
		all = append(all, split{prefix, name + lines.Suffix(k)})
	}
	return all
}

// languages returns the one or two languages.
func (o *Options) languages() []string {
	if o.OnlySource {
		return []string{o.SourceLang}
	}
	return []string{o.SourceLang, o.TargetLang}
}
