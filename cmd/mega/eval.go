package main

import (
	"bufio"
	"cmp"
	"errors"
	"io"
	"os"

	"github.com/mega-go/mega/checkpoint"
	"github.com/mega-go/mega/internal/cuda/device"
	"github.com/mega-go/mega/internal/progress"
	"github.com/mega-go/mega/task/classify"
	"github.com/mega-go/mega/train"
	"github.com/spf13/cobra"
)

func newEval() *cobra.Command {
	var path, splits, plot, overrides, criterion, output string
	var on deviceFlags
	var asJSON, modelEMA, bf16 bool
	var workers int
	var data *binding
	cmd := &cobra.Command{
		Use:     "eval MODEL [DATA]",
		Aliases: []string{"validate"},
		Short:   "Evaluate a classifier: loss, accuracy, confusion matrix",
		Long: `eval runs a classifier over a split of its data, or of the data given, and
prints its loss (base 2), its accuracy beside that of the most frequent class,
scores by class and the confusion matrix. --output writes labelled data back with the
answers, as mega classify does: all of it, also what was trained on. If it is the data of
the training, the column part says train, valid or test of each sample.`,
		Example: `  mega eval runs/listops-short
  mega eval runs/listops-short --gen-subset valid --plot confusion.png
  mega eval new.csv --checkpoint runs/reviews --output answers.csv
  mega eval data/imdb --checkpoint checkpoint_best.pt --task lra-text --valid-subset valid --batch-size 10`,
		Args: atMostArgs(1, "the directory of the data"),
		RunE: runOnDevice(&on, func(cmd *cobra.Command, args []string, d device.Device) error {
			if err := checkPlot(plot); err != nil {
				return err
			}
			if err := checkClassification(criterion); err != nil {
				return usage(err)
			}
			jobOf(cmd).use(workers)
			c, err := openOverridden(cmd.ErrOrStderr(), path, overrides)
			if err != nil {
				return err
			}
			defer c.Close()
			c.UseDevice(d)
			if err := useModelEMA(c, modelEMA); err != nil {
				return err
			}
			if err := useBF16(c, bf16); err != nil {
				return err
			}
			switch c.Task {
			case checkpoint.LanguageModelling:
				return usagef("%s is a language model: mega eval-lm evaluates it", path)
			case checkpoint.Translation:
				return usagef("%s is a translator: mega generate evaluates it, with --score-reference on its references", path)
			case checkpoint.ImageClassification:
				if splits != "" || output != "" {
					return usagef("%s is a classifier of pictures: neither --gen-subset nor --output is for it, name a directory of pictures", path)
				}
				return evalPictures(cmd, c, args, plot, asJSON)
			}
			config, err := evalData(c, data, args)
			if err != nil {
				return usage(err)
			}
			if output != "" && config.Task != classify.TaskLabelled {
				return usagef("--output is for models of labelled data, and %s was trained on task %s", path, config.Task)
			}
			all, parts, err := evaluate(cmd, c, config, splits)
			if err != nil {
				return err
			}
			if output != "" && jobOf(cmd).first() {
				if err := writeAnswers(cmd, c, config, parts, output); err != nil {
					return err
				}
			}
			if plot != "" {
				if len(all) > 1 {
					return usagef("--plot draws one split, and there are %d", len(all))
				}
				if jobOf(cmd).first() {
					if err := all[0].WritePlot(plot); err != nil {
						return err
					}
				}
			}
			for _, e := range all {
				print := e.WriteText
				if asJSON {
					print = func(w io.Writer) error { return printJSON(w, e) }
				}
				if err := toFit(cmd.OutOrStdout(), print); err != nil {
					return err
				}
			}
			return nil
		}),
	}
	addCheckpoint(cmd.Flags(), &path)
	addDevice(cmd.Flags(), &on)
	addJoinTimeout(cmd.Flags())
	addModelEMA(cmd.Flags(), &modelEMA)
	addBF16(cmd.Flags(), &bf16)
	cmd.Flags().StringVar(&splits, "gen-subset", "", "split to evaluate, or several with commas between (default the test split, or the validation split where there is none)")
	cmd.Flags().StringVar(&overrides, "model-overrides", "{}", overridesHelp)
	cmd.Flags().StringVar(&criterion, "criterion", "", "loss; there is lra_cross_entropy")
	cmd.Flags().StringVar(&output, "output", "", "file to write labelled data into, with columns of answers added, whole or not at all")
	cmd.Flags().StringVar(&plot, "plot", "", "file to draw the confusion matrix into, .png, .svg or .pdf")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	threads(cmd.Flags(), &workers, "workers", "threads that compute; 0 for all cores")
	defaults := classify.DefaultDataConfig()
	data = bind(cmd.Flags(), &defaults, "data", "no_shuffle", "sentence_avg", "train_subset", "class_weights")
	takesModel(cmd, &path)
	addReference(cmd.Flags(), map[string]string{
		"no-shuffle": "nothing is shuffled", "train-subset": "nothing is trained", "disable-validation": "it is for mega train",
		"validate-interval": "it is for mega train", "validate-interval-updates": "it is for mega train", "validate-after-updates": "it is for mega train",
		"remove-bpe": "the reference ignores it too", "results-path": "the reference ignores it too",
		"quiet": "results go to standard output, the rest to standard error",
	})
	return cmd
}

