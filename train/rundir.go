package train

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mega-go/mega/checkpoint"
	"github.com/mega-go/mega/internal/atomicfile"
	"github.com/mega-go/mega/internal/config"
	"github.com/mega-go/mega/internal/printable"
)

// runConfigFile is where a run directory keeps what it was started with.
const runConfigFile = "config.json"

// A RunConfig is the config.json of a run directory: what its checkpoints say,
// and how they were trained.
type RunConfig struct {
	checkpoint.Config
	Training Config `json:"training"`
}

func newRunConfig(d Description, c Config) (RunConfig, error) {
	model, err := json.Marshal(d.Model)
	if err != nil {
		return RunConfig{}, fmt.Errorf("model configuration: %w", err)
	}
	data, err := json.Marshal(d.Data)
	if err != nil {
		return RunConfig{}, fmt.Errorf("data configuration: %w", err)
	}
	directory, err := d.relativeTo()
	if err != nil {
		return RunConfig{}, err
	}
	return RunConfig{checkpoint.Config{Task: d.Task, Model: model, Data: data, Directory: directory}, c}, nil
}

// ReadRunConfig reads the config.json of a run directory.
func ReadRunConfig(dir string) (RunConfig, error) {
	var c RunConfig
	path := filepath.Join(dir, runConfigFile)
	if err := config.ReadFile(path, &c); err != nil {
		return c, err
	}
	if c.Task == "" {
		return c, fmt.Errorf("%s: no task: not the configuration of a run", path)
	}
	return c, nil
}

// Checkpoints returns where a run directory keeps its checkpoints.
func Checkpoints(dir string) string { return filepath.Join(dir, "checkpoints") }

// LastCheckpoint returns the path of the checkpoint that the run in a directory
// goes on from, "" if there is none.
func LastCheckpoint(dir string) (string, error) {
	s := store{Checkpoints(dir)}
	last, err := s.last()
	if last == "" || err != nil {
		return "", err
	}
	return s.path(last), nil
}

// A runDir is an open run directory. Only one process can have it open.
type runDir struct {
	path    string
	store   store
	unlock  func()
	metrics *os.File
	log     *os.File
}

// openRunDir makes a run directory or opens one that c was started in before. A
// directory that is neither, or is of a run with another configuration that has
// a checkpoint, is left alone.
func openRunDir(path string, c RunConfig) (*runDir, error) {
	if err := refuseForeign(path); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(path, 0o777); err != nil {
		return nil, err
	}
	unlock, err := lock(path)
	if err != nil {
		return nil, err
	}
	d := &runDir{path: path, store: store{Checkpoints(path)}, unlock: unlock}
	if err := d.prepare(c); err != nil {
		d.close()
		return nil, err
	}
	return d, nil
}

// prepare writes the configuration, after comparing it with that of a run to be
// resumed, and opens the files.
func (d *runDir) prepare(c RunConfig) error {
	last, err := d.store.last()
	if err != nil {
		return err
	}
	if last != "" {
		was, err := ReadRunConfig(d.path)
		if err != nil {
			return err
		}
		if err := sameRun(was, c); err != nil {
			return fmt.Errorf("%s holds a run with another configuration; choose another directory (save_dir), or repeat its settings: %w", d.path, err)
		}
		if err := d.store.adopt(); err != nil {
			return err
		}
	}
	text, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return err
	}
	if err := atomicfile.WriteFile(d.file(runConfigFile), append(text, '\n')); err != nil {
		return err
	}
	if err := os.MkdirAll(d.store.dir, 0o777); err != nil {
		return err
	}
	d.log, err = os.OpenFile(d.file("train.log"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o666)
	return err
}

// file returns the path of a file of the run.
func (d *runDir) file(name string) string { return filepath.Join(d.path, name) }

// startMetrics opens metrics.jsonl after dropping the records that a run which
// resumes from an update will write again.
func (d *runDir) startMetrics(update int) error {
	path := d.file(metricsFile)
	if err := truncateRecords(path, update); err != nil {
		return err
	}
	var err error
	d.metrics, err = os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o666)
	return err
}

