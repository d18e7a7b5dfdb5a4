package checkpoint

import (
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"math"
	"path/filepath"
	"strings"

	"github.com/mega-go/mega/format/dtype"
	"github.com/mega-go/mega/format/safetensors"
	"github.com/mega-go/mega/internal/atomicfile"
	"github.com/mega-go/mega/nn"
	"github.com/mega-go/mega/tensor"
)

// A Format is a form in which a checkpoint is kept.
type Format string

// The forms that Save writes.
const (
	FormatNative      Format = "native"      // a directory
	FormatSafetensors Format = "safetensors" // a single file with the configuration in its metadata
	FormatFairseq     Format = "fairseq"     // a .pt of the reference
	FormatHuggingFace Format = "huggingface" // a directory of Hugging Face's Mega
)

// Formats lists the forms that Save writes.
var Formats = []Format{FormatNative, FormatSafetensors, FormatFairseq, FormatHuggingFace}

// FormatOf returns the form that the name of a file stands for: .pt, .pth and .bin
// are the reference's, .safetensors is a single file, anything else a directory.
func FormatOf(path string) Format {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".pt", ".pth", ".bin":
		return FormatFairseq
	case singleSuffix:
		return FormatSafetensors
	}
	return FormatNative
}

// SaveOptions say how a checkpoint is written.
type SaveOptions struct {
	Format    Format
	DType     dtype.DType // of the weights: F32, F16 or BF16; I8 for matrices of what decodes, without what training needs; Invalid keeps each as it is
	ModelOnly bool        // leave out what only training needs

	// TorchWeights writes the weights for Hugging Face into pytorch_model.bin, a
	// file of torch.save, instead of model.safetensors.
	TorchWeights bool

	// AcceptRMSNorm writes a model with rmsnorm for Hugging Face although its
	// norms leave their input as it is there (RMSNorm discards its result), so
	// that it gives other numbers.
	AcceptRMSNorm bool
}

// Saved says what Save wrote.
type Saved struct {
	Task       string // kind of model
	Parameters int    // trainable numbers
	Training   bool   // what training needs went along
	Dropped    bool   // the checkpoint had it, and the form or int8 weights cannot have it
}

// Save writes the checkpoint in another form, whole or not at all, where nothing
// may be. What training needs goes along where the checkpoint has it and the
// form can hold it.
func (c *Checkpoint) Save(path string, o SaveOptions) (Saved, error) {
	m, err := c.model()
	if err != nil {
		return Saved{}, err
	}
	return c.save(path, m, o)
}

// save writes a model of the checkpoint's configuration.
func (c *Checkpoint) save(path string, m model, o SaveOptions) (Saved, error) {
	if atomicfile.Replaces(path) {
		return Saved{}, fmt.Errorf("%s: %w: delete it or choose another name", path, fs.ErrExist)
	}
	s := saving{Checkpoint: c, model: m, options: o}
	if err := s.prepare(); err != nil {
		return Saved{}, err
	}
	saved := Saved{Task: c.Task, Parameters: m.params.Count(), Training: s.training != nil && s.training.Adam != nil}
	var err error
	switch o.Format {
	case FormatNative:
		saved.Dropped = s.dropped
		err = s.native(path)
	case FormatFairseq:
		err = s.fairseq(path)
	case FormatSafetensors:
		saved.Training, saved.Dropped = false, saved.Training || s.dropped
		err = s.single(path)
	case FormatHuggingFace:
		saved.Training, saved.Dropped = false, saved.Training
		err = s.huggingFace(path)
	default:
		err = fmt.Errorf("unknown format %q, want one of %v", o.Format, Formats)
	}
	return saved, err
}

// A saving is a checkpoint on its way into a file.
type saving struct {
	*Checkpoint
	model    model
	options  SaveOptions
	config   Config
	training *Training // nil without
	dropped  bool      // it was there, and int8 weights cannot be trained
	tensors  map[string]safetensors.Tensor
}

