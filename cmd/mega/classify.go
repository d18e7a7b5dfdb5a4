package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/mega-go/mega/checkpoint"
	"github.com/mega-go/mega/data/audio"
	"github.com/mega-go/mega/data/labelled"
	"github.com/mega-go/mega/internal/cuda/device"
	"github.com/mega-go/mega/internal/parallel"
	"github.com/mega-go/mega/task/classify"
	"github.com/spf13/cobra"
)

// A classifyCommand is the command line of mega classify.
type classifyCommand struct {
	path       string
	modelEMA   bool
	bf16       bool
	device     deviceFlags
	model      classify.OpenOptions
	sources    classify.Sources
	truncate   bool
	batchSize  int
	top        int
	classNames string
	sheet      string
	json       bool
	workers    int

	stream   bool
	options  classify.StreamOptions
	raw      bool
	rate     int
	channels int
	columns  *binding
}

func newClassify() *cobra.Command {
	c := &classifyCommand{}
	cmd := &cobra.Command{
		Use:   "classify MODEL INPUT...",
		Short: "Say what class texts, images or recordings are of",
		Long: `classify reads files as the model's training read its data and prints a line for
each: its name, then classes with their probabilities, the likeliest first.

A file is text, an image (JPEG, PNG, WebP or GIF: made grey, cut to the shape of
those in training, scaled) or a WAV file (resampled, padded with silence), whichever
the model reads; "-" is standard input. A model of pairs takes two files an input. A
file that ends in .jsonl, or any with --jsonl, holds inputs as lines of JSON:

  {"id": 7, "text": "..."}                  {"text": "...", "pair": "..."}
  {"file": "a.png"}  {"pixels": [0, 255]}   {"samples": [0.1], "rate": 16000}

A classifier of colour pictures (mega train --preset photos) takes such files and whole
directories of them.

A table (.csv, .tsv, .jsonl, .parquet) comes back with the columns class and
probability, Parquet as CSV, if the model was trained on labelled data or
--text-column names the texts. Of an array
(.npy, .npz) or a directory of texts or WAV files a model of labelled data makes such
a table, with the columns path, class and probability.

--stream reads a stream of any length, a file or standard input, window by
window: bytes or words of text, grey pixels, or sound (WAV, or with --raw samples
as sox and ffmpeg write them as s16le). It prints a line for each window, with
where it begins.

A checkpoint of mega train knows how its inputs are read. For a checkpoint of the
reference, --data names the data that it was trained on, whose dictionaries it
needs.`,
		Example: `  mega classify runs/lra-text review.txt
  echo "what a film" | mega classify runs/lra-text -
  mega classify checkpoint_best.pt --data data/imdb --text "what a film" --json
  mega classify runs/reviews new.csv > answers.csv
  mega classify runs/lra-image --top 3 *.png
  arecord -q -f S16_LE -r 16000 | mega classify runs/sc-raw --stream --raw --stride 4000 -`,
		RunE: func(cmd *cobra.Command, args []string) error { return c.run(cmd, args) },
	}
	flags := cmd.Flags()
	addCheckpoint(flags, &c.path)
	addDevice(flags, &c.device)
	addModelEMA(flags, &c.modelEMA)
	addBF16(flags, &c.bf16)
	flags.StringVar(&c.model.Data, "data", "", "directory of the data that the model was trained on, if its checkpoint does not say how inputs are read")
	flags.StringVar(&c.model.Dict, "dict", "", "dictionary of the texts' words, instead of --data")
	flags.StringVar(&c.model.LabelDict, "label-dict", "", "with --dict, dictionary of the labels, which names the classes (default numbers)")
	flags.StringVar(&c.classNames, "class-names", "", "for a classifier of pictures, file with the names of the classes, a line each (default those of its training)")
	flags.StringVar(&c.sheet, "sheet", "", "for a classifier of pictures, .png or .jpg to draw a contact sheet of them with their classes into")
	flags.StringArrayVar(&c.sources.Texts, "text", nil, "an input itself; may be given more than once")
	flags.StringVar(&c.sources.List, "files", "", "file with the names of inputs, a line each (a pair with a tab between)")
	flags.BoolVar(&c.sources.JSONL, "jsonl", false, "inputs are files of JSON lines, whatever their names")
	flags.BoolVar(&c.truncate, "truncate", false, "cut inputs that are longer than the model reads, as training does")
	number(flags, &c.batchSize, "batch-size", 8, positive, "inputs at a time")
	number(flags, &c.top, "top", 5, counts, "classes to print of each input; 0 for all")
	flags.BoolVar(&c.json, "json", false, "print lines of JSON")
	threads(flags, &c.workers, "workers", "threads that compute; 0 for all cores")
	flags.BoolVar(&c.stream, "stream", false, "read a stream window by window")
	number(flags, &c.options.Window, "window", 0, counts, "length of a window of a stream (default as long as the model reads)")
	number(flags, &c.options.Stride, "stride", 0, counts, "how far the next window begins (default the window)")
	flags.BoolVar(&c.raw, "raw", false, "with --stream, sound without a header: 16-bit signed little-endian samples")
	number(flags, &c.rate, "rate", 16000, made, "with --raw, samples a second")
	number(flags, &c.channels, "channels", 1, span{1, 1 << 10}, "with --raw, channels, which are averaged")
	c.columns = bind(flags, &labelled.Options{}, "label_column", "split_column", "labels", "valid_file", "test_file", "held_out", "split_seed", "class_weights", "skip_malformed")
	takesModel(cmd, &c.path)
	return cmd
}

