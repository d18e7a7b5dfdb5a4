package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/checkpoint"
	"github.com/mega-go/mega/inspect"
	"github.com/mega-go/mega/internal/cuda/device"
	"github.com/mega-go/mega/internal/spell"
	"github.com/mega-go/mega/internal/textfile"
	"github.com/mega-go/mega/recipe"
	"github.com/mega-go/mega/task/classify"
	"github.com/mega-go/mega/train"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// A trainCommand is the command line of mega train.
type trainCommand struct {
	preset    string
	chosen    string // the name of data that chose the flags
	saveDir   string
	criterion string
	optimizer string
	board     string
	serve     string
	helpAll   bool
	workers   int
	device    deviceFlags
	json      bool
	profile   bool
	restore   restoreFlags

	flags    *pflag.FlagSet
	kinds    []modelKind
	training *binding
}

func newTrain() *cobra.Command {
	c := &trainCommand{kinds: trainKinds()}
	cmd := &cobra.Command{
		Use:   "train [DATA] [--preset NAME | --arch ARCH --task TASK] ...",
		Short: "Train a model and evaluate it",
		Long: `train trains a model, evaluates it on held-out data and leaves a run directory:
configuration, checkpoints, metrics, log and learning curve. Started again with
the same flags, it resumes where it stopped, bit for bit. Flags have the
reference's names and meanings. A preset stands for a whole published command;
flags given beside it override it. The architecture determines whether a
classifier, a language model, a translator or a classifier of pictures is
trained. Labelled data of your own (see mega data look) needs only its path: its
content determines the flags, which are printed.`,
		Example: `  mega train --preset listops-short
  mega train reviews.csv --text-column text --label-column label
  mega train --preset lra-image data/cifar10 --save-dir runs/cifar10
  mega train data/listops -a mega_lra_listop --task lra-text --norm-type layernorm --attention-activation-fn softmax \
    --optimizer adam --lr 0.001 --batch-size 64 --sentence-avg --max-update 90000
  mega train photos
  mega train --preset bytes-small --text book.txt
  mega train --preset bytes-small --text src/*.go --pieces go.model
  mega train data-bin/wmt16 -s en -t de -a mega_wmt_en_de --share-all-embeddings --max-tokens 8192 --lr 1e-3 \
    --criterion label_smoothed_cross_entropy --label-smoothing 0.1 --eval-bleu --best-checkpoint-metric bleu \
    --maximize-best-checkpoint-metric --max-update 500000`,
		Args: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("text") {
				return nil // more texts
			}
			return atMostArgs(1, "the path of the data")(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error { return c.run(cmd, args) },
	}
	c.addFlags(cmd.Flags())
	cmd.SetHelpFunc(c.help)
	return cmd
}

func (c *trainCommand) addFlags(flags *pflag.FlagSet) {
	c.flags = flags
	flags.StringVar(&c.preset, "preset", "", "a whole recipe: mega presets lists them")
	flags.StringVar(&c.saveDir, "save-dir", "", "run directory (default runs/ and the name of the preset or architecture)")
	threads(flags, &c.workers, "workers", "threads that compute; 0 for all cores. The result does not depend on it")
	addDeviceName(flags, &c.device)
	addJoinTimeout(flags)
	flags.StringVar(&c.board, "tensorboard-logdir", "", "directory for TensorBoard: metrics, and at each validation the half-lives of the moving averages (log2 of steps)")
	flags.StringVar(&c.serve, "serve", "", "show the run on a page while it trains, at 127.0.0.1:8080 or by --serve=HOST:PORT elsewhere")
	flags.Lookup("serve").NoOptDefVal = "127.0.0.1:8080"
	flags.BoolVar(&c.json, "json", false, "print the final evaluation as JSON")
	flags.BoolVar(&c.profile, "profile", false, "print the time of training by operation, with the time spent waiting for data")
	flags.BoolVar(&c.helpAll, "help-all", false, "help with the flags for every kind of model")
	groupFlags(flags, outputFlags)
	flags.StringVar(&c.criterion, "criterion", "", "loss, the one of the kind of model if none is given: lra_cross_entropy for classifiers; cross_entropy, or adaptive_loss with an adaptive softmax, for language models; cross_entropy or label_smoothed_cross_entropy for translators; soft_cross_entropy for classifiers of pictures")
	flags.StringVar(&c.optimizer, "optimizer", "adam", "optimiser; only adam")
	groupFlags(flags, trainingFlags)
	var all []*pflag.Flag // that are for every kind, whatever one of them binds
	flags.VisitAll(func(f *pflag.Flag) { all = append(all, f) })
	for _, kind := range c.kinds {
		for i, b := range kind.bind(flags) {
			b.alsoFor(kind.name())
			b.group([]string{modelFlags, dataFlags}[i])
		}
	}
	for _, f := range all {
		markFlag(flags, f.Name)
	}
	training := train.DefaultConfig()
	c.training = bind(flags, &training)
	for _, kind := range c.kinds {
		c.training.alsoFor(kind.name())
	}
	c.restore.addFlags(flags)
	groupFlags(flags, trainingFlags)
	addReference(flags)
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
			r, err := recipe.Find(name)
			if err != nil {
				return nil, usage(err)
			}
			return append(append([]string{"train"}, r.Flags...), args[1:]...), nil
		}
	}
	return args, nil
}

