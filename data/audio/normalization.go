package audio

import (
	"math"
	"slices"
)

// Normalization makes a waveform the model's input:
// (x·Scale − Mean[t]) / Std[t]. Mean and Std have one entry for all time steps
// or one for each. It belongs to a trained model as much as its weights.
type Normalization struct {
	Scale float32   `json:"scale"`
	Mean  []float32 `json:"mean"`
	Std   []float32 `json:"std"`
}

// Valid tells whether a normalisation, such as one that was read from a file,
// can be applied.
func (n *Normalization) Valid() bool {
	return n != nil && len(n.Mean) > 0 && len(n.Mean) == len(n.Std) && !slices.Contains(n.Std, 0)
}

// Apply normalises x in place. Time steps beyond the last entry use the last.
func (n *Normalization) Apply(x []float32) {
	last := len(n.Mean) - 1
	for t := range x {
		i := min(t, last)
		x[t] = (x[t]*n.Scale - n.Mean[i]) / n.Std[i]
	}
}

// Overall returns the normalisation that gives n clips of one length, which read
// reads, mean 0 and variance 1 all together.
func Overall(n, length int, read func(x []float32, i int) error) (*Normalization, error) {
	var m moments
	x := make([]float32, length)
	for i := range n {
		if err := read(x, i); err != nil {
			return nil, err
		}
		m.add(x)
	}
	return m.overall(), nil
}

// moments sums clips of one length up, time step by time step.
type moments struct {
	count       int
	sum, square []float64
}

func (m *moments) add(x []float32) {
	if m.sum == nil {
		m.sum, m.square = make([]float64, len(x)), make([]float64, len(x))
	}
	m.count++
	for t, v := range x {
		m.sum[t] += float64(v)
		m.square[t] += float64(v) * float64(v)
	}
}

// overall returns the normalisation that gives all samples together mean 0 and
// variance 1. Silence stays silence.
func (m *moments) overall() *Normalization {
	sum, square := 0.0, 0.0
	for t := range m.sum {
		sum += m.sum[t]
		square += m.square[t]
	}
	mean, std := meanStd(sum, square, float64(m.count*len(m.sum)))
	if std == 0 {
		std = 1
	}
	return &Normalization{Scale: 1, Mean: []float32{float32(mean)}, Std: []float32{float32(std)}}
}

// reference returns the reference's normalisation (REFERENCE.md D7,
// data/audio/speech_commands_dataset.py:60-70): samples divided by 2^15 though
// they are in [-1, 1] already, a mean and a deviation for every time step, and
// 1e-5 added to the deviation, which at that scale is the larger part.
func (m *moments) reference() *Normalization {
	const scale = 1. / (1 << 15)
	n := &Normalization{Scale: scale, Mean: make([]float32, len(m.sum)), Std: make([]float32, len(m.sum))}
	for t := range m.sum {
		mean, std := meanStd(m.sum[t], m.square[t], float64(m.count))
		n.Mean[t] = float32(mean * scale)
		n.Std[t] = float32(std*scale) + 1e-5
	}
	return n
}

// meanStd returns the mean and the unbiased standard deviation of n numbers
// with the given sum and sum of squares.
func meanStd(sum, square, n float64) (mean, std float64) {
	mean = sum / n
	return mean, math.Sqrt(max(0, square-sum*mean) / max(1, n-1))
}
