// Command mega trains, evaluates and inspects Mega models. Each subcommand has
// a file of its own here and its logic in the library's packages.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/checkpoint"
	"github.com/mega-go/mega/internal/printable"
	"github.com/mega-go/mega/train"
	"github.com/spf13/cobra"
)

// Exit statuses.
const (
	exitOK          = 0
	exitFailure     = 1   // the work failed
	exitUsage       = 2   // the command line or a configuration is wrong
	exitInterrupted = 130 // stopped by a signal after saving
	exitPipe        = 141 // nobody reads the output any more: as SIGPIPE ends programs
)

func main() {
	ending := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // as nohup has it
		ending = append(ending, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), ending...)
	defer stop()
	context.AfterFunc(ctx, func() { signal.Reset(os.Interrupt) }) // another Ctrl-C ends at once
	job, err := joinJob(os.Args[1:], os.Stderr)
	if err != nil {
		fmt.Fprintln(os.Stderr, "mega:", err)
		os.Exit(exitFailure)
	}
	stdout, stderr := job.outputs(os.Stdout, os.Stderr)
	code := run(job.context(ctx), os.Args[1:], os.Stdin, stdout, stderr)
	if err := job.leave(); err != nil && code == exitOK {
		fmt.Fprintln(stderr, "mega:", err)
		code = exitFailure
	}
	os.Exit(code)
}

// run executes one command line and returns its exit status. Results go to
// stdout, everything else to stderr.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	stderr = printable.NewWriter(stderr)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	out := newStandardOutput(stdout, stop)
	if err := autograd.CheckEnvironment(); err != nil {
		processes(ctx).Abort(usage(err))
		fmt.Fprintln(stderr, "mega:", err)
		return exitUsage
	}
	root := newRoot()
	root.SetIn(stdin)
	root.SetOut(out)
	addCompletion(root)
	root.SetErr(stderr)
	cmd := root
	args, err := expandPreset(joinPairs(args))
	if err == nil {
		root.SetArgs(args)
		cmd, err = root.ExecuteContextC(ctx)
	}
	if failed := out.close(); failed != nil {
		err = failed
	}
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, syscall.EPIPE):
		return exitPipe
	}
	together := errors.Is(err, train.ErrInterrupted) // all processes have ended at once
	if errors.Is(err, context.Canceled) {
		err = train.ErrInterrupted // in the user's words
	}
	if !together {
		processes(ctx).Abort(err)
	}
	code := status(err)
	say(stderr, "mega: %s", inFlags(oneLine(err), cmd.Flags()))
	return code
}

// status returns the exit status that an error stands for.
func status(err error) int {
	var usage *usageError
	var override *checkpoint.OverrideError
	switch {
	case errors.Is(err, train.ErrInterrupted):
		return exitInterrupted
	case errors.As(err, &usage), errors.As(err, &override):
		return exitUsage
	}
	return exitFailure
}

// newRoot builds the tree of commands.
func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "mega",
		Short: "Train, evaluate and run Mega sequence models",
		Long: `mega is Mega (Moving Average Equipped Gated Attention, arXiv 2209.10655) in Go:
it trains, evaluates and inspects long-sequence models, and reads the
configurations, data and checkpoints of the reference implementation.`,
		Example: `  mega train --preset listops-short
  mega train reviews.csv`,
		Version:       versionLine(),
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if err := takesProcesses(cmd); err != nil {
				return err
			}
			tellPortable(cmd)
			return tellReference(cmd.ErrOrStderr(), cmd.Flags())
		},
	}
	chooses(root, "command")
	addGroup(root, "Train", newPresets(), newTrain(), newPlot())
	addGroup(root, "Evaluate and use", newEval(), newEvalLM(), newScore(), newClassify(), newGenerate(), newInteractive(), newTranslate(), newServe(), newForward())
	addGroup(root, "Data", newData(), newPreprocess())
	addGroup(root, "Checkpoints", newInspect(), newConvert(), newAverage())
	root.AddCommand(newBench(), newDevices(), newVersion())
	root.SetHelpCommand(newHelp())
	fitHelp(root)
	root.SetFlagErrorFunc(flagError)
	root.SetVersionTemplate("{{.Version}}\n")
	complete(root)
	takeUnderscores(root)
	for _, c := range append(root.Commands(), root) {
		c.Flags().SortFlags = false
	}
	return root
}

// computing are the commands that run models.
var computing = []string{"train", "eval", "classify", "eval-lm", "score", "generate", "interactive", "translate", "serve", "forward", "bench"}

var toldPortable sync.Once

// tellPortable says once if cmd is about to run a model on the portable kernels.
func tellPortable(cmd *cobra.Command) {
	if autograd.Implementation() == "generic" && slices.Contains(computing, cmd.Name()) {
		toldPortable.Do(func() {
			fmt.Fprintln(cmd.ErrOrStderr(), "mega: computing with the portable kernels, many times slower than those for "+
				"amd64 with AVX2 and FMA or for arm64, which this processor, this build or MEGA_KERNEL rules out")
		})
	}
}

// addGroup adds commands that the help of root shows together, in this order.
func addGroup(root *cobra.Command, title string, commands ...*cobra.Command) {
	root.AddGroup(&cobra.Group{ID: title, Title: title + ":"})
	for _, c := range commands {
		c.GroupID = title
	}
	root.AddCommand(commands...)
}

func init() { cobra.EnableCommandSorting = false }

// pairFlags take two values on the reference's command lines.
var pairFlags = []string{"--pixel-normalization"}

// optionalFlags take a value or none on the reference's command lines.
var optionalFlags = []string{"--remove-bpe", "--eval-bleu-remove-bpe", "--post-process", "--replace-unk", "--left-pad-source", "--left-pad-target"}

// joinPairs turns "--flag a b" into "--flag=a,b" for the flags that take two
// values, and "--flag a" into "--flag=a" for those that take one or none, so that
// a command of the reference runs as it is.
func joinPairs(args []string) []string {
	var out []string
	for i := 0; i < len(args); i++ {
		if slices.Contains(optionalFlags, args[i]) && i+1 < len(args) && !strings.HasPrefix(args[i+1], "-") {
			out = append(out, args[i]+"="+args[i+1])
			i++
			continue
		}
		if slices.Contains(pairFlags, args[i]) && i+2 < len(args) && isNumber(args[i+1]) && isNumber(args[i+2]) {
			out = append(out, args[i]+"="+args[i+1]+","+args[i+2])
			i += 2
			continue
		}
		out = append(out, args[i])
	}
	return out
}

func isNumber(s string) bool {
	var x float64
	n, err := fmt.Sscanf(s, "%g", &x)
	return n == 1 && err == nil
}