func (c *trainCommand) run(cmd *cobra.Command, args []string) error {
	if c.helpAll {
		return cmd.Help()
	}
	args, err := c.moreTexts(args)
	if err != nil {
		return err
	}
	if err := c.suggest(cmd.ErrOrStderr(), args); err != nil {
		return err
	}
	kind, arch, training, err := c.configs(args)
	if err != nil {
		return usage(err)
	}
	c.tellForeign(cmd.ErrOrStderr(), kind, arch)
	if !c.flags.Changed("lr") {
		say(cmd.ErrOrStderr(), "mega: --lr is not given, and the reference's default of %v makes most trainings diverge: 0.001 to 0.005 is usual", training.LR)
	}
	jobOf(cmd).use(c.workers)
	return onDevice(cmd.ErrOrStderr(), &c.device, func(d device.Device) error {
		if d == nil {
			if err := training.CheckProcessor(); err != nil {
				return usage(err)
			}
		}
		return c.train(cmd, kind, arch, training, d)
	})
}

// train trains a model on a device, nil for the CPU, and evaluates it there.
func (c *trainCommand) train(cmd *cobra.Command, kind modelKind, arch string, training train.Config, d device.Device) error {
	job := jobOf(cmd)
	t, err := kind.open()
	if err != nil {
		return err
	}
	defer t.Close()
	if !training.NoSave {
		split, err := heldOut(t)
		if err == nil {
			err = t.CheckEvaluation(split)
		}
		if err != nil {
			return fmt.Errorf("the final evaluation would fail: %w", err)
		}
	}
	if labels, ok := t.(*classify.Task); ok && labels.Corpus().Seen != nil {
		if err := toFit(cmd.ErrOrStderr(), labels.Corpus().Seen.WriteText); err != nil {
			return err
		}
	}
	dir := c.directory(arch)
	say(cmd.ErrOrStderr(), "%d parameters, %s; run directory %s", t.Params().Count(), t.Summary(), dir)
	defer c.restore.close()
	start, err := c.restore.open(t.Params(), dir, cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	options := train.Options{Dir: dir, Progress: cmd.ErrOrStderr(), Start: start, Communicator: processes(cmd.Context()), Version: version(), Device: d}
	options.Save = saveRequests()
	options.TensorBoard.Dir = c.board
	options.TensorBoard.Histograms = func() map[string][]float64 { return inspect.Averages(t.Params()) }
	if c.profile {
		options.Profile = new(autograd.Profile)
	}
	job.patience(training.CollectiveTimeout, c.profile)
	if c.serve != "" && options.Communicator.Rank() == 0 {
		stop, err := showRun(cmd.ErrOrStderr(), c.serve, dir)
		if err != nil {
			return err
		}
		defer stop()
	}
	// Nobody reads the output any more: like other signals, after saving.
	ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGPIPE)
	defer stop()
	summary, err := train.Run(ctx, t, training, options)
	if options.Communicator.Rank() > 0 && (err == nil || errors.Is(err, train.ErrFinished)) {
		return nil // process 0 evaluates
	}
	if err == nil || errors.Is(err, train.ErrFinished) {
		t.Params().Move(nil) // a device needs the room: what is evaluated is a model of a checkpoint
	}
	if errors.Is(err, train.ErrFinished) {
		say(cmd.ErrOrStderr(), "mega: %s", inFlags(err.Error(), c.flags))
		return c.evaluate(ctx, cmd, kind, dir, training, d)
	}
	if err != nil {
		return err
	}
	if err := printProfile(cmd.ErrOrStderr(), options.Profile); err != nil {
		return err
	}
	job.tell(cmd.ErrOrStderr(), c.profile)
	say(cmd.ErrOrStderr(), "trained %d updates in %.0f s: %s; preparing batches took %.2f s beside it, and training waited for %.2f s of that",
		summary.Updates, summary.Seconds, inFlags(summary.Reason, c.flags), summary.Reading, summary.Waiting)
	if training.NoSave {
		fmt.Fprintln(cmd.ErrOrStderr(), "no evaluation: --no-save kept no checkpoint")
		return nil
	}
	return c.evaluate(ctx, cmd, kind, dir, training, d)
}

