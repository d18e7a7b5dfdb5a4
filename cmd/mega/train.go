package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/checkpoint"
	"github.com/mega-go/mega/internal/kernel"
	"github.com/mega-go/mega/task"
	"github.com/mega-go/mega/train"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// A trainCommand is the command line of mega train.
type trainCommand struct {
	preset    string
	saveDir   string
	criterion string
	optimizer string
	workers   int
	json      bool
	restore   restoring

	flags    *pflag.FlagSet
	model    *binding
	data     *binding
	training *binding
}

func newTrain() *cobra.Command {
	c := &trainCommand{}
	cmd := &cobra.Command{
		Use:   "train [DATA] --preset NAME | --arch ARCH --task TASK ...",
		Short: "Train a model and evaluate it",
		Long: `train trains a model, evaluates it on held-out data and leaves a run directory:
configuration, checkpoints, metrics, log and learning curve. Started again with
the same flags it goes on where it stopped, bit for bit. Flags have the
reference's names and meanings; a preset stands for a whole published command,
and flags given beside it override it.`,
		Example: `  mega train --preset listops-short
  mega train --preset lra-image data/cifar10 --save-dir runs/cifar10
  mega train data/listops -a mega_lra_listop --task lra-text --norm-type layernorm --attention-activation-fn softmax \
    --optimizer adam --lr 0.001 --batch-size 64 --sentence-avg --max-update 90000`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return c.run(cmd, args) },
	}
	c.addFlags(cmd.Flags())
	return cmd
}

func (c *trainCommand) addFlags(flags *pflag.FlagSet) {
	c.flags = flags
	flags.StringVar(&c.preset, "preset", "", "a whole recipe: mega presets lists them")
	flags.StringVar(&c.saveDir, "save-dir", "", "run directory (default runs/ and the name of the preset or architecture)")
	flags.StringVar(&c.criterion, "criterion", "lra_cross_entropy", "loss; classification has this one")
	flags.StringVar(&c.optimizer, "optimizer", "adam", "optimiser; there is this one")
	flags.IntVar(&c.workers, "workers", 0, "threads that compute; 0 for all cores. The result does not depend on it")
	flags.BoolVar(&c.json, "json", false, "print the final evaluation as JSON")
	model := mega.ClassifierConfig{}
	c.model = bind(flags, &model)
	data := task.DefaultDataConfig()
	c.data = bind(flags, &data, "data")
	training := train.DefaultConfig()
	c.training = bind(flags, &training)
	flags.SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		if long, ok := flagAliases[name]; ok {
			name = long
		}
		return pflag.NormalizedName(name)
	})
	c.restore.addFlags(flags)
	addIgnored(flags)
}

// flagAliases are other names of the reference for the same flags.
var flagAliases = map[string]string{
	"max-sentences":    "batch-size",
	"batch-size-valid": "max-sentences-valid",
	"learning-rate":    "lr",
	"clip":             "clip-norm",
	"wd":               "weight-decay",
	"mu":               "max-update",
}

// expandPreset puts the flags of a recipe before the user's own, which so
// override them.
func expandPreset(args []string) ([]string, error) {
	if len(args) == 0 || args[0] != "train" {
		return args, nil
	}
	for i, a := range args {
		name, ok := "", false
		if a == "--preset" && i+1 < len(args) {
			name, ok = args[i+1], true
		} else if rest, cut := strings.CutPrefix(a, "--preset="); cut {
			name, ok = rest, true
		}
		if ok {
			recipe, err := task.FindRecipe(name)
			if err != nil {
				return nil, usage(err)
			}
			return append(append([]string{"train"}, recipe.Flags()...), args[1:]...), nil
		}
	}
	return args, nil
}

