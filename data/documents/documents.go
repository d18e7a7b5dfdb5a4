package documents

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/mega-go/mega/internal/textfile"
)

// A Class is documents of one kind.
type Class struct {
	Name  string
	Texts [][]byte
}

// Collection is classes of documents in a fixed order.
type Collection struct {
	classes []Class
	seen    map[[sha256.Size]byte]bool // texts, to leave copies out
}

// Add reads the files below a directory whose names match a pattern of
// filepath.Match and are not clutter (textfile.Clutter), and that are not shorter than
// least bytes, into the class of that name. Copies of earlier documents are left out,
// so that none is on both sides of a split. It is an error if there are none.
func (c *Collection) Add(class, dir, pattern string, least int) error {
	if class == "" || dir == "" {
		return errors.New("documents: a class needs a name and a directory")
	}
	if _, err := filepath.Match(pattern, ""); err != nil {
		return fmt.Errorf("documents: pattern %q: %w", pattern, err)
	}
	if c.seen == nil {
		c.seen = make(map[[sha256.Size]byte]bool)
	}
	added := 0
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && path != dir && textfile.Clutter(e.Name()) {
			if e.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		if ok, _ := filepath.Match(pattern, e.Name()); !ok {
			return nil
		}
		text, err := os.ReadFile(path)
		if err == nil && len(text) >= least && !c.isCopy(text) {
			to := c.class(class)
			to.Texts = append(to.Texts, text)
			added++
		}
		return err
	})
	if err == nil && added == 0 {
		err = fmt.Errorf("documents: %s has no files %s of %d bytes or more that were not read before", dir, pattern, least)
	}
	return err
}

// isCopy tells whether a text was seen before, and remembers it.
func (c *Collection) isCopy(text []byte) bool {
	sum := sha256.Sum256(text)
	was := c.seen[sum]
	c.seen[sum] = true
	return was
}

// class returns the class of a name, a new one at the end if there is none.
func (c *Collection) class(name string) *Class {
	i := slices.IndexFunc(c.classes, func(k Class) bool { return k.Name == name })
	if i < 0 {
		i = len(c.classes)
		c.classes = append(c.classes, Class{Name: name})
	}
	return &c.classes[i]
}

// splitOf returns the split of a text: 70, 15 and 15 of a hundred documents. It
// depends on the text alone, so that further documents move none.
func splitOf(text []byte) string {
	sum := sha256.Sum256(text)
	switch share := float64(binary.BigEndian.Uint32(sum[:])) / (1 << 32); {
	case share < 0.15:
		return "valid"
	case share < 0.30:
		return "test"
	}
	return "train"
}

// Split returns the part of each class's documents that belongs to a split. It
// is an error if a class has none.
func (c *Collection) Split(name string) ([]Class, error) {
	var out []Class
	for _, class := range c.classes {
		part := Class{Name: class.Name}
		for _, text := range class.Texts {
			if splitOf(text) == name {
				part.Texts = append(part.Texts, text)
			}
		}
		if len(part.Texts) == 0 {
			return nil, fmt.Errorf("documents: of the %d documents of class %s none is in split %q; more are needed", len(class.Texts), class.Name, name)
		}
		out = append(out, part)
	}
	return out, nil
}
