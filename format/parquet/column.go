package parquet

import (
	"errors"
	"fmt"
	"math/bits"
)

// A column reads the values of one leaf, page by page.
type column struct {
	*leaf
	file *File

	at, end    int64 // what is left of the chunk
	left       int64 // values of the chunk in pages that are not read yet
	codec      int
	dictionary *dictionary
	words      []byte // the dictionary's page

	page      []byte
	n         int64 // values left of the page
	rep, def  hybrid
	values    decoder
	nextRep   uint32 // the repetition level of the next value
	nextIsSet bool
}

// begin turns to the chunk of a row group.
func (c *column) begin(k *chunk) error {
	if k.kind != c.kind {
		return fmt.Errorf("a row group has it of the type %d, and the schema of the type %d", k.kind, c.kind)
	}
	c.at, c.end, c.left, c.codec = k.begin, k.end, k.values, k.codec
	c.dictionary, c.nextIsSet = nil, false
	return nil
}

// more reads pages until there is a value. It is false at the end of the chunk.
func (c *column) more() (bool, error) {
	for c.n == 0 {
		if c.left == 0 {
			return false, nil
		}
		if err := c.nextPage(); err != nil {
			return false, err
		}
	}
	return true, nil
}

func (c *column) nextPage() error {
	if c.at >= c.end {
		return fmt.Errorf("its pages end before its last %d values", c.left)
	}
	h, size, err := c.file.readHeader(c.at, c.end)
	if err != nil {
		return err
	}
	c.at += int64(size)
	at := c.at
	c.at += h.packed
	switch h.kind {
	case dictionaryPage:
		if c.words, err = c.file.readPage(h, c.codec, at, c.words); err == nil {
			c.dictionary, err = newDictionary(c.words, int(h.values), c.leaf)
		}
	case dataPage, dataPage2:
		if h.values > c.left {
			return fmt.Errorf("a page of %d values, and %d are left of the column", h.values, c.left)
		}
		if c.page, err = c.file.readPage(h, c.codec, at, c.page); err == nil {
			err = c.beginPage(h)
		}
		c.n, c.left = h.values, c.left-h.values
	}
	return err // indices are passed over
}

// beginPage parts a page into levels and values.
func (c *column) beginPage(h *header) (err error) {
	data := c.page
	if h.defs != runs && c.maxDef > 0 || h.reps != runs && c.maxRep > 0 {
		return fmt.Errorf("levels of the encodings %d and %d, want %d, the hybrid of runs and packed numbers", h.defs, h.reps, runs)
	}
	levels := func(most int, size int64) (l []byte) {
		switch {
		case err != nil:
		case h.kind == dataPage2:
			l, data = data[:size], data[size:]
		case most > 0:
			l, data, err = prefixed(data)
		}
		return l
	}
	c.rep = hybrid{data: levels(c.maxRep, h.rep), width: bits.Len(uint(c.maxRep))}
	c.def = hybrid{data: levels(c.maxDef, h.def), width: bits.Len(uint(c.maxDef))}
	if err == nil {
		c.values, err = newDecoder(h.encoding, c.leaf, data, c.dictionary)
	}
	return err
}

// value reads the next value of a page: its definition level and, if it is there, its
// bytes.
func (c *column) value() (def int, raw []byte, err error) {
	c.n--
	c.nextIsSet = false
	level, err := c.def.next()
	if err == nil && int(level) == c.maxDef {
		raw, err = c.values.next()
	}
	return int(level), raw, err
}

// errEnds is of a column that has no value for a row.
var errEnds = errors.New("it has fewer values than the row group has rows")

// cell reads the cell of the next row, nil where there is none, and appends its text.
// A ValueError is of this cell alone.
func (c *column) cell(text []byte) (cell, more []byte, err error) {
	if c.maxRep > 0 {
		return c.list(text)
	}
	ok, err := c.more()
	if err == nil && !ok {
		err = errEnds
	}
	if err != nil {
		return nil, text, err
	}
	def, raw, err := c.value()
	if err != nil || def < c.maxDef {
		return nil, text, err
	}
	from := len(text)
	text, err = c.appendText(text, raw)
	return text[from:len(text):len(text)], text, c.ofValue(err)
}

// ofValue makes a ValueError of an error.
func (c *column) ofValue(err error) error {
	if err != nil {
		err = &ValueError{c.path, err}
	}
	return err
}

// maxCell bounds the text of a list.
const maxCell = 1 << 28

// list reads the list of the next row.
func (c *column) list(text []byte) (cell, more []byte, err error) {
	from := len(text)
	text = append(text, '[')
	var bad error
	for i := 0; ; i++ {
		is, err := c.isElement(i)
		if err != nil {
			return nil, text, err
		}
		if !is {
			text = append(text, ']')
			return text[from:len(text):len(text)], text, c.ofValue(bad)
		}
		def, raw, err := c.value()
		if err != nil || i == 0 && def < c.listDef-1 {
			return nil, text, err // the list is null, or something that it is in
		}
		if text, err = c.appendElement(text, def, raw); err != nil {
			bad = err
		}
		if len(text)-from > maxCell {
			return nil, text, fmt.Errorf("a list of more than %d MB", maxCell>>20)
		}
	}
}

// isElement tells whether the next value belongs to the list of which i were read.
func (c *column) isElement(i int) (bool, error) {
	ok, err := c.more()
	if err == nil && ok && !c.nextIsSet {
		c.nextRep, err = c.rep.next()
		c.nextIsSet = true
	}
	is := ok && (c.nextRep > 0) == (i > 0)
	if err == nil && i == 0 && !is {
		err = errEnds
	}
	return is, err
}

func (c *column) appendElement(text []byte, def int, raw []byte) ([]byte, error) {
	if def < c.listDef { // of an empty list
		return text, nil
	}
	if text[len(text)-1] != '[' {
		text = append(text, ", "...)
	}
	if def < c.maxDef {
		return append(text, "null"...), nil
	}
	return c.appendJSON(text, raw)
}
