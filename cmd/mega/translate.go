package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"

	"github.com/mega-go/mega/generate"
	"github.com/mega-go/mega/internal/cuda/device"
	"github.com/mega-go/mega/internal/progress"
	"github.com/mega-go/mega/internal/textfile"
	"github.com/mega-go/mega/task/translate"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// textTranslatorFlags name a translator and say how it reads and writes text.
type textTranslatorFlags struct {
	path, overrides string
	workers         int
	leftPad, bf16   bool
	batchSize       int
	batchTokens     int
	maxSource       int
	source, target  string
	device          deviceFlags
	on              device.Device // that the device's name stands for, nil for the CPU
	text            *binding
}

// addFlags adds the flags that are not there yet.
func (f *textTranslatorFlags) addFlags(flags *pflag.FlagSet) {
	text := translate.TextConfig{}
	f.text = bind(flags, &text)
	flags.StringVarP(&f.source, "source-lang", "s", "", "source language (default: the one that the checkpoint or the data names)")
	flags.StringVarP(&f.target, "target-lang", "t", "", "target language (the same)")
	flags.BoolVar(&f.leftPad, "left-pad-source", f.leftPad, "pad sources on the left as in training; a translation may then depend on those beside it in a batch")
	number(flags, &f.maxSource, "max-source-positions", 0, counts, "most tokens of a source, </s> included; 0 for what the model takes")
	number(flags, &f.batchSize, "batch-size", 0, counts, "most sentences in a batch; 0 for no limit but that of batch tokens")
	number(flags, &f.batchTokens, "max-tokens", 0, counts, "most source tokens in a batch; 0 for a modest memory")
}

// open makes the translator. args may name the directory of its dictionaries.
func (f *textTranslatorFlags) open(cmd *cobra.Command, args []string, search generate.Options) (*translate.Translator, error) {
	paths, model, err := translators(cmd.ErrOrStderr(), f.path, f.overrides, f.bf16, f.on)
	if err != nil {
		return nil, err
	}
	o := translate.OpenOptions{ModelOptions: model, SourceLang: f.source, TargetLang: f.target}
	if len(args) == 1 {
		o.Data = args[0]
	}
	if err := f.text.apply(&o.Text); err != nil {
		return nil, usage(err)
	}
	t, err := translate.Open(paths, o)
	if err != nil {
		return nil, err
	}
	t.Searcher.Options, t.LeftPad, t.MaxSource = search, f.leftPad, f.maxSource
	t.BatchSize, t.BatchTokens, t.Workers = f.batchSize, f.batchTokens, t.Models.Throughput(f.workers)
	return t, t.Check()
}

// A translateCommand is the command line of mega translate.
type translateCommand struct {
	model         textTranslatorFlags
	input, output string
	json          bool
	search        *binding
	buffer        int
}

func newTranslate() *cobra.Command {
	c := &translateCommand{}
	cmd := &cobra.Command{
		Use:   "translate MODEL [DATA]",
		Short: "Translate text, a sentence a line",
		Long: `translate reads text, a sentence a line, and writes its translation, line by line in
the same order; an empty line stays empty. Sentences of about the same length are
translated side by side. A translation does not depend on the others, because
sources are not padded as in the reference's training (--left-pad-source pads them).

Prepare text as for training: --tokenizer moses separates punctuation from words,
--bpe-codes or --sentencepiece-model splits words into subwords, and translations
are joined again. Models of raw text in pieces (mega preprocess --pieces) know these
themselves. Dictionaries are those of DATA, or of the data that the model was
trained on.`,
		Example: `  echo 'forty two thousand' | mega translate runs/numbers-en-de
  mega translate runs/wmt16 --tokenizer moses --bpe-codes bpe.32000 --input news.en --output news.de
  mega translate model.pt data-bin/wmt16 --beam 4 --lenpen 0.6 --json --nbest 4 --input news.en`,
		Args: atMostArgs(1, "the directory of the data"),
		RunE: runOnDevice(&c.model.device, func(cmd *cobra.Command, args []string, d device.Device) error {
			c.model.on = d
			return c.run(cmd, args)
		}),
	}
	flags := cmd.Flags()
	addCheckpoint(flags, &c.model.path)
	flags.StringVar(&c.input, "input", "-", "text to translate; - for standard input")
	flags.StringVar(&c.output, "output", "-", "file to write, whole or not at all; - for standard output")
	flags.BoolVar(&c.json, "json", false, "print JSON, a line for each line: all hypotheses with their scores")
	search := translateOptions()
	c.search = bind(flags, &search)
	c.model.addFlags(flags)
	addBF16(flags, &c.model.bf16)
	addDevice(flags, &c.model.device)
	flags.StringVar(&c.model.overrides, "model-overrides", "{}", overridesHelp)
	threads(flags, &c.model.workers, "workers", "threads that translate; 0 for all cores. The result does not depend on it")
	number(flags, &c.buffer, "buffer-size", 4096, positive, "lines read and sorted by length at a time")
	takesModel(cmd, &c.model.path)
	return cmd
}

