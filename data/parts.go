package data

import (
	"fmt"
	"sort"

	"github.com/mega-go/mega/data/indexed"
)

// parts is one or several token files, read as one.
type parts struct {
	prefix string
	files  []*indexed.Dataset
	ends   []int // number of sequences in the files up to and including this one
}

// openParts opens PREFIX and, where it is to combine, PREFIX1, PREFIX2, … up to
// the first that is missing (fairseq data/data_utils.py:70).
func openParts(prefix string, combine bool) (*parts, error) {
	p := &parts{prefix: prefix}
	path := prefix
	for {
		file, err := indexed.Open(path)
		if err != nil {
			p.close()
			return nil, err
		}
		p.files = append(p.files, file)
		p.ends = append(p.ends, p.len()+file.Len())
		path = fmt.Sprintf("%s%d", prefix, len(p.files))
		if !combine || !indexed.Exists(path) {
			return p, nil
		}
	}
}

func (p *parts) len() int {
	if len(p.ends) == 0 {
		return 0
	}
	return p.ends[len(p.ends)-1]
}

// at returns the file that holds sequence i and its place there.
func (p *parts) at(i int) (*indexed.Dataset, int) {
	k := sort.SearchInts(p.ends, i+1)
	if k > 0 {
		i -= p.ends[k-1]
	}
	return p.files[k], i
}

func (p *parts) size(i int) int {
	file, i := p.at(i)
	return file.Size(i)
}

// read copies the first tokens of sequence i to dst.
func (p *parts) read(dst []int32, i int) error {
	file, i := p.at(i)
	return file.Read(dst, i)
}

// close unmaps the files; p may be nil.
func (p *parts) close() {
	if p == nil {
		return
	}
	for _, file := range p.files {
		file.Close()
	}
}
