package blocks

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mega-go/mega/data/lines"
)

// numbered returns lines of the given sizes; their tokens count up from 4 and
// every line ends in </s>.
func numbered(sizes ...int) lines.Memory {
	var m lines.Memory
	next := int32(4)
	for _, n := range sizes {
		line := make([]int32, n)
		for i := range line {
			line[i] = next
			next++
		}
		if n > 0 {
			line[n-1] = 2
		}
		m = append(m, line)
	}
	return m
}

func spansOf(b *Blocks) [][2]int {
	var spans [][2]int
	for i := range b.Len() {
		from, to := b.Span(i)
		spans = append(spans, [2]int{from, to})
	}
	return spans
}

func TestCut(t *testing.T) {
	text := numbered(3, 2, 1, 4, 6, 1, 1, 2, 3)
	// starts:        0  3  5  6 10 16 17 18 20 23
	for _, c := range []struct {
		mode Break
		size int
		want [][2]int
	}{
		{None, 8, [][2]int{{0, 8}, {8, 16}, {16, 23}}},
		{None, 100, [][2]int{{0, 23}}},
		{Stream, 8, [][2]int{{0, 8}, {8, 16}, {16, 23}}},
		{EOS, 0, [][2]int{{0, 3}, {3, 5}, {5, 6}, {6, 10}, {10, 16}, {16, 17}, {17, 18}, {18, 20}, {20, 23}}},
		{Complete, 5, [][2]int{{0, 5}, {5, 10}, {10, 16}, {16, 20}, {20, 23}}},
		{Complete, 1, [][2]int{{0, 3}, {3, 5}, {5, 6}, {6, 10}, {10, 16}, {16, 17}, {17, 18}, {18, 20}, {20, 23}}},
		{CompleteDoc, 4, [][2]int{{0, 3}, {3, 5}, {6, 10}, {10, 16}, {18, 20}, {20, 23}}},
		{CompleteDoc, 10, [][2]int{{0, 5}, {6, 16}, {18, 23}}},
		{CompleteDocWithBoundary, 10, [][2]int{{0, 6}, {6, 17}, {18, 23}}},
		{CompleteDocWithBoundary, 4, [][2]int{{0, 3}, {3, 6}, {6, 10}, {10, 17}, {18, 20}, {20, 23}}},
	} {
		b, err := Cut(text, Options{Vocabulary: 50, Break: c.mode, Size: c.size}, 1)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, spansOf(b)); diff != "" {
			t.Errorf("%v of %d (-want +got):\n%s", c.mode, c.size, diff)
		}
	}
}

// TestCutVariable draws from numpy's RandomState(0): randint(3) gives 0 1 0 1 1,
// so the limits are 2 4 2 4 4; and RandomState([42, 1, 2]).randint(4) gives
// 1 2 1 3, so with 1 to 4 they are 2 3 2 4.
func TestCutVariable(t *testing.T) {
	text := numbered(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1)
	for _, c := range []struct {
		mode        Break
		seed        uint32
		epoch, most int
		want        [][2]int
	}{
		{Complete, 0, 1, 3, [][2]int{{0, 2}, {2, 6}, {6, 8}, {8, 11}}},
		{Stream, 0, 1, 3, [][2]int{{0, 2}, {2, 6}, {6, 8}, {8, 11}}},
		{None, 0, 1, 3, [][2]int{{0, 2}, {2, 4}, {4, 6}, {6, 8}, {8, 10}, {10, 11}}},
		{Complete, 1, 2, 4, [][2]int{{0, 4}, {4, 10}, {10, 11}}},
	} {
		o := Options{Vocabulary: 50, Break: c.mode, Size: 2, MinMultiple: 1, MaxMultiple: c.most, Seed: c.seed}
		b, err := Cut(text, o, c.epoch)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, spansOf(b)); diff != "" {
			t.Errorf("%v, seed %d, epoch %d (-want +got):\n%s", c.mode, c.seed, c.epoch, diff)
		}
	}
}

