package mega

import (
	"slices"
	"sync"

	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/nn"
)

// A base is what models of every kind have.
type base[C Config] struct {
	config C
	params *nn.Params
}

// Config returns the configuration the model was made from.
func (m *base[C]) Config() C { return m.config }

// Params returns the parameters, buffers and counters.
func (m *base[C]) Params() *nn.Params { return m.params }

// tapes are a classifier's, for inputs whose scores alone are wanted.
type tapes struct {
	pool     sync.Pool
	onDevice *autograd.Tape // of the device that has the parameters, nil until it is needed
	bf16     bool
}

// SetBF16 chooses whether Logits rounds the factors of products to bfloat16, as
// autograd's Tape.SetBF16 says. It does not concern tapes that are given to Forward.
func (p *tapes) SetBF16(on bool) { p.bf16 = on }

// BF16 returns what SetBF16 chose.
func (p *tapes) BF16() bool { return p.bf16 }

// leave gives a device back the memory of Logits, and moves parameters to the host.
func (p *tapes) leave(params *nn.Params) {
	if p.onDevice != nil {
		p.onDevice.Close()
		p.onDevice = nil
	}
	params.Move(nil)
}

// rows returns the rows of what forward computes where the parameters are. Any number of
// goroutines may call it if that is the host, and only that of a device, which there is
// one tape for: a pool might drop others, and their memory would stay taken.
func (p *tapes) rows(params *nn.Params, forward func(t *autograd.Tape) (*autograd.Variable, error)) ([][]float32, error) {
	t := p.onDevice
	if d := params.Device(); d == nil {
		var ok bool
		if t, ok = p.pool.Get().(*autograd.Tape); !ok {
			t = autograd.NewTape()
		}
		defer p.pool.Put(t)
	} else if t == nil {
		t = params.NewTape()
		p.onDevice = t
	}
	defer t.Reset()
	t.SetBF16(p.bf16)
	x, err := forward(t)
	if err != nil {
		return nil, err
	}
	return slices.Collect(slices.Chunk(slices.Clone(x.Value().Host()), x.Cols())), nil
}
