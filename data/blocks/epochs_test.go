package blocks

import (
	"bufio"
	"compress/gzip"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mega-go/mega/data"
	"github.com/mega-go/mega/data/lines"
)

// readLengths reads the sizes of the lines of a text that the reference was
// trained on, and returns such lines.
func readLengths(t testing.TB, name string) lines.Memory {
	t.Helper()
	f, err := os.Open("testdata/" + name + ".lengths.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var m lines.Memory
	for s := bufio.NewScanner(z); s.Scan(); {
		n, err := strconv.Atoi(s.Text())
		if err != nil {
			t.Fatal(err)
		}
		line := slices.Repeat([]int32{4}, n)
		line[n-1] = data.EOS
		m = append(m, line)
	}
	return m
}

// TestEpochsAsTrained compares with what the official implementation wrote into
// its checkpoints when it was trained on two texts: how many tokens and blocks
// the first and the last batch had, how many all together, and how many batches
// the first epoch had. The second run reaches into its second epoch.
func TestEpochsAsTrained(t *testing.T) {
	for _, c := range []struct {
		name              string
		seed              uint32
		low, high         int
		updates, batches1 int // batches1: of the first epoch, 0 if not known
		firstTokens       int
		lastTokens, last  int
		tokens, blocks    int
	}{
		{"ew-train", 3, 2, 4, 120, 0, 888, 708, 8, 108104, 677},
		{"wt-train", 5, 2, 6, 150, 97, 952, 756, 2, 132215, 529},
	} {
		e, err := NewEpochs(readLengths(t, c.name),
			Options{Vocabulary: 8, Break: Complete, Size: 64, MinMultiple: c.low, MaxMultiple: c.high, Seed: c.seed},
			Batching{data.SamplerOptions{MaxTokens: 1024, Multiple: 8, Seed: c.seed, Shuffle: true}, 1024})
		if err != nil {
			t.Fatal(err)
		}
		var tokens, rows []int
		for n := 1; len(tokens) < c.updates; n++ {
			epoch, err := e.Epoch(n)
			if err != nil {
				t.Fatal(err)
			}
			if n == 1 && c.batches1 > 0 && epoch.Len() != c.batches1 {
				t.Errorf("%s: %d batches in epoch 1, want %d", c.name, epoch.Len(), c.batches1)
			}
			for i := range epoch.Len() {
				b, err := epoch.Batch(i)
				if err != nil {
					t.Fatal(err)
				}
				tokens, rows = append(tokens, b.NumTokens()), append(rows, b.Rows)
			}
		}
		tokens, rows = tokens[:c.updates], rows[:c.updates]
		got := []int{tokens[0], tokens[c.updates-1], rows[c.updates-1], sum(tokens), sum(rows)}
		if want := []int{c.firstTokens, c.lastTokens, c.last, c.tokens, c.blocks}; !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", c.name, got, want)
		}
	}
}

func sum(x []int) int {
	s := 0
	for _, v := range x {
		s += v
	}
	return s
}

// TestDocuments: the official evaluation counted 23424 and 10466 tokens.
func TestDocuments(t *testing.T) {
	for name, want := range map[string]int{"ew-test": 23424, "wt-test": 10466} {
		e, err := Documents(readLengths(t, name), ValidBlock{Splits: 5}, Options{Vocabulary: 8, Break: Complete},
			Batching{SamplerOptions: data.SamplerOptions{Multiple: 8, Seed: 1}})
		if err != nil {
			t.Fatal(err)
		}
		tokens := 0
		for i := range e.Len() {
			b, err := e.Batch(i)
			if err != nil {
				t.Fatal(err)
			}
			for w := range b.Windows(192) {
				tokens += w.NumTokens()
			}
		}
		if tokens != want || e.Len() != 1 || e.Blocks.Len() != 6 {
			t.Errorf("%s: %d tokens in %d batches of %d documents, want %d, 1, 6", name, tokens, e.Len(), e.Blocks.Len(), want)
		}
	}
}

