package main

import (
	"github.com/mega-go/mega/checkpoint"
	"github.com/mega-go/mega/internal/parallel"
	"github.com/mega-go/mega/internal/progress"
	"github.com/mega-go/mega/task/classify"
	"github.com/spf13/cobra"
)

func newEval() *cobra.Command {
	var path, split, plot string
	var asJSON bool
	var workers int
	var data *binding
	cmd := &cobra.Command{
		Use:     "eval [DATA] --checkpoint CHECKPOINT",
		Aliases: []string{"validate"},
		Short:   "Evaluate a classifier: loss, accuracy, scores by class, confusion matrix",
		Long: `eval runs a classifier over a split of its data, or of the data given, and
prints its loss (base 2), its accuracy beside that of the most frequent class,
scores by class and the confusion matrix.`,
		Example: `  mega eval --checkpoint runs/listops-short
  mega eval --checkpoint runs/listops-short --gen-subset valid --plot confusion.png
  mega eval data/imdb --checkpoint checkpoint_best.pt --task lra-text --valid-subset valid --batch-size 10`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkPlot(plot); err != nil {
				return err
			}
			tellIgnored(cmd.ErrOrStderr(), cmd.Flags())
			parallel.SetWorkers(workers)
			c, err := openCheckpoint(path)
			if err != nil {
				return err
			}
			defer c.Close()
			config, err := evalData(c, data, args)
			if err != nil {
				return usage(err)
			}
			e, err := evaluate(cmd, c, config, split)
			if err == nil && plot != "" {
				err = e.WritePlot(plot)
			}
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), e)
			}
			return e.WriteText(cmd.OutOrStdout())
		},
	}
	addCheckpoint(cmd.Flags(), &path)
	cmd.Flags().StringVar(&split, "gen-subset", "", "split to evaluate (default the test split, or the validation split where there is none)")
	cmd.Flags().StringVar(&plot, "plot", "", "file to draw the confusion matrix into, .png, .svg or .pdf")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().IntVar(&workers, "workers", 0, "threads that compute; 0 for all cores")
	defaults := classify.DefaultDataConfig()
	data = bind(cmd.Flags(), &defaults, "data", "no_shuffle", "sentence_avg", "train_subset")
	addIgnored(cmd.Flags())
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
		config.Data = args[0]
	}
	return config, flags.apply(&config)
}

func evaluate(cmd *cobra.Command, c *checkpoint.Checkpoint, config classify.DataConfig, split string) (*classify.Evaluation, error) {
	m, err := c.Classifier(checkpoint.Options{})
	if err != nil {
		return nil, err
	}
	corpus, err := classify.OpenCorpus(config, m.Config())
	if err != nil {
		return nil, err
	}
	if split == "" {
		split = config.TestSubset
		if !corpus.Has(split) || cmd.CalledAs() == "validate" {
			split = config.ValidSubset
		}
	}
	meter := progress.New(cmd.ErrOrStderr(), "evaluating", "batches")
	defer meter.Close()
	return classify.Evaluate(cmd.Context(), m, corpus, config, split, meter.Show)
}
