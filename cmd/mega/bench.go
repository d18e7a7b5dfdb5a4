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
	cmd := &cobra.Command{
		Use:   "bench WORKLOAD...",
		Short: "Measure training and inference on the reference's workloads",
		Long: `bench measures a training step (forward, backward, clip, AdamW) and inference of
the reference's published models at fixed shapes, and prints the median. Run one
workload a process where memory is to be compared: the peak is the process's.`,
		Example: `  mega bench lra-text --json
  mega bench lra-image --profile`,
		ValidArgs: bench.Names(),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("mega bench takes workloads: %v", bench.Names())
			}
			if reps < 1 {
				return usagef("--reps is %d, want at least 1", reps)
			}
			kernel.SetWorkers(threads)
			for _, name := range args {
				w, err := bench.Find(name)
				if err != nil {
					return usage(err)
				}
				err = bench.Measure(w, reps, profile, func(r bench.Result) error {
					return printResult(cmd.OutOrStdout(), r, asJSON)
				})
				if err != nil {
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
	return cmd
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
