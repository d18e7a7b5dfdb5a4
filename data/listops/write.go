package listops

import (
	"os"
	"path/filepath"

	"github.com/mega-go/mega/data"
)

// Write generates expressions and writes them to a directory, in the layout that
// data.OpenTextDir reads and, beside it, as the Long Range Arena's train.tsv,
// valid.tsv and test.tsv.
func (c Config) Write(dir string, sizes data.SplitSizes, seed uint64) error {
	if err := sizes.Validate(); err != nil {
		return err
	}
	expressions, err := c.Generate(sizes.Total(), seed)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	var splits []data.TextSplit
	err = sizes.Each(func(name string, from, to int) error {
		part := expressions[from:to]
		splits = append(splits, data.TextSplit{Name: name, Records: Records(part)})
		return WriteTSV(filepath.Join(dir, name+".tsv"), part)
	})
	if err != nil {
		return err
	}
	return data.WriteText(dir, splits...)
}
