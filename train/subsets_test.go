package train

import (
	"errors"
	"maps"
	"slices"
	"testing"
)

func TestSubsets(t *testing.T) {
	subsets := Subsets("valid, test")
	if !slices.Equal(subsets, []string{"valid", "test"}) {
		t.Errorf("%q", subsets)
	}
	if got := SubsetMetrics(subsets, "loss", "ppl"); !slices.Equal(got, []string{"loss", "ppl", "test_loss", "test_ppl"}) {
		t.Errorf("%q", got)
	}
	got, err := MeasureSubsets(subsets, func(i int) (Metrics, error) { return Metrics{"loss": float64(i + 1)}, nil })
	if err != nil || !maps.Equal(got, Metrics{"loss": 1, "test_loss": 2}) {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := MeasureSubsets(subsets, func(int) (Metrics, error) { return nil, errors.New("no") }); err == nil {
		t.Error("an error is passed over")
	}
}
