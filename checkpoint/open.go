package checkpoint

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/mega-go/mega/format/filemap"
	"github.com/mega-go/mega/format/torchfile"
	"github.com/mega-go/mega/internal/config"
	"github.com/mega-go/mega/internal/cuda/device"
)

// ArgsFile is where a directory keeps the arguments of a reference run, instead
// of a ConfigFile.
const ArgsFile = "args.json"

// A Config is the ConfigFile of a native checkpoint.
type Config struct {
	Task  string          `json:"task"`           // the kind of model
	Model json.RawMessage `json:"model"`          // its architecture
	Data  json.RawMessage `json:"data,omitempty"` // what it was trained on
	// Directory is where relative paths in Data begin, and Content holds
	// fingerprints of the files there.
	Directory string            `json:"directory,omitempty"`
	Content   map[string]string `json:"content,omitempty"`
	Training  json.RawMessage   `json:"training,omitempty"` // and how
	Args      json.RawMessage   `json:"args,omitempty"`     // the reference's arguments, of a model that was trained with it
}

// A Checkpoint is an opened model: its configuration and its weights. The weights are
// read only when a model is made of them, after their names and shapes were compared
// with the configuration: a small file that claims a large model costs no memory, and
// inspecting a large model costs little.
type Checkpoint struct {
	Path     string
	Task     string // kind of model
	Data     json.RawMessage
	Training json.RawMessage
	Args     map[string]any // the reference's arguments, nil if it did not train the model
	// Weights holds the tensors until Close.
	Weights Weights
	// AcceptRMSNorm makes a model of a directory of Hugging Face with rmsnorm,
	// although its norms leave their input as it is there (RMSNorm discards its
	// result), so that it gives other numbers.
	AcceptRMSNorm bool

	directory string          // where relative paths in Data begin
	config    json.RawMessage // the model's configuration; nil if Args stand for it
	from      files           // of a directory
	root      *torchfile.Dict // of a fairseq file
	rmsNorm   bool            // it is of Hugging Face and has rmsnorm
	bf16      bool            // models multiply in bfloat16
	device    device.Device   // has and computes models; nil for the host
	closers   []func() error
}

// Open opens a checkpoint:
//
//   - the directory of a native one, or of a run (its best checkpoint, else its
//     last);
//   - a directory of Hugging Face's Mega;
//   - a directory with model.safetensors and the reference's arguments in
//     args.json;
//   - a single .safetensors file that mega convert wrote;
//   - a fairseq .pt;
//   - any of these in a zip archive, as ARCHIVE.zip:NAME, where NAME may be an
//     end of its path and may be left out if there is only one.
//
// Files are mapped into memory, so opening takes no longer for a large one.
func Open(path string) (*Checkpoint, error) {
	if archive, name, ok := SplitArchivePath(path); ok {
		return openArchive(archive, name)
	}
	path = runCheckpoint(path)
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	if info.IsDir() {
		return openDir(dirFiles(path))
	}
	file, err := filemap.Open(path)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	c, err := openFile(file, dirFiles(filepath.Dir(path)))
	return c, asPart(path, err)
}

// openArchive opens a checkpoint in a zip archive.
func openArchive(path, name string) (*Checkpoint, error) {
	file, err := filemap.Open(path)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	a, err := newArchive(file)
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return a.openCheckpoint(name)
}

// openCheckpoint opens a checkpoint in the archive, whose file is closed with it.
func (a *archive) openCheckpoint(name string) (*Checkpoint, error) {
	c, err := a.openMember(name)
	if err != nil {
		return nil, errors.Join(err, a.file.Close())
	}
	c.closers = append(c.closers, a.file.Close)
	return c, nil
}

func (a *archive) openMember(name string) (*Checkpoint, error) {
	name, err := a.choose(name)
	if err != nil {
		return nil, err
	}
	entry, ok := a.entries[name]
	if !ok || entry.FileInfo().IsDir() {
		return openDir(zipFiles{a, name})
	}
	from := zipFiles{a, path.Dir(name)}
	file, err := from.open(path.Base(name))
	if err != nil {
		return nil, err
	}
	return openFile(file, from)
}

// openFile opens a checkpoint that is a file, by what it holds. from are the
// files beside it.
func openFile(file *filemap.File, from files) (*Checkpoint, error) {
	var start [9]byte
	if _, err := file.ReadAt(start[:], 0); err != nil && file.Size() >= int64(len(start)) {
		return nil, errors.Join(fmt.Errorf("%s: %w", file.Name(), err), file.Close())
	}
	if start[8] == '{' && bytes.Equal(start[5:8], []byte{0, 0, 0}) {
		return openSingle(file, from)
	}
	if !bytes.HasPrefix(start[:], []byte("PK\x03\x04")) && !bytes.HasPrefix(start[:], []byte("PK\x05\x06")) { // a zip archive, or an empty one
		return openTorch(file, from)
	}
	a, err := newArchive(file)
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	if a.torch() {
		return openTorch(file, from)
	}
	if _, ok := from.(zipFiles); ok { // one that holds itself would never end
		return nil, errors.Join(fmt.Errorf("%s: an archive in an archive: unpack the outer one", file.Name()), file.Close())
	}
	return a.openCheckpoint("")
}

// openDir opens a checkpoint that is a directory.
func openDir(from files) (*Checkpoint, error) {
	c := &Checkpoint{Path: from.path(""), from: from}
	hf, err := c.readConfig(from)
	if err != nil {
		return nil, err
	}
	if hf != nil {
		return c, c.openHuggingFace(hf)
	}
	if c.Weights, err = c.openWeights(); err != nil {
		return nil, err
	}
	return c, nil
}

// readConfig reads ConfigFile or, where there is none, ArgsFile. A ConfigFile of
// Hugging Face is returned.
func (c *Checkpoint) readConfig(from files) (*hfConfig, error) {
	text, err := readText(from, ConfigFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, c.readArgs(from)
	}
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	if hf, err := parseHuggingFace(text); hf != nil || err != nil {
		return hf, config.Wrap(from.path(ConfigFile), err)
	}
	return nil, config.Wrap(from.path(ConfigFile), c.setConfig(text))
}

// setConfig takes over a Config in JSON.
func (c *Checkpoint) setConfig(text []byte) error {
	var own Config
	if err := config.Decode(text, &own); err != nil {
		return err
	}
	if own.Task == "" || own.Model == nil {
		return errors.New("not the configuration of a checkpoint: it has no task and model")
	}
	c.Task, c.Data, c.Training, c.config = own.Task, locate(own.Data, own.Directory), own.Training, own.Model
	c.directory = own.Directory
	if own.Args == nil {
		return nil
	}
	var err error
	c.Args, err = parseArgs(own.Args)
	return config.Wrap("args", err)
}

func (c *Checkpoint) readArgs(from files) error {
	text, err := readText(from, ArgsFile)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is no checkpoint: it has neither %s nor %s", c.Path, ConfigFile, ArgsFile)
	}
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	path := from.path(ArgsFile)
	if c.Args, err = parseArgs(text); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return c.setTask(path)
}

// Close releases the file; models made from it stay.
func (c *Checkpoint) Close() error {
	var errs []error
	for _, f := range c.closers {
		errs = append(errs, f())
	}
	c.closers = nil
	return errors.Join(errs...)
}
