package main

import (
	_ "embed"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

//go:embed reference_flags.tsv
var referenceText string

// A referenceFlag is a flag of the reference, as reference_flags.tsv has it.
type referenceFlag struct {
	names    []string // without dashes, the reference's main one first
	kind     string   // of value: switch, optional, int, float, text, list, several
	commands []string // by their names here
	owners   []string // parts of the reference that it belongs to; none for the commands themselves
}

// referenceFlags returns them by each of their names.
var referenceFlags = sync.OnceValue(func() map[string]*referenceFlag {
	flags := map[string]*referenceFlag{}
	for line := range strings.Lines(referenceText) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		r := &referenceFlag{names: append(f[:1:1], strings.Fields(f[1])...), kind: f[2], commands: strings.Fields(f[3])}
		if f[4] != "" {
			r.owners = strings.Split(f[4], ",")
		}
		for _, name := range r.names {
			flags[name] = r
		}
	}
	return flags
})

// megaParts are the parts of the reference that are here too.
var megaParts = []string{
	"model lra", "model sc_raw", "model mega", "model mega_lm",
	"task lra-text", "task lra-image", "task speech_commands", "task language_modeling", "task translation",
	"criterion label_smoothed_cross_entropy", "optimizer adam",
	"lr_scheduler linear_decay", "lr_scheduler inverse_sqrt", "lr_scheduler cosine", "lr_scheduler fixed", "lr_scheduler polynomial_decay",
	"tokenizer moses", "bpe fastbpe", "bpe subword_nmt", "bpe sentencepiece",
}

// foreign reports whether a flag belongs to nothing that is here.
func (r *referenceFlag) foreign() bool {
	return len(r.owners) > 0 && !slices.ContainsFunc(r.owners, func(o string) bool { return slices.Contains(megaParts, o) })
}

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
	"device-id":                           "--device names the GPU",
	"cpu":                                 "--device says what computes, and the processor does by default",
	"tpu":                                 "there is no TPU",
	"empty-cache-freq":                    "there is no cache of torch's",
	"fp16":                                "training is in float32",
	"bf16":                                "it is for commands that train, evaluate or run models on text",
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
	"tensorboard-logdir":                  "it is for mega train",
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
	"fix-batches-to-gpus":                 "batches are shared among the processes in order",
	"slowmo-momentum":                     "there is one process",
	"slowmo-algorithm":                    "there is one process",
	"localsgd-frequency":                  "there is one process",
	"log-interval":                        "a bar on a terminal, lines elsewhere",
	"seed":                                "nothing is drawn at random",
	"profile":                             "it is for mega train and mega bench",
	"criterion":                           "the model says what its loss is",
	"optimizer":                           "nothing is trained",
	"lr-scheduler":                        "nothing is trained",
	"tokenizer":                           "the data is in tokens",
	"bpe":                                 "the data is in tokens",
	"bpe-codes":                           "the data is in tokens",
	"scoring":                             "it is for mega generate",
	"bpe-separator":                       "the data is in tokens",
	"moses-source-lang":                   "the data is in tokens",
	"moses-target-lang":                   "the data is in tokens",
	"moses-no-dash-splits":                "the data is in tokens",
	"moses-no-escape":                     "the data is in tokens",
	"sentencepiece-model":                 "the data is in tokens",
	"load-alignments":                     "no loss here reads alignments",
	"num-batch-buckets":                   "it is for TPUs",
	"future-target":                       "it is what language models predict anyway",
	"fixed-validation-seed":               "nothing in validation is drawn at random",
	"no-last-checkpoints":                 "the last checkpoint is what a run resumes from",
	"encoder-learned-pos":                 "it is for the reference's other layers",
	"no-token-positional-embeddings":      "it is for the reference's other layers",
	"share-encoder-input-output-embed":    "the reference ignores it too",
	"encoder-projection-length":           "it is for the reference's other layers",
	"encoder-projected-attention-heads":   "it is for the reference's other layers",
	"decoder-projected-attention-heads":   "it is for the reference's other layers",
	"quant-noise-pq-block-size":           "weights are not quantised",
	"iter-decode-eos-penalty":             "it is for decoding in rounds, which Mega does not do",
	"iter-decode-max-iter":                "it is for decoding in rounds, which Mega does not do",
	"iter-decode-force-max-iter":          "it is for decoding in rounds, which Mega does not do",
	"iter-decode-with-beam":               "it is for decoding in rounds, which Mega does not do",
	"iter-decode-with-external-reranker":  "it is for decoding in rounds, which Mega does not do",
	"retain-iter-history":                 "it is for decoding in rounds, which Mega does not do",
	"num-shards":                          "the reference ignores it too",
	"shard-id":                            "the reference ignores it too",
	"print-step":                          "it is for decoding in rounds, which Mega does not do",
	"decoding-format":                     "it is for decoding in rounds, which Mega does not do",
	"no-beamable-mm":                      "the reference ignores it too",
}

// A refusal says why a flag of the reference cannot be given, but with the values
// that ask for nothing.
type refusal struct {
	harmless []string
	why      string
}

