package classify

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/mega-go/mega/data"
	"github.com/mega-go/mega/data/audio"
	"github.com/mega-go/mega/format/torchfile"
	"github.com/mega-go/mega/internal/config"
)

// speechFile, in the directory of processed recordings, says how they were
// processed. The reference's own data has none.
const speechFile = "speech.json"

// A speechFormat is the content of speechFile.
type speechFormat struct {
	Classes       []string             `json:"classes"`
	Rate          int                  `json:"rate"`
	Length        int                  `json:"length"`
	Normalization *audio.Normalization `json:"normalization"`
}

// inputs says how a recording becomes what the model reads.
func (f speechFormat) inputs() Inputs {
	return Inputs{Kind: InputAudio, Classes: f.Classes, Rate: f.Rate, Length: f.Length, Normalization: f.Normalization}
}

// processedDir returns where the reference keeps processed recordings
// (data/audio/speech_commands_dataset.py:215).
func processedDir(dir string, all bool) string {
	if all {
		return filepath.Join(dir, "processed_data", "raw_all_classes")
	}
	return filepath.Join(dir, "processed_data", "raw")
}

// openSpeech opens recordings: processed ones if the directory holds them, else
// WAV files.
func openSpeech(d DataConfig) (*Corpus, error) {
	if d.ScDroppedRate != 0 {
		return nil, fmt.Errorf("sc_dropped_rate is %g, want 0: recordings with gaps have a second channel, which the models do not read", d.ScDroppedRate)
	}
	if dir := processedDir(d.Data, d.ScAllClasses); isDir(dir) {
		return openProcessed(d, dir)
	}
	o := d.speechOptions()
	s, err := audio.OpenSpeechCommands(d.Data, o)
	if err != nil {
		return nil, err
	}
	rate, length := s.Format()
	format := speechFormat{s.Classes(), rate, length, s.Normalization}
	return &Corpus{
		Classes: s.Classes(), Inputs: format.inputs(), names: []string{"train", "valid", "test"},
		open: func(split string) (Split, error) { return s.Split(split) },
	}, nil
}

// speechOptions says how recordings are read: by the data set's own lists and
// with one normalisation, or as the reference does.
func (d DataConfig) speechOptions() audio.Options {
	o := audio.Options{
		Classes: d.ScWords, Lists: !d.ScReference, ReferenceNormalization: d.ScReference,
		Rate: d.ScRate, Length: d.ScLength,
	}
	if d.ScAllClasses {
		// The reference divides by the lists where it takes all words.
		o.Classes, o.Lists = audio.SC35, true
	}
	return o
}

// splitFiles are the names that the reference's files begin with.
var splitFiles = map[string]string{"train": "train", "valid": "val", "test": "test"}

// openProcessed opens tensors of the reference's layout.
func openProcessed(d DataConfig, dir string) (*Corpus, error) {
	format := speechFormat{Classes: slices.Clone(audio.SC10)}
	if d.ScAllClasses {
		format.Classes = slices.Clone(audio.SC35)
	}
	if err := config.ReadFile(filepath.Join(dir, speechFile), &format); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	c := &Corpus{Classes: format.Classes, Inputs: format.inputs()}
	for _, name := range []string{"train", "valid", "test"} {
		if _, err := os.Stat(filepath.Join(dir, splitFiles[name]+"_X.pt")); err == nil {
			c.names = append(c.names, name)
		}
	}
	c.open = func(split string) (Split, error) {
		file, ok := splitFiles[split]
		if !ok {
			return nil, fmt.Errorf("no split %q of recordings, want train, valid or test", split)
		}
		return openRecordings(filepath.Join(dir, file), len(format.Classes))
	}
	return c, nil
}

// recordings is a split of the processed layout: a tensor [N, 1, L] of
// normalised samples, which stays in its file, and N classes.
type recordings struct {
	samples *torchfile.Tensor
	length  int
	labels  []int32
}

// openRecordings opens PREFIX_X.pt and PREFIX_y.pt. They stay open.
func openRecordings(prefix string, classes int) (*recordings, error) {
	x, err := openTensor(prefix + "_X.pt")
	if err != nil {
		return nil, err
	}
	y, err := openTensor(prefix + "_y.pt")
	if err != nil {
		return nil, err
	}
	labels, err := y.Int64()
	if err != nil {
		return nil, fmt.Errorf("%s_y.pt: %w", prefix, err)
	}
	if len(x.Shape) < 2 || x.Elements() == 0 || len(y.Shape) != 1 || y.Shape[0] != x.Shape[0] {
		return nil, fmt.Errorf("%s: tensors of shape %v and %v, want [N, 1, L] samples and [N] classes", prefix, x.Shape, y.Shape)
	}
	r := &recordings{samples: x, length: x.Elements() / x.Shape[0], labels: make([]int32, len(labels))}
	for i, l := range labels {
		if l < 0 || l >= int64(classes) {
			return nil, fmt.Errorf("%s_y.pt: label %d of recording %d is out of range for %d classes", prefix, l, i, classes)
		}
		r.labels[i] = int32(l)
	}
	return r, nil
}

// openTensor opens a file that holds one tensor.
func openTensor(path string) (*torchfile.Tensor, error) {
	f, err := torchfile.Open(path)
	if err != nil {
		return nil, err
	}
	t, ok := f.Root().(*torchfile.Tensor)
	if !ok {
		f.Close()
		return nil, fmt.Errorf("%s: holds no tensor but %T", path, f.Root())
	}
	return t, nil
}

// Len implements data.Dataset.
func (r *recordings) Len() int { return len(r.labels) }

// Size implements data.Dataset.
func (r *recordings) Size(int) int { return r.length }

// Labels implements Split.
func (r *recordings) Labels() []int32 { return r.labels }

// Collate implements data.Dataset.
func (r *recordings) Collate(indices []int) (*data.Batch, error) {
	if err := data.CheckIndices(indices, r.Len()); err != nil {
		return nil, err
	}
	b := &data.Batch{
		Rows: len(indices), Length: r.length, IDs: slices.Clone(indices),
		Samples: make([]float32, len(indices)*r.length),
	}
	for row, i := range indices {
		if err := r.samples.Part(i).Float32Into(b.Samples[row*r.length:][:r.length]); err != nil {
			return nil, err
		}
		b.Lengths = append(b.Lengths, int32(r.length))
		b.Labels = append(b.Labels, r.labels[i])
	}
	return b, nil
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
