package main

import (
	"maps"

	"github.com/mega-go/mega/recipe"
	"github.com/spf13/cobra"
)

// norms are the values of the flags that choose one.
var norms = []string{"layernorm", "scalenorm", "rmsnorm", "batchnorm", "syncbatchnorm"}

// flagValues are the values of flags that take one of a few, for completion.
var flagValues = map[string][]string{
	"input-type":              {"text", "image", "audio"},
	"sen-rep-type":            {"mp", "cls"},
	"attention-activation-fn": {"softmax", "relu2", "laplace"},
	"norm-type":               norms,
	"normalization-type":      norms,
	"rel-pos-bias":            {"simple", "rotary"},
	"lr-scheduler":            {"linear_decay", "inverse_sqrt", "cosine", "fixed", "polynomial_decay"},
	"criterion":               {"lra_cross_entropy", "cross_entropy", "adaptive_loss", "label_smoothed_cross_entropy"},
	"optimizer":               {"adam"},
	"sample-break-mode":       {"none", "complete", "complete_doc", "complete_doc_with_boundary", "eos", "stream"},
	"device":                  {"cpu", "auto", "cuda:0"},
	"shorten-method":          {"none", "truncate"},
	"eval-bleu-detok":         {"space", "moses"},
	"bpe":                     {"subword_nmt", "sentencepiece"},
	"tokenizer":               {"moses", "space"},
}

// addCompletion adds cobra's command for completion, with our errors. It writes to
// what is root's output now.
func addCompletion(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		if c.Name() == "completion" {
			chooses(c, "shell")
			for _, shell := range c.Commands() {
				shell.Args = exactArgs(0, "no arguments")
			}
		}
	}
}

// complete lets shells complete the values of a command's flags, and of those below
// it.
func complete(cmd *cobra.Command) {
	values := maps.Clone(flagValues)
	values["preset"] = recipe.Names()
	for _, a := range archInfos {
		values["arch"] = append(values["arch"], a.name)
	}
	for name, list := range values {
		if f := cmd.Flags().Lookup(name); f != nil && !f.Hidden {
			if err := cmd.RegisterFlagCompletionFunc(f.Name, cobra.FixedCompletions(list, cobra.ShellCompDirectiveNoFileComp)); err != nil {
				panic(err) // the flag is there, and has no completion yet
			}
		}
	}
	for _, c := range cmd.Commands() {
		complete(c)
	}
}
