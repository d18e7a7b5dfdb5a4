package labelled

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/mega-go/mega/data"
)

// A Summary says what was understood of labelled data.
type Summary struct {
	Kind     string       `json:"kind"`
	Samples  int          `json:"samples"`
	Parts    [3]int       `json:"parts"` // samples to train, validate and test on
	Classes  []ClassCount `json:"classes"`
	Lengths  Lengths      `json:"lengths"`
	Channels int          `json:"channels,omitempty"` // of series
	Rate     int          `json:"rate,omitempty"`     // of recordings, the highest
	Copies   int          `json:"copies,omitempty"`   // samples with the content of one before them
	Between  int          `json:"between,omitempty"`  // of these, held out with the content of one that is trained on
	LeftOut  []LeftOut    `json:"left_out,omitempty"`
	Digest   string       `json:"digest"` // of samples and labels
}

// A ClassCount is how many samples of a class each part has.
type ClassCount struct {
	Name   string  `json:"name"`
	Parts  [3]int  `json:"parts"`
	Weight float32 `json:"weight,omitempty"` // in the loss, 0 where classes have no weights
}

// Lengths says how long samples are: bytes of texts, the longer one of pairs,
// steps of series, or samples of recordings.
type Lengths struct {
	Shortest int `json:"shortest"`
	Median   int `json:"median"`
	Most     int `json:"most"` // 95 of 100 are no longer
	Longest  int `json:"longest"`

	Octaves []int `json:"octaves"` // how many are of 2^i to below 2^(i+1)
}

// LeftOut counts samples that were left out for one reason.
type LeftOut struct {
	Reason string `json:"reason"`
	Count  int    `json:"count"`
	First  string `json:"first"` // where the first lies
}

// summary counts.
func (x *index) summary(classes []string) Summary {
	s := Summary{Kind: x.kind, Samples: len(x.labels), LeftOut: x.leftOut, Rate: x.rate}
	if x.kind == Series {
		s.Channels = x.channels
	}
	for _, name := range classes {
		s.Classes = append(s.Classes, ClassCount{Name: name})
	}
	for i, class := range x.labels {
		s.Parts[x.parts[i]]++
		s.Classes[class].Parts[x.parts[i]]++
	}
	s.Lengths = lengthsOf(x.lengths)
	x.countCopies(&s)
	s.Digest = x.digest()
	return s
}

// Weigh sets the weights of the classes, by the samples to train on, as spec says:
// see data.ClassWeights.
func (s *Summary) Weigh(spec []string) error {
	names, counts := make([]string, len(s.Classes)), make([]int, len(s.Classes))
	for i, c := range s.Classes {
		names[i], counts[i] = c.Name, c.Parts[0]
	}
	weights, err := data.ClassWeights(spec, names, counts)
	for i, w := range weights {
		s.Classes[i].Weight = w
	}
	return err
}

// Weights returns the weight of each class in the loss, nil where they have none.
func (s *Summary) Weights() []float32 {
	var weights []float32
	for _, c := range s.Classes {
		if c.Weight > 0 {
			weights = append(weights, c.Weight)
		}
	}
	return weights
}

// digest is a fingerprint of samples and labels in their order.
func (x *index) digest() string {
	h := fnvOffset
	for i, hash := range x.hashes {
		h = fnv(h, binary.LittleEndian.AppendUint64(nil, hash^uint64(x.labels[i])))
		h = fnv(h, binary.LittleEndian.AppendUint32(nil, uint32(x.lengths[i])))
	}
	return fmt.Sprintf("%016x", h)
}

func lengthsOf(lengths []int32) Lengths {
	sorted := slices.Clone(lengths)
	slices.Sort(sorted)
	n := len(sorted)
	l := Lengths{
		Shortest: int(sorted[0]), Longest: int(sorted[n-1]),
		Median: int(sorted[n/2]), Most: int(sorted[(n-1)*95/100]),
	}
	for _, v := range sorted {
		octave := bits.Len32(uint32(max(1, v))) - 1
		for len(l.Octaves) <= octave {
			l.Octaves = append(l.Octaves, 0)
		}
		l.Octaves[octave]++
	}
	return l
}

