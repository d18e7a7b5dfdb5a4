package generate

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"
)

// counter is a model that says that each token is followed by the next number
// modulo its size, or sometimes by the one after.
type counter struct {
	size  int
	last  []int32
	read  []int
	extra int32 // a token that is always likely; 0 for none
}

func newCounter(size int, last ...int32) *counter {
	return &counter{size: size, last: last, read: make([]int, len(last))}
}

func (c *counter) LogProbs() []float32 {
	out := make([]float32, 0, len(c.last)*c.size)
	for _, last := range c.last {
		row := make([]float32, c.size)
		for i := range row {
			row[i] = float32(math.Log(0.01))
		}
		row[(int(last)+1)%c.size] = float32(math.Log(0.6))
		row[(int(last)+2)%c.size] = float32(math.Log(0.3))
		if c.extra > 0 {
			row[c.extra] = 0
		}
		out = append(out, row...)
	}
	return out
}

func (c *counter) Step(tokens ...int32) ([]float32, error) {
	for i, t := range tokens {
		c.last[i] = t
		c.read[i]++
	}
	return c.LogProbs(), nil
}

func (c *counter) Reorder(rows ...int) error {
	last, read := c.last, c.read
	c.last, c.read = nil, nil
	for _, r := range rows {
		c.last, c.read = append(c.last, last[r]), append(c.read, read[r])
	}
	return nil
}

func (c *counter) Position(row int) int { return c.read[row] }

// letters decodes token 4 as "a", 5 as "b" and so on.
func letters(dst []byte, _, token int32) []byte { return append(dst, byte('a'+token-4)) }

func options(change func(*ContinueOptions)) ContinueOptions {
	o := DefaultContinueOptions()
	o.Temperature, o.MaxLen = 0, 10
	if change != nil {
		change(&o)
	}
	return o
}

func TestContinue(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*ContinueOptions)
		want   string
		reason string
	}{
		"length":            {nil, "bcdefghijk", FullLength},
		"nothing":           {func(o *ContinueOptions) { o.MaxLen = 0 }, "", FullLength},
		"stop":              {func(o *ContinueOptions) { o.Stop = []string{"xyz", "ef"} }, "bcd", StopString},
		"stop at once":      {func(o *ContinueOptions) { o.Stop = []string{"b"} }, "", StopString},
		"only begun a stop": {func(o *ContinueOptions) { o.Stop = []string{"jkz"} }, "bcdefghijk", FullLength},
		"end":               {func(o *ContinueOptions) { o.End = 9 }, "bcde", EndOfText},
		"banned":            {func(o *ContinueOptions) { o.Banned = []int32{6} }, "bdefghijkl", FullLength},
		"end later":         {func(o *ContinueOptions) { o.End, o.MinLen = 6, 5 }, "bdefghijkl", FullLength},
	} {
		t.Run(name, func(t *testing.T) {
			var told strings.Builder
			made, err := Continue(t.Context(), newCounter(50, 4), [][]int32{{4}}, letters, options(c.change), func(_ int, text []byte) { told.Write(text) })
			if err != nil {
				t.Fatal(err)
			}
			if made[0].Text != c.want || made[0].Reason != c.reason || told.String() != c.want {
				t.Errorf("made %q (%s) and told %q, want %q (%s)", made[0].Text, made[0].Reason, told.String(), c.want, c.reason)
			}
		})
	}
}

// Texts side by side are what each is by itself, whichever ends first.
func TestContinueBatch(t *testing.T) {
	o := options(func(o *ContinueOptions) { o.End, o.MaxLen = 9, 8 })
	made, err := Continue(t.Context(), newCounter(50, 4, 7, 20), [][]int32{{4}, {7}, {20}}, letters, o, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"bcde", "e", "rstuvwxy"} {
		if made[i].Text != want {
			t.Errorf("text %d is %q, want %q", i, made[i].Text, want)
		}
	}
	if p := made[2].LogProb; math.Abs(p-8*math.Log(0.6)) > 1e-5 {
		t.Errorf("log-probability %g, want %g", p, 8*math.Log(0.6))
	}
}

