package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/bench"
	"github.com/mega-go/mega/internal/cuda/device"
	"github.com/mega-go/mega/internal/parallel"
	"github.com/spf13/cobra"
)

// A benchCommand is the command line of mega bench.
type benchCommand struct {
	json    bool
	threads int
	options bench.Options
	device  deviceFlags
	batch   int
	decode  bench.DecodeOptions
	longest int
	plot    string
}

func newBench() *cobra.Command {
	c := &benchCommand{}
	cmd := &cobra.Command{
		Use:   "bench WORKLOAD...",
		Short: "Measure training and inference on the reference's workloads",
		Long: `bench measures a training step (forward, backward, clip, AdamW) and inference of
the reference's published models at fixed shapes, and prints the median. Run one
workload a process to compare memory: the peak is the process's.
With --roofline it also measures how fast the machine multiplies, adds and reads
memory, and prints how near each workload comes to the shortest possible time; it
takes all workloads unless some are named.

The workload decode generates with the model of lm-enwik8. It prints the mean time
of a step over a chunk of tokens, for the first chunk and, after reading those before
it, for the one that holds the hundred-thousandth token.

The workload scaling runs the moving average and attention in chunks, forward and
backward, over longer and longer sequences, and prints what a token costs.

--device is for training steps and inference, not for decode, scaling, --profile or
--roofline.`,
		Example: `  mega bench lra-text --json
  mega bench lra-image --profile
  mega bench --roofline
  mega bench decode --context 0,10240
  mega bench scaling --plot scaling.png`,
		ValidArgs: append(bench.Names(), bench.Decode, bench.Scaling),
		RunE:      c.run,
	}
	flags := cmd.Flags()
	flags.BoolVar(&c.json, "json", false, "print one JSON object a line")
	flags.BoolVar(&c.options.Profile, "profile", false, "print where the time goes, by operation (a prime marks a backward)")
	flags.BoolVar(&c.options.Roofline, "roofline", false, "print what the mathematics needs and the share of the machine's limit")
	flags.BoolVar(&c.options.BF16, "bf16", false, "round the factors of matrix products to bfloat16; on the processor it needs AVX512_BF16 or ARM's BF16")
	flags.BoolVar(&c.decode.Int8, "int8", false, "decode: read the weights in eight bits, as of a model that mega convert --int8 wrote")
	number(flags, &c.options.Reps, "reps", 3, positive, "steps to measure")
	addDevice(flags, &c.device)
	number(flags, &c.batch, "batch", 0, span{0, 1 << 16}, "sequences in a batch; 0 for the workload's own")
	threads(flags, &c.threads, "threads", "threads that compute; 0 for all cores")
	number(flags, &c.decode.Contexts, "context", []int{0, 98304}, span{0, 1 << 24}, "decode: tokens to have read before the steps that are measured")
	number(flags, &c.decode.Tokens, "steps", 0, span{0, 1 << 20}, "decode: steps to measure; 0 for a chunk of them")
	number(flags, &c.decode.Batch, "texts", 1, span{1, 1 << 12}, "decode: texts side by side")
	number(flags, &c.longest, "longest", bench.ScalingLongest, span{bench.ScalingShortest, 1 << 22}, "scaling: longest sequence")
	flags.StringVar(&c.plot, "plot", "", "scaling: .png, .svg or .pdf to draw it into")
	return cmd
}

func (c *benchCommand) run(cmd *cobra.Command, args []string) error {
	if err := c.device.check(); err != nil {
		return err
	}
	switch {
	case checkPlot(c.plot) != nil:
		return checkPlot(c.plot)
	case slices.Contains(args, bench.Scaling) && (c.options.Profile || c.options.Roofline):
		return usagef("--profile and --roofline are not for %s", bench.Scaling)
	case slices.Contains(args, bench.Decode) && c.options.Profile:
		return usagef("--profile is not for %s", bench.Decode)
	case c.decode.Int8 && (len(args) != 1 || args[0] != bench.Decode):
		return usagef("--int8 is for %s", bench.Decode)
	case c.decode.Int8 && c.options.BF16:
		return usagef("--int8 and --bf16 are two forms of the weights: want one of them")
	case c.options.BF16 && (c.options.Roofline || slices.Contains(args, bench.Scaling)):
		return usagef("--bf16 is not for --roofline or %s, which are of float32", bench.Scaling)
	case !isProcessor(c.device.name) && (c.options.Profile || c.options.Roofline || slices.Contains(args, bench.Decode) || slices.Contains(args, bench.Scaling)):
		return usagef("--device is not for --profile, --roofline, %s and %s", bench.Decode, bench.Scaling)
	case c.batch > 0 && (slices.Contains(args, bench.Decode) || slices.Contains(args, bench.Scaling)):
		return usagef("--batch is not for %s and %s", bench.Decode, bench.Scaling)
	case len(args) == 0 && c.options.Roofline:
		args = bench.Names()
	case len(args) == 0:
		return usagef("mega bench takes workloads: %v", cmd.ValidArgs)
	}
	if slices.Contains(args, bench.Decode) {
		if err := c.decode.Check(); err != nil {
			return usage(err)
		}
	}
	if c.options.BF16 && isProcessor(c.device.name) {
		if err := autograd.CheckBF16(); err != nil {
			return err
		}
	}
	parallel.SetWorkers(c.threads)
	c.decode.Roofline, c.decode.BF16 = c.options.Roofline, c.options.BF16
	report := func(r bench.Result) error { return c.print(cmd.OutOrStdout(), r) }
	for _, name := range args {
		if err := c.measure(cmd, name, report); err != nil {
			return err
		}
	}
	return nil
}

