package classify

import (
	"bytes"
	"testing"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/internal/cuda/devicetest"
)

// TestPredictOnDevice holds what classifiers say of texts, pairs of texts and a stream on
// a device against what they say on the CPU.
func TestPredictOnDevice(t *testing.T) {
	text := func(change func(*mega.ClassifierConfig)) func(*testing.T) (*Predictor, []Example) {
		return func(t *testing.T) (*Predictor, []Example) {
			p := textPredictor(t, "mega_lra_imdb", change)
			return p, []Example{example(t, p, "a good film"), example(t, p, "bad"), example(t, p, "so so, but it takes its time")}
		}
	}
	for name, make := range map[string]func(*testing.T) (*Predictor, []Example){
		"texts":   text(nil),
		"laplace": text(func(c *mega.ClassifierConfig) { c.AttentionActivationFn, c.ChunkSize = "laplace", -1 }),
		"pairs": func(t *testing.T) (*Predictor, []Example) {
			p := textPredictor(t, "mega_lra_aan", nil)
			return p, []Example{example(t, p, "a paper", "another one"), example(t, p, "one", "a paper of more words")}
		},
	} {
		t.Run(name, func(t *testing.T) {
			p, examples := make(t)
			said := func() (all []Prediction) {
				all = predict(t, p, examples...)
				if p.Pair() {
					return all
				}
				stream := bytes.NewReader(bytes.Repeat([]byte("a stream of words "), 4))
				if err := p.Stream(t.Context(), stream, StreamOptions{Window: 25, Stride: 20}, func(w Prediction) error {
					all = append(all, w)
					return nil
				}); err != nil {
					t.Fatal(err)
				}
				return all
			}
			want := said()
			p.Model().Params().Move(devicetest.New(t))
			got := said()
			if len(got) != len(want) || len(want) < len(examples) {
				t.Fatalf("%d predictions, want %d", len(got), len(want))
			}
			for i := range want {
				near(t, name, got[i], want[i])
			}
			p.Model().LeaveDevice()
			near(t, "on the CPU again", said()[0], want[0])
		})
	}
}
