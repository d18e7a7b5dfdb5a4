package main

import (
	"fmt"
	"maps"
	"strings"

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
	"encoding":                {"utf-8", "utf-16le", "utf-16be", "latin-1", "windows-1252"},
	"class-weights":           {"none", "balanced"},
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
				if shell.Name() == "bash" {
					completeBash(root, shell)
				}
			}
		}
	}
}

// bashWords stands in for the function of the package bash-completion that cobra's
// script calls at every Tab: many machines have bash alone.
const bashWords = `# Words of the command line, where the package bash-completion is not installed.
if ! declare -F _get_comp_words_by_ref >/dev/null; then
    _get_comp_words_by_ref() {
        local line=${COMP_LINE:0:COMP_POINT}
        read -ra words <<< "$line"
        [[ $line == *[[:space:]] ]] && words+=("")
        cword=$((${#words[@]} - 1))
        cur=${words[cword]}
        prev=${words[cword-1]}
    }
fi
`

// completeBash lets the script for bash work without the package bash-completion.
func completeBash(root, bash *cobra.Command) {
	bash.Long = strings.Replace(bash.Long, "This script depends on the 'bash-completion' package.\nIf it is not installed already, you can install it via your OS's package manager.\n\n", "", 1)
	script := bash.RunE
	bash.RunE = func(cmd *cobra.Command, args []string) error {
		if _, err := fmt.Fprint(root.OutOrStdout(), bashWords); err != nil {
			return err
		}
		return script(cmd, args)
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
