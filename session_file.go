package mega

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/mega-go/mega/format/dtype"
	"github.com/mega-go/mega/format/safetensors"
	"github.com/mega-go/mega/internal/cuda/device"
	"github.com/mega-go/mega/tensor"
)

// What a session's file says of itself.
const (
	sessionFormat = "mega session 1"
	formatKey     = "format"
	modelKey      = "model" // a checksum of the parameters
)

// maxPosition bounds how far a saved text has come, so that what is read on cannot
// overflow.
const maxPosition = 1 << 53

// Save writes the session as a safetensors file, from which LoadSession continues
// bit for bit: positions [rows], log_probs [rows, V], and for each layer
// layers.I.averages [rows, state size], in the order of the computation, and
// layers.I.rows.R.keys and .values of the current chunk.
func (s *Session) Save(w io.Writer) (err error) {
	defer device.Catch(&err)
	if s.logProbs == nil {
		return errors.New("save a session: nothing has been read yet")
	}
	positions := make([]int64, s.Rows())
	for i, p := range s.positions {
		positions[i] = int64(p)
	}
	tensors := []safetensors.Tensor{
		safetensors.Of("positions", []int{len(positions)}, positions),
		safetensors.Of("log_probs", s.logProbs.Shape(), s.logProbs.Host()),
	}
	for i, b := range s.states {
		averages := b.gated.average.Host()
		tensors = append(tensors, safetensors.Of(averagesName(i), averages.Shape(), averages.Host()))
		for row, c := range b.gated.keys.Texts {
			keys, values := c.Tensors()
			tensors = append(tensors,
				safetensors.Of(cacheName(i, row, "keys"), keys.Shape(), keys.Host()),
				safetensors.Of(cacheName(i, row, "values"), values.Shape(), values.Host()))
		}
	}
	return safetensors.Encode(w, tensors, map[string]string{formatKey: sessionFormat, modelKey: s.model.checksum()})
}

func averagesName(layer int) string { return fmt.Sprintf("layers.%d.averages", layer) }

func cacheName(layer, row int, what string) string {
	return fmt.Sprintf("layers.%d.rows.%d.%s", layer, row, what)
}

// checksum tells models apart: the CRC-32C of all parameters. That of a frozen
// model is computed once.
func (m *LanguageModel) checksum() string {
	if m.frozen == nil {
		return m.parametersChecksum()
	}
	m.frozen.summing.Lock()
	defer m.frozen.summing.Unlock()
	if m.frozen.checksum == "" {
		m.frozen.checksum = m.parametersChecksum() // or a panic, if a device fails: the next call tries again
	}
	return m.frozen.checksum
}

func (m *LanguageModel) parametersChecksum() string {
	sum := uint32(0)
	for _, p := range m.params.All() {
		sum = crc32.Update(sum, crc32.MakeTable(crc32.Castagnoli), dtype.Bytes(p.Value().Host()))
	}
	return fmt.Sprintf("%08x", sum)
}

// LoadSession returns a session that Save wrote, with this very model. A file that
// was changed since is an error where it could not have come from Save: positions
// that no text has, shapes of another model, numbers that are not finite.
func (m *LanguageModel) LoadSession(r io.Reader) (*Session, error) {
	f, err := safetensors.Read(r)
	if err != nil {
		return nil, fmt.Errorf("load a session: %w", err)
	}
	defer f.Close()
	s, err := m.loadSession(sessionReader{Reader: f})
	if err != nil {
		return nil, fmt.Errorf("load a session: %w", err)
	}
	return s, nil
}

func (m *LanguageModel) loadSession(f sessionReader) (session *Session, err error) {
	defer device.Catch(&err)
	if format := f.Metadata()[formatKey]; format != sessionFormat {
		return nil, fmt.Errorf("the file's format is %q, want %q", format, sessionFormat)
	}
	if sum, own := f.Metadata()[modelKey], m.checksum(); sum != own {
		return nil, fmt.Errorf("it was saved with another model (parameters' checksum %s, this one's %s)", sum, own)
	}
	positions, err := f.Int64("positions")
	if err != nil {
		return nil, err
	}
	rows := len(positions)
	if rows == 0 {
		return nil, errors.New("it has no texts")
	}
	f.shape("log_probs", rows, m.config.VocabSize) // before anything of that many rows is made
	for i, b := range m.NewSession().states {
		f.shape(averagesName(i), rows, b.gated.average.Size())
	}
	if f.err != nil {
		return nil, f.err
	}
	s := m.NewBatch(rows)
	s.logProbs = f.tensor("log_probs", rows, m.config.VocabSize)
	for row, p := range positions {
		if p < 1 || p > maxPosition {
			return nil, fmt.Errorf("positions: text %d is at %d, want 1 to %d", row, p, int64(maxPosition))
		}
		s.positions[row] = int(p)
	}
	for i, b := range s.states {
		average := b.gated.average
		if x := f.tensor(averagesName(i), rows, average.Size()); x != nil {
			average.SetHost(x)
		}
		for row, c := range b.gated.keys.Texts {
			n := s.cached(s.positions[row])
			keys := f.tensor(cacheName(i, row, "keys"), n, m.config.DecoderZDim)
			values := f.tensor(cacheName(i, row, "values"), n, m.config.DecoderHiddenDim)
			if f.err != nil {
				return nil, f.err
			}
			c.Append(keys, values)
		}
	}
	return s, f.err
}

// cached returns how many positions of the current chunk are kept at a
// position.
func (s *Session) cached(position int) int {
	if chunk := s.model.decoder.chunk; chunk > 0 {
		return position % chunk
	}
	return position
}

// A sessionReader reads tensors of wanted shapes and keeps the first error.
type sessionReader struct {
	*safetensors.Reader
	err error
}

// shape checks that there is a tensor [rows, cols] of that name.
func (f *sessionReader) shape(name string, rows, cols int) {
	shape, ok := f.Shape(name)
	switch {
	case f.err != nil:
	case !ok:
		f.err = fmt.Errorf("there is no tensor %s", name)
	case len(shape) != 2 || shape[0] != rows || shape[1] != cols:
		f.err = fmt.Errorf("%s has shape %v, want [%d %d]", name, shape, rows, cols)
	}
}

// tensor reads a tensor [rows, cols] of finite numbers.
func (f *sessionReader) tensor(name string, rows, cols int) *tensor.Tensor {
	f.shape(name, rows, cols)
	if f.err != nil {
		return nil
	}
	var x []float32
	if x, f.err = f.Float32(name); f.err != nil {
		return nil
	}
	for i, v := range x {
		if v-v != 0 {
			f.err = fmt.Errorf("%s holds %v at row %d, want finite numbers", name, v, i/cols)
			return nil
		}
	}
	return tensor.FromSlice(x, rows, cols)
}
