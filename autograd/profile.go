package autograd

import (
	"slices"
	"strings"
	"time"
)

// A Profile adds up the time that operations take. The backward of an operation
// has its name with a prime.
type Profile struct {
	byName map[string]*ProfileRow
}

// A ProfileRow is the time one kind of operation took.
type ProfileRow struct {
	Name  string
	Calls int
	Time  time.Duration
}

// SetProfile makes the tape add its times to p; nil stops it.
func (t *Tape) SetProfile(p *Profile) { t.profile = p }

func (p *Profile) add(name string, d time.Duration) {
	if p.byName == nil {
		p.byName = make(map[string]*ProfileRow)
	}
	row := p.byName[name]
	if row == nil {
		row = &ProfileRow{Name: name}
		p.byName[name] = row
	}
	row.Calls++
	row.Time += d
}

// Add counts time spent outside the tape, such as the optimiser's, under name.
func (p *Profile) Add(name string, d time.Duration) { p.add(name, d) }

// since counts the time from start on.
func (p *Profile) since(name string, start time.Time) { p.add(name, time.Since(start)) }

// Rows lists the operations, the most expensive first.
func (p *Profile) Rows() []ProfileRow {
	rows := make([]ProfileRow, 0, len(p.byName))
	for _, r := range p.byName {
		rows = append(rows, *r)
	}
	slices.SortFunc(rows, func(a, b ProfileRow) int {
		if a.Time != b.Time {
			return int(b.Time - a.Time)
		}
		return strings.Compare(a.Name, b.Name)
	})
	return rows
}

// Total returns the time of all operations together.
func (p *Profile) Total() time.Duration {
	var sum time.Duration
	for _, r := range p.byName {
		sum += r.Time
	}
	return sum
}
