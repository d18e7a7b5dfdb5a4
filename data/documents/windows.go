package documents

import (
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"

	"github.com/mega-go/mega/data"
)

// Config says how windows are drawn.
type Config struct {
	Window int    // bytes of a text
	Pairs  bool   // pairs of windows: are both from one document?
	Seed   uint64 // fixes the samples
}

// Least returns how long a document must be to be drawn from: a pair's windows
// do not overlap.
func (c Config) Least() int {
	if c.Pairs {
		return 2 * c.Window
	}
	return c.Window
}

// Validate reports settings that draw nothing.
func (c Config) Validate() error {
	if c.Window < 1 || c.Window > 1<<20 {
		return fmt.Errorf("documents: windows of %d bytes, want 1 to %d", c.Window, 1<<20)
	}
	return nil
}

// Sample is a labelled window, or pair of windows.
type Sample struct {
	Text, Pair []byte
	Label      string // the class's name; of a pair 1 if both are from one document, else 0
}

// Samples draws samples 0 to count-1 of classes, every class equally often and
// in it every document. A sample is a window, or a pair of windows: half of the pairs
// are from one document and half from two, of different classes if there are several.
// It is an error if documents are shorter than Least, or too few.
func (c Config) Samples(classes []Class, count int) (iter.Seq[Sample], error) {
	if err := c.check(classes); err != nil {
		return nil, err
	}
	return func(yield func(Sample) bool) {
		for i := range count {
			d := draw{c, classes, rand.New(rand.NewPCG(c.Seed, uint64(i)))}
			sample := d.window()
			if c.Pairs {
				sample = d.pair()
			}
			if !yield(sample) {
				return
			}
		}
	}, nil
}

// check reports what samples cannot be drawn from.
func (c Config) check(classes []Class) error {
	if err := c.Validate(); err != nil {
		return err
	}
	for _, class := range classes {
		for _, text := range class.Texts {
			if len(text) < c.Least() {
				return fmt.Errorf("documents: class %s has a document of %d bytes, want %d or more", class.Name, len(text), c.Least())
			}
		}
	}
	if len(classes) == 0 || len(classes) == 1 && len(classes[0].Texts) < 2 {
		return errors.New("documents: samples need two documents or two classes")
	}
	return nil
}

// draw draws one sample.
type draw struct {
	Config
	classes []Class
	random  *rand.Rand
}

// document draws a class and one of its documents.
func (d *draw) document() (class, document int) {
	class = d.random.IntN(len(d.classes))
	return class, d.random.IntN(len(d.classes[class].Texts))
}

// cut draws a window of a text.
func (d *draw) cut(text []byte) []byte {
	from := d.random.IntN(len(text) - d.Window + 1)
	return text[from : from+d.Window]
}

func (d *draw) window() Sample {
	class, i := d.document()
	return Sample{Text: d.cut(d.classes[class].Texts[i]), Label: d.classes[class].Name}
}

func (d *draw) pair() Sample {
	class, i := d.document()
	text := d.classes[class].Texts[i]
	if d.random.IntN(2) == 0 {
		return Sample{d.cut(text), d.cut(d.other(class, i)), "0"}
	}
	middle := d.Window + d.random.IntN(len(text)-2*d.Window+1)
	first, second := d.cut(text[:middle]), d.cut(text[middle:])
	if d.random.IntN(2) == 0 {
		first, second = second, first
	}
	return Sample{first, second, "1"}
}

// other draws a document of another class, or another one of the only class.
func (d *draw) other(class, i int) []byte {
	if len(d.classes) > 1 {
		k := (class + 1 + d.random.IntN(len(d.classes)-1)) % len(d.classes)
		texts := d.classes[k].Texts
		return texts[d.random.IntN(len(texts))]
	}
	texts := d.classes[0].Texts
	return texts[(i+1+d.random.IntN(len(texts)-1))%len(texts)]
}

// Drawn is the samples of a split.
type Drawn struct {
	Name      string
	Documents int // that the split has
	Count     int
	Samples   iter.Seq[Sample]
}

// Draw draws samples of each split.
func (c *Collection) Draw(config Config, sizes data.SplitSizes) ([]Drawn, error) {
	var out []Drawn
	err := sizes.Each(func(name string, from, to int) error {
		classes, err := c.Split(name)
		if err != nil {
			return err
		}
		d := Drawn{Name: name, Count: to - from}
		for _, class := range classes {
			d.Documents += len(class.Texts)
		}
		own := config
		own.Seed = 3*config.Seed + uint64(len(out))
		if d.Samples, err = own.Samples(classes, d.Count); err != nil {
			return fmt.Errorf("split %s: %w", name, err)
		}
		out = append(out, d)
		return nil
	})
	return out, err
}

// Write draws samples of each split and writes them to a directory, in the layout
// that data.OpenTextDir reads. It returns them with the Baseline of the test.
func (c *Collection) Write(dir string, config Config, sizes data.SplitSizes) (drawn []Drawn, baseline float64, err error) {
	if drawn, err = c.Draw(config, sizes); err != nil {
		return nil, 0, err
	}
	var splits []data.TextSplit
	for _, d := range drawn {
		splits = append(splits, data.TextSplit{Name: d.Name, Records: Records(d.Samples), Bytes: true})
	}
	if err := data.WriteText(dir, splits...); err != nil {
		return nil, 0, err
	}
	return drawn, Baseline(drawn[0].Samples, drawn[2].Samples, config.Pairs), nil
}

// Records yields samples as they are binarised, byte by byte.
func Records(samples iter.Seq[Sample]) iter.Seq2[data.Record, error] {
	return func(yield func(data.Record, error) bool) {
		for s := range samples {
			r := data.Record{Text: data.ByteWords(string(s.Text)), Label: s.Label}
			if s.Pair != nil {
				r.Pair = data.ByteWords(string(s.Pair))
			}
			if !yield(r, nil) {
				return
			}
		}
	}
}
