package generate

import (
	"math"
	"slices"
	"testing"
)

// logs returns the logarithms of probabilities.
func logs(probabilities ...float64) []float32 {
	var out []float32
	for _, p := range probabilities {
		out = append(out, float32(math.Log(p)))
	}
	return out
}

// Each filter keeps the tokens that its definition says, with the right weights.
func TestFilters(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Filters)
		want   []float64 // probabilities of the tokens 0 to 3
	}{
		"none":          {func(*Filters) {}, []float64{0.1, 0.5, 0.15, 0.25}},
		"temperature":   {func(f *Filters) { f.Temperature = 0.5 }, []float64{0.01 / 0.345, 0.25 / 0.345, 0.0225 / 0.345, 0.0625 / 0.345}},
		"greedy":        {func(f *Filters) { f.Temperature = 0 }, []float64{0, 1, 0, 0}},
		"top-k":         {func(f *Filters) { f.TopK = 2 }, []float64{0, 2. / 3, 0, 1. / 3}},
		"top-k of more": {func(f *Filters) { f.TopK = 9 }, []float64{0.1, 0.5, 0.15, 0.25}},
		"top-p":         {func(f *Filters) { f.TopP = 0.6 }, []float64{0, 2. / 3, 0, 1. / 3}},
		"top-p of one":  {func(f *Filters) { f.TopP = 0.4 }, []float64{0, 1, 0, 0}},
		"top-p of all":  {func(f *Filters) { f.TopP = 1 }, []float64{0.1, 0.5, 0.15, 0.25}},
		"min-p":         {func(f *Filters) { f.MinP = 0.29 }, []float64{0, 0.5 / 0.9, 0.15 / 0.9, 0.25 / 0.9}},
		"k, then p":     {func(f *Filters) { f.TopK, f.TopP = 3, 0.8 }, []float64{0, 2. / 3, 0, 1. / 3}},
		"penalty":       {func(f *Filters) { f.RepetitionPenalty = 2 }, []float64{0.1 / 0.6225, 0.25 / 0.6225, 0.15 * 0.15 / 0.6225, 0.25 / 0.6225}},
	} {
		t.Run(name, func(t *testing.T) {
			f := DefaultFilters()
			c.change(&f)
			if err := f.Validate(); err != nil {
				t.Fatal(err)
			}
			from := f.apply(logs(0.1, 0.5, 0.15, 0.25), []int32{1, 2, 1}, nil)
			sum := 0.0
			for _, w := range from {
				sum += w.weight
			}
			got := make([]float64, 4)
			for _, w := range from {
				got[w.token] = w.weight / sum
			}
			for i := range got {
				if math.Abs(got[i]-c.want[i]) > 1e-6 {
					t.Fatalf("probabilities %.4f, want %.4f", got, c.want)
				}
			}
		})
	}
}

// What cannot be drawn is not: no probability, no number.
func TestFiltersWithoutChoice(t *testing.T) {
	inf, nan := float32(math.Inf(-1)), float32(math.NaN())
	f := DefaultFilters()
	if from := f.apply([]float32{inf, nan, inf}, nil, nil); len(from) != 0 {
		t.Errorf("%v may be drawn", from)
	}
	if from := f.apply([]float32{inf, nan, -3}, nil, nil); len(from) != 1 || from[0].token != 2 {
		t.Errorf("%v may be drawn, want token 2", from)
	}
}

// Tokens are drawn as often as their weights say, and the same ones for the same
// seed, row and position.
func TestDraw(t *testing.T) {
	from := []weighted{{7, 3}, {8, 1}}
	const n = 20000
	sevens := 0
	for i := range n {
		token := draw(from, 1, 0, i)
		if token != draw(from, 1, 0, i) {
			t.Fatal("drawn otherwise the second time")
		}
		if token == 7 {
			sevens++
		}
	}
	// The standard deviation of the share is 0.003.
	if share := float64(sevens) / n; math.Abs(share-0.75) > 0.012 {
		t.Errorf("drawn %.4f of the times, want 0.75", share)
	}
	other := 0
	for i := range 100 {
		if draw(from, 1, 0, i) != draw(from, 2, 0, i) || draw(from, 1, 0, i) != draw(from, 1, 1, i) {
			other++
		}
	}
	if other == 0 {
		t.Error("seed and row make no difference")
	}
}

func TestRecent(t *testing.T) {
	read := []int32{1, 2, 3, 4}
	f := DefaultFilters()
	if got := f.recent(read); !slices.Equal(got, []int32{4}) {
		t.Errorf("without penalty %v are kept", got)
	}
	f.RepetitionPenalty, f.RepetitionWindow = 1.1, 2
	if got := f.recent(read); !slices.Equal(got, []int32{3, 4}) {
		t.Errorf("a window of 2 keeps %v", got)
	}
	f.RepetitionWindow = 0
	if got := f.recent(read); len(got) != 4 {
		t.Errorf("no window keeps %v", got)
	}
}