func (c *trainCommand) run(cmd *cobra.Command, args []string) error {
	tellIgnored(cmd.ErrOrStderr(), c.flags)
	model, data, training, err := c.configs(args)
	if err != nil {
		return usage(err)
	}
	kernel.SetWorkers(c.workers)
	t, err := task.NewClassification(data, model)
	if err != nil {
		return err
	}
	dir := c.directory(model)
	fmt.Fprintf(cmd.ErrOrStderr(), "%d parameters, %d kinds of symbols, %d classes; run directory %s\n",
		t.Params().Count(), t.Corpus().Vocabulary, model.SentenceClassNum, dir)
	defer c.restore.close()
	start, err := c.restore.open(t.Params(), dir, cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	summary, err := train.Run(cmd.Context(), t, training, train.Options{Dir: dir, Progress: cmd.ErrOrStderr(), Start: start})
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "trained %d updates in %.0f s: %s\n", summary.Updates, summary.Seconds, summary.Reason)
	return c.evaluate(cmd.Context(), cmd.OutOrStdout(), dir, t.Corpus(), data)
}

// configs builds the three configurations: an architecture's defaults, then
// the flags.
func (c *trainCommand) configs(args []string) (mega.ClassifierConfig, task.DataConfig, train.Config, error) {
	data, training := task.DefaultDataConfig(), train.DefaultConfig()
	if len(args) == 1 {
		data.Data = args[0]
	}
	model, err := c.modelConfig()
	if err != nil {
		return model, data, training, err
	}
	if c.criterion != "lra_cross_entropy" {
		return model, data, training, fmt.Errorf("--criterion %s is not one for classification, want lra_cross_entropy", c.criterion)
	}
	if c.optimizer != "adam" {
		return model, data, training, fmt.Errorf("--optimizer %s is unknown, want adam", c.optimizer)
	}
	if err := c.data.apply(&data); err != nil {
		return model, data, training, err
	}
	if err := c.training.apply(&training); err != nil {
		return model, data, training, err
	}
	return model, data, training, training.Validate()
}

func (c *trainCommand) modelConfig() (mega.ClassifierConfig, error) {
	arch := c.flags.Lookup("arch").Value.String()
	if arch == "" {
		return mega.ClassifierConfig{}, fmt.Errorf("no architecture: want --preset NAME or --arch ARCH (mega presets lists both)")
	}
	model, err := mega.Preset(arch)
	if err != nil {
		return model, err
	}
	if err := c.model.apply(&model); err != nil {
		return model, err
	}
	model.Derive(func(key string) bool { return c.flags.Changed(flagName(key)) })
	checked := model
	checked.VocabSize = max(checked.VocabSize, 4) // the data's, which is read later
	return model, checked.Validate()
}

// directory returns the run directory.
func (c *trainCommand) directory(model mega.ClassifierConfig) string {
	switch {
	case c.saveDir != "":
		return c.saveDir
	case c.preset != "":
		return filepath.Join("runs", c.preset)
	}
	return filepath.Join("runs", model.Arch)
}

// evaluate runs the best checkpoint on the test split, or the validation split
// where there is none, and prints how it did.
func (c *trainCommand) evaluate(ctx context.Context, w io.Writer, dir string, corpus *task.Corpus, data task.DataConfig) error {
	ck, err := checkpoint.Open(dir)
	if err != nil {
		return err
	}
	defer ck.Close()
	m, err := ck.Classifier(checkpoint.Options{})
	if err != nil {
		return err
	}
	split := data.TestSubset
	if !corpus.Has(split) {
		split = data.ValidSubset
	}
	e, err := task.Evaluate(ctx, m, corpus, data, split, nil)
	if err != nil {
		return err
	}
	if c.json {
		return printJSON(w, e)
	}
	fmt.Fprintf(w, "%s: accuracy %.2f%% of %d held-out samples; always answering the most frequent class: %.2f%%; loss %.3f (base 2)\n",
		split, e.Accuracy, e.Samples, e.Majority, e.Loss)
	fmt.Fprintf(w, "run directory: %s (learning curve: %s)\n", dir, filepath.Join(dir, "curve.png"))
	return nil
}

func printJSON(w io.Writer, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s\n", text)
	return err
}
