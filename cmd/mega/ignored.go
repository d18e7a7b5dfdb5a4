package main

import (
	"fmt"
	"io"

	"github.com/spf13/pflag"
)

// ignoredFlags are flags of the reference that have no meaning here. Commands
// of the reference run with them; each is named on stderr when it is given.
var ignoredFlags = map[string]string{
	"ddp-backend":                         "gradients are summed without torch",
	"find-unused-parameters":              "gradients are summed without torch",
	"bucket-cap-mb":                       "gradients are summed without torch",
	"broadcast-buffers":                   "gradients are summed without torch",
	"fast-stat-sync":                      "statistics are summed without torch",
	"all-gather-list-size":                "statistics are summed without torch",
	"distributed-world-size":              "there is one process",
	"distributed-rank":                    "there is one process",
	"distributed-backend":                 "there is one process",
	"distributed-init-method":             "there is one process",
	"distributed-port":                    "there is one process",
	"distributed-no-spawn":                "there is one process",
	"nprocs-per-node":                     "there is one process",
	"device-id":                           "there is no GPU",
	"cpu":                                 "there is no GPU",
	"tpu":                                 "there is no TPU",
	"empty-cache-freq":                    "there is no GPU",
	"fp16":                                "training is in float32",
	"bf16":                                "it is for mega train, mega bench and translators",
	"memory-efficient-fp16":               "training is in float32",
	"memory-efficient-bf16":               "weights are float32; see --bf16",
	"fp16-init-scale":                     "training is in float32",
	"fp16-scale-window":                   "training is in float32",
	"fp16-scale-tolerance":                "training is in float32",
	"min-loss-scale":                      "training is in float32",
	"threshold-loss-scale":                "training is in float32",
	"fp16-no-flatten-grads":               "training is in float32",
	"num-workers":                         "batches are read ahead by one goroutine",
	"data-buffer-size":                    "batches are read ahead by one goroutine",
	"dataset-impl":                        "the files tell their format",
	"log-format":                          "a bar on a terminal, lines elsewhere",
	"no-progress-bar":                     "a bar on a terminal, lines elsewhere",
	"tensorboard-logdir":                  "metrics are in the run directory",
	"wandb-project":                       "metrics are in the run directory",
	"wandb-entity":                        "metrics are in the run directory",
	"wandb-id":                            "metrics are in the run directory",
	"encoder-layerdrop":                   "the reference ignores it too (lra/model.py:294)",
	"encoder-attention-heads":             "Mega has one head",
	"sent-loss":                           "there is no other loss",
	"user-dir":                            "tasks are built in",
	"curriculum":                          "not used by the reference's commands",
	"no-save-optimizer-state":             "the optimiser's state is what a run resumes from",
	"use-old-adam":                        "there is one Adam",
	"num-classes":                         "the reference ignores it too; see --sentence-class-num",
	"shorten-method":                      "the reference's tasks ignore it too",
	"shorten-data-split-list":             "the reference's tasks ignore it too",
	"init-token":                          "the reference's tasks ignore it too; see --sen-rep-type",
	"separator-token":                     "the reference's tasks ignore it too",
	"clip-mode":                           "the norm of all gradients together is clipped",
	"report-ema-alpha":                    "mega inspect shows the moving averages",
	"write-out-alpha":                     "mega inspect shows the moving averages",
	"skip-invalid-size-inputs-valid-test": "inputs of any size are read",
}

// ignoredSwitches are those of ignoredFlags that take no value.
var ignoredSwitches = []string{
	"find-unused-parameters", "broadcast-buffers", "fast-stat-sync", "distributed-no-spawn", "cpu", "tpu",
	"fp16", "bf16", "memory-efficient-fp16", "memory-efficient-bf16", "fp16-no-flatten-grads",
	"no-progress-bar", "sent-loss", "no-save-optimizer-state", "use-old-adam", "skip-invalid-size-inputs-valid-test",
	"quiet", "report-ema-alpha", "write-out-alpha",
}

// ignoredKey is the annotation of an ignored flag that says why it is ignored.
const ignoredKey = "ignored"

// addIgnored makes flags accept the reference's flags without meaning: those of
// ignoredFlags, and further ones of a command.
func addIgnored(flags *pflag.FlagSet, more ...map[string]string) {
	for _, reasons := range append(more, ignoredFlags) {
		for name, why := range reasons {
			if flags.Lookup(name) == nil {
				flags.String(name, "", "")
				f := flags.Lookup(name)
				f.Hidden, f.Annotations = true, map[string][]string{ignoredKey: {why}}
			}
		}
	}
	for _, name := range ignoredSwitches {
		if f := flags.Lookup(name); f != nil && f.Hidden {
			f.NoOptDefVal = "true"
		}
	}
}

// tellIgnored names the ignored flags that were given.
func tellIgnored(w io.Writer, flags *pflag.FlagSet) {
	flags.Visit(func(f *pflag.Flag) {
		for _, why := range f.Annotations[ignoredKey] {
			fmt.Fprintf(w, "mega: --%s has no effect: %s\n", f.Name, why)
		}
	})
}
