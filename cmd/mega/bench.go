package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/mega-go/mega/bench"
	"github.com/mega-go/mega/internal/kernel"
	"github.com/spf13/cobra"
)

func newBench() *cobra.Command {
	var asJSON, profile bool
	var reps, threads int
	var decode bench.DecodeOptions
	cmd := &cobra.Command{
		Use:   "bench WORKLOAD...",
		Short: "Measure training and inference on the reference's workloads",
		Long: `bench measures a training step (forward, backward, clip, AdamW) and inference of
the reference's published models at fixed shapes, and prints the median. Run one
workload a process where memory is to be compared: the peak is the process's.

The workload decode is generation with the model of lm-enwik8: the mean time of a
step over a chunk of tokens, after a context that is read first.`,
		Example: `  mega bench lra-text --json
  mega bench lra-image --profile
  mega bench decode --context 100000`,
		ValidArgs: append(bench.Names(), bench.Decode),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("mega bench takes workloads: %v", cmd.ValidArgs)
			}
			if reps < 1 {
				return usagef("--reps is %d, want at least 1", reps)
			}
			kernel.SetWorkers(threads)
			report := func(r bench.Result) error { return printResult(cmd.OutOrStdout(), r, asJSON) }
			for _, name := range args {
				if err := measure(name, reps, profile, decode, report); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line")
	cmd.Flags().BoolVar(&profile, "profile", false, "print where the time goes, by operation (a prime marks a backward)")
	cmd.Flags().IntVar(&reps, "reps", 3, "steps to measure")
	cmd.Flags().IntVar(&threads, "threads", 0, "threads that compute; 0 for all cores")
	cmd.Flags().IntVar(&decode.Context, "context", 0, "decode: tokens to read before the steps that are measured")
	cmd.Flags().IntVar(&decode.Tokens, "steps", 0, "decode: steps to measure; 0 for a chunk of them")
	cmd.Flags().IntVar(&decode.Batch, "texts", 1, "decode: texts side by side")
	return cmd
}

// measure runs one workload.
func measure(name string, reps int, profile bool, decode bench.DecodeOptions, report func(bench.Result) error) error {
	if name == bench.Decode {
		return bench.MeasureDecode(decode, report)
	}
	w, err := bench.Find(name)
	if err != nil {
		return usage(err)
	}
	return bench.Measure(w, reps, profile, report)
}

func printResult(w io.Writer, r bench.Result, asJSON bool) error {
	if asJSON {
		line, err := json.Marshal(r)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(w, "%s\n", line)
		return err
	}
	fmt.Fprintf(w, "%s %s: %.1f ms a step, %d tokens/s, peak memory %d MiB, %d parameters\n",
		r.Workload, r.Mode, r.Milliseconds, r.TokensPerSecond, r.PeakMiB, r.Params)
	if r.Profile == nil {
		return nil
	}
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, "operation\tcalls\ttime\tshare\t")
	total := time.Duration(0)
	for _, row := range r.Profile.Rows() {
		total += row.Time
	}
	for _, row := range r.Profile.Rows() {
		fmt.Fprintf(tw, "%s\t%d\t%v\t%.1f%%\t\n", row.Name, row.Calls, row.Time.Round(time.Microsecond), 100*row.Time.Seconds()/total.Seconds())
	}
	return tw.Flush()
}
