package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/mega-go/mega/checkpoint"
	"github.com/mega-go/mega/format/dtype"
	"github.com/mega-go/mega/internal/config"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func newConvert() *cobra.Command {
	var format, dtype, name string
	var modelEMA, ints bool
	var options checkpoint.SaveOptions
	cmd := &cobra.Command{
		Use:   "convert IN OUT",
		Short: "Turn a checkpoint into fairseq's, Hugging Face's or another form",
		Long: `convert reads a checkpoint in any form and writes it in another:

  fairseq      a .pt that torch.load and the reference open
  native       a directory, as mega train writes
  safetensors  a single file with the configuration in its metadata
  huggingface  a directory of transformers' Mega: config.json with
               model.safetensors or, by --hf-torch-file, pytorch_model.bin

The name of OUT chooses the form (.pt, .safetensors, otherwise a directory); --to
overrides it. Weights stay as they are, bit for bit, unless --dtype asks for
another type. Between fairseq and native, what training needs is kept.

With --int8 the matrices of a language model or translator take eight bits a number,
with a scale for each row, so that decoding reads fewer bytes. Every command but
those that train reads it.`,
		Example: `  mega convert checkpoint_best.pt imdb
  mega convert runs/listops-short listops.pt
  mega convert mega.lra.zip:listops/checkpoint_best.pt listops.safetensors --dtype bf16
  mega convert runs/my-lm my-lm-hf --to huggingface
  mega convert runs/my-lm my-lm-int8 --int8`,
		Args: exactArgs(2, "a checkpoint and where to write it"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := parseSaving(&options, args[1], format, dtype); err != nil {
				return usage(err)
			}
			if err := setInt8(&options, ints); err != nil {
				return usage(err)
			}
			c, err := checkpoint.Open(inArchive(args[0], name))
			if err != nil {
				return err
			}
			defer c.Close()
			if err := useModelEMA(c, modelEMA); err != nil {
				return err
			}
			options.ModelOnly = options.ModelOnly || modelEMA // the rest is of the weights themselves
			c.AcceptRMSNorm = options.AcceptRMSNorm
			saved, err := c.Save(args[1], options)
			if err != nil {
				return config.Wrap(args[0], err)
			}
			return tellSaved(cmd.ErrOrStderr(), args[1], options, saved)
		},
	}
	addSaving(cmd.Flags(), &format, &dtype, &options)
	addModelEMA(cmd.Flags(), &modelEMA)
	cmd.Flags().BoolVar(&ints, "int8", false, "matrices of a language model or translator in eight bits, for decoding")
	cmd.Flags().BoolVar(&options.ModelOnly, "no-save-optimizer-state", false, "leave out what only training needs")
	cmd.Flags().BoolVar(&options.AcceptRMSNorm, "hf-accept-rmsnorm", false, "convert rmsnorm from and to Hugging Face, where it leaves its input as it is and so gives other numbers")
	addCheckpointName(cmd.Flags(), &name)
	return cmd
}

// addSaving adds the flags about how a checkpoint is written.
func addSaving(flags *pflag.FlagSet, format, dtype *string, o *checkpoint.SaveOptions) {
	flags.StringVar(format, "to", "", "form to write: fairseq, native, safetensors or huggingface (default by the name)")
	flags.StringVar(dtype, "dtype", "", "type of the weights: f32, f16 or bf16 (default as they are)")
	flags.BoolVar(&o.TorchWeights, "hf-torch-file", false, "with --to huggingface, write the weights into pytorch_model.bin, as transformers did before safetensors")
}

// parseSaving reads the flags of addSaving.
func parseSaving(o *checkpoint.SaveOptions, output, format, name string) error {
	o.Format = checkpoint.FormatOf(output)
	if format != "" {
		o.Format = checkpoint.Format(format)
	}
	if !slices.Contains(checkpoint.Formats, o.Format) {
		return fmt.Errorf("--to %s is unknown, want fairseq, native, safetensors or huggingface", format)
	}
	if o.TorchWeights && o.Format != checkpoint.FormatHuggingFace {
		return errors.New("--hf-torch-file goes with --to huggingface alone")
	}
	switch strings.ToLower(name) {
	case "":
	case "f32":
		o.DType = dtype.F32
	case "f16":
		o.DType = dtype.F16
	case "bf16":
		o.DType = dtype.BF16
	default:
		return fmt.Errorf("--dtype %s is unknown, want f32, f16 or bf16", name)
	}
	return nil
}

// setInt8 makes the type of the weights int8 if that is wanted.
func setInt8(o *checkpoint.SaveOptions, on bool) error {
	switch {
	case on && o.DType != dtype.Invalid:
		return errors.New("--int8 and --dtype are two types of the weights: want one of them")
	case on:
		o.DType = dtype.I8
	}
	return nil
}

// tellSaved says what was written.
func tellSaved(w io.Writer, path string, o checkpoint.SaveOptions, saved checkpoint.Saved) error {
	note := ""
	switch {
	case saved.Training:
		note = ", with what training needs"
	case saved.Dropped && o.DType == dtype.I8:
		note = ", without what training needs, as int8 weights are not trained"
	case saved.Dropped:
		note = ", without what training needs, which this form cannot hold"
	}
	_, err := fmt.Fprintf(w, "wrote %s: %s, %s model of %d parameters%s\n", path, o.Format, saved.Task, saved.Parameters, note)
	return err
}

// addCheckpointName adds the flag that chooses a checkpoint of an archive.
func addCheckpointName(flags *pflag.FlagSet, name *string) {
	flags.StringVar(name, "checkpoint-name", "", "which checkpoint of a .zip archive; ARCHIVE.zip:NAME says the same")
}

// inArchive returns the path of a checkpoint in an archive, if a name is given.
func inArchive(path, name string) string {
	if name == "" {
		return path
	}
	return path + ":" + name
}