func TestDocumentsBySize(t *testing.T) {
	text := numbered(3, 3, 3, 3, 3, 3, 3)
	b := Batching{SamplerOptions: data.SamplerOptions{NaturalOrder: true}}
	e, err := Documents(text, ValidBlock{Size: 4}, Options{Vocabulary: 50, Break: Complete}, b)
	if err != nil {
		t.Fatal(err)
	}
	if want := [][]int{{0, 1, 2, 3, 4}, {5, 6}}; !cmp.Equal(e.Batches, want) {
		t.Errorf("batches %v, want %v", e.Batches, want)
	}
	b.BatchSize = 3
	if e, err = Documents(text, ValidBlock{Size: 4}, Options{Vocabulary: 50, Break: Complete}, b); err != nil || e.Len() != 3 {
		t.Errorf("%d batches of 3, want 3; %v", e.Len(), err)
	}
	if _, err := Documents(text, ValidBlock{}, Options{Vocabulary: 50}, b); err == nil {
		t.Error("no error without splits and size")
	}
}

func TestEpochIsPure(t *testing.T) {
	text := readLengths(t, "wt-test")
	o := Options{Vocabulary: 8, Break: Complete, Size: 32, MinMultiple: 1, MaxMultiple: 3, Seed: 9}
	b := Batching{SamplerOptions: data.SamplerOptions{MaxTokens: 400, Multiple: 2, Seed: 9, Shuffle: true}}
	first, err := NewEpochs(text, o, b)
	if err != nil {
		t.Fatal(err)
	}
	second, err := NewEpochs(text, o, b)
	if err != nil {
		t.Fatal(err)
	}
	var before [][]int
	for _, n := range []int{3, 1, 2} {
		x, err := first.Epoch(n)
		if err != nil {
			t.Fatal(err)
		}
		y, err := second.Epoch(n)
		if err != nil {
			t.Fatal(err)
		}
		if !cmp.Equal(x.Batches, y.Batches) || !slices.Equal(spansOf(x.Blocks), spansOf(y.Blocks)) {
			t.Errorf("epoch %d differs with what was asked before", n)
		}
		if cmp.Equal(x.Batches, before) {
			t.Errorf("epoch %d is that before it", n)
		}
		before = x.Batches
	}
	if _, err := first.Epoch(0); err == nil {
		t.Error("no error for epoch 0")
	}
}

func TestMaxPositions(t *testing.T) {
	text := numbered(3, 9, 4, 12)
	o := Options{Vocabulary: 50, Break: EOS}
	b := Batching{SamplerOptions: data.SamplerOptions{BatchSize: 4}, MaxPositions: 8}
	e, err := NewEpochs(text, o, b)
	if err != nil {
		t.Fatal(err)
	}
	epoch, err := e.Epoch(1)
	if err != nil {
		t.Fatal(err)
	}
	if !cmp.Equal(epoch.Batches, [][]int{{0, 2}}) || !slices.Equal(epoch.Skipped, []int{1, 3}) {
		t.Errorf("batches %v, skipped %v", epoch.Batches, epoch.Skipped)
	}
	for _, c := range []struct {
		positions, tokens int
		want              string
	}{
		{2, 0, "all 4 blocks are longer than 2 tokens"},
		{0, 10, "more than the maximum of 10 tokens"},
	} {
		b.MaxPositions, b.MaxTokens = c.positions, c.tokens
		if _, err := NewEpochs(text, o, b); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want one about %q", err, c.want)
		}
	}
}

func TestValidBlock(t *testing.T) {
	for s, want := range map[string]ValidBlock{"splits:10": {Splits: 10}, "size:100000000": DefaultValidBlock} {
		got, err := ParseValidBlock(s)
		if err != nil || got != want || got.String() != s {
			t.Errorf("%q: %v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "10", "splits", "splits:", "splits:0", "size:-1", "size:x", "parts:3", "splits:99999999999999999999"} {
		if _, err := ParseValidBlock(s); err == nil || !strings.Contains(err.Error(), "want splits:N") {
			t.Errorf("%q: error %v", s, err)
		}
	}
	for _, c := range []struct{ splits, total, want int }{{5, 23424, 4685}, {10, 100, 10}, {10, 3, 1}} {
		if got := (ValidBlock{Splits: c.splits}).size(c.total); got != c.want {
			t.Errorf("%d splits of %d: %d, want %d", c.splits, c.total, got, c.want)
		}
	}
}
