package audio

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/mega-go/mega/data"
	"github.com/mega-go/mega/format/torchfile"
	"github.com/mega-go/mega/internal/config"
)

// FormatFile, in the directory of processed recordings, says how they were
// processed. The reference's own data has none.
const FormatFile = "speech.json"

// A Format says how recordings became what a model reads.
type Format struct {
	Classes       []string       `json:"classes"`
	Rate          int            `json:"rate"`
	Length        int            `json:"length"`
	Normalization *Normalization `json:"normalization"`
}

// ProcessedDir returns where the reference keeps processed recordings
// (data/audio/speech_commands_dataset.py:215).
func ProcessedDir(dir string, all bool) string {
	if all {
		return filepath.Join(dir, "processed_data", "raw_all_classes")
	}
	return filepath.Join(dir, "processed_data", "raw")
}

// splitFiles are the names that the reference's files begin with.
var splitFiles = map[string]string{"train": "train", "valid": "val", "test": "test"}

// A Processed is recordings in the reference's layout of tensors.
type Processed struct {
	Format
	dir string
}

// OpenProcessed opens the recordings that Convert, or the reference, wrote below a
// directory. The error is fs.ErrNotExist if there are none.
func OpenProcessed(dir string, all bool) (*Processed, error) {
	p := &Processed{dir: ProcessedDir(dir, all)}
	if !isDir(p.dir) {
		return nil, fmt.Errorf("%s: %w", p.dir, fs.ErrNotExist)
	}
	if p.Classes = slices.Clone(SC10); all {
		p.Classes = slices.Clone(SC35)
	}
	if err := config.ReadFile(filepath.Join(p.dir, FormatFile), &p.Format); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return p, nil
}

// Names lists the splits that are there.
func (p *Processed) Names() []string {
	var names []string
	for _, name := range []string{"train", "valid", "test"} {
		if _, err := os.Stat(filepath.Join(p.dir, splitFiles[name]+"_X.pt")); err == nil {
			names = append(names, name)
		}
	}
	return names
}

// Split opens a split.
func (p *Processed) Split(name string) (*Recordings, error) {
	file, ok := splitFiles[name]
	if !ok {
		return nil, fmt.Errorf("no split %q of recordings, want train, valid or test", name)
	}
	return openRecordings(filepath.Join(p.dir, file), len(p.Classes))
}

// Recordings is a split of the processed layout: a tensor [N, 1, L] of
// normalised samples, which stays in its file, and N classes.
type Recordings struct {
	prefix  string
	samples *torchfile.Tensor
	length  int
	labels  []int32
}

// openRecordings opens PREFIX_X.pt and PREFIX_y.pt. They stay open.
func openRecordings(prefix string, classes int) (*Recordings, error) {
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
	r := &Recordings{prefix: prefix, samples: x, length: x.Elements() / x.Shape[0], labels: make([]int32, len(labels))}
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
func (r *Recordings) Len() int { return len(r.labels) }

// Size implements data.Dataset.
func (r *Recordings) Size(int) int { return r.length }

// Labels returns the class of each recording.
func (r *Recordings) Labels() []int32 { return r.labels }

// Collate implements data.Dataset.
func (r *Recordings) Collate(indices []int) (*data.Batch, error) {
	if err := data.CheckIndices(indices, r.Len()); err != nil {
		return nil, err
	}
	b := &data.Batch{
		Rows: len(indices), Length: r.length, IDs: slices.Clone(indices),
		Samples: make([]float32, len(indices)*r.length),
	}
	for row, i := range indices {
		if err := r.samples.Part(i).Float32Into(b.Samples[row*r.length:][:r.length]); err != nil {
			return nil, fmt.Errorf("%s_X.pt: %w", r.prefix, err)
		}
		for t, v := range b.Samples[row*r.length:][:r.length] {
			if v-v != 0 { // NaN or infinite
				return nil, fmt.Errorf("%s_X.pt: sample %d of recording %d is %v", r.prefix, t, i, v)
			}
		}
		b.Lengths = append(b.Lengths, int32(r.length))
		b.Labels = append(b.Labels, r.labels[i])
	}
	return b, nil
}
