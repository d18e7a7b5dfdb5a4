package audio

import (
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mega-go/mega/internal/textfile"
)

// heldOut are the recordings that validation_list.txt and testing_list.txt name,
// by their key.
type heldOut map[string]*listed

// listed is an entry of a list.
type listed struct {
	split, list string
	line        int
	text        string
	found       bool // there is a recording
}

// key returns what the spellings of a recording's name have in common: the word
// and the file's name in small letters, without what stands before them.
func key(name string) (string, bool) {
	parts := strings.Split(path.Clean(strings.ReplaceAll(textfile.Trim(name), `\`, "/")), "/")
	if len(parts) < 2 {
		return "", false
	}
	return strings.ToLower(strings.Join(parts[len(parts)-2:], "/")), true
}

// readLists reads both lists of a directory.
func readLists(dir string) (heldOut, error) {
	h := heldOut{}
	for _, l := range []listed{{split: "valid", list: "validation_list.txt"}, {split: "test", list: "testing_list.txt"}} {
		l.list = filepath.Join(dir, l.list)
		err := textfile.Open("list", l.list, func(r io.Reader, name string) error {
			return textfile.EachLine(r, name, func(line []byte) error {
				l.line++
				l.text = textfile.Trim(string(line))
				return h.add(l)
			})
		})
		if err != nil {
			return nil, err
		}
	}
	return h, nil
}

func (h heldOut) add(l listed) error {
	if l.text == "" {
		return nil
	}
	k, ok := key(l.text)
	if !ok {
		return fmt.Errorf("%q, want WORD/FILE.wav", l.text)
	}
	if other := h[k]; other != nil && other.split != l.split {
		return fmt.Errorf("%s is in %s:%d too, and can be held out for one use only", l.text, other.list, other.line)
	}
	h[k] = &l
	return nil
}

// split returns the split of a recording.
func (h heldOut) split(file string) string {
	k, _ := key(file)
	l := h[k]
	if l == nil {
		return "train"
	}
	l.found = true
	return l.split
}

// check reports entries that name no recording: those they mean would be trained
// on. Entries of words that are not among the classes are passed over.
func (h heldOut) check(dir string, classes []string) error {
	var lost []*listed
	for k, l := range h {
		if word, _, _ := strings.Cut(k, "/"); !l.found && !otherWord(dir, word, classes) {
			lost = append(lost, l)
		}
	}
	if len(lost) == 0 {
		return nil
	}
	first := slices.MinFunc(lost, func(a, b *listed) int {
		return strings.Compare(fmt.Sprintf("%s%9d", a.list, a.line), fmt.Sprintf("%s%9d", b.list, b.line))
	})
	return fmt.Errorf("%s:%d: %s names no recording, as %d of the %d entries of the lists; mend or remove them",
		first.list, first.line, first.text, len(lost), len(h))
}

// otherWord tells whether a word is none of the classes, but one that may have
// recordings: the lists of Speech Commands name all of its words.
func otherWord(dir, word string, classes []string) bool {
	same := func(class string) bool { return strings.EqualFold(class, word) }
	if slices.ContainsFunc(classes, same) {
		return false
	}
	_, err := os.Stat(filepath.Join(dir, word))
	return err == nil || slices.Contains(SC35, word)
}
