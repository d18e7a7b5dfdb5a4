package labelled

import (
	"cmp"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"slices"
	"strconv"
)

// An index is what is kept of every sample: its class, its part, its length and a
// fingerprint, some twenty bytes.
type index struct {
	kind     string
	channels int
	rate     int // the highest of recordings
	classes  map[string]int32
	labels   []int32
	parts    []uint8 // index of Splits, unknown where the data does not say
	lengths  []int32
	hashes   []uint64
	leftOut  []LeftOut
	fixed    bool // classes has all there can be
}

// expect fixes the classes.
func (x *index) expect(names []string) {
	x.fixed, x.classes = true, make(map[string]int32, len(names))
	for i, name := range names {
		x.classes[name] = int32(i)
	}
}

// setUnknown puts the samples that are in no part into one.
func (x *index) setUnknown(split string) {
	for i, part := range x.parts {
		if part == unknown {
			x.parts[i] = uint8(slices.Index(Splits, split))
		}
	}
}

const unknown = uint8(255)

// add takes a sample in. It fails on one that cannot stand beside the others.
func (x *index) add(s *Sample) error {
	if s.LeftOut != "" {
		x.leave(s)
		return nil
	}
	if x.kind == "" {
		x.kind, x.channels = s.Kind, s.Channels
	}
	if x.classes == nil {
		x.classes = map[string]int32{}
	}
	if s.Kind != x.kind || s.Channels != x.channels {
		return fmt.Errorf("%s: %s with %d channels, but the samples before are %s with %d", s.Where(), s.Kind, s.Channels, x.kind, x.channels)
	}
	class, ok := x.classes[s.Label]
	if !ok && x.fixed {
		return fmt.Errorf("%s: label %.40q is none of the model's classes", s.Where(), s.Label)
	}
	if !ok {
		class = int32(len(x.classes))
		x.classes[s.Label] = class
		if len(x.classes) > maxClasses {
			return fmt.Errorf("%s: more than %d different labels: is it the column of classes?", s.Where(), maxClasses)
		}
	}
	x.labels = append(x.labels, class)
	part := unknown
	if i := slices.Index(Splits, s.Split); i >= 0 {
		part = uint8(i)
	}
	x.parts = append(x.parts, part)
	x.lengths = append(x.lengths, int32(s.length()))
	x.hashes = append(x.hashes, s.hash())
	x.rate = max(x.rate, s.Rate)
	return nil
}

// maxClasses bounds the classes: what has more is no class.
const maxClasses = 10_000

// leave counts a sample that is left out.
func (x *index) leave(s *Sample) {
	i := slices.IndexFunc(x.leftOut, func(l LeftOut) bool { return l.Reason == s.LeftOut })
	if i < 0 {
		i = len(x.leftOut)
		x.leftOut = append(x.leftOut, LeftOut{Reason: s.LeftOut, First: s.Where()})
	}
	x.leftOut[i].Count++
}

// finish orders the classes by their names and divides the samples.
func (x *index) finish(path string, o Options) ([]string, error) {
	if len(x.labels) == 0 {
		return nil, fmt.Errorf("%s: no samples%s", path, leftOutText(x.leftOut))
	}
	names := make([]string, len(x.classes))
	for name, i := range x.classes {
		names[i] = name
	}
	from := cmp.Or(o.Labels, path)
	if n := len(names); n < 2 {
		return nil, fmt.Errorf("%s: all %d samples are of the class %q, want two classes at least", from, len(x.labels), names[0])
	} else if n > 20 && n > len(x.labels)/2 {
		return nil, fmt.Errorf("%s: %d different labels of %d samples (%.40q, %.40q, …): are these classes?", from, n, len(x.labels), names[0], names[1])
	}
	order := slices.Clone(names)
	slices.SortFunc(order, natural)
	rank := make(map[string]int32, len(order))
	for i, name := range order {
		rank[name] = int32(i)
	}
	for i, label := range x.labels {
		x.labels[i] = rank[names[label]]
	}
	if err := x.divide(o, len(names)); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return order, nil
}

