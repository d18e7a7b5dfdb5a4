package checkpoint

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/mega-go/mega/format/torchfile"
)

// modelEMAKey is where mega-image's training keeps averages of the weights
// (deit/main.py:450).
const modelEMAKey = "model_ema"

// UseModelEMA makes the exponential averages of the weights, which a training with
// model_ema keeps beside them, those of the checkpoint.
func (c *Checkpoint) UseModelEMA() error {
	w, err := c.modelEMA()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s has no averages of its weights: its training did not keep any (model_ema)", c.Path)
	case err != nil:
		return fmt.Errorf("%s: %s: %w", c.Path, modelEMAKey, err)
	}
	c.Weights = unwrap(w)
	return nil
}

func (c *Checkpoint) modelEMA() (Weights, error) {
	switch {
	case c.root != nil:
		state, _ := c.root.Get(modelEMAKey)
		if state == nil {
			return nil, fs.ErrNotExist
		}
		return torchfile.NewStateDict(state)
	case c.from != nil:
		return c.openWeightFile(ModelEMAFile)
	}
	return nil, fs.ErrNotExist
}
