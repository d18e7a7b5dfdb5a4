package main

import (
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

// restoring is the flags about a checkpoint that training begins from.
type restoring struct {
	file, finetune                        string
	optimizer, scheduler, loader, metrics bool // to reset
	checkpoint                            *checkpoint.Checkpoint
}

func (r *restoring) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&r.file, "restore-file", "", "a checkpoint to go on from, such as a fairseq .pt: weights, optimiser, updates, epoch. A run directory that has checkpoints goes on from its own")
	flags.StringVar(&r.finetune, "finetune-from-model", "", "a checkpoint to take nothing but the weights from")
	flags.BoolVar(&r.optimizer, "reset-optimizer", false, "with --restore-file, start the optimiser and the count of updates afresh")
	flags.BoolVar(&r.scheduler, "reset-lr-scheduler", false, "with --restore-file, no effect: learning rates follow from the count of updates and the epoch alone")
	flags.BoolVar(&r.loader, "reset-dataloader", false, "with --restore-file, start at the first epoch")
	flags.BoolVar(&r.metrics, "reset-meters", false, "with --restore-file, forget the best validation")
}

// open loads the weights of the checkpoint that the flags name, if they do, and
// returns where its training stood, nil to start afresh. dir is the run
// directory. What it returns can be used until close.
func (r *restoring) open(p *nn.Params, dir string, w io.Writer) (*checkpoint.Training, error) {
	path, err := r.path(dir)
	if path == "" || err != nil {
		return nil, err
	}
	if last := filepath.Join(train.Checkpoints(dir), "checkpoint_last"); exists(last) {
		fmt.Fprintf(w, "mega: %s is passed over: the run goes on from %s\n", path, last)
		return nil, nil
	}
	if r.checkpoint, err = checkpoint.Open(path); err != nil {
		return nil, err
	}
	if err := checkpoint.LoadParams(p, r.checkpoint.Weights); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if r.finetune != "" {
		return nil, nil
	}
	t, err := r.checkpoint.TrainingState(p)
	if t == nil || err != nil {
		return nil, err
	}
	if t.Adam == nil && !r.optimizer {
		fmt.Fprintf(w, "mega: %s has no state of the optimiser: updates count from 0\n", path)
	}
	r.reset(t)
	return t, nil
}

// path returns the checkpoint to begin from, "" for none.
func (r *restoring) path(dir string) (string, error) {
	anyReset := r.optimizer || r.scheduler || r.loader || r.metrics
	switch {
	case r.finetune != "" && (r.file != "" && r.file != lastTorch || anyReset):
		return "", usagef("--finetune-from-model takes nothing but weights: give it without --restore-file and --reset-*")
	case r.finetune != "":
		return r.finetune, nil
	case r.file != lastTorch:
		return r.file, nil
	}
	if inDir := filepath.Join(dir, lastTorch); exists(inDir) {
		return inDir, nil
	}
	return "", nil
}

// reset drops what the flags ask for, and the count of updates where there is no
// optimiser to count for, as the reference does (trainer.py:271).
func (r *restoring) reset(t *checkpoint.Training) {
	if r.optimizer {
		t.Adam, t.Best = nil, nil
	}
	if t.Adam == nil {
		t.Updates = 0
	}
	if r.loader {
		t.Epoch, t.Offset = 1, 0
	}
	if r.metrics {
		t.Best = nil
	}
}

// close releases the checkpoint.
func (r *restoring) close() {
	if r.checkpoint != nil {
		r.checkpoint.Close()
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
