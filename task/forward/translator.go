package forward

import (
	"fmt"

	"github.com/mega-go/mega"
)

// labelSmoothing returns what the reference's criterion smooths by.
func labelSmoothing(args map[string]any) float64 {
	if args["criterion"] != "label_smoothed_cross_entropy" {
		return 0
	}
	eps, _ := args["label_smoothing"].(float64)
	return eps
}

func (f *runner) translate(m *mega.Translator, smoothing float64) error {
	in, err := f.input("net_input", true)
	if err != nil {
		return err
	}
	shifted, shape, err := f.integers("net_input.prev_output_tokens")
	if err != nil {
		return err
	}
	if len(shape) != 2 || shape[0] != in.Rows {
		return fmt.Errorf("%s has shape %v, want [%d, length]", f.name("net_input.prev_output_tokens"), shape, in.Rows)
	}
	encoded, err := m.Encode(f.tape, in.Tokens, in.Rows, in.Length)
	if err != nil {
		return err
	}
	logits, err := m.Decode(f.tape, encoded, shifted, in.Rows, shape[1])
	if err != nil {
		return err
	}
	f.addOutput("logits", logits)
	target, err := f.target(len(shifted), m.Config().TargetVocabSize)
	if target != nil {
		f.addLoss(f.tape.CrossEntropy(logits, target, mega.Pad, smoothing))
	}
	return err
}
