package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/mega-go/mega/checkpoint"
	"github.com/mega-go/mega/nn"
	"github.com/mega-go/mega/train"
	"github.com/spf13/pflag"
)

// lastTorch is the reference's default for --restore-file: the last checkpoint
// in --save-dir.
const lastTorch = "checkpoint_last.pt"

// restoreFlags is the flags about a checkpoint that training begins from.
type restoreFlags struct {
	file, finetune string
	drop           checkpoint.Reset
	scheduler      bool // to be reset too
	checkpoint     *checkpoint.Checkpoint
}

func (r *restoreFlags) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&r.file, "restore-file", "", "a checkpoint to go on from, such as a fairseq .pt: weights, optimiser, updates, epoch. A mere name is looked for in --save-dir first, and "+lastTorch+" there is the default. A run directory that has checkpoints goes on from its own")
	flags.StringVar(&r.finetune, "finetune-from-model", "", "a checkpoint to take nothing but the weights from, unless "+lastTorch+" is in --save-dir")
	flags.BoolVar(&r.drop.Optimizer, "reset-optimizer", false, "with --restore-file, start the optimiser and the count of updates afresh")
	flags.BoolVar(&r.scheduler, "reset-lr-scheduler", false, "with --restore-file, no effect: learning rates follow from the count of updates and the epoch alone")
	flags.BoolVar(&r.drop.Loader, "reset-dataloader", false, "with --restore-file, start at the first epoch")
	flags.BoolVar(&r.drop.Meters, "reset-meters", false, "with --restore-file, forget the best validation")
}

// open loads the weights of the checkpoint that the flags name, if they do, and
// returns where its training stood, nil to start afresh. dir is the run
// directory. What it returns can be used until close.
func (r *restoreFlags) open(p *nn.Params, dir string, w io.Writer) (*checkpoint.Training, error) {
	path, err := r.path(dir)
	if err != nil {
		return nil, err
	}
	last, err := train.LastCheckpoint(dir)
	switch {
	case err != nil:
		return nil, err
	case path == "" && r.file != "" && last == "":
		fmt.Fprintf(w, "mega: there is no %s, neither in %s nor here: training starts afresh\n", r.file, dir)
	case path != "" && last != "":
		fmt.Fprintf(w, "mega: %s is ignored: the run resumes from %s\n", path, last)
	}
	if path == "" || last != "" {
		return nil, nil
	}
	if r.checkpoint, err = checkpoint.Open(path); err != nil {
		return nil, err
	}
	if r.checkpoint.Int8() {
		return nil, fmt.Errorf("%s has int8 weights, which are for decoding: want the checkpoint that they were made of", path)
	}
	if err := checkpoint.LoadParams(p, r.checkpoint.Weights); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if path == r.finetune {
		return nil, nil
	}
	t, err := r.checkpoint.TrainingState(p, r.drop)
	if err != nil {
		return nil, fmt.Errorf("%w; --reset-optimizer, --reset-dataloader and --reset-meters continue without what they name", err)
	}
	if t != nil && t.Adam == nil && !r.drop.Optimizer {
		fmt.Fprintf(w, "mega: %s has no state of the optimiser: updates count from 0\n", path)
		t.Updates = 0
	}
	if t != nil {
		t.Path = path
	}
	return t, nil
}

// path returns the checkpoint to begin from, "" for none. As in the reference,
// lastTorch in the run directory comes before --finetune-from-model
// (checkpoint_utils.py:138).
func (r *restoreFlags) path(dir string) (string, error) {
	name := cmp.Or(r.file, lastTorch)
	named, inDir, mere := name != lastTorch, filepath.Join(dir, name), filepath.Base(name) == name
	switch {
	case r.finetune != "" && (named || r.scheduler || r.drop != checkpoint.Reset{}):
		return "", usagef("--finetune-from-model takes nothing but weights: give it without --restore-file and --reset-*")
	case exists(inDir) && (mere || !exists(name)):
		return inDir, nil
	case r.finetune != "":
		return r.finetune, nil
	case named || exists(r.file):
		return r.file, nil
	}
	return "", nil
}

// close releases the checkpoint.
func (r *restoreFlags) close() {
	if r.checkpoint != nil {
		r.checkpoint.Close()
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
