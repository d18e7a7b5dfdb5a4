// Package recipe holds whole training commands under a name: published ones and short
// ones of our own. NAME.txt says what a recipe is for, where it comes from and what
// score it reaches, and lists its flags.
package recipe

import (
	"cmp"
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/mega-go/mega/internal/spell"
)

//go:embed *.txt
var files embed.FS

// A Recipe is a whole training command under a name: the flags that the user's
// own follow and override.
type Recipe struct {
	Name    string
	Summary string   // the first line of the file
	Flags   []string // one argument each
}

// parse reads the text of a recipe. A line is a comment, which begins with #, or
// arguments with spaces between.
func parse(name, text string) Recipe {
	r := Recipe{Name: name}
	for line := range strings.Lines(text) {
		if comment, ok := strings.CutPrefix(line, "# "); ok {
			r.Summary = cmp.Or(r.Summary, strings.TrimSpace(comment))
		} else {
			r.Flags = append(r.Flags, strings.Fields(line)...)
		}
	}
	return r
}

// Find returns the recipe of that name.
func Find(name string) (Recipe, error) {
	text, err := files.ReadFile(name + ".txt")
	if err == nil {
		return parse(name, string(text)), nil
	}
	names := Names()
	if near := spell.Nearest(name, names); near != "" {
		return Recipe{}, fmt.Errorf("unknown preset %q, did you mean %q?", name, near)
	}
	return Recipe{}, fmt.Errorf("unknown preset %q, want one of %s", name, strings.Join(names, ", "))
}

// Names lists the recipes in the order of the alphabet.
func Names() []string {
	names, _ := fs.Glob(files, "*.txt") // fails for a bad pattern alone
	for i, file := range names {
		names[i] = strings.TrimSuffix(file, ".txt")
	}
	slices.Sort(names)
	return names
}