// evalData returns where the data is: what the checkpoint was trained on, under
// the flags given.
func evalData(c *checkpoint.Checkpoint, flags *binding, args []string) (classify.DataConfig, error) {
	config, err := classify.CheckpointData(c)
	if err != nil {
		return config, err
	}
	if len(args) == 1 {
		if !sameFile(args[0], config.Data) { // whose parts and labels are not those of other data
			config.ValidFile, config.TestFile, config.Labels = "", "", ""
		}
		config.Data = args[0]
	}
	return config, flags.apply(&config)
}

// sameFile tells whether two paths lead to one file.
func sameFile(a, b string) bool {
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}

// writeAnswers writes labelled data with the answers of a model into a file, and the
// parts of the samples if they are known.
func writeAnswers(cmd *cobra.Command, c *checkpoint.Checkpoint, config classify.DataConfig, parts []string, to string) error {
	p, err := classify.OpenCheckpoint(c, classify.OpenOptions{})
	if err != nil {
		return err
	}
	p.Truncate = true // as training did
	o := classify.AnswerOptions{Batch: cmp.Or(config.MaxSentences, config.BatchSize, 1), Labels: true, Parts: parts}
	return toOutput(cmd, to, func(w io.Writer) error {
		out := bufio.NewWriter(w)
		return errors.Join(p.Answer(cmd.Context(), config.Data, config.Options, o, out), out.Flush())
	})
}

// evaluate runs the model over splits with commas between. It returns the parts of the
// samples too if the data is what the model was trained on.
func evaluate(cmd *cobra.Command, c *checkpoint.Checkpoint, config classify.DataConfig, splits string) (all []*classify.Evaluation, parts []string, err error) {
	m, err := c.Classifier()
	if err != nil {
		return nil, nil, err
	}
	defer device.Finish(&err, m.LeaveDevice) // answers are a model's of its own
	corpus, err := classify.CheckpointCorpus(c, config, m.Config())
	if err != nil {
		return nil, nil, err
	}
	if corpus.Redivided {
		say(cmd.ErrOrStderr(), "mega: this divides the data otherwise than training did (--held-out, --split-seed, --split-column): what is held out now may have been trained on")
	}
	if splits == "" {
		splits = config.TestSubset
		if !corpus.Has(splits) || cmd.CalledAs() == "validate" {
			splits = config.ValidSubset
		}
	}
	meter := progress.New(cmd.ErrOrStderr(), "evaluating", "batches")
	defer meter.Close()
	for _, split := range train.Subsets(splits) {
		e, err := classify.Evaluate(cmd.Context(), evaluator(cmd, meter), m, corpus, config, split)
		if err != nil {
			return nil, nil, err
		}
		all = append(all, e)
	}
	return all, corpus.Parts, nil
}
