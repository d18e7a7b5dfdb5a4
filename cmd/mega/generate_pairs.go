package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mega-go/mega/checkpoint"
	"github.com/mega-go/mega/generate"
	"github.com/mega-go/mega/internal/cuda/device"
	"github.com/mega-go/mega/internal/progress"
	"github.com/mega-go/mega/task/translate"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// splitFlags are the flags of mega generate for translators.
type splitFlags struct {
	data, options *binding
	results       string
}

func (p *splitFlags) addFlags(flags *pflag.FlagSet) {
	o := translate.DefaultGenerateOptions()
	p.options = bind(flags, &o)
	d := translate.DefaultDataConfig()
	p.data = bind(flags, &d, "data", "task", "train_subset", "valid_subset", "test_subset", "max_sentences_valid", "max_tokens_valid",
		"upsample_primary", "criterion", "label_smoothing", "sentence_avg", "eval_bleu", "eval_bleu_detok", "eval_bleu_detok_args",
		"eval_tokenized_bleu", "eval_bleu_remove_bpe", "eval_bleu_args", "eval_bleu_print_samples")
	flags.StringVar(&p.results, "results-path", "", "directory for what is written (default: standard output)")
}

// addBF16 adds the flag that chooses products in bfloat16.
func addBF16(flags *pflag.FlagSet, bf16 *bool) {
	flags.BoolVar(bf16, "bf16", false, "multiply by weights in bfloat16, with both factors rounded; on the processor it needs AVX512_BF16 or ARM's BF16")
}

// translators reads the flags that name a translator, or several with colons
// between.
func translators(w io.Writer, path, overrides string, bf16 bool, on device.Device) (paths []string, o translate.ModelOptions, err error) {
	paths, o.BF16, o.Device = modelPaths(path), bf16, on
	if slices.Contains(paths, "") {
		return nil, o, errNoModel
	}
	o.Overrides, err = parseOverrides(w, overrides)
	return paths, o, err
}

// modelPaths parts models with colons between. What follows ARCHIVE.zip names a
// checkpoint in it, if it is no archive and no file itself.
func modelPaths(path string) (paths []string) {
	for _, part := range strings.Split(path, ":") {
		last := len(paths) - 1
		if last >= 0 && part != "" && isArchive(paths[last]) && !isArchive(part) && !exists(part) {
			paths[last] += ":" + part
		} else {
			paths = append(paths, part)
		}
	}
	return paths
}

func isArchive(path string) bool { return strings.EqualFold(filepath.Ext(path), ".zip") }

func openOverridden(w io.Writer, path, overrides string) (*checkpoint.Checkpoint, error) {
	ck, err := openCheckpoint(path)
	if err != nil {
		return nil, err
	}
	values, err := parseOverrides(w, overrides)
	if err == nil {
		err = ck.Override(values)
	}
	if err != nil {
		ck.Close()
		return nil, usage(err)
	}
	return ck, nil
}

// translates reports whether a model, the first of those with colons between, is
// a translator.
func translates(path string) bool {
	first := modelPaths(path)[0]
	if first == "" {
		return false
	}
	ck, err := checkpoint.Open(first)
	if err != nil {
		return false
	}
	defer ck.Close()
	return ck.Task == checkpoint.Translation
}

// runPairs translates a split.
func (c *generateCommand) runPairs(cmd *cobra.Command, args []string) error {
	paths, model, err := translators(cmd.ErrOrStderr(), c.model.path, c.model.overrides, c.model.bf16, c.model.on)
	if err != nil {
		return err
	}
	models, d, err := translate.OpenEnsemble(paths, model)
	if err != nil {
		return err
	}
	s := generate.Searcher{Options: generate.DefaultOptions()}
	o := translate.DefaultGenerateOptions()
	if len(args) == 1 {
		d = d.At(args[0], "", "")
	}
	err = errors.Join(c.search.apply(&s.Options), c.pairs.options.apply(&o), c.pairs.data.apply(&d))
	if err = errors.Join(err, s.Options.Validate()); err != nil {
		return usage(err)
	}
	o.Workers = models.Throughput(jobOf(cmd).threads(c.model.workers))
	corpus, err := translate.OpenCorpus(d)
	if err != nil {
		return err
	}
	defer corpus.Close()
	return toResults(cmd, c.pairs.results, o.Subset, func(w io.Writer) error {
		meter := progress.New(cmd.ErrOrStderr(), "translating", "batches")
		g, err := translate.Generate(cmd.Context(), evaluator(cmd, meter), models, corpus, s, o, c.lines(w))
		meter.Close()
		if err != nil {
			return err
		}
		return c.tellPairs(cmd.ErrOrStderr(), w, g)
	})
}

// lines returns where the lines of pairs go: nowhere if the result is to be JSON.
func (c *generateCommand) lines(w io.Writer) io.Writer {
	if c.json {
		return io.Discard
	}
	return w
}

func (c *generateCommand) tellPairs(stderr, w io.Writer, g *translate.Generation) error {
	if g.Skipped > 0 {
		fmt.Fprintf(stderr, "mega: %d pairs are left out as too long for the model\n", g.Skipped)
	}
	if c.json {
		return printJSON(w, g)
	}
	fmt.Fprintf(stderr, "scores are in base 2; translated %d sentences (%d tokens) in %.1fs (%.2f sentences/s, %.2f tokens/s)\n",
		g.Sentences, g.Tokens, g.Seconds, g.SentencesPerSecond, g.TokensPerSecond)
	return g.WriteText(w)
}
