package checkpoint

import (
	"math"
	"testing"

	"github.com/mega-go/mega/format/torchfile"
)

// TestExtraState: what is reset need not be there, and a best metric of NaN, than
// which nothing is better, counts as none.
func TestExtraState(t *testing.T) {
	dict := func(key string, value any) *torchfile.Dict {
		d := &torchfile.Dict{}
		d.Set(key, value)
		return d
	}
	for _, c := range []struct {
		best any
		want bool
	}{{1.5, true}, {math.NaN(), false}, {math.Inf(-1), false}, {nil, false}} {
		var got Training
		ck := &Checkpoint{root: dict("extra_state", dict("best", c.best))}
		if err := ck.readExtra(&got, Reset{Loader: true}); err != nil || (got.Best != nil) != c.want {
			t.Errorf("best %v: %v, %v", c.best, got.Best, err)
		}
		if err := ck.readExtra(&got, Reset{}); err == nil {
			t.Error("a missing train_iterator is passed over")
		}
	}
	empty := &Checkpoint{root: &torchfile.Dict{}}
	if err := empty.readExtra(&Training{}, Reset{Loader: true}); err != nil {
		t.Error(err)
	}
}
