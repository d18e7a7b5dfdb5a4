package main

import (
	"fmt"

	"github.com/mega-go/mega/data/audio"
	"github.com/mega-go/mega/internal/progress"
	"github.com/spf13/cobra"
)

func newSpeech() *cobra.Command {
	var o audio.Options
	var all, reference bool
	cmd := &cobra.Command{
		Use:   "speech FROM TO",
		Short: "Convert Speech Commands (directories of WAV files)",
		Long: `speech reads FROM/WORD/*.wav (PCM of 8 to 32 bits or floating point, of any rate
and number of channels), resamples to --sc-rate, cuts or pads with silence to
--sc-length, normalises, and writes TO in the reference's processed layout, which
mega train --task speech_commands reads faster than WAV files (it reads those
too).

Recordings are divided by validation_list.txt and testing_list.txt and normalised
to mean 0 and variance 1 over all samples of the training split. --sc-reference
does what the reference does with its ten words: it leaves out recordings that are
shorter, divides 70/15/15 at random, and normalises each time step after dividing
by 2^15 once too often.`,
		Example: `  mega data speech speech_commands_v0.02 data/sc10
  mega data speech speech_commands_v0.02 data/sc10-reference --sc-reference
  mega data speech speech_commands_v0.02 data/sc35 --sc-all-classes
  mega data speech recordings data/lights --sc-words on,off --sc-rate 8000 --sc-length 8000`,
		Args: exactArgs(2, "the directory of the recordings and the one to write"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if all && cmd.Flags().Changed("sc-words") {
				return usagef("--sc-all-classes and --sc-words exclude each other")
			}
			o.Lists, o.ReferenceNormalization = !reference || all, reference
			if all {
				o.Classes = audio.SC35
			}
			meter := progress.New(cmd.ErrOrStderr(), "converting", "recordings")
			c, err := audio.Convert(args[0], args[1], o, all, overwrites(cmd), meter.Show)
			meter.Close()
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %d words; %d recordings to train on, %d to validate, %d to test\n",
				c.Dir, len(c.Classes), c.Splits["train"], c.Splits["valid"], c.Splits["test"])
			return err
		},
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&o.Classes, "sc-words", nil, "the words (default "+fmt.Sprint(audio.SC10)+")")
	flags.BoolVar(&all, "sc-all-classes", false, "all 35 words of Speech Commands")
	flags.BoolVar(&reference, "sc-reference", false, "divide and normalise as the reference does")
	number(flags, &o.Rate, "sc-rate", 16000, made, "samples a second")
	number(flags, &o.Length, "sc-length", 16000, made, "samples of a recording")
	return cmd
}
