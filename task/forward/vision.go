package forward

import (
	"fmt"

	"github.com/mega-go/mega"
)

// look runs a classifier of pictures.
func (f *runner) look(m *mega.Vision) error {
	name := f.name("net_input.src_tokens")
	shape, ok := f.reader.Shape(name)
	if !ok || len(shape) != 4 || shape[2] != shape[3] {
		return fmt.Errorf("%s has shape %v, want pictures [batch, 3, side, side]; the input has %v", name, shape, f.reader.Names())
	}
	in := &mega.Images{Rows: shape[0], Side: shape[2]}
	var err error
	if in.Pixels, err = f.reader.Float32(name); err != nil {
		return err
	}
	logits, err := m.Forward(f.tape, in)
	if err != nil {
		return err
	}
	f.addOutput("logits", logits)
	target, err := f.target(in.Rows, m.Config().NumClasses)
	if target == nil || err != nil {
		return err
	}
	const none = -1
	f.addLoss(f.tape.CrossEntropy(logits, target, none, 0))
	return nil
}
