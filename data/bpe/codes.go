// Package bpe splits words into subwords and joins them again. It reads byte pair
// encodings in subword-nmt's format, which fairseq's recipes for translation use.
package bpe

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/mega-go/mega/internal/textfile"
)

// Marker is the usual separator.
const Marker = "@@"

// endOfWord marks the last subword of a word while it is being made.
const endOfWord = "</w>"

// unranked is the rank of a pair that is not merged.
const unranked = int(^uint(0) >> 1)

// Codes are the merges of a byte pair encoding, the most important first. Its
// methods may be called from several goroutines.
type Codes struct {
	Separator string // after every subword that another one follows

	ranks    map[[2]string]int
	separate bool // version 0.1: the end of a word is a symbol of its own

	mutex sync.Mutex
	cache map[string][]string
}

// cacheSize is the most words whose subwords are remembered.
const cacheSize = 1 << 16

// Load reads a file of codes.
func Load(path string) (*Codes, error) {
	var c *Codes
	err := textfile.Open("BPE code", path, func(r io.Reader, name string) (err error) {
		c, err = Read(r, name)
		return err
	})
	return c, err
}

// Read reads codes as learn_bpe.py writes them: "#version: 0.2" and a pair of
// symbols a line; the first of several equal pairs counts. fastBPE writes
// no version, a count after each pair, and has version 0.2's rules. Codes without
// a version are its own if there is a count or a word's end that is part of a
// symbol and never one of its own; else they are of version 0.1. name is the
// file's, for errors.
func Read(r io.Reader, name string) (*Codes, error) {
	c := &Codes{Separator: Marker, ranks: map[[2]string]int{}, cache: map[string][]string{}}
	version := ""
	var alone, joined bool
	number := 0
	err := textfile.EachRecord(r, name, func(text []byte) (err error) {
		number++
		line := strings.Trim(string(text), " ")
		if number == 1 && strings.HasPrefix(line, versionMark) {
			version, err = parseVersion(line[len(versionMark):])
			return err
		}
		fields := strings.Split(line, " ")
		if len(fields) != 2 && len(fields) != 3 || fields[0] == "" || fields[1] == "" {
			return fmt.Errorf("want two symbols with a space between, have %q", line)
		}
		alone = alone || fields[1] == endOfWord
		joined = joined || len(fields) == 3 || strings.HasSuffix(fields[1], endOfWord)
		pair := [2]string{fields[0], fields[1]}
		if _, ok := c.ranks[pair]; !ok {
			c.ranks[pair] = number
		}
		return nil
	})
	if err == nil && len(c.ranks) == 0 {
		err = fmt.Errorf("%s: no BPE codes", name)
	}
	c.separate = version == "0.1" || version == "" && (alone || !joined)
	return c, err
}

// versionMark begins the first line of subword-nmt's codes.
const versionMark = "#version:"

func parseVersion(text string) (string, error) {
	version := textfile.Trim(text)
	if version != "0.1" && version != "0.2" {
		return "", fmt.Errorf("version %q of BPE codes, want 0.1 or 0.2", version)
	}
	return version, nil
}

// Apply splits the words of a line, separated by single spaces, into subwords, with
// the separator after all but the last of each word. Spaces at the line's ends stay.
func (c *Codes) Apply(line string) string {
	const ends = "\r\n "
	body := strings.Trim(line, ends)
	if body == "" {
		return line
	}
	start := strings.Index(line, body)
	var out strings.Builder
	out.WriteString(line[:start])
	first := true
	for word := range strings.SplitSeq(body, " ") {
		if word == "" {
			continue // of several spaces
		}
		if !first {
			out.WriteByte(' ')
		}
		first = false
		out.WriteString(strings.Join(c.Split(word), c.Separator+" "))
	}
	out.WriteString(line[start+len(body):])
	return out.String()
}

// Split returns the subwords of a word. The result must not be modified.
func (c *Codes) Split(word string) []string {
	c.mutex.Lock()
	parts, ok := c.cache[word]
	c.mutex.Unlock()
	if ok {
		return parts
	}
	word = strings.Clone(word) // the text it is cut from need not live on
	parts = c.split(word)
	c.mutex.Lock()
	if len(c.cache) >= cacheSize {
		clear(c.cache)
	}
	c.cache[word] = parts
	c.mutex.Unlock()
	return parts
}

func (c *Codes) split(word string) []string {
	if utf8.RuneCountInString(word) < 2 {
		return []string{word}
	}
	parts := strings.Split(word, "")
	if c.separate {
		parts = append(parts, endOfWord)
	} else {
		parts[len(parts)-1] += endOfWord
	}
	parts = c.merge(parts)
	last := len(parts) - 1
	if parts[last] = strings.TrimSuffix(parts[last], endOfWord); parts[last] == "" {
		parts = parts[:last]
	}
	return parts
}

// merge joins the pair of the lowest rank wherever it stands, from the left,
// until no pair has a rank.
func (c *Codes) merge(parts []string) []string {
	ranks := make([]int, len(parts)-1) // of each part and the next
	for i := range ranks {
		ranks[i] = c.rank(parts[i], parts[i+1])
	}
	for len(ranks) > 0 {
		best := slices.Min(ranks)
		if best == unranked {
			break
		}
		parts = c.round(parts, ranks, best)
		ranks = ranks[:len(parts)-1]
	}
	return parts
}

// round joins all pairs of a rank. Ranks are only looked up beside joints.
func (c *Codes) round(parts []string, ranks []int, best int) []string {
	n, changed := 0, false // parts so far, and whether the last one is joined
	for i := 0; i < len(parts); i++ {
		part, before, joined := parts[i], i-1, false
		if i < len(ranks) && ranks[i] == best {
			part += parts[i+1]
			joined = true
			i++
		}
		if n > 0 && (joined || changed) {
			ranks[n-1] = c.rank(parts[n-1], part)
		} else if n > 0 {
			ranks[n-1] = ranks[before]
		}
		parts[n] = part
		n++
		changed = joined
	}
	return parts[:n]
}

func (c *Codes) rank(a, b string) int {
	if r, ok := c.ranks[[2]string{a, b}]; ok {
		return r
	}
	return unranked
}