// close releases the directory.
func (d *runDir) close() error {
	var errs []error
	for _, f := range []*os.File{d.metrics, d.log} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	d.unlock()
	return errors.Join(errs...)
}

// refuseForeign fails if path is something other than a run directory, an empty
// one, or one where the reference keeps its checkpoints.
func refuseForeign(path string) error {
	entries, err := os.ReadDir(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	foreign := slices.IndexFunc(entries, func(e fs.DirEntry) bool { return !atomicfile.IsTemporary(e.Name()) })
	if foreign < 0 {
		return nil
	}
	_, err = ReadRunConfig(path)
	if isTorch := func(e fs.DirEntry) bool {
		ok, _ := filepath.Match(namePrefix+"*.pt", e.Name())
		return ok
	}; errors.Is(err, fs.ErrNotExist) && slices.ContainsFunc(entries, isTorch) {
		return nil
	}
	if err == nil {
		return nil
	}
	foreignErr := fmt.Errorf("%s holds files (%s) but no run: choose a new or an empty directory", path, entries[foreign].Name())
	if errors.Is(err, fs.ErrNotExist) {
		return foreignErr
	}
	return fmt.Errorf("%w: %w", foreignErr, err)
}

// mayChange lists the settings that another session of a run may have changed:
// when to stop, and what to write down.
var mayChange = []string{
	"max_update", "max_epoch", "stop_min_lr", "stop_time_hours", "patience",
	"disable_validation", "validate_interval", "validate_interval_updates", "validate_after_updates",
	"no_save", "no_epoch_checkpoints", "save_interval", "save_interval_updates",
	"keep_interval_updates", "keep_last_epochs", "keep_best_checkpoints",
	"log_interval", "max_skipped_in_row", "max_skipped", "bucket_mb", "collective_timeout", "zero_sharding",
}

// sameRun fails, listing the differences, if a run that began with the
// configuration was cannot resume with now.
func sameRun(was, now RunConfig) error {
	return sameConfig(was, now, mayChange, "%s was %s, now %s")
}

// sameConfig fails, listing the differences, if two configurations differ in other
// settings of training than free, or in their data, wherever that lies. format is for
// a key and its two values.
func sameConfig(was, now RunConfig, free []string, format string) error {
	a, err := flatten(was)
	if err != nil {
		return err
	}
	b, err := flatten(now)
	if err != nil {
		return err
	}
	keys := maps.Clone(a)
	maps.Copy(keys, b)
	var differences []string
	same := append([]string{"directory"}, free...)
	if len(was.Content) > 0 && len(now.Content) > 0 {
		differences, same = sameContent(was.Content, now.Content), append(same, pathKeys...)
	}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if a[key] != b[key] && !strings.HasPrefix(key, "content.") && !strings.HasPrefix(key, "data.seen.") && !slices.Contains(same, strings.TrimPrefix(key, "training.")) {
			differences = append(differences, fmt.Sprintf(format, key, printable.Shorten(cmp.Or(a[key], "absent")), printable.Shorten(cmp.Or(b[key], "absent"))))
		}
	}
	if len(differences) == 0 {
		return nil
	}
	return errors.New(strings.Join(differences, "; "))
}

// flatten returns the values of a configuration as JSON, by dotted path.
func flatten(c RunConfig) (map[string]string, error) {
	text, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	flat := make(map[string]string)
	return flat, flattenInto(flat, "", text)
}

func flattenInto(flat map[string]string, path string, text json.RawMessage) error {
	var object map[string]json.RawMessage
	if len(text) == 0 || text[0] != '{' {
		flat[path] = string(text)
		return nil
	}
	if err := json.Unmarshal(text, &object); err != nil {
		return err
	}
	for key, value := range object {
		if err := flattenInto(flat, strings.TrimPrefix(path+"."+key, "."), value); err != nil {
			return err
		}
	}
	return nil
}