func (c *classifyCommand) run(cmd *cobra.Command, args []string) error {
	c.sources.Paths, c.sources.Stdin = args, cmd.InOrStdin()
	if err := c.check(cmd, args); err != nil {
		return err
	}
	parallel.SetWorkers(c.workers)
	if c.path == "" {
		return errNoModel
	}
	ck, err := checkpoint.Open(c.path)
	if err != nil {
		return err
	}
	pictures := ck.Task == checkpoint.ImageClassification
	classify := func() error {
		defer ck.Close()
		return onDevice(cmd.ErrOrStderr(), &c.device, func(d device.Device) error {
			ck.UseDevice(d)
			err := errors.Join(useModelEMA(ck, c.modelEMA), useBF16(ck, c.bf16))
			switch {
			case err != nil:
				return err
			case pictures:
				return c.classifyPictures(cmd, ck, args)
			}
			return c.classify(cmd, ck, args)
		})
	}
	if pictures {
		return classify()
	}
	return interruptible(cmd.Context(), classify)
}

// classify is mega classify for a classifier of sequences. It may be left alone before it
// ends, when the command is interrupted.
func (c *classifyCommand) classify(cmd *cobra.Command, ck *checkpoint.Checkpoint, args []string) error {
	p, err := classify.OpenCheckpoint(ck, c.model)
	if err != nil {
		return err
	}
	p.Truncate = c.truncate || p.Columns != nil // as their training did
	columns, isData, err := c.data(cmd, p, args)
	if err != nil {
		return usage(err)
	}
	out := bufio.NewWriter(cmd.OutOrStdout())
	print := c.printer(out)
	if isData {
		out := bufio.NewWriter(textOutput(cmd))
		return errors.Join(p.Answer(cmd.Context(), args[0], columns, classify.AnswerOptions{Batch: c.batchSize}, out), out.Flush())
	}
	if !c.stream {
		err := p.PredictAll(cmd.Context(), c.sources, c.batchSize, print)
		if errors.As(err, new(*classify.TooLongError)) {
			err = fmt.Errorf("%w (--truncate cuts inputs, --stream reads them window by window)", err)
		}
		return errors.Join(err, out.Flush())
	}
	in, err := openInput(args[0], c.sources.Stdin)
	if err != nil {
		return err
	}
	defer in.Close()
	err = p.Stream(cmd.Context(), in, c.options, func(r classify.Prediction) error {
		return errors.Join(print(r), out.Flush()) // at once: the stream may be live
	})
	if err != nil {
		err = fmt.Errorf("%s: %w", args[0], err)
	}
	return err
}

// data returns how labelled data among the inputs is read, which is classified and
// written back: of a model of such data, or a table whose columns are named.
func (c *classifyCommand) data(cmd *cobra.Command, p *classify.Predictor, args []string) (o labelled.Options, ok bool, err error) {
	named := cmd.Flags().Changed("text-column") || cmd.Flags().Changed("values-column")
	if p.Columns != nil {
		o = *p.Columns
	}
	if c.stream || c.sources.JSONL || !named && (p.Columns == nil || !slices.ContainsFunc(args, isLabelled)) {
		return o, false, nil
	}
	if len(args) != 1 || !isLabelled(args[0]) || c.json || cmd.Flags().Changed("top") {
		return o, false, fmt.Errorf("a table, an array or a directory is one INPUT, and comes back with columns of answers, whatever --json and --top say")
	}
	o.SkipMalformed = false // all rows come back
	if err := c.columns.apply(&o); err != nil {
		return o, false, err
	}
	return o, true, o.Check()
}

// inputOf returns the standard input of a command. Who waits for it is told when the
// command is interrupted.
func inputOf(cmd *cobra.Command) io.Reader {
	return interruptibleReader{cmd.Context(), cmd.InOrStdin()}
}

type interruptibleReader struct {
	ctx context.Context
	in  io.Reader
}

func (r interruptibleReader) Read(p []byte) (int, error) {
	own, n := make([]byte, min(len(p), 1<<16)), 0 // p is no longer ours when the reading was given up
	err := interruptible(r.ctx, func() (err error) {
		n, err = r.in.Read(own)
		return err
	})
	if r.ctx.Err() != nil {
		return 0, r.ctx.Err()
	}
	return copy(p, own[:n]), err
}

// interruptible runs f, which may wait for input that does not come, until it
// ends or the command is interrupted.
func interruptible(ctx context.Context, f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// check reports flags that contradict each other.
func (c *classifyCommand) check(cmd *cobra.Command, args []string) error {
	given := func(names ...string) string {
		for _, name := range names {
			if cmd.Flags().Changed(name) {
				return name
			}
		}
		return ""
	}
	switch {
	case c.stream && (len(args) != 1 || given("text", "files", "jsonl") != ""):
		return usagef("--stream reads one INPUT, a file or - for standard input")
	case !c.stream && given("window", "stride", "raw") != "":
		return usagef("--%s is for --stream", given("window", "stride", "raw"))
	case !c.raw && given("rate", "channels") != "":
		return usagef("--%s is for --raw", given("rate", "channels"))
	case c.model.Dict == "" && c.model.LabelDict != "":
		return usagef("--label-dict goes with --dict")
	case len(args) == 0 && given("text", "files") == "":
		return usagef("no input beside the model: want files, - for standard input, --text or --files")
	}
	if c.raw {
		c.options.PCM = &audio.PCM{Rate: c.rate, Channels: c.channels}
	}
	return nil
}
