package mega_test

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/internal/naive"
)

// specify returns the executable specification of a model, in float64.
func specify(t *testing.T, m *mega.LanguageModel) *naive.LanguageModel {
	t.Helper()
	return specifyModel(t, m).Network.(*naive.LanguageModel)
}

func specifyModel(t *testing.T, m *mega.LanguageModel) *naive.Model {
	t.Helper()
	config, err := json.Marshal(m.Config())
	if err != nil {
		t.Fatal(err)
	}
	var args map[string]any
	if err := json.Unmarshal(config, &args); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"adaptive_input_cutoff", "adaptive_softmax_cutoff"} {
		if cutoffs, ok := args[key].([]any); ok { // the reference writes a text with commas
			args[key] = strings.Trim(strings.ReplaceAll(fmt.Sprint(cutoffs), " ", ","), "[]")
		}
	}
	weights := map[string]naive.Tensor{}
	add := func(name string, shape []int, data []float32) {
		wide := make([]float64, len(data))
		for i, v := range data {
			wide[i] = float64(v)
		}
		weights[name] = naive.Tensor{Shape: shape, Data: wide}
	}
	for _, p := range m.Params().All() {
		add(p.Name, p.Shape(), p.Value().Data())
	}
	for _, a := range m.Params().Aliases() {
		add(a.Name, a.Of.Shape(), a.Of.Value().Data())
	}
	for _, b := range m.Params().Buffers() {
		add(b.Name, b.Shape(), b.Data())
	}
	model, err := naive.NewModel(args, weights)
	if err != nil {
		t.Fatal(err)
	}
	return model
}

// A session gives what the specification does in float64, to the rounding of
// float32.
func TestSessionSpecification(t *testing.T) {
	for name, change := range sessionModels {
		t.Run(name, func(t *testing.T) {
			forEachKernel(t, func(t *testing.T) {
				m := newModel(t, change)
				slow, s := specify(t, m), m.NewSession()
				var state naive.State
				for i, token := range text(6, 37, 50) {
					got, err := s.Step(token)
					if err != nil {
						t.Fatal(err)
					}
					out := slow.Step(&state, int(token))
					var want *naive.Matrix
					if slow.Softmax != nil {
						want = slow.Softmax.LogProbs(out.Features)
					} else {
						want = naive.LogSoftmax(out.Logits)
					}
					for j, w := range want.Data {
						if math.Abs(float64(got[j])-w) > 1e-5 {
							t.Fatalf("after token %d: log-probability %d is %g, want %g", i, j, got[j], w)
						}
					}
				}
			})
		})
	}
}