func TestCollate(t *testing.T) {
	text := lines.Memory{{4, 5, 6, 2}, {7, 8, 2}, {9, 2}}
	for _, c := range []struct {
		name            string
		options         Options
		blocks          []int
		tokens, targets [][]int32
		predicted       int
	}{
		{
			"whole lines", Options{Break: Complete, Size: 4}, []int{1, 0},
			[][]int32{{2, 7, 8, 1}, {2, 4, 5, 6}}, [][]int32{{7, 8, 2, 1}, {4, 5, 6, 2}}, 7,
		}, {
			"inside a line", Options{Break: None, Size: 3}, []int{0, 1, 2},
			[][]int32{{2, 4, 5}, {6, 2, 7}, {8, 2, 9}}, [][]int32{{4, 5, 6}, {2, 7, 8}, {2, 9, 2}}, 9,
		}, {
			"beginning of sentence", Options{Break: EOS, AddBOS: true}, []int{2, 1},
			[][]int32{{0, 2, 9, 1}, {0, 2, 7, 8}}, [][]int32{{0, 9, 2, 1}, {0, 7, 8, 2}}, 7,
		}, {
			"context", Options{Break: Complete, Size: 4, Context: 2}, []int{0, 1},
			[][]int32{{2, 4, 5, 6, 1}, {5, 6, 2, 7, 8}}, [][]int32{{4, 5, 6, 2, 1}, {1, 1, 7, 8, 2}}, 7,
		}, {
			"output dictionary", Options{Break: EOS, OutputVocabulary: 6}, []int{0},
			[][]int32{{2, 4, 5, 6}}, [][]int32{{4, 5, 3, 2}}, 4,
		}, {
			"truncated", Options{Break: Complete, Size: 4, Truncate: 2}, []int{0, 1},
			[][]int32{{2, 4, 5, 7}, {2, 9, 1, 1}}, [][]int32{{4, 5, 7, 8}, {9, 2, 1, 1}}, 6,
		},
	} {
		c.options.Vocabulary = 10
		b, err := Cut(text, c.options, 1)
		if err != nil {
			t.Fatal(err)
		}
		got, err := b.Collate(c.blocks)
		if err != nil {
			t.Fatal(err)
		}
		if want := slices.Concat(c.tokens...); !slices.Equal(got.Tokens, want) {
			t.Errorf("%s: tokens %v, want %v", c.name, got.Tokens, want)
		}
		if want := slices.Concat(c.targets...); !slices.Equal(got.Targets, want) {
			t.Errorf("%s: targets %v, want %v", c.name, got.Targets, want)
		}
		if n := got.NumTokens(); n != c.predicted || !slices.Equal(got.IDs, c.blocks) {
			t.Errorf("%s: %d targets, want %d; blocks %v, want %v", c.name, n, c.predicted, got.IDs, c.blocks)
		}
	}
}

