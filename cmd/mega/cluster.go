package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/mega-go/mega/internal/collective"
	"github.com/mega-go/mega/internal/mpi"
	"github.com/mega-go/mega/internal/parallel"
	"github.com/mega-go/mega/internal/progress"
	"github.com/mega-go/mega/train"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// A job is the processes that a launcher of MPI has started together, of which this is
// one. A nil *job stands for a process alone.
type job struct {
	*collective.Group
	stderr  io.Writer
	command atomic.Pointer[cobra.Command] // in progress, for the flags in errors
	same    bool                          // all processes run one command
}

// joinTimeout is the flag that says for how many seconds a process waits for the others to
// start. One that fails before it joins, as where MPI's library is missing, is not noticed by
// every launcher.
const joinTimeout, defaultJoinTimeout = "join-timeout", 300

// addJoinTimeout adds that flag to a command that several processes share, and returns where
// its value is. It is read before flags are: joinTimeoutIn.
func addJoinTimeout(flags *pflag.FlagSet) *int {
	n := new(int)
	number(flags, n, joinTimeout, defaultJoinTimeout, span{0, 1 << 30}, "with several processes, seconds to wait for all to start; 0 for ever")
	return n
}

// joinTimeoutIn returns the last value of the flag in the words of a command line, and the
// default if it has none that the flag takes: the command will say what is wrong with it.
func joinTimeoutIn(args []string) time.Duration {
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	n := addJoinTimeout(flags)
	for i, a := range args {
		value, given := strings.CutPrefix(a, "--"+joinTimeout+"=")
		if a == "--"+joinTimeout && i+1 < len(args) {
			value, given = args[i+1], true
		}
		if a == "--" {
			break
		}
		if given && flags.Set(joinTimeout, value) != nil {
			*n = defaultJoinTimeout
		}
	}
	return seconds(*n)
}

// joinJob joins the processes that a launcher has started, nil if this one is alone. args
// are the words of the command line.
func joinJob(args []string, stderr io.Writer) (*job, error) {
	if mpi.Processes() == 1 {
		return nil, nil
	}
	j := &job{stderr: stderr}
	open := func() (collective.Transport, error) { return mpi.Open(j.report) }
	if joining := joinTimeoutIn(args); joining > 0 {
		late := time.AfterFunc(joining, func() {
			fmt.Fprintf(stderr, "mega: one of %d processes: waited %v for all to start: has one failed? (--%s)\n", mpi.Processes(), joining, joinTimeout)
			os.Exit(exitFailure)
		})
		defer late.Stop()
	}
	var err error
	if j.Group, err = collective.New(open, collective.Options{Timeout: seconds(train.DefaultConfig().CollectiveTimeout), Slow: j.slow}); err != nil {
		return nil, fmt.Errorf("one of %d processes: %w", mpi.Processes(), err)
	}
	if os.Getenv("GOMAXPROCS") == "" { // one more, to exchange numbers meanwhile
		runtime.GOMAXPROCS(max(runtime.GOMAXPROCS(0), coresEach()+1))
	}
	return j, nil
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

// coresEach is how many cores a process has if all on the machine share them.
func coresEach() int { return max(1, runtime.NumCPU()/mpi.Neighbours()) }

// report says why a process ends the job, and with which status.
func (j *job) report(rank int, err error) int {
	j.say(rank, err)
	return status(err)
}

// slow says that the first process waits for long; the others wait for the same one.
func (j *job) slow(err error) {
	if j.Rank() == 0 {
		j.say(0, err)
	}
}

// say prints an error of a process.
func (j *job) say(rank int, err error) {
	text := oneLine(err)
	if cmd := j.command.Load(); cmd != nil {
		text = inFlags(text, cmd.Flags())
	}
	fmt.Fprintf(j.stderr, "mega: rank %d: %s\n", rank, text)
}

// outputs are where a process writes: one of several, only the first.
func (j *job) outputs(stdout, stderr io.Writer) (io.Writer, io.Writer) {
	if j != nil && j.Rank() > 0 {
		return io.Discard, io.Discard
	}
	return stdout, stderr
}

// use lets n threads compute, 0 for as many as there are cores for this process.
func (j *job) use(n int) { parallel.SetWorkers(j.threads(n)) }

// threads returns n or, in its place if it is 0, how many cores there are for one of
// several processes, 0 for all.
func (j *job) threads(n int) int {
	if j != nil && n < 1 {
		return coresEach()
	}
	return n
}

// patience sets how many seconds the processes wait for each other, and whether to
// measure that.
func (j *job) patience(n int, measure bool) {
	if j == nil {
		return
	}
	j.SetTimeout(seconds(n))
	if measure {
		j.Profile()
	}
}

// tell says what was measured.
func (j *job) tell(w io.Writer, measured bool) {
	if j != nil && measured {
		waiting, moving := j.Spent()
		fmt.Fprintf(w, "rank 0 of %d waited %.2f s for others before sums, which then took %.2f s; what training waited for all that is \"communication\" above\n", j.Size(), waiting.Seconds(), moving.Seconds())
	}
}

// leave waits for the other processes and ends the use of MPI.
func (j *job) leave() error {
	if j == nil {
		return nil
	}
	if !j.same { // help was asked for, and perhaps not everywhere
		if err := j.sameCommand("mega help"); err != nil {
			j.Abort(err)
		}
	}
	return j.Close()
}

// sameCommand fails unless all processes run one command: others would wait for each
// other in vain.
func (j *job) sameCommand(path string) error {
	all, err := j.AllGather("the start", []byte(path))
	if err != nil {
		return err
	}
	for rank, other := range all {
		if string(other) != string(all[0]) {
			return usage(fmt.Errorf("rank %d runs %s, and rank 0 %s: all processes of a job run one command", rank, other, all[0]))
		}
	}
	j.same = true
	return nil
}

// jobKey is the key of a context's job.
type jobKey struct{}

// context returns ctx with the job in it.
func (j *job) context(ctx context.Context) context.Context {
	if j == nil {
		return ctx
	}
	return context.WithValue(ctx, jobKey{}, j)
}

// jobOf returns the job that a command is run in, nil for a process alone.
func jobOf(cmd *cobra.Command) *job {
	j, _ := cmd.Context().Value(jobKey{}).(*job)
	return j
}

// processes returns those that share the work of a command.
func processes(ctx context.Context) train.Communicator {
	if j, ok := ctx.Value(jobKey{}).(*job); ok {
		return j
	}
	return train.Alone{}
}

// first reports whether this process is the one that writes files: it is alone, or the
// first of several.
func (j *job) first() bool { return j == nil || j.Rank() == 0 }

// evaluator returns what evaluates in the processes of a command, and shows on meter how
// far it is.
func evaluator(cmd *cobra.Command, meter *progress.Meter) *train.Evaluator {
	return train.NewEvaluator(processes(cmd.Context()), func(done, total int) { meter.Show(int64(done), int64(total)) })
}

// sharing lists the commands that several processes share the work of.
var sharing = []string{"train", "eval", "eval-lm", "generate", "version", "help"}

// takesProcesses fails if a command is run in several processes and would do the same in
// each.
func takesProcesses(cmd *cobra.Command) error {
	j := jobOf(cmd)
	if j == nil {
		return nil
	}
	j.command.Store(cmd)
	if !slices.Contains(sharing, cmd.Name()) {
		return usage(errors.New(cmd.CommandPath() + " is for one process: start it without mpirun or srun"))
	}
	return j.sameCommand(cmd.CommandPath())
}