// natural orders numbers by their size and before all other names.
func natural(a, b string) int {
	x, notX := strconv.ParseFloat(a, 64)
	y, notY := strconv.ParseFloat(b, 64)
	switch {
	case notX == nil && notY == nil && x != y:
		return cmp.Compare(x, y)
	case (notX == nil) != (notY == nil):
		if notX == nil {
			return -1
		}
		return 1
	}
	return cmp.Compare(a, b)
}

// divide gives a part to every sample that has none. Where the data says nothing
// of validation a share of it is taken from what is trained on, and where it says
// nothing at all one for the test too. Every class is divided by the shares, and
// samples with the same content come into one part.
func (x *index) divide(o Options, classes int) error {
	valid, test, err := o.shares()
	if err != nil {
		return err
	}
	var had [3]bool
	for _, part := range x.parts {
		if part != unknown {
			had[part] = true
		}
	}
	if had[1] {
		valid = 0
	}
	if had[1] || had[2] {
		test = 0
	}
	shares := [3]float64{1 - valid - test, valid, test}
	train := had[0]
	free := x.groups(func(i int) bool { return x.parts[i] == unknown || train && x.parts[i] == 0 })
	x.deal(free, shares, classes, o.SplitSeed)
	var counts [3]int
	for _, part := range x.parts {
		counts[part]++
	}
	for i, n := range counts[:2] {
		if n == 0 {
			return fmt.Errorf("no sample is left for %s of %d: want more samples or other shares (held_out); samples with the same content come into one part", Splits[i], len(x.parts))
		}
	}
	return nil
}

// Groups are samples parted by their content: the first of each group, in their
// order, and after each sample the next of its group, 0 for none. Of millions of
// samples they take little.
type groups struct{ firsts, next []int32 }

// each calls f with the samples of a group.
func (g groups) each(first int32, f func(i int32)) {
	for f(first); g.next[first] != 0; f(first) {
		first = g.next[first]
	}
}

// groups parts the samples that are to be divided by their content.
func (x *index) groups(take func(i int) bool) groups {
	g := groups{make([]int32, 0, len(x.labels)), make([]int32, len(x.labels))}
	for i := range x.labels {
		if take(i) {
			g.firsts = append(g.firsts, int32(i))
		}
	}
	if x.kind != Sound { // whose content has not been read
		g.firsts = x.joinCopies(g)
	}
	return g
}

// home returns a place among 2^width for a hash. Hashes of short series differ in few
// of their low bits; times 2^64 over the golden ratio they differ in the high ones.
func home(hash uint64, width int) uint64 { return hash * 0x9e3779b97f4a7c15 >> (64 - width) }

// joinCopies joins groups of one sample each, in their order, and returns the firsts of
// those that are left. It looks the samples up in a table of twice their number: sorting
// a million of them would take longer than reading them.
func (x *index) joinCopies(g groups) []int32 {
	width := bits.Len(uint(2 * len(g.firsts)))
	mask := uint64(1)<<width - 1
	last := make([]int32, mask+1) // of a group, and 1 more; 0 where there is none
	firsts := g.firsts[:0]
	for _, i := range g.firsts {
		at := home(x.hashes[i], width)
		for last[at] > 0 && x.hashes[last[at]-1] != x.hashes[i] {
			at = (at + 1) & mask
		}
		if last[at] > 0 {
			g.next[last[at]-1] = i
		} else {
			firsts = append(firsts, i)
		}
		last[at] = i + 1
	}
	return firsts
}

// deal divides samples, class by class, in a random order.
func (x *index) deal(g groups, shares [3]float64, classes int, seed uint64) {
	byClass := make([][]int32, classes)
	for _, first := range g.firsts {
		byClass[x.labels[first]] = append(byClass[x.labels[first]], first)
	}
	put := func(first int32, part uint8) {
		g.each(first, func(i int32) { x.parts[i] = part })
	}
	r := rand.New(rand.NewPCG(seed, 0))
	var owed [3]float64
	for _, of := range byClass {
		r.Shuffle(len(of), func(i, j int) { of[i], of[j] = of[j], of[i] })
		next := 0
		for part := 2; part > 0; part-- { // what is left is trained on, one of each class at least
			owed[part] += shares[part] * float64(len(of))
			for owed[part] >= 0.5 && next < len(of)-1 {
				put(of[next], uint8(part))
				owed[part]--
				next++
			}
		}
		for _, l := range of[next:] {
			put(l, 0)
		}
	}
}
