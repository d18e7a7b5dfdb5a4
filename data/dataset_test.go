package data

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSamplesCollate(t *testing.T) {
	s := Samples{
		{Tokens: []int32{4, 5, 2}, Pair: []int32{6, 2}, Label: 1},
		{Tokens: []int32{7, 2}, Pair: []int32{4, 4, 4, 2}, Label: 0},
	}
	got, err := s.Collate([]int{1, 0})
	if err != nil {
		t.Fatal(err)
	}
	want := &Batch{
		Rows: 2, Length: 3,
		Tokens:  []int32{7, 2, Pad, 4, 5, 2},
		Lengths: []int32{2, 3},
		Pair: &Batch{
			Rows: 2, Length: 4,
			Tokens:  []int32{4, 4, 4, 2, 6, 2, Pad, Pad},
			Lengths: []int32{4, 2},
		},
		Labels: []int32{0, 1},
		IDs:    []int{1, 0},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if n := got.NumTokens(); n != 5 {
		t.Errorf("%d tokens, want 5", n)
	}
}

func TestSamplesValues(t *testing.T) {
	s := Samples{{Values: []float32{.5}, Label: 3}, {Values: []float32{1, 2}}}
	got, err := s.Collate([]int{0, 1})
	if err != nil {
		t.Fatal(err)
	}
	want := &Batch{
		Rows: 2, Length: 2,
		Samples: []float32{.5, 0, 1, 2},
		Lengths: []int32{1, 2},
		Labels:  []int32{3, 0},
		IDs:     []int{0, 1},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestSamplesErrors(t *testing.T) {
	s := Samples{
		{Tokens: []int32{2}},
		{},
		{Values: []float32{1}},
		{Tokens: []int32{2}, Pair: []int32{2}},
		{Tokens: []int32{2}, Pair: []int32{}},
		{Tokens: []int32{2}, Values: []float32{1}},
	}
	for _, c := range []struct {
		indices []int
		want    string
	}{
		{nil, "at least one sample"},
		{[]int{6}, "sample 6 is out of range: the data set has 6"},
		{[]int{-1}, "sample -1 is out of range"},
		{[]int{0, 1}, "sample 1: empty"},
		{[]int{0, 2}, "sample 2: tokens, pairs and values"},
		{[]int{0, 3}, "sample 3: tokens, pairs and values"},
		{[]int{4}, "sample 4: a pair needs"},
		{[]int{5}, "sample 5: has both"},
	} {
		if _, err := s.Collate(c.indices); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: error %v, want one with %q", c.indices, err, c.want)
		}
	}
}

func TestBatchCheck(t *testing.T) {
	b := &Batch{
		Rows: 2, Length: 2, Tokens: []int32{4, 2, 9, 2}, Lengths: []int32{2, 2},
		Pair:   &Batch{Rows: 2, Length: 1, Tokens: []int32{2, 11}, Lengths: []int32{1, 1}},
		Labels: []int32{0, 2}, IDs: []int{30, 17},
	}
	for _, c := range []struct {
		vocabulary, classes int
		want                string
	}{
		{12, 3, ""},
		{12, 2, "sample 17: label 2 is out of range: the model has 2 classes"},
		{9, 3, "sample 17: token 9 is beyond the vocabulary of 9"},
		{11, 3, "sample 17: token 11 is beyond the vocabulary of 11"},
	} {
		got := ""
		if err := b.Check(c.vocabulary, c.classes); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("vocabulary %d, %d classes: %q, want %q", c.vocabulary, c.classes, got, c.want)
		}
	}
}