// countCopies counts samples with the same content.
func (x *index) countCopies(s *Summary) {
	if x.kind == Sound {
		return
	}
	g := x.groups(func(int) bool { return true })
	for _, first := range g.firsts {
		copies, trained := -1, false
		g.each(first, func(i int32) {
			copies++
			trained = trained || x.parts[i] == 0
		})
		s.Copies += copies
		if !trained || copies == 0 {
			continue
		}
		g.each(first, func(i int32) {
			if x.parts[i] != 0 {
				s.Between++
			}
		})
	}
}

// Majority returns the share of the most frequent class.
func (s *Summary) Majority() float64 {
	most := 0
	for _, c := range s.Classes {
		most = max(most, c.total())
	}
	return float64(most) / float64(s.Samples)
}

func (c ClassCount) total() int { return c.Parts[0] + c.Parts[1] + c.Parts[2] }

// units of lengths by kind.
var units = map[string]string{Texts: "bytes", Pairs: "bytes", Series: "steps", Sound: "samples"}

// WriteText writes the summary as a person reads it.
func (s *Summary) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%d %s of %d classes", s.Samples, s.Kind, len(s.Classes))
	if s.Channels > 1 {
		fmt.Fprintf(&b, ", %d channels", s.Channels)
	}
	if s.Rate > 0 {
		fmt.Fprintf(&b, ", up to %d samples a second", s.Rate)
	}
	fmt.Fprintf(&b, ": %d to train, %d to validate, %d to test on\n", s.Parts[0], s.Parts[1], s.Parts[2])
	s.writeClasses(&b)
	s.writeLengths(&b)
	if s.Copies > 0 {
		fmt.Fprintf(&b, "%d samples have the content of another; those that are divided here come into one part\n", s.Copies)
	}
	if s.Between > 0 {
		fmt.Fprintf(&b, "%d held-out samples are trained on too: the data itself divides them so\n", s.Between)
	}
	b.WriteString(leftOutLines(s.LeftOut))
	_, err := io.WriteString(w, b.String())
	return err
}

// shownClasses is how many classes are listed.
const shownClasses = 12

// writeClasses lists the classes, the largest of many.
func (s *Summary) writeClasses(w io.Writer) {
	largest := slices.Clone(s.Classes)
	if len(largest) > shownClasses {
		slices.SortStableFunc(largest, func(a, b ClassCount) int { return b.total() - a.total() })
		largest = largest[:shownClasses]
	}
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, c := range largest {
		name := c.Name
		if len(name) > 40 {
			name = name[:40] + "…"
		}
		fmt.Fprintf(tw, "  %q\t%d\t%.1f%%", name, c.total(), 100*float64(c.total())/float64(s.Samples))
		if c.Weight > 0 {
			fmt.Fprintf(tw, "\tweight %.4g", c.Weight)
		}
		fmt.Fprintln(tw)
	}
	tw.Flush() // into memory
	if more := len(s.Classes) - len(largest); more > 0 {
		fmt.Fprintf(w, "  and %d smaller ones, down to %d samples\n", more, slices.MinFunc(s.Classes, func(a, b ClassCount) int { return a.total() - b.total() }).total())
	}
	for _, c := range s.Classes {
		if c.Parts[0] == 0 {
			fmt.Fprintf(w, "  class %q has no sample to train on\n", c.Name)
		}
	}
}

// writeLengths draws how many samples are how long.
func (s *Summary) writeLengths(w io.Writer) {
	l, unit := s.Lengths, units[s.Kind]
	fmt.Fprintf(w, "length in %s: %d to %d, half of them up to %d, 95%% up to %d\n", unit, l.Shortest, l.Longest, l.Median, l.Most)
	most := slices.Max(l.Octaves)
	for i, n := range l.Octaves {
		if n > 0 {
			fmt.Fprintf(w, "  %9d  %-30s %d\n", 1<<i, strings.Repeat("#", (30*n+most-1)/most), n)
		}
	}
}

// leftOutLines says what was left out, a line for each reason.
func leftOutLines(all []LeftOut) string {
	var b strings.Builder
	for _, l := range all {
		fmt.Fprintf(&b, "left out: %d %s, the first %s\n", l.Count, l.Reason, l.First)
	}
	return b.String()
}

func leftOutText(all []LeftOut) string {
	if len(all) == 0 {
		return ""
	}
	return " (" + strings.ReplaceAll(strings.TrimSpace(leftOutLines(all)), "\n", "; ") + ")"
}
