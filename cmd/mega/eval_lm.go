package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/mega-go/mega/checkpoint"
	"github.com/mega-go/mega/internal/cuda/device"
	"github.com/mega-go/mega/internal/literal"
	"github.com/mega-go/mega/task/language"
	"github.com/mega-go/mega/train"
	"github.com/spf13/cobra"
)

// An evalLMCommand is the command line of mega eval-lm.
type evalLMCommand struct {
	path      string
	overrides string
	results   string
	workers   int
	json      bool
	bf16      bool
	device    deviceFlags
	data      *binding
	options   *binding
}

func newEvalLM() *cobra.Command {
	c := &evalLMCommand{}
	cmd := &cobra.Command{
		Use:   "eval-lm MODEL [DATA]",
		Short: "Evaluate a language model: bits per token and perplexity",
		Long: `eval-lm runs a language model over held-out text, document by document, with the
model's state carried from window to window, and prints the loss in base 2 (bits
per byte, for bytes) and the perplexity. Flags are the reference's. The text is
the one that the model was trained on, or the one given.`,
		Example: `  mega eval-lm runs/enwik8
  mega eval-lm data-bin/enwik8 --path model.pt --test-chunk-size 4096 --chunk-nums 3 --sample-break-mode complete \
    --valid-block splits:50 --model-overrides '{"decoder_chunk_size": 4096}'
  mega eval-lm runs/bytes-small --text other.txt`,
		Args: atMostArgs(1, "the directory of the data"),
		RunE: runOnDevice(&c.device, c.run),
	}
	flags := cmd.Flags()
	addCheckpoint(flags, &c.path)
	flags.StringVar(&c.overrides, "model-overrides", "{}", overridesHelp)
	flags.StringVar(&c.results, "results-path", "", "directory for words and their log-probabilities (default: standard output)")
	options := language.DefaultEvalOptions()
	c.options = bind(flags, &options)
	data := language.DefaultDataConfig()
	c.data = bind(flags, &data, "data", "task", "train_subset", "valid_subset", "test_subset",
		"variant_block_multiple_min", "variant_block_multiple_max", "max_tokens", "max_sentences_valid",
		"required_batch_size_multiple", "sentence_avg")
	threads(flags, &c.workers, "workers", "threads that compute; 0 for all cores")
	flags.BoolVar(&c.json, "json", false, "print JSON")
	addBF16(flags, &c.bf16)
	addDevice(flags, &c.device)
	addJoinTimeout(flags)
	takesModel(cmd, &c.path)
	addReference(flags, evalLMIgnored, map[string]string{
		"max-target-positions":         "documents are read in windows",
		"required-batch-size-multiple": "the result does not depend on it",
		"variant-block-multiple-min":   "it is for mega train",
		"variant-block-multiple-max":   "it is for mega train",
	})
	return cmd
}

// evalLMIgnored are flags of the reference that eval-lm has no use for.
var evalLMIgnored = map[string]string{
	"task":             "language models are evaluated",
	"max-tokens":       "batches are as large as a modest memory allows, and the result does not depend on it",
	"max-tokens-valid": "batches are as large as a modest memory allows, and the result does not depend on it",
	"num-shards":       "there is one process",
	"shard-id":         "there is one process",
	"quiet":            "results go to standard output, the rest to standard error",
}

func (c *evalLMCommand) run(cmd *cobra.Command, args []string, d device.Device) error {
	jobOf(cmd).use(c.workers)
	ck, err := openCheckpoint(c.path)
	if err != nil {
		return err
	}
	defer ck.Close()
	data, options, err := c.configs(cmd, ck, args)
	if err != nil {
		return usage(err)
	}
	ck.UseDevice(d)
	if err := useBF16(ck, c.bf16); err != nil {
		return err
	}
	m, err := ck.LanguageModel()
	if err != nil {
		return err
	}
	if chunk := m.Config().DecoderChunkSize; cmd.Flags().Changed("test-chunk-size") && chunk != options.TestChunkSize {
		fmt.Fprintf(cmd.ErrOrStderr(), "mega: the model attends in its own chunks of %d; for others add --model-overrides '{\"decoder_chunk_size\": %d}'\n",
			chunk, options.TestChunkSize)
	}
	corpus, err := language.OpenCorpus(data)
	if err != nil && len(args) == 0 && !cmd.Flags().Changed("text") {
		err = fmt.Errorf("the text of training: %w; give another by --text or as DATA", err)
	}
	if err != nil {
		return err
	}
	defer corpus.Close()
	var e *language.Evaluation
	err = toResults(cmd, c.results, options.Subset, func(words io.Writer) (err error) {
		e, err = language.Evaluate(cmd.Context(), train.NewEvaluator(processes(cmd.Context()), nil), m, corpus, options, words)
		return err
	})
	if err != nil {
		return err
	}
	if c.json {
		return printJSON(cmd.OutOrStdout(), e)
	}
	return e.WriteText(cmd.OutOrStdout())
}

// configs returns where the text is, what the checkpoint was trained on under
// the flags given, and how to read it. It applies the overrides.
func (c *evalLMCommand) configs(cmd *cobra.Command, ck *checkpoint.Checkpoint, args []string) (language.DataConfig, language.EvalOptions, error) {
	data, options := language.DefaultDataConfig(), language.DefaultEvalOptions()
	values, err := parseOverrides(cmd.ErrOrStderr(), c.overrides)
	if err == nil {
		err = ck.Override(values)
	}
	if err == nil {
		err = language.CheckpointData(ck, &data)
	}
	if err != nil {
		return data, options, err
	}
	if len(args) == 1 {
		data.Data, data.Text, data.PieceModel = args[0], "", nil
	}
	trained := data
	if cmd.Flags().Changed("text") {
		data.Data, options.Subset = "", language.WholeText
	}
	err = errors.Join(c.data.apply(&data), c.options.apply(&options))
	if data.Text != "" && data.Text == trained.Text && options.Subset != language.WholeText && data.TextHeldOut > trained.TextHeldOut {
		say(cmd.ErrOrStderr(), "mega: training held out %g of the text, and --text-held-out is %g: what is held out now was trained on in part", trained.TextHeldOut, data.TextHeldOut)
	}
	return data, options, err
}

const overridesHelp = "other values of the model's configuration, as a Python dictionary or JSON"

// parseOverrides reads --model-overrides and leaves out, with a word, what has no
// meaning here.
func parseOverrides(w io.Writer, text string) (map[string]any, error) {
	var values map[string]any
	if err := literal.Unmarshal(text, &values); err != nil {
		return nil, usagef("--model-overrides is %q, want a dictionary such as {'decoder_chunk_size': 4096}: %w", text, err)
	}
	for key := range values {
		for _, ignored := range []map[string]string{evalLMIgnored, ignoredFlags, {"data": "the command line says where the data is"}} {
			if why, ok := ignored[flagName(key)]; ok {
				fmt.Fprintf(w, "mega: the override of %s has no effect: %s\n", key, why)
				delete(values, key)
			}
		}
	}
	return values, nil
}
