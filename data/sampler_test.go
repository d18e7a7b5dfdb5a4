package data

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// sized is a data set of which only the sizes matter.
type sized []int

func (s sized) Len() int                      { return len(s) }
func (s sized) Size(i int) int                { return s[i] }
func (s sized) Collate([]int) (*Batch, error) { panic("not collated here") }

func uniform(n, size int) sized {
	s := make(sized, n)
	for i := range s {
		s[i] = size
	}
	return s
}

func sampler(t *testing.T, ds Dataset, o SamplerOptions) *Sampler {
	t.Helper()
	s, err := NewSampler(ds, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestReferenceOrder holds the first batches of the reference's validation set
// of 50 samples with seed 2: batches b0 and b1 of its golden values.
func TestReferenceOrder(t *testing.T) {
	s := sampler(t, uniform(50, 7), SamplerOptions{BatchSize: 6, Seed: 2})
	got, _ := s.Batches(1)
	want := [][]int{{5, 23, 17, 32, 30, 21}, {31, 40, 46, 3, 29, 42}}
	if len(got) != 9 || !reflect.DeepEqual(got[:2], want) {
		t.Errorf("%d batches, first %v; want 9, first %v", len(got), got[:2], want)
	}
}

// TestShuffle checks numpy's RandomState(42).shuffle of ten batches: seed 40,
// epoch 2.
func TestShuffle(t *testing.T) {
	s := sampler(t, uniform(10, 1), SamplerOptions{BatchSize: 1, Seed: 40, NaturalOrder: true, Shuffle: true})
	got, _ := s.Batches(2)
	want := [][]int{{8}, {1}, {5}, {0}, {7}, {2}, {9}, {4}, {3}, {6}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("epoch 2: %v, want %v", got, want)
	}
	if again, _ := s.Batches(2); !reflect.DeepEqual(got, again) {
		t.Error("the same epoch came out in another order")
	}
	if other, _ := s.Batches(3); reflect.DeepEqual(got, other) {
		t.Error("epochs 2 and 3 have the same order")
	}
}

func TestBatchBySize(t *testing.T) {
	for name, c := range map[string]struct {
		sizes sized
		o     SamplerOptions
		want  [][]int
	}{
		"by sentences":     {uniform(5, 9), SamplerOptions{BatchSize: 2}, [][]int{{0, 1}, {2, 3}, {4}}},
		"by tokens":        {sized{3, 4, 5, 1, 9}, SamplerOptions{MaxTokens: 12}, [][]int{{0, 1}, {2, 3}, {4}}},
		"multiple":         {uniform(13, 1), SamplerOptions{BatchSize: 6, Multiple: 4}, [][]int{{0, 1, 2, 3}, {4, 5, 6, 7}, {8, 9, 10, 11, 12}}},
		"below a multiple": {uniform(5, 1), SamplerOptions{BatchSize: 2, Multiple: 8}, [][]int{{0, 1}, {2, 3}, {4}}},
		"rest is shorter":  {sized{10, 1, 1, 1, 1, 1}, SamplerOptions{MaxTokens: 20, Multiple: 2}, [][]int{{0, 1}, {2, 3, 4, 5}}},
	} {
		c.o.NaturalOrder = true
		if got, _ := sampler(t, c.sizes, c.o).Batches(1); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestSamplerErrors(t *testing.T) {
	for want, c := range map[string]struct {
		sizes sized
		o     SamplerOptions
	}{
		"is empty":         {nil, SamplerOptions{BatchSize: 1}},
		"neither a batch":  {sized{1}, SamplerOptions{}},
		"negative":         {sized{1}, SamplerOptions{BatchSize: -1}},
		"sample 1 has 9 t": {sized{1, 9}, SamplerOptions{MaxTokens: 8}},
	} {
		if _, err := NewSampler(c.sizes, c.o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

// TestEverySampleOnce: whatever the limits, an epoch holds each sample once
// and no batch breaks a limit (with Multiple above 1 the reference's own rule
// can exceed MaxTokens by a sample).
func TestEverySampleOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sizes := sized(rapid.SliceOfN(rapid.IntRange(1, 30), 1, 80).Draw(t, "sizes"))
		o := SamplerOptions{
			BatchSize: rapid.IntRange(1, 20).Draw(t, "batch"),
			MaxTokens: rapid.IntRange(30, 200).Draw(t, "tokens"),
			Multiple:  rapid.IntRange(1, 8).Draw(t, "multiple"),
			Seed:      rapid.Uint32().Draw(t, "seed"),
			Shuffle:   true,
		}
		s, err := NewSampler(sizes, o)
		if err != nil {
			t.Fatal(err)
		}
		batches, _ := s.Batches(rapid.IntRange(1, 9).Draw(t, "epoch"))
		var seen []int
		for _, b := range batches {
			longest := 0
			for _, i := range b {
				longest = max(longest, sizes[i])
			}
			if len(b) == 0 || len(b) > o.BatchSize || o.Multiple == 1 && len(b)*longest > o.MaxTokens {
				t.Fatalf("batch %v of longest %d breaks %+v", b, longest, o)
			}
			seen = append(seen, b...)
		}
		slices.Sort(seen)
		for i, v := range seen {
			if v != i || len(seen) != len(sizes) {
				t.Fatalf("samples %v, want each of %d once", seen, len(sizes))
			}
		}
	})
}
