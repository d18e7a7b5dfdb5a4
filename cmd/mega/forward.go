package main

import (
	"fmt"

	"github.com/mega-go/mega/checkpoint"
	"github.com/mega-go/mega/format/safetensors"
	"github.com/mega-go/mega/internal/cuda/device"
	"github.com/mega-go/mega/task/forward"
	"github.com/spf13/cobra"
)

func newForward() *cobra.Command {
	var path, input, output string
	var on deviceFlags
	var options forward.Options
	cmd := &cobra.Command{
		Use:   "forward MODEL --input IN.safetensors --output OUT.safetensors",
		Short: "Run a model on given tensors and write its outputs",
		Long: `forward runs a model on given tensors, to compare it with another
implementation. It reads PREFIXnet_input.src_tokens, .src_lengths and
.prev_output_tokens, PREFIXnet_input1.* and PREFIXtarget, and writes logits
(features and log_probs of an adaptive softmax), loss (the criterion's sum, in
nats) and with --train grad.NAME of every parameter, with dropout off, and
buffer.NAME.`,
		Example: "  mega forward golden/lra_text --input golden/lra_text/golden.safetensors --prefix b0. --train --output out.safetensors",
		Args:    exactArgs(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if path == "" {
				return errNoModel
			}
			for _, flag := range []string{"input", "output"} {
				if !cmd.Flags().Changed(flag) {
					return usagef("mega forward needs --%s", flag)
				}
			}
			return onDevice(cmd.ErrOrStderr(), &on, func(d device.Device) error {
				options.Device = d
				return runForward(path, input, output, options)
			})
		},
	}
	cmd.Flags().StringVar(&path, "checkpoint", "", "the model")
	cmd.Flags().StringVar(&input, "input", "", "safetensors file with the inputs")
	cmd.Flags().StringVar(&options.Prefix, "prefix", "", "what the names of the inputs begin with")
	cmd.Flags().BoolVar(&options.Train, "train", false, "run in training mode, with dropout off, and write gradients")
	cmd.Flags().StringVar(&output, "output", "", "safetensors file to write")
	addDevice(cmd.Flags(), &on)
	takesModel(cmd, &path)
	return cmd
}

func runForward(path, input, output string, o forward.Options) error {
	c, err := checkpoint.Open(path)
	if err != nil {
		return err
	}
	defer c.Close()
	in, err := safetensors.Open(input)
	if err != nil {
		return fmt.Errorf("input: %w", err)
	}
	defer in.Close()
	tensors, err := forward.Run(c, in, o)
	if err != nil {
		return fmt.Errorf("%s, with the inputs of %s: %w", path, input, err)
	}
	return safetensors.Write(output, tensors, nil)
}
