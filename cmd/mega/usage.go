package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/mega-go/mega/internal/spell"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// A usageError is a mistake in the command line or a configuration.
type usageError struct{ error }

func (e *usageError) Unwrap() error { return e.error }

// usage marks err, if there is one, as a mistake in the command line.
func usage(err error) error {
	if err == nil {
		return nil
	}
	return &usageError{err}
}

func usagef(format string, args ...any) error { return usage(fmt.Errorf(format, args...)) }

// flagError makes a wrong flag a usage error in plain words.
func flagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	var invalid *pflag.InvalidValueError
	var missing *pflag.ValueRequiredError
	switch {
	case errors.As(err, &unknown):
		return unknownFlag(cmd, unknown)
	case errors.As(err, &invalid):
		return usagef("--%s is %s, %s", invalid.GetFlag().Name, shown(invalid.GetValue()), wanted(invalid))
	case errors.As(err, &missing):
		return usagef("--%s wants a value", missing.GetFlag().Name)
	}
	return usage(err)
}

// shown returns a value as it was given: in quotes, unless it is a number.
func shown(value string) string {
	if _, err := strconv.ParseFloat(value, 64); err == nil || errors.Is(err, strconv.ErrRange) {
		return value
	}
	return strconv.Quote(value)
}

// wanted says what a flag takes.
func wanted(e *pflag.InvalidValueError) error {
	if e.GetFlag().Value.Type() == "bool" {
		return errors.New("want true or false")
	}
	return e.Unwrap()
}

// unknownFlag says where a flag belongs that the command does not have, or names
// the nearest one that it has.
func unknownFlag(cmd *cobra.Command, e *pflag.NotExistError) error {
	name := e.GetSpecifiedName()
	if e.GetSpecifiedShortnames() != "" {
		return usagef("unknown flag -%s; %s --help lists the known ones", name, cmd.CommandPath())
	}
	if cmd.Name() == "translate" && slices.Contains([]string{"prompt", "text", "source"}, name) {
		return usagef("unknown flag --%s: text comes from standard input, or from a file by --input", name)
	}
	if where := elsewhere(cmd, name); where != "" {
		return usagef("unknown flag --%s: %s", name, where)
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	})
	if near := spell.Nearest(name, names); near != "" {
		return usagef("unknown flag --%s, did you mean --%s?", name, near)
	}
	return usagef("unknown flag --%s; %s --help lists the known ones", name, cmd.CommandPath())
}

// exactArgs is cobra.ExactArgs with a usage error that says what is wanted.
func exactArgs(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return usagef("%s takes %s, got %s", cmd.CommandPath(), what, counted(args))
		}
		return nil
	}
}

// atMostArgs is cobra.MaximumNArgs with a usage error that says what is wanted.
func atMostArgs(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > n {
			return usagef("%s takes %s at most, got %s", cmd.CommandPath(), what, counted(args))
		}
		return nil
	}
}

// counted says how many arguments there are, and which.
func counted(args []string) string {
	const most = 5
	text := fmt.Sprintf("%d arguments", len(args))
	switch {
	case len(args) == 1:
		text = "1 argument"
	case len(args) == 0:
		return "none"
	}
	for i, arg := range args[:min(len(args), most)] {
		text += []string{": ", ", "}[min(i, 1)] + strconv.Quote(arg)
	}
	if len(args) > most {
		text += ", ..."
	}
	return text
}

// chooses makes a command one that only stands for those below it.
func chooses(cmd *cobra.Command, what string) {
	cmd.Args = cobra.ArbitraryArgs
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		var names []string
		for _, c := range cmd.Commands() {
			names = append(append(names, c.Name()), c.Aliases...)
		}
		if near := spell.Nearest(args[0], names); near != "" {
			return usagef("unknown %s %q, did you mean %q?", what, args[0], near)
		}
		return usagef("unknown %s %q; %s --help lists them", what, args[0], cmd.CommandPath())
	}
}

// newHelp is cobra's help command with an error for what is no command.
func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:   "help [command]",
		Short: "Help about any command",
		RunE: func(cmd *cobra.Command, args []string) error {
			about, rest, err := cmd.Root().Find(args)
			switch {
			case err != nil:
				return usage(err)
			case len(rest) > 0 && about.HasSubCommands():
				return about.RunE(about, rest)
			case len(rest) > 0:
				return usagef("%s has no command %q below it", about.CommandPath(), rest[0])
			}
			about.InitDefaultHelpFlag()
			return about.Help()
		},
	}
}

// fitHelp lets the help of commands fit the terminal.
func fitHelp(root *cobra.Command) {
	help := root.HelpFunc()
	root.SetHelpFunc(func(cmd *cobra.Command, args []string) {
		out := cmd.OutOrStdout()
		defer cmd.SetOut(out)
		sayHelp(out, func(w io.Writer) {
			cmd.SetOut(w)
			help(cmd, args)
		})
	})
}

// withoutSystemCall returns the text of an error with the name of a file in place
// of "open FILE" or "stat FILE", and once where a caller wrote it too.
func withoutSystemCall(err error) string {
	text := err.Error()
	var e *fs.PathError
	if !errors.As(err, &e) || !slices.Contains([]string{"open", "stat", "lstat", "read"}, e.Op) {
		return text
	}
	name := e.Path + ": "
	text = strings.Replace(text, e.Error(), name+e.Err.Error(), 1)
	return strings.Replace(text, name+name, name, 1)
}

// oneLine puts the lines of an error side by side, each once with how often it
// came, and not more than a few.
func oneLine(err error) string {
	const most = 5
	var parts []string
	times := map[string]int{}
	for line := range strings.Lines(withoutSystemCall(err)) {
		part := strings.Trim(line, "; \t\r\n")
		if times[part]++; part != "" && times[part] == 1 {
			parts = append(parts, part)
		}
	}
	for i, part := range parts {
		if n := times[part]; n > 1 {
			parts[i] = fmt.Sprintf("%s (%d times)", part, n)
		}
	}
	if n := len(parts) - most; n > 0 {
		parts = append(parts[:most], fmt.Sprintf("and %d more", n))
	}
	return strings.Join(parts, "; ")
}