// prepare collects what all forms write.
func (s *saving) prepare() error {
	err := s.checkInt8()
	if err != nil {
		return err
	}
	if s.config, err = s.configOf(); err != nil {
		return err
	}
	if !s.options.ModelOnly {
		if s.training, err = s.TrainingState(s.model.params, Reset{}); err != nil {
			return err
		}
	}
	if s.options.DType == dtype.I8 {
		s.dropped, s.training = s.training != nil && s.training.Adam != nil, nil
	}
	s.tensors = make(map[string]safetensors.Tensor)
	p := s.model.params
	for _, q := range p.All() {
		if s.isInt8(q.Name, q.Shape()) {
			if err := s.addInt8(q.Name, q.Shape(), q.Value().Host()); err != nil {
				return err
			}
			continue
		}
		if s.tensors[q.Name], err = s.tensor(q.Name, q.Shape(), q.Value().Host()); err != nil {
			return err
		}
	}
	for _, b := range p.Buffers() {
		if s.tensors[b.Name], err = s.tensor(b.Name, b.Shape(), b.Host()); err != nil {
			return err
		}
	}
	for _, c := range p.Counters() {
		s.tensors[c.Name] = safetensors.Of(c.Name, nil, []int64{c.Value})
	}
	return nil
}

// configOf returns the configuration as a native checkpoint holds it.
func (s *saving) configOf() (Config, error) {
	c := Config{Task: s.Task, Data: s.Data, Directory: s.directory, Training: s.Training}
	var err error
	if c.Model, err = json.Marshal(s.model.config); err != nil {
		return c, fmt.Errorf("model configuration: %w", err)
	}
	if s.Args != nil {
		c.Args, err = formatArgs(s.Args)
	}
	return c, err
}

// tensor returns a tensor in the type that it is to have in the file.
func (s *saving) tensor(name string, shape []int, data []float32) (safetensors.Tensor, error) {
	d := s.options.DType
	if d == dtype.Invalid || d == dtype.I8 {
		d, _ = s.Weights.DType(name)
	}
	if d != dtype.F16 && d != dtype.BF16 {
		d = dtype.F32
	}
	t := safetensors.Tensor{Name: name, DType: d, Shape: shape}
	if d == dtype.F16 {
		if err := fitsHalf(name, data); err != nil {
			return t, err
		}
	}
	var err error
	t.Data, err = dtype.FromFloat32s(d, data)
	return t, err
}

// fitsHalf refuses numbers that would become infinite in float16.
func fitsHalf(name string, data []float32) error {
	const most = 65520 // rounds up to 2^16
	for i, x := range data {
		if a := math.Abs(float64(x)); a >= most && !math.IsInf(a, 0) {
			return fmt.Errorf("%s holds %g at %d, which is beyond float16: want bf16 or f32", name, x, i)
		}
	}
	return nil
}

// list returns the tensors in the order of the model, without second names.
func (s *saving) list() []safetensors.Tensor {
	var out []safetensors.Tensor
	for _, name := range s.model.params.Names() {
		for _, name := range []string{name, name + scaleSuffix} {
			if t, ok := s.tensors[name]; ok {
				out = append(out, t)
			}
		}
	}
	return out
}

// native writes a directory.
func (s *saving) native(path string) error {
	config, err := json.MarshalIndent(s.config, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.WriteDir(path, func(temp string) error {
		file := func(name string) string { return filepath.Join(temp, name) }
		metadata := map[string]string{"format": "mega"}
		if s.training != nil {
			metadata[stampKey] = fmt.Sprintf("update %d", s.training.Updates)
		}
		if err := writeJSON(file(ConfigFile), config); err != nil {
			return err
		}
		if err := writeTensors(file(ModelFile), s.list(), metadata); err != nil {
			return err
		}
		if s.training == nil {
			return nil
		}
		state, err := s.training.state()
		if err != nil {
			return err
		}
		if err := writeJSON(file(StateFile), state); err != nil || s.training.Adam == nil {
			return err
		}
		moments, err := s.moments()
		if err != nil {
			return err
		}
		return writeTensors(file(OptimizerFile), bufferTensors(moments), metadata)
	})
}

// moments reads the moments of every parameter.
func (s *saving) moments() ([]*nn.Buffer, error) {
	var out []*nn.Buffer
	for _, q := range s.model.params.All() {
		for _, name := range momentNames {
			out = append(out, &nn.Buffer{Name: q.Name + "." + name, Tensor: tensor.New(q.Shape()...)})
		}
	}
	return out, LoadBuffers(out, s.training.Adam.Moments, nil)
}

// single writes one safetensors file.
func (s *saving) single(path string) error {
	config, err := json.Marshal(s.config)
	if err != nil {
		return err
	}
	metadata := map[string]string{"format": "mega", configKey: string(config)}
	return atomicfile.Write(path, func(w io.Writer) error { return safetensors.Encode(w, s.list(), metadata) })
}
