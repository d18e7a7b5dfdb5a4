package translate

import (
	"fmt"
	"path/filepath"
	"runtime"

	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/checkpoint"
	"github.com/mega-go/mega/data/pairs"
	"github.com/mega-go/mega/data/pieces"
	"github.com/mega-go/mega/internal/cuda/device"
	"github.com/mega-go/mega/internal/textfile"
)

// ModelOptions say how models are opened.
type ModelOptions struct {
	Overrides map[string]any // other values of their configurations
	BF16      bool           // round the factors of products with weights to bfloat16
	Device    device.Device  // has the models and computes, nil for the host
}

// OpenEnsemble makes the translators of checkpoints. It also returns what the
// first says of its data. If that fails, nothing is left of them on a device.
func OpenEnsemble(paths []string, o ModelOptions) (models Ensemble, trained DataConfig, err error) {
	defer device.Undo(&err, func() { models.LeaveDevice() })
	for i, path := range paths {
		c, err := checkpoint.Open(path)
		if err != nil {
			return models, trained, err
		}
		defer c.Close()
		if err := c.Override(o.Overrides); err != nil {
			return models, trained, err
		}
		c.UseDevice(o.Device)
		if o.BF16 {
			if err := c.UseBF16(); err != nil {
				return models, trained, err
			}
		}
		m, err := c.Translator()
		if err != nil {
			return models, trained, err
		}
		models = append(models, m)
		if i == 0 {
			if trained, err = CheckpointData(c); err != nil {
				return models, trained, err
			}
		}
	}
	return models, trained, nil
}

// OpenOptions say what Open opens.
type OpenOptions struct {
	ModelOptions
	Data                   string // directory of the dictionaries; "" for those beside the first model, or of its data
	SourceLang, TargetLang string // "" for those of the data
	Text                   TextConfig
}

// Open makes a Translator of checkpoints and their dictionaries, and freezes the
// models. How it searches and batches is left to the caller. If it fails, nothing is left
// of them on a device.
func Open(paths []string, o OpenOptions) (_ *Translator, err error) {
	models, d, err := OpenEnsemble(paths, o.ModelOptions)
	if err != nil {
		return nil, err
	}
	defer device.Undo(&err, models.LeaveDevice)
	dir, err := d.dictionaries(paths[0], o)
	if err != nil {
		if o.Data == "" {
			err = fmt.Errorf("dictionaries: %w; put them beside the checkpoint, or give the directory that has them", err)
		}
		return nil, err
	}
	text, err := o.Text.Open(dir.SourceLang, dir.TargetLang)
	if err != nil {
		return nil, err
	}
	models.Freeze() // for good
	t := &Translator{Models: models, Source: dir.Source, Target: dir.Target, Text: text.of(dir.Pieces)}
	t.SourceLang, t.TargetLang = dir.SourceLang, dir.TargetLang
	return t, nil
}

// dictionaries returns those of the pieces that the model was trained with, of a
// directory, or of the files dict.LANG.txt beside the checkpoint, where fairseq's
// published models have them.
func (d DataConfig) dictionaries(checkpoint string, o OpenOptions) (*pairs.Dir, error) {
	at := d.At(o.Data, o.SourceLang, o.TargetLang)
	if o.Data == "" && d.PieceModel != nil {
		set, err := pieces.Unpack(d.PieceModel)
		if err != nil {
			return nil, err
		}
		return &pairs.Dir{SourceLang: at.SourceLang, TargetLang: at.TargetLang, Source: set.Dictionary(), Target: set.Dictionary(), Pieces: set}, nil
	}
	beside := checkpoint
	if textfile.Regular(checkpoint) == nil {
		beside = filepath.Dir(checkpoint)
	}
	if o.Data == "" && at.inside(beside) {
		return pairs.OpenDictionaries(beside, at.SourceLang, at.TargetLang)
	}
	corpus, err := OpenCorpus(at)
	if err != nil {
		return nil, err
	}
	return corpus.Dir, corpus.Close()
}

// inside reports whether a directory holds the dictionaries of both languages.
func (d DataConfig) inside(dir string) bool {
	for _, lang := range []string{d.SourceLang, d.TargetLang} {
		if textfile.Regular(filepath.Join(dir, "dict."+lang+".txt")) != nil {
			return false
		}
	}
	return true
}

// At returns the configuration for a directory other than that of training, and
// other languages, where they are given.
func (d DataConfig) At(dir, source, target string) DataConfig {
	if dir != "" {
		d.Data, d.SourceLang, d.TargetLang = dir, "", ""
	}
	if source != "" {
		d.SourceLang = source
	}
	if target != "" {
		d.TargetLang = target
	}
	return d
}

// LeaveDevice moves the models to the host, as each one's LeaveDevice does.
func (m Ensemble) LeaveDevice() {
	for _, model := range m {
		model.LeaveDevice()
	}
}

// Throughput makes one thread compute each batch, so that no thread waits for
// another, and returns how many batches to run at once: n, or one for each core if n
// is 0. A device, which computes all at once by itself, has one batch at a time.
func (m Ensemble) Throughput(n int) int {
	if m[0].Params().Device() != nil {
		return 1
	}
	if n <= 0 {
		n = runtime.GOMAXPROCS(0)
	}
	one := autograd.NewWorkers(1)
	for _, model := range m {
		model.SetWorkers(one)
	}
	return n
}
