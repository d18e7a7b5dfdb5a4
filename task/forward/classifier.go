package forward

import "github.com/mega-go/mega"

func (f *runner) classify(m *mega.Classifier) error {
	in, err := f.input("net_input", m.Config().Tokens())
	if err != nil {
		return err
	}
	if m.Config().Pair() {
		if in.Pair, err = f.input("net_input1", true); err != nil {
			return err
		}
	}
	logits, err := m.Forward(f.tape, in)
	if err != nil {
		return err
	}
	f.addOutput("logits", logits)
	target, err := f.target(in.Rows, m.Config().SentenceClassNum)
	if target == nil || err != nil {
		return err
	}
	const none = -1
	f.addLoss(f.tape.CrossEntropy(logits, target, none, 0))
	return nil
}