// moreTexts takes files that follow --text FILE, as a shell expands --text *.go, as
// texts too. It returns the other arguments.
func (c *trainCommand) moreTexts(args []string) ([]string, error) {
	text := c.flags.Lookup("text")
	if !text.Changed || len(args) == 0 || len(args) == 1 && textfile.Regular(args[0]) != nil {
		return args, nil
	}
	return nil, c.flags.Set("text", strings.Join(append([]string{text.Value.String()}, args...), ":"))
}

// configs reads the flags: an architecture's defaults, then the flags.
func (c *trainCommand) configs(args []string) (kind modelKind, arch string, training train.Config, err error) {
	training = train.DefaultConfig()
	data := ""
	if len(args) == 1 {
		data = args[0]
	}
	arch = c.flags.Lookup("arch").Value.String()
	if kind, err = c.kind(arch); err != nil {
		return kind, arch, training, err
	}
	if err = kind.configure(c.flags, arch, data, c.criterion); err != nil {
		return kind, arch, training, err
	}
	if c.optimizer != "adam" {
		return kind, arch, training, fmt.Errorf("--optimizer %s is unknown, want adam", c.optimizer)
	}
	if err = c.training.apply(&training); err != nil {
		return kind, arch, training, err
	}
	return kind, arch, training, training.Validate()
}

// kind returns the kind of model that an architecture is of.
func (c *trainCommand) kind(arch string) (modelKind, error) {
	if arch == "" {
		return nil, errors.New("want labelled data, or --preset NAME or --arch ARCH (mega presets lists both)")
	}
	var names []string
	for _, kind := range c.kinds {
		if slices.Contains(kind.archs(), arch) {
			return kind, nil
		}
		names = append(names, kind.archs()...)
	}
	if near := spell.Nearest(arch, names); near != "" {
		return nil, fmt.Errorf("unknown architecture %q, did you mean %q?", arch, near)
	}
	return nil, fmt.Errorf("unknown architecture %q, want one of %s", arch, strings.Join(names, ", "))
}

// tellForeign names the flags that were given and are for other kinds of models
// than the one that is trained.
func (c *trainCommand) tellForeign(w io.Writer, kind modelKind, arch string) {
	eachForeign(c.flags, kind.name(), func(name string, _ []string) {
		fmt.Fprintf(w, "mega: --%s has no effect: it is not for models of the kind of %s\n", name, arch)
	})
}

// directory returns the run directory.
func (c *trainCommand) directory(arch string) string {
	switch {
	case c.saveDir != "":
		return c.saveDir
	case c.preset != "":
		return filepath.Join("runs", c.preset)
	case c.chosen != "":
		return filepath.Join("runs", c.chosen)
	}
	return filepath.Join("runs", arch)
}

// evaluate runs the best checkpoint on held-out data and prints how it did: its
// averages, if they decided that it is the best.
func (c *trainCommand) evaluate(ctx context.Context, cmd *cobra.Command, kind modelKind, dir string, training train.Config, d device.Device) error {
	ck, err := checkpoint.Open(dir)
	if err != nil {
		return err
	}
	defer ck.Close()
	ck.UseDevice(d)
	if err := useModelEMA(ck, training.ModelEMA && train.OfModelEMA(training.BestCheckpointMetric)); err != nil {
		return err
	}
	e, err := kind.evaluate(ctx, ck)
	if err != nil {
		return err
	}
	if !e.Finite() {
		return fmt.Errorf("the loss of the final evaluation of %s is not finite: training has diverged; want a lower learning rate, a longer warm-up or --clip-norm", ck.Path)
	}
	if e, ok := e.(*classify.Evaluation); ok && !e.Better() {
		say(cmd.ErrOrStderr(), "mega: the model is no better than always answering the most frequent class: a lower --lr, more updates (--max-update, --total-num-update) or more samples may help")
	}
	w := cmd.OutOrStdout()
	if c.json {
		return printJSON(w, e)
	}
	say(w, "%s", e.Line())
	say(w, "run directory: %s (learning curve: %s)", dir, filepath.Join(dir, "curve.png"))
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

// printJSONLine prints a value as JSON on a line of its own.
func printJSONLine(w io.Writer, v any) error { return json.NewEncoder(w).Encode(v) }
