package numbers

import (
	"context"
	"path/filepath"

	"github.com/mega-go/mega/data/preprocess"
)

// Write writes the names of numbers in English and German to a directory,
// as text and made ready to train a translator on, with one dictionary for both
// languages.
func Write(ctx context.Context, dir string, o Options) error {
	splits, err := Generate(o)
	if err != nil {
		return err
	}
	if err := splits.Write(dir); err != nil {
		return err
	}
	_, err = preprocess.Run(ctx, preparation(dir, o))
	return err
}

func preparation(dir string, o Options) preprocess.Options {
	p := preprocess.Options{
		SourceLang: "en", TargetLang: "de", DestDir: dir, JoinedDictionary: true, TrainPref: filepath.Join(dir, "train"),
	}
	if o.Valid > 0 {
		p.ValidPref = []string{filepath.Join(dir, "valid")}
	}
	if o.Test > 0 {
		p.TestPref = []string{filepath.Join(dir, "test")}
	}
	return p
}

// Entries returns the names of the files that Write makes.
func Entries() []string {
	p := preparation("", Options{Valid: 1, Test: 1})
	return append(p.Entries(), "train.en", "train.de", "valid.en", "valid.de", "test.en", "test.de")
}
