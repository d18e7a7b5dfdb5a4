package serve

import (
	"cmp"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/mega-go/mega/checkpoint"
	"github.com/mega-go/mega/generate"
	"github.com/mega-go/mega/inspect"
	"github.com/mega-go/mega/internal/cuda/device"
	"github.com/mega-go/mega/task/classify"
	"github.com/mega-go/mega/task/image"
	"github.com/mega-go/mega/task/language"
	"github.com/mega-go/mega/task/translate"
)

// A Model names a checkpoint to serve.
type Model struct {
	ID   string // by which requests name it
	Path string // of a run directory, a checkpoint or a file: see checkpoint.Open
	Data string // directory of the dictionaries that it was trained with, "" for what the checkpoint says
}

// ModelAt returns the model at a path, or of NAME=PATH. Its name is otherwise that of
// the file without its ending, or of the directory.
func ModelAt(path string) Model {
	if id, rest, ok := strings.Cut(path, "="); ok && id != "" && rest != "" && !strings.ContainsAny(id, `/\`) {
		return Model{ID: id, Path: rest}
	}
	whole := path
	if absolute, err := filepath.Abs(path); err == nil {
		whole = absolute // of "." too
	}
	id := filepath.Base(whole)
	switch ending := filepath.Ext(id); ending {
	case ".pt", ".safetensors", ".zip":
		id = strings.TrimSuffix(id, ending)
	}
	return Model{ID: id, Path: path}
}

// A slot is a model's place on a server: what is loaded of it now.
type slot struct {
	Model
	created time.Time

	mu      sync.Mutex
	current *loaded
	mark    string // fingerprint of what current was made of
	stale   error  // why the newest files could not be loaded, nil if they are

	failed attempt // of watch alone
}

// loaded is a model in memory, with what computes for it: one of text, classes and
// translation is set.
type loaded struct {
	info   modelInfo
	layers []averages
	uses   sync.WaitGroup
	device *device.Loop // nil for the host
	log    *slog.Logger

	text        *textEngine
	classes     *classifying
	translation *translating
}

// modelInfo is what GET /models says of a model.
type modelInfo struct {
	ID         string   `json:"id"`
	Kind       string   `json:"kind"`
	Parameters int      `json:"parameters"`
	Layers     int      `json:"layers"`
	EmbedDim   int      `json:"embed_dim"`
	Chunk      int      `json:"chunk,omitempty"`
	Vocab      int      `json:"vocab,omitempty"`
	Unit       string   `json:"unit,omitempty"` // of text: bytes, words or pieces
	StateBytes int      `json:"state_bytes,omitempty"`
	Classes    []string `json:"classes,omitempty"`
	Input      string   `json:"input,omitempty"`
	Pair       bool     `json:"pair,omitempty"`
	MaxLength  int      `json:"max_length,omitempty"`
	Channels   int      `json:"channels,omitempty"`
	Rate       int      `json:"rate,omitempty"`
	Width      int      `json:"width,omitempty"`
	Height     int      `json:"height,omitempty"`
	Source     string   `json:"source,omitempty"`
	Target     string   `json:"target,omitempty"`
}

// averages is what the moving averages of a layer remember. A half-life that is
// infinite is null.
type averages struct {
	Name      string       `json:"name"`
	HalfLives [][]*float64 `json:"half_lives"` // [K][N] in steps
	Quantiles []*float64   `json:"quantiles"`  // of all of them, at levels
	Levels    []float64    `json:"levels"`
}

// acquire returns the model that is loaded now, which stays until release.
func (s *slot) acquire() *loaded {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current.uses.Add(1)
	return s.current
}

func (l *loaded) release() { l.uses.Done() }

// close ends the model once nobody uses it.
func (l *loaded) close() {
	l.uses.Wait()
	switch {
	case l.text != nil:
		l.text.close()
	case l.classes != nil:
		l.classes.close()
	case l.translation != nil:
		l.translation.close()
	}
	l.leaveDevice()
}

// leaveDevice gives back the device's memory.
func (l *loaded) leaveDevice() {
	if l.device == nil {
		return
	}
	if err := turn(l.device, l.leave); err != nil {
		l.log.Warn("the memory of a model stays taken", "model", l.info.ID, "error", err)
	}
}

// leave gives back the device's memory in a turn on it.
func (l *loaded) leave() {
	switch {
	case l.text != nil:
		l.text.tape.Close()
		l.text.model.Model.LeaveDevice()
	case l.classes != nil:
		l.classes.leaveDevice()
	case l.translation != nil:
		l.translation.translator.Models.LeaveDevice()
	}
}

// turn runs f on a device, nil for the host, and returns what fails there, or that no turn
// is to be had any more.
func turn(d *device.Loop, f func()) (err error) {
	defer device.Catch(&err)
	d.Do(f)
	return nil
}

// on returns the device of models, nil for the host.
func (o Options) on() device.Device {
	if o.Device == nil {
		return nil
	}
	return o.Device.Device
}

// load opens the model at a path. A device computes nothing else meanwhile.
func (m Model) load(o Options, log *slog.Logger) (l *loaded, err error) {
	if failed := turn(o.Device, func() { l, err = m.open(o, log) }); failed != nil {
		return nil, failed
	}
	return l, err
}

func (m Model) open(o Options, log *slog.Logger) (*loaded, error) {
	c, err := checkpoint.Open(m.Path)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	c.UseDevice(o.on())
	l := &loaded{info: modelInfo{ID: m.ID, Kind: c.Task}, device: o.Device, log: log}
	layers, err := inspect.Layers(c)
	if err != nil {
		return nil, err
	}
	for _, layer := range layers {
		l.layers = append(l.layers, averagesOf(layer))
	}
	switch c.Task {
	case checkpoint.LanguageModelling:
		err = l.loadText(m, o, log)
	case checkpoint.Translation:
		err = l.loadTranslator(m, o, log)
	case checkpoint.ImageClassification:
		err = l.loadPictures(c, o, log)
	default: // a classifier, or an error that says what else it is
		err = l.loadClassifier(m, c, o, log)
	}
	if err != nil {
		return nil, err
	}
	return l, nil
}

func (l *loaded) loadText(m Model, o Options, log *slog.Logger) (err error) {
	t, err := language.Open(m.Path, language.OpenOptions{Data: m.Data, Device: o.on()})
	if err != nil {
		return err
	}
	defer device.Undo(&err, t.Model.LeaveDevice)
	c := t.Model.Config()
	l.info.Parameters, l.info.Layers, l.info.EmbedDim = t.Model.Params().Count(), c.DecoderLayers, c.DecoderEmbedDim
	l.info.Chunk, l.info.Vocab, l.info.Unit = cmp.Or(max(c.DecoderChunkSize, -1), -1), c.VocabSize, "words"
	switch {
	case t.Codec.Bytes():
		l.info.Unit = "bytes"
	case t.Codec.Pieces():
		l.info.Unit = "pieces"
	}
	l.info.StateBytes = t.Model.NewSession().Bytes() + 4*c.VocabSize // and the scores of what comes next
	l.text = newTextEngine(t, o, log)
	return nil
}

func (l *loaded) loadTranslator(m Model, o Options, log *slog.Logger) (err error) {
	t, err := translate.Open([]string{m.Path}, translate.OpenOptions{Data: m.Data, ModelOptions: translate.ModelOptions{Device: o.on()}})
	if err != nil {
		return err
	}
	defer device.Undo(&err, t.Models.LeaveDevice)
	t.Searcher.Options = generate.DefaultOptions()
	t.Searcher.Options.NoEarlyStop = true // as mega translate has it
	t.Workers = t.Models.Throughput(0)
	if err := t.Check(); err != nil {
		return err
	}
	config := t.Models[0].Config()
	l.info.Parameters, l.info.Layers, l.info.EmbedDim = t.Models[0].Params().Count(), config.EncoderLayers+config.DecoderLayers, config.EncoderEmbedDim
	l.info.Source, l.info.Target, l.info.MaxLength = t.SourceLang, t.TargetLang, config.MaxSourcePositions
	l.translation = newTranslating(t, o, log)
	return nil
}

func (l *loaded) loadClassifier(m Model, c *checkpoint.Checkpoint, o Options, log *slog.Logger) error {
	p, err := classify.OpenCheckpoint(c, classify.OpenOptions{Data: m.Data})
	if err != nil {
		return err
	}
	config, in := p.Model().Config(), p.Inputs
	l.info.Parameters, l.info.Layers, l.info.EmbedDim, l.info.Chunk = p.Model().Params().Count(), config.EncoderLayers, config.EncoderEmbedDim, cmp.Or(max(config.ChunkSize, -1), -1)
	l.info.Classes, l.info.Input, l.info.Pair, l.info.MaxLength = in.Classes, in.Kind, p.Pair(), config.MaxPositions
	l.info.Rate, l.info.Width, l.info.Height = in.Rate, in.Width, in.Height
	if !config.Tokens() {
		l.info.Channels = config.Channels()
	}
	l.classes = newClassifying(p, o, log)
	return nil
}

func (l *loaded) loadPictures(c *checkpoint.Checkpoint, o Options, log *slog.Logger) error {
	p, err := image.NewPredictor(c, "")
	if err != nil {
		return err
	}
	config := p.Model().Config()
	l.info.Parameters, l.info.Layers, l.info.EmbedDim = p.Model().Params().Count(), config.Depth, config.EmbedDim
	l.info.Classes, l.info.Input, l.info.Width, l.info.Height = p.Classes, pictureInput, p.Side(), p.Side()
	l.classes = newPictures(p, o, log)
	return nil
}

func averagesOf(l inspect.Layer) averages {
	a := averages{Name: l.Name, Levels: inspect.Levels, Quantiles: finite(l.Quantiles)}
	for _, row := range l.HalfLives {
		a.HalfLives = append(a.HalfLives, finite(row))
	}
	return a
}

// finite returns numbers for JSON: what is not finite is null.
func finite(x []float64) []*float64 {
	out := make([]*float64, len(x))
	for i := range x {
		if x[i]-x[i] == 0 {
			out[i] = &x[i]
		}
	}
	return out
}