// A text that is drawn in two goes is the one that is drawn in one.
func TestContinueGoesOn(t *testing.T) {
	o := options(func(o *ContinueOptions) { o.Temperature, o.MaxLen, o.Seed = 1, 20, 7 })
	whole, err := Continue(t.Context(), newCounter(50, 4), [][]int32{{4}}, letters, o, nil)
	if err != nil {
		t.Fatal(err)
	}
	m := newCounter(50, 4)
	var got []int32
	for _, n := range []int{7, 13} {
		o.MaxLen = n
		part, err := Continue(t.Context(), m, [][]int32{{4}}, letters, o, nil)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, part[0].Tokens...)
	}
	if !slices.Equal(got, whole[0].Tokens) {
		t.Errorf("in two goes %v, in one %v", got, whole[0].Tokens)
	}
}

func TestContinueErrors(t *testing.T) {
	for want, change := range map[string]func(*ContinueOptions){
		"max_len_b is -1":          func(o *ContinueOptions) { o.MaxLen = -1 },
		"min_len is 11":            func(o *ContinueOptions) { o.MinLen = 11 },
		"stop string is empty":     func(o *ContinueOptions) { o.Stop = []string{""} },
		"temperature is -1":        func(o *ContinueOptions) { o.Temperature = -1 },
		"sampling_topp is 1.5":     func(o *ContinueOptions) { o.TopP = 1.5 },
		"min_p is NaN":             func(o *ContinueOptions) { o.MinP = math.NaN() },
		"repetition_penalty is 0,": func(o *ContinueOptions) { o.RepetitionPenalty = 0 },
		"token 8 is outside the":   func(o *ContinueOptions) { o.Banned = []int32{4, 8} },
		"token -1 is outside the":  func(o *ContinueOptions) { o.Banned = []int32{-1} },
		"token 8 that ends a text": func(o *ContinueOptions) { o.End = 8 },
		"no token has":             func(o *ContinueOptions) { o.Banned = []int32{0, 1, 2, 3, 4, 5, 6, 7} },
	} {
		_, err := Continue(t.Context(), newCounter(8, 4), [][]int32{{4}}, letters, options(change), nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
	for _, read := range [][][]int32{nil, {{4}, {5}, {6}}} {
		_, err := Continue(t.Context(), newCounter(8, 4), read, letters, options(nil), nil)
		if err == nil || !strings.Contains(err.Error(), "texts to continue, want as many as the model has read") {
			t.Errorf("%d texts: error %v", len(read), err)
		}
	}
	for _, banned := range []int32{-1, 8} {
		if _, err := Primed(newCounter(8, 4), 3, []int32{banned}).Step(4); err == nil || !strings.Contains(err.Error(), "is outside the vocabulary of 8") {
			t.Errorf("banned %d: error %v", banned, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Continue(ctx, newCounter(8, 4), [][]int32{{4}}, letters, options(nil), nil); err != context.Canceled {
		t.Errorf("error %v after the context has ended", err)
	}
}

// A search of a text that was read goes on from where it is and does not pay for
// an end that is only the length's.
func TestPrimed(t *testing.T) {
	o := DefaultOptions()
	o.Beam, o.NBest, o.LenPen, o.MinLen = 2, 2, 0, 0
	s := Searcher{Options: o}
	m := newCounter(50, 4)
	m.extra = 49
	found, err := s.Search(t.Context(), Primed(m, 3, []int32{49}), []Text{{First: 2, MaxLen: 3}})
	if err != nil {
		t.Fatal(err)
	}
	best := found[0][0]
	if !slices.Equal(best.Tokens, []int32{5, 6, 7, eosToken}) || math.Abs(best.Score-3*math.Log(0.6)) > 1e-5 {
		t.Errorf("found %v of %g, want 5 6 7 of %g", best.Tokens, best.Score, 3*math.Log(0.6))
	}
}
