package forward

import "github.com/mega-go/mega"

func (f *runner) predict(m *mega.LanguageModel) error {
	in, err := f.input("net_input", true)
	if err != nil {
		return err
	}
	target, err := f.target(len(in.Tokens), m.Config().VocabSize)
	if err != nil {
		return err
	}
	features, err := m.Features(f.tape, in.Tokens, in.Rows, in.Length)
	if err != nil {
		return err
	}
	if m.Config().Adaptive() {
		f.addOutput("features", features)
		f.addOutput("log_probs", m.Scores(f.tape, features))
	} else {
		f.addOutput("logits", m.Scores(f.tape, features))
	}
	if target != nil {
		f.addLoss(m.FeatureLoss(f.tape, features, target))
	}
	return nil
}
