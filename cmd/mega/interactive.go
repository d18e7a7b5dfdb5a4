package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/mega-go/mega/generate"
	"github.com/mega-go/mega/internal/textfile"
	"github.com/mega-go/mega/task/language"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"
)

// An interactiveCommand is the command line of mega interactive.
type interactiveCommand struct {
	model   textModelFlags
	input   string
	stop    []string
	keep    bool
	noEcho  bool
	options *binding
	pairs   interactiveTranslation
}

func newInteractive() *cobra.Command {
	c := &interactiveCommand{}
	cmd := &cobra.Command{
		Use:   "interactive MODEL [DATA]",
		Short: "Continue texts or translate, line by line as they are typed",
		Long: `interactive reads lines and continues each, printing the text as it comes. With
--keep all lines and their continuations are one text, and an empty line lets the
model continue alone. Ctrl-C ends the current continuation. Where there is none, it
ends the program, as Ctrl-D does.

With a translator it translates each line and prints what fairseq's interactive.py
does; mega translate prints translations alone, and faster.`,
		Example: `  mega interactive runs/bytes-small --temperature 0.7 --stop '}'
  mega interactive runs/bytes-small --keep --max-len-b 80
  mega interactive data-bin/wmt16 --path model.pt --beam 5 --remove-bpe`,
		Args: atMostArgs(1, "the directory of the data"),
		RunE: c.model.onDevice(c.run),
	}
	c.addFlags(cmd.Flags())
	takesModel(cmd, &c.model.path)
	return cmd
}

func (c *interactiveCommand) addFlags(flags *pflag.FlagSet) {
	c.model.addFlags(flags)
	flags.StringVar(&c.input, "input", "-", "file to read lines from; - for standard input")
	addFlagsFor(flags, languageModel, func() {
		flags.BoolVar(&c.keep, "keep", false, "all is one text")
		flags.BoolVar(&c.noEcho, "no-echo", false, "print the continuation alone, without the line")
		c.options = addContinueFlags(flags, &c.stop)
	})
	addFlagsFor(flags, translator, func() { c.pairs.addFlags(flags) })
	for _, name := range []string{"temperature", "sampling-topk", "sampling-topp", "max-len-b", "min-len", "seed"} {
		markFlag(flags, name)
	}
	addReference(flags, generateIgnored, trainingOnly, map[string]string{
		"gen-subset": "lines are read, not a split", "required-batch-size-multiple": "lines are read, not a split",
		"prefix-size": "lines have no references", "sacrebleu": "lines have no references", "left-pad-target": "lines have no references",
		"results-path": "translations go to standard output", "truncate-source": "a line that is too long is an error",
		"max-target-positions": "--max-len-a and --max-len-b say how long translations may be",
	})
}

func (c *interactiveCommand) run(cmd *cobra.Command, args []string) error {
	if translates(c.model.path) {
		tellFlagsFor(cmd.ErrOrStderr(), cmd.Flags(), translator)
		return c.pairs.run(cmd, c.model, c.input, args)
	}
	tellFlagsFor(cmd.ErrOrStderr(), cmd.Flags(), languageModel)
	o := generate.DefaultContinueOptions()
	o.Stop = c.stop
	err := c.options.apply(&o)
	if err = errors.Join(err, o.Validate()); err != nil {
		return usage(err)
	}
	m, err := c.model.open(cmd, args)
	if err != nil {
		return err
	}
	in, err := openInput(c.input, cmd.InOrStdin())
	if err != nil {
		return err
	}
	defer in.Close()
	return c.converse(cmd, m, in, o)
}

// converse continues one line after another.
func (c *interactiveCommand) converse(cmd *cobra.Command, m *language.Model, in io.Reader, o generate.ContinueOptions) error {
	first, err := m.Begin()
	if err != nil {
		return err
	}
	text := first.Clone()
	lines := readLines(in, c.input)
	told := map[string]int{}
	for {
		ask(cmd, c.input)
		line, err := next(cmd.Context(), lines)
		if err != nil {
			askNoMore(cmd, c.input)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if !c.keep {
			text = first.Clone()
		}
		err = c.goOn(cmd, m, text, line, o)
		if err := outputError(cmd); err != nil {
			return err
		}
		if err == nil {
			continue
		}
		const most = 3
		told[err.Error()]++
		if n := told[err.Error()]; n <= most {
			fmt.Fprintln(cmd.ErrOrStderr(), "mega:", err)
		} else if n == most+1 {
			fmt.Fprintln(cmd.ErrOrStderr(), "mega: further lines with this error are not reported")
		}
	}
}

// A typed is a line that was read, or why there is none.
type typed struct {
	line string
	err  error
}

// readLines reads the lines of a file of that name in a goroutine of its own.
func readLines(in io.Reader, name string) <-chan typed {
	lines := make(chan typed)
	go func() {
		for r := textfile.NewReader(in); ; {
			line, err := r.Next()
			if err != nil && err != io.EOF {
				err = fmt.Errorf("%s: %w", name, err)
			}
			lines <- typed{string(line), err}
			if err != nil {
				return
			}
		}
	}()
	return lines
}

// next waits for a line; Ctrl-C while waiting ends the program.
func next(ctx context.Context, lines <-chan typed) (string, error) {
	ctx, stop := signal.NotifyContext(context.WithoutCancel(ctx), os.Interrupt, syscall.SIGTERM)
	defer stop()
	select {
	case t := <-lines:
		return t.line, t.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// ask prints a prompt if somebody types the input.
func ask(cmd *cobra.Command, input string) { toTypist(cmd, input, "> ") }

// askNoMore ends the line of a prompt that was not answered.
func askNoMore(cmd *cobra.Command, input string) { toTypist(cmd, input, "\n") }

func toTypist(cmd *cobra.Command, input, text string) {
	if f, ok := cmd.InOrStdin().(*os.File); ok && input == "-" && term.IsTerminal(int(f.Fd())) {
		fmt.Fprint(cmd.ErrOrStderr(), text)
	}
}

// goOn continues a text until it ends or Ctrl-C is pressed.
func (c *interactiveCommand) goOn(cmd *cobra.Command, m *language.Model, text *language.Prompt, line string, o generate.ContinueOptions) error {
	ctx, stop := signal.NotifyContext(context.WithoutCancel(cmd.Context()), os.Interrupt)
	defer stop()
	out := textOutput(cmd)
	if err := m.Read(ctx, text, line, nil); err != nil {
		return err
	}
	if !c.noEcho {
		fmt.Fprint(out, line)
	}
	_, err := m.Continue(ctx, []*language.Prompt{text}, 1, o, func(_ int, piece []byte) { out.Write(piece) })
	fmt.Fprintln(out)
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