func TestWindows(t *testing.T) {
	b, err := Cut(lines.Memory{{4, 5, 6, 7, 2}, {8, 2}}, Options{Vocabulary: 10, Break: EOS}, 1)
	if err != nil {
		t.Fatal(err)
	}
	batch, err := b.Collate([]int{0, 1})
	if err != nil {
		t.Fatal(err)
	}
	var got []*Batch
	for w := range batch.Windows(2) {
		got = append(got, w)
	}
	ids := []int{0, 1}
	want := []*Batch{
		{Rows: 2, Length: 2, Tokens: []int32{2, 4, 2, 8}, Targets: []int32{4, 5, 8, 2}, Lengths: []int32{2, 2}, IDs: ids},
		{Rows: 2, Length: 2, Tokens: []int32{5, 6, 1, 1}, Targets: []int32{6, 7, 1, 1}, Lengths: []int32{2, 0}, IDs: ids},
		{Rows: 2, Length: 1, Tokens: []int32{7, 1}, Targets: []int32{2, 1}, Lengths: []int32{1, 0}, IDs: ids},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for range batch.Windows(1) {
		break // must not go on after the caller has stopped
	}
}

func TestErrors(t *testing.T) {
	text := lines.Memory{{4, 5, 2}, {6, 12, 2}}
	ok := Options{Vocabulary: 10, Break: Complete, Size: 4}
	change := func(f func(*Options)) Options {
		o := ok
		f(&o)
		return o
	}
	for _, c := range []struct {
		text    lines.Lines
		options Options
		want    string
	}{
		{lines.Memory{}, ok, "the text is empty"},
		{lines.Memory{{2}}, change(func(o *Options) { o.Break = CompleteDoc }), "the text is empty"},
		{text, Options{}, "want the size of the dictionary"},
		{text, change(func(o *Options) { o.Size = 0 }), "block size of 0 tokens"},
		{text, change(func(o *Options) { o.Size, o.MaxMultiple = math.MaxInt, 4 }), "want at most"},
		{text, change(func(o *Options) { o.MinMultiple, o.MaxMultiple = 4, 2 }), "the smaller number first"},
		{text, change(func(o *Options) { o.Break = 9 }), "unknown break mode"},
		{text, change(func(o *Options) { o.Context = -1 }), "none may be negative"},
	} {
		if _, err := Cut(c.text, c.options, 1); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want one about %q", err, c.want)
		}
	}
	b, err := Cut(text, ok, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Collate([]int{0, 1}); err == nil || !strings.HasPrefix(err.Error(), "line 2: token 12 is beyond the dictionary of 10") {
		t.Errorf("error %v", err)
	}
	for _, indices := range [][]int{nil, {2}, {-1}} {
		if _, err := b.Collate(indices); err == nil {
			t.Errorf("no error for blocks %v", indices)
		}
	}
}

func TestParseBreak(t *testing.T) {
	for mode := None; mode <= Stream; mode++ {
		if got, err := ParseBreak(mode.String()); err != nil || got != mode {
			t.Errorf("%v: %v, %v", mode, got, err)
		}
	}
	if got, err := ParseBreak(""); err != nil || got != None {
		t.Errorf("empty: %v, %v", got, err)
	}
	if _, err := ParseBreak("sentence"); err == nil || !strings.Contains(err.Error(), `"sentence", want none, complete`) {
		t.Errorf("error %v", err)
	}
}

// FuzzCut holds what is true of all cuts against random texts: blocks are in
// order, without overlap, and in the modes that keep everything without gap.
func FuzzCut(f *testing.F) {
	f.Add([]byte{3, 1, 4, 1, 1, 0, 5}, uint8(1), uint8(4), uint8(1), uint8(3), uint8(2))
	f.Add([]byte{0, 0, 9}, uint8(5), uint8(2), uint8(2), uint8(2), uint8(1))
	f.Fuzz(func(t *testing.T, raw []byte, mode, size, low, high, epoch uint8) {
		var sizes []int
		total := 0
		for _, n := range raw {
			sizes = append(sizes, int(n%8))
			total += int(n % 8)
		}
		o := Options{Vocabulary: 4 + total, Break: Break(mode % 6), Size: int(size%9) + 1, MinMultiple: int(low%3) + 1}
		o.MaxMultiple = o.MinMultiple + int(high%3)
		b, err := Cut(numbered(sizes...), o, int(epoch%3)+1)
		if err != nil {
			if total > 0 && (o.Break != CompleteDoc && o.Break != CompleteDocWithBoundary) {
				t.Fatal(err)
			}
			return
		}
		end, covered := 0, 0
		for i, s := range spansOf(b) {
			if s[0] < end || s[1] <= s[0] || s[1] > total {
				t.Fatalf("block %d is %v after one that ends at %d of %d", i, s, end, total)
			}
			end = s[1]
			covered += s[1] - s[0]
			if _, err := b.Collate([]int{i}); err != nil {
				t.Fatal(err)
			}
		}
		if o.Break != CompleteDoc && o.Break != CompleteDocWithBoundary && covered != total {
			t.Fatalf("%v: blocks cover %d of %d tokens", o.Break, covered, total)
		}
	})
}
