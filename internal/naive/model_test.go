package naive

import (
	"math"
	"testing"
)

var goldenCases = []string{
	"lra_listops", "lra_text", "lra_retrieval", "lra_image", "lra_pathfinder",
	"speech_commands", "lm_enwik8", "lm_wikitext103", "mt_wmt",
}

func TestGoldenForward(t *testing.T) {
	for _, name := range goldenCases {
		t.Run(name, func(t *testing.T) {
			g := loadGolden(t, name)
			m := g.model(t)
			for _, prefix := range g.prefixes() {
				out := m.Forward(g.batch(prefix))
				if want, ok := g.values[prefix+"eval.logits"]; ok {
					t.Logf("logits %.2e", distance(out.Logits.Data, want.Data))
				}
				if want, ok := g.values[prefix+"eval.features"]; ok {
					t.Logf("features %.2e", distance(out.Features.Data, want.Data))
				}
				if want, ok := g.values[prefix+"eval.loss"]; ok {
					t.Logf("loss %.2e", math.Abs(out.Loss.Data[0]/want.Data[0]-1))
				}
			}
		})
	}
}

func TestGoldenGradients(t *testing.T) {
	for _, name := range goldenCases {
		t.Run(name, func(t *testing.T) {
			g := loadGolden(t, name)
			for _, prefix := range g.prefixes() {
				m := g.model(t)
				m.Train(true)
				out := m.Forward(g.batch(prefix))
				t.Logf("loss %.2e", math.Abs(out.Loss.Data[0]/g.values[prefix+"train.loss"].Data[0]-1))
				Backward(out.Loss)
				got, want := g.gradients(t, m, prefix)
				for name := range want {
					t.Logf("%s %.2e", name, distance(got[name], want[name]))
				}
			}
		})
	}
}
