package classify

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/data/labelled"
)

// unbalanced yields samples of two classes, three of the first to one of the other.
func unbalanced(kind string) func(yield func(labelled.Sample) bool) {
	return func(yield func(labelled.Sample) bool) {
		for i := range 80 {
			s := labelled.Sample{Label: []string{"often", "seldom"}[min(1, i%4/3)]}
			text := fmt.Appendf(nil, "%s %d", s.Label, i)
			switch kind {
			case labelled.Texts:
				s.Texts = [][]byte{text}
			case labelled.Pairs:
				s.Texts = [][]byte{text, []byte("other")}
			case labelled.Series:
				s.Values = []float32{float32(i), float32(i % 4), 1}
			}
			if !yield(s) {
				return
			}
		}
	}
}

// TestClassWeights: in training and in validation the loss of a batch is that of its
// samples, each multiplied by the weight of its class.
func TestClassWeights(t *testing.T) {
	for _, kind := range []string{labelled.Texts, labelled.Pairs, labelled.Series} {
		set, err := labelled.Collect("samples", unbalanced(kind), labelled.Options{})
		if err != nil {
			t.Fatal(err)
		}
		s, err := SettingsFor(&set.Summary)
		if err != nil {
			t.Fatal(err)
		}
		s.Model.EncoderLayers, s.Model.Dropout, s.Data.ClassWeights = 1, 0, []string{"balanced"}
		corpus, err := NewCorpus(set, s.Data, s.Model)
		if err != nil {
			t.Fatal(err)
		}
		weights := corpus.Seen.Weights()
		if want := []float32{64. / (2 * 48), 64. / (2 * 16)}; !slices.Equal(weights, want) {
			t.Fatalf("%s: weights %v, want %v", kind, weights, want)
		}
		task, err := NewTaskOn(corpus, s.Data, s.Model)
		if err != nil {
			t.Fatal(err)
		}
		for _, all := range []batches{task.train, task.valid[0]} {
			next, err := all.Batch(0)
			if err != nil {
				t.Fatal(err)
			}
			result, err := next.Loss(autograd.NewTape())
			if err != nil {
				t.Fatal(err)
			}
			b := next.(batch).data
			logits, err := task.model.Logits(*input(b))
			if err != nil {
				t.Fatal(err)
			}
			want := 0.0
			for i, label := range b.Labels {
				sum := 0.0
				for _, x := range logits[i] {
					sum += math.Exp(float64(x))
				}
				want += float64(weights[label]) * (math.Log(sum) - float64(logits[i][label]))
			}
			if got := result.Host().Loss; math.Abs(got-want) > 1e-4*want {
				t.Errorf("%s: loss %g, want %g", kind, got, want)
			}
		}
	}
}