// measure runs one workload.
func (c *benchCommand) measure(cmd *cobra.Command, name string, report func(bench.Result) error) error {
	switch name {
	case bench.Decode:
		return bench.MeasureDecode(c.decode, report)
	case bench.Scaling:
		return c.scale(cmd.OutOrStdout())
	}
	w, err := bench.Find(name)
	if err != nil {
		return usage(err)
	}
	if c.batch > 0 {
		w.Batch = c.batch
	}
	return onDevice(cmd.ErrOrStderr(), &c.device, func(d device.Device) error {
		options := c.options
		options.Device = d
		return bench.Measure(w, options, report)
	})
}

// scale runs the workload scaling.
func (c *benchCommand) scale(out io.Writer) error {
	var all []bench.Scale
	err := bench.MeasureScaling(bench.ScalingShortest, c.longest, c.options.Reps, func(s bench.Scale) error {
		all = append(all, s)
		if c.json {
			return json.NewEncoder(out).Encode(s)
		}
		_, err := fmt.Fprintf(out, "%s of %d: %.1f ns and %.0f bytes a token, peak memory %d MiB\n", s.Operation, s.Length, s.Nanos, s.Bytes, s.PeakMiB)
		return err
	})
	if err != nil {
		return err
	}
	if !c.json {
		for _, s := range bench.Spreads(all) {
			fmt.Fprintf(out, "%s: a token takes at most %.2f times as long as at the best length, and %.2f times the memory\n", s.Operation, s.Nanos, s.Bytes)
		}
	}
	if c.plot == "" {
		return nil
	}
	return bench.PlotScaling(c.plot, all)
}

func (c *benchCommand) print(w io.Writer, r bench.Result) error {
	if c.json {
		return json.NewEncoder(w).Encode(r)
	}
	name := r.Mode
	if r.Workload == bench.Decode {
		name = fmt.Sprintf("%s at %d", r.Mode, r.Context)
	}
	switch {
	case r.BF16:
		name += " in bfloat16"
	case r.TF32:
		name += " in TF32"
	case r.Int8:
		name += " with int8 weights"
	}
	if r.Device != "" {
		name += " on " + r.Device
	}
	fmt.Fprintf(w, "%s %s: %.1f ms a step, %d tokens/s, peak memory %d MiB, %d parameters\n",
		r.Workload, name, r.Milliseconds, r.TokensPerSecond, r.PeakMiB, r.Params)
	switch {
	case r.NoGraphs != "":
		fmt.Fprintf(w, "  without graphs: %s\n", r.NoGraphs)
	case r.Launches > 0:
		fmt.Fprintf(w, "  %d launches a step, %d of them in %d graphs\n", r.Launches, r.Replayed, r.Graphs)
	}
	if l := r.Limit; l != nil {
		fmt.Fprintf(w, "  %.2f GFLOP at %.0f GFLOP/s, %.2f GB at %.0f GB/s: at least %.1f ms, %.0f%% of the time measured\n",
			l.GFLOP, l.PeakGFLOPS, l.GB, l.MemoryGBS, l.Milliseconds, 100*l.Share)
	}
	return printProfile(w, r.Profile)
}

// printProfile prints the time by operation, unless p is nil.
func printProfile(w io.Writer, p *autograd.Profile) error {
	if p == nil {
		return nil
	}
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, "operation\tcalls\ttime\tshare\t")
	total := p.Total().Seconds()
	for _, row := range p.Rows() {
		fmt.Fprintf(tw, "%s\t%d\t%.3f s\t%.1f%%\t\n", row.Name, row.Calls, row.Time.Seconds(), 100*row.Time.Seconds()/total)
	}
	return tw.Flush()
}
