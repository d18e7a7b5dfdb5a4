package numbers

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"

	"github.com/mega-go/mega/internal/atomicfile"
)

// Options says how many numbers are drawn.
type Options struct {
	Train, Valid, Test int
	// Max is the greatest number; 0 stands for the package's Max.
	Max int
	// Seed fixes the numbers.
	Seed uint64
}

// Splits are numbers for training, validation and test; none is there twice.
type Splits struct{ Train, Valid, Test []int }

// One number in shortOneIn is drawn by its number of digits first. All others are
// drawn evenly, which hardly gives any below a thousand.
const shortOneIn = 4

// Generate draws numbers. Zero and a million, whose words occur in no other
// number, are always among those for training if Max allows them.
func Generate(o Options) (*Splits, error) {
	if o.Max == 0 {
		o.Max = Max
	}
	total := o.Train + o.Valid + o.Test
	switch {
	case o.Train < 0 || o.Valid < 0 || o.Test < 0:
		return nil, fmt.Errorf("splits of %d, %d and %d numbers: none may be negative", o.Train, o.Valid, o.Test)
	case o.Max < 1 || o.Max > Max:
		return nil, fmt.Errorf("numbers up to %d, want 1 to %d", o.Max, Max)
	case o.Train < 2:
		return nil, errors.New("fewer than 2 numbers to train on")
	case total > o.Max+1:
		return nil, fmt.Errorf("%d different numbers asked for, but there are only %d from 0 to %d", total, o.Max+1, o.Max)
	}
	fixed := []int{0}
	if o.Max == Max {
		fixed = append(fixed, Max)
	}
	drawn := draw(rand.New(rand.NewPCG(o.Seed, 0)), o.Max, total-len(fixed))
	s := &Splits{Test: drawn[:o.Test], Valid: drawn[o.Test : o.Test+o.Valid]}
	s.Train = slices.Concat(fixed, drawn[o.Test+o.Valid:])
	return s, nil
}

// draw returns n different numbers from 1 to most, a million left out.
func draw(r *rand.Rand, most, n int) []int {
	byDigits := pools(r, min(most, Max-1))
	left := 0
	for _, pool := range byDigits {
		left += len(pool)
	}
	drawn := make([]int, 0, n)
	for range n {
		k := choosePool(r, byDigits, left)
		pool := byDigits[k]
		drawn = append(drawn, pool[len(pool)-1])
		byDigits[k] = pool[:len(pool)-1]
		if len(byDigits[k]) == 0 {
			byDigits = slices.Delete(byDigits, k, k+1)
		}
		left--
	}
	return drawn
}

// pools returns the numbers from 1 to most by their number of digits, those of
// each in random order.
func pools(r *rand.Rand, most int) [][]int {
	var all [][]int
	for from := 1; from <= most; from *= 10 {
		var pool []int
		for n := from; n < 10*from && n <= most; n++ {
			pool = append(pool, n)
		}
		r.Shuffle(len(pool), func(i, j int) { pool[i], pool[j] = pool[j], pool[i] })
		all = append(all, pool)
	}
	return all
}

// choosePool returns a pool at random: mostly each number is as likely as any
// other, now and then each pool as any other.
func choosePool(r *rand.Rand, pools [][]int, left int) int {
	if r.IntN(shortOneIn) == 0 {
		return r.IntN(len(pools))
	}
	i := r.IntN(left)
	for k, pool := range pools {
		if i < len(pool) {
			return k
		}
		i -= len(pool)
	}
	panic("numbers: pools hold fewer numbers than were counted")
}

// Write writes train, valid and test as text, a number a line, to NAME.en and
// NAME.de in a directory, which it makes if it is not there. A split without
// numbers is left out.
func (s *Splits) Write(dir string) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return fmt.Errorf("%s: cannot make the directory: %w", dir, err)
	}
	for name, split := range map[string][]int{"train": s.Train, "valid": s.Valid, "test": s.Test} {
		for lang, word := range map[string]func(int) string{"en": English, "de": German} {
			if len(split) == 0 {
				continue
			}
			if err := write(filepath.Join(dir, name+"."+lang), split, word); err != nil {
				return err
			}
		}
	}
	return nil
}

func write(path string, split []int, word func(int) string) error {
	return atomicfile.Write(path, func(w io.Writer) error {
		for _, n := range split {
			if _, err := fmt.Fprintln(w, word(n)); err != nil {
				return err
			}
		}
		return nil
	})
}
