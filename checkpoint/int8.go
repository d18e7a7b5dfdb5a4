package checkpoint

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mega-go/mega/format/dtype"
	"github.com/mega-go/mega/format/safetensors"
	"github.com/mega-go/mega/tensor"
)

// Files of language models and translators may hold matrices of weights in eight bits:
// NAME is I8 [N, K], whole multiples of a scale for each of the rows, which are in
// NAME_scale, F32 [N].

// scaleSuffix ends the name of the scales of a weight.
const scaleSuffix = "_scale"

// scaled shows weights in eight bits as the numbers that they stand for, of type I8,
// and does not show their scales.
type scaled struct{ *safetensors.Reader }

// has reports whether a tensor is in eight bits and has scales.
func (s scaled) has(name string) bool {
	d, _ := s.DType(name)
	_, ok := s.Shape(name + scaleSuffix)
	return ok && d == dtype.I8
}

func (s scaled) Names() []string {
	return slices.DeleteFunc(s.Reader.Names(), func(name string) bool {
		weight, ok := strings.CutSuffix(name, scaleSuffix)
		return ok && s.has(weight)
	})
}

func (s scaled) Float32Into(name string, dst []float32) error {
	if !s.has(name) {
		return s.Reader.Float32Into(name, dst)
	}
	scales, err := s.scales(name)
	if err != nil {
		return err
	}
	ints, err := s.Raw(name)
	if err != nil {
		return err
	}
	for i, scale := range scales {
		width := len(ints) / len(scales)
		row := dst[i*width:][:width]
		for j, v := range ints[i*width:][:width] {
			row[j] = float32(int8(v)) * scale
		}
	}
	return nil
}

// scales reads the scales of a weight's rows.
func (s scaled) scales(name string) ([]float32, error) {
	shape, _ := s.Shape(name)
	scales, err := s.Float32(name + scaleSuffix)
	if err != nil {
		return nil, err
	}
	if got, _ := s.Shape(name + scaleSuffix); len(shape) != 2 || !slices.Equal(got, shape[:1]) {
		return nil, fmt.Errorf("%s has shape %v, want one scale for each row of %s, whose shape is %v",
			clip(name+scaleSuffix), got, clip(name), shape)
	}
	for i, v := range scales {
		if v-v != 0 || v < 0 {
			return nil, fmt.Errorf("%s holds %g at %d, want finite numbers that are not negative", clip(name+scaleSuffix), v, i)
		}
	}
	return scales, nil
}

// Int8 reports whether the checkpoint has weights in eight bits, which are for
// decoding and not for training.
func (c *Checkpoint) Int8() bool {
	return slices.ContainsFunc(c.Weights.Names(), func(name string) bool {
		d, _ := c.Weights.DType(name)
		return d == dtype.I8
	})
}

// checkInt8 reports why the checkpoint cannot be saved with weights in eight bits.
func (s *saving) checkInt8() error {
	switch {
	case s.options.DType != dtype.I8:
	case !s.model.family.decodes:
		return fmt.Errorf("int8 weights make decoding faster, and a %s does not decode: want bf16 for a small file", s.model.family.noun)
	case !s.options.Format.holdsInt8():
		return fmt.Errorf("the form %s holds no int8 weights, want %s or %s", s.options.Format, FormatNative, FormatSafetensors)
	}
	return nil
}

// holdsInt8 says whether weights of the form may be in eight bits.
func (f Format) holdsInt8() bool { return f == FormatNative || f == FormatSafetensors }

// isInt8 says whether a tensor is to be written in eight bits: if it is asked for or is
// so already, and the tensor is a matrix of weights.
func (s *saving) isInt8(name string, shape []int) bool {
	d := s.options.DType
	if d == dtype.Invalid {
		d, _ = s.Weights.DType(name)
	}
	return d == dtype.I8 && s.options.Format.holdsInt8() && len(shape) == 2 && strings.HasSuffix(name, ".weight")
}

// addInt8 adds a matrix of weights in eight bits and its scales.
func (s *saving) addInt8(name string, shape []int, data []float32) error {
	rows, width := shape[0], shape[1]
	ints, scales := make([]int8, len(data)), make([]float32, rows)
	for i := range rows {
		scales[i] = tensor.QuantizeInt8(ints[i*width:][:width], data[i*width:][:width])
		if scales[i] != scales[i] {
			return fmt.Errorf("%s holds a number that is not finite in row %d, which has no int8", name, i)
		}
	}
	s.tensors[name] = safetensors.Of(name, shape, ints)
	s.tensors[name+scaleSuffix] = safetensors.Of(name+scaleSuffix, shape[:1], scales)
	return nil
}