// translateOptions are the reference's, but for a search that does not stop early.
func translateOptions() generate.Options {
	o := generate.DefaultOptions()
	o.NoEarlyStop = true
	return o
}

func (c *translateCommand) run(cmd *cobra.Command, args []string) error {
	search := translateOptions()
	if err := c.search.apply(&search); err != nil {
		return usage(err)
	}
	err := search.Validate()
	if err == nil && search.NBest > 1 && !c.json {
		err = errors.New("--nbest takes --json: there is one line for each line of the text")
	}
	if err != nil {
		return usage(err)
	}
	if len(args) == 1 {
		if info, err := os.Stat(args[0]); err != nil || !info.IsDir() {
			return usagef("%q is no directory of data: text comes from standard input, or from a file by --input", args[0])
		}
	}
	t, err := c.model.open(cmd, args, search)
	if err != nil {
		return err
	}
	in, err := openInput(c.input, inputOf(cmd))
	if err != nil {
		return err
	}
	defer in.Close()
	return toOutput(cmd, c.output, func(w io.Writer) error { return c.translate(cmd, t, in, w) })
}

// translate reads text and writes its translation.
func (c *translateCommand) translate(cmd *cobra.Command, t *translate.Translator, in io.Reader, w io.Writer) error {
	meter := progress.New(cmd.ErrOrStderr(), "translating", "lines")
	defer meter.Close()
	var unknown unknownWords
	first := 1
	return eachLines(in, c.input, c.buffer, func(lines []string) error {
		found, err := t.Translate(cmd.Context(), lines, first, func(done int) { meter.Show(int64(first-1+done), int64(first-1+len(lines))) })
		if err != nil {
			return fmt.Errorf("%s: %w", c.input, err)
		}
		for i, l := range found {
			unknown.tell(cmd.ErrOrStderr(), first+i, l.Unknown)
			if err := c.print(w, t, first+i, l, t.Searcher.Options.NBest); err != nil {
				return err
			}
		}
		first += len(lines)
		return nil
	})
}

// print prints the translation of a line.
func (c *translateCommand) print(w io.Writer, t *translate.Translator, number int, l translate.Line, nbest int) error {
	if !c.json {
		text := ""
		if len(l.Found) > 0 {
			text = t.Plain(l, l.Found[0])
		}
		_, err := fmt.Fprintln(w, text)
		return err
	}
	type hypothesis struct {
		Text  string  `json:"text"`
		Score float64 `json:"score"`
	}
	out := struct {
		Line         int          `json:"line"`
		Source       string       `json:"source"`
		Translations []hypothesis `json:"translations"`
	}{number, l.Line, []hypothesis{}}
	for _, h := range l.Found[:min(nbest, len(l.Found))] {
		if !math.IsInf(h.Score, -1) { // too long for --match-source-len
			out.Translations = append(out.Translations, hypothesis{t.Plain(l, h), h.Score})
		}
	}
	return printJSONLine(w, out)
}

// eachLines hands out the lines of the named file in groups.
func eachLines(in io.Reader, name string, most int, f func(lines []string) error) error {
	r := textfile.NewReader(in)
	for {
		var lines []string
		var err error
		for len(lines) < most && err == nil {
			var line []byte
			if line, err = r.Next(); err == nil {
				lines = append(lines, string(line))
			}
		}
		if err != nil && err != io.EOF {
			return fmt.Errorf("%s: %w", name, err)
		}
		if len(lines) > 0 {
			if err := f(lines); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
	}
}

// unknownWords reports the first few words that the dictionary does not have.
type unknownWords struct{ told int }

func (u *unknownWords) tell(w io.Writer, line int, words []string) {
	const most = 5
	if len(words) == 0 || u.told == most {
		return
	}
	u.told++
	fmt.Fprintf(w, "mega: line %d: %q is not in the dictionary and is read as <unk>\n", line, words[0])
	if u.told == most {
		fmt.Fprintln(w, "mega: further words that are not in the dictionary are not reported")
	}
}