// refusedFlags are flags of the reference that would change what a command does,
// and cannot here.
var refusedFlags = map[string]refusal{
	"model-parallel-size":      {[]string{"1"}, "there is one process"},
	"distributed-wrapper":      {[]string{"DDP"}, "there is one process"},
	"use-bmuf":                 {nil, "there is one process"},
	"checkpoint-suffix":        {[]string{""}, "give the whole name of the checkpoint"},
	"optimizer-overrides":      {[]string{"{}"}, "flags outweigh what a checkpoint says: give them, such as --adam-eps"},
	"quantization-config-path": {[]string{"", "None"}, "weights are not quantised"},
	"quant-noise-pq":           {[]string{"0", "0.0"}, "weights are not quantised"},
	"quant-noise-scalar":       {[]string{"0", "0.0"}, "weights are not quantised"},
	"encoder-embed-path":       {[]string{"", "None"}, "embeddings begin at random; --finetune-from-model takes the weights of a checkpoint"},
	"decoder-embed-path":       {[]string{"", "None"}, "embeddings begin at random; --finetune-from-model takes the weights of a checkpoint"},
	"apply-bert-init":          {nil, "weights begin as Mega's do"},
	"layer-type":               {[]string{"mega"}, "there are no layers but Mega's"},
	"use-p":                    {nil, "it is for the reference's Luna"},
	"regression-target":        {nil, "models tell classes"},
	"mfcc":                     {nil, "models of sound read samples"},
	"self-target":              {nil, "language models predict the next token"},
	"past-target":              {nil, "language models predict the next token"},
	"retain-dropout":           {nil, "there is no dropout but in training"},
	"retain-dropout-modules":   {nil, "there is no dropout but in training"},
	"score-reference":          {nil, "lines have no references; mega generate scores those of a split"},
	"align-suffix":             {nil, "alignments are not read"},
	"alignfile":                {nil, "alignments are not read"},
}

// Annotations of hidden flags, which say why they have no effect or are refused.
const (
	ignoredKey = "ignored"
	refusedKey = "refused"
)

// otherNames are names of other programs for flags that the reference has.
var otherNames = map[string]string{
	"batch-size-valid": "max-sentences-valid",
	"clip":             "clip-norm",
	"top-k":            "sampling-topk",
	"top-p":            "sampling-topp",
	"max-new-tokens":   "max-len-b",
	"n-predict":        "max-len-b",
	"temp":             "temperature",
	"repeat-penalty":   "repetition-penalty",
	"num-beams":        "beam",
	"length-penalty":   "lenpen",
	"learning-rate":    "lr",
	"epochs":           "max-epoch",
	"num-epochs":       "max-epoch",
	"max-steps":        "max-update",
	"output-dir":       "save-dir",
	"model":            "checkpoint",

	"num-return-sequences": "nbest",
}

// addReference completes the flags of a command that the reference has too, which
// has all others already: other names of those, and hidden flags for what has no
// effect (noEffect adds to ignoredFlags) or is refused.
func addReference(flags *pflag.FlagSet, noEffect ...map[string]string) {
	hide := func(name, key, why string) {
		if flags.Lookup(name) != nil {
			return
		}
		flags.String(name, "", "")
		f := flags.Lookup(name)
		f.Hidden, f.Annotations = true, map[string][]string{key: {why}}
		if r := referenceFlags()[name]; r != nil && (r.kind == "switch" || r.kind == "optional") {
			f.NoOptDefVal = "true"
		}
	}
	aliases := maps.Clone(otherNames)
	maps.DeleteFunc(aliases, func(_, known string) bool { return flags.Lookup(known) == nil })
	for _, r := range referenceFlags() {
		known := r.names[0]
		if i := slices.IndexFunc(r.names, func(name string) bool { return flags.Lookup(name) != nil }); i > 0 {
			known = r.names[i]
		}
		for _, name := range r.names {
			aliases[name] = known
		}
	}
	for _, reasons := range append(noEffect, ignoredFlags) {
		for name, why := range reasons {
			hide(aliased(aliases, name), ignoredKey, why)
		}
	}
	for name, r := range refusedFlags {
		hide(aliased(aliases, name), refusedKey, r.why)
	}
	flags.SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		return pflag.NormalizedName(aliased(aliases, name))
	})
}

// takeUnderscores lets the flags of a command, and of those below it, be written
// with underscores, as other programs do.
func takeUnderscores(cmd *cobra.Command) {
	normalize := cmd.Flags().GetNormalizeFunc()
	cmd.Flags().SetNormalizeFunc(func(flags *pflag.FlagSet, name string) pflag.NormalizedName {
		if referenceFlags()[name] == nil {
			name = strings.ReplaceAll(name, "_", "-")
		}
		return normalize(flags, name)
	})
	for _, c := range cmd.Commands() {
		takeUnderscores(c)
	}
}

func aliased(aliases map[string]string, name string) string {
	if known, ok := aliases[name]; ok {
		return known
	}
	return name
}

// tellReference names the flags that were given and have no effect, and reports
// one that is refused.
func tellReference(w io.Writer, flags *pflag.FlagSet) (err error) {
	flags.Visit(func(f *pflag.Flag) {
		for _, why := range f.Annotations[ignoredKey] {
			fmt.Fprintf(w, "mega: --%s has no effect: %s\n", f.Name, why)
		}
		for _, why := range f.Annotations[refusedKey] {
			if !slices.Contains(refusedFlags[f.Name].harmless, f.Value.String()) {
				err = usagef("--%s is not for Mega: %s", f.Name, why)
			}
		}
	})
	return err
}

// elsewhere says where an unknown flag belongs that the reference has, "" if it
// has none of the name.
func elsewhere(cmd *cobra.Command, name string) string {
	r := referenceFlags()[name]
	switch {
	case r == nil:
		return ""
	case r.foreign():
		return fmt.Sprintf("it is of the reference's %s; mega has Mega's classifiers, language models and translators alone", strings.Join(r.owners, ", "))
	case !slices.ContainsFunc(append(cmd.Aliases, cmd.Name()), func(name string) bool { return slices.Contains(r.commands, name) }):
		return "it is for mega " + strings.Join(r.commands, ", mega ")
	}
	return ""
}
