package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// find returns a command of the tree.
func find(t *testing.T, names ...string) *cobra.Command {
	t.Helper()
	cmd, rest, err := newRoot().Find(names)
	if err != nil || len(rest) > 0 {
		t.Fatalf("no command %v: %v", names, err)
	}
	return cmd
}

// TestFlagsOfTheReference: each flag of each command of the reference works, or is
// named as without effect, or is refused by a reason, whichever of its names is
// given.
func TestFlagsOfTheReference(t *testing.T) {
	seen := map[*referenceFlag]bool{}
	commands := map[string]*cobra.Command{}
	for _, r := range referenceFlags() {
		if seen[r] {
			continue
		}
		seen[r] = true
		for _, command := range r.commands {
			if commands[command] == nil {
				commands[command] = find(t, command)
			}
			for _, name := range r.names {
				if err := standsFor(commands[command], r, name); err != nil {
					t.Errorf("mega %s --%s: %v", command, name, err)
				}
			}
		}
	}
	if len(seen) < 400 {
		t.Errorf("%d flags are listed", len(seen))
	}
}

// standsFor reports what is missing of a flag under one of its names.
func standsFor(cmd *cobra.Command, r *referenceFlag, name string) error {
	if len(name) == 1 {
		if cmd.Flags().ShorthandLookup(name) == nil {
			return fmt.Errorf("no such flag")
		}
		return nil
	}
	f := cmd.Flags().Lookup(name)
	if f == nil {
		err := flagError(cmd, cmd.ParseFlags([]string{"--" + name, "x"}))
		if !r.foreign() || !strings.Contains(err.Error(), r.owners[0]) {
			return err
		}
		return nil
	}
	if takesNone := f.NoOptDefVal != ""; takesNone != (r.kind == "switch" || r.kind == "optional") && f.Value.Type() != "bool" {
		return fmt.Errorf("it can be given without a value: %t, want the contrary", takesNone)
	}
	return told(f)
}

// told reports a hidden flag that says nothing when it is given.
func told(f *pflag.Flag) error {
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	f.Changed = false
	flags.AddFlag(f)
	if err := flags.Set(f.Name, "x"); err != nil || !f.Hidden {
		return nil // it reads its value
	}
	var said strings.Builder
	err := tellReference(&said, flags)
	if err == nil && !strings.Contains(said.String(), "--"+f.Name+" has no effect: ") {
		return fmt.Errorf("nothing is said of it")
	}
	return nil
}

// TestRefusedFlags: a flag that would change what is done is an error, unless its
// value asks for nothing.
func TestRefusedFlags(t *testing.T) {
	for name, r := range refusedFlags {
		flags := pflag.NewFlagSet("", pflag.ContinueOnError)
		addReference(flags)
		if err := flags.Set(name, "other"); err != nil {
			t.Fatal(err)
		}
		if err := tellReference(io.Discard, flags); err == nil || !strings.Contains(err.Error(), "--"+name) || status(err) != exitUsage {
			t.Errorf("--%s: %v", name, err)
		}
		for _, value := range r.harmless {
			if err := flags.Set(name, value); err != nil {
				t.Fatal(err)
			}
			if err := tellReference(io.Discard, flags); err != nil {
				t.Errorf("--%s %s: %v", name, value, err)
			}
		}
	}
}

// TestUnknownFlags: an unknown flag is said to be of where it belongs, or else to
// be like one that can be given.
func TestUnknownFlags(t *testing.T) {
	for flag, want := range map[string]string{
		"train --mask-prob 1":         "task masked_lm",
		"generate --lr 1":             "it is for mega train",
		"validate --beam 5":           "it is for mega generate, mega interactive",
		"train --encoder-layer 3":     "did you mean --encoder-layers?",
		"train --wholly-other":        "mega train --help",
		"data listops --wholly-other": "mega data listops --help",
		"translate -q":                "unknown flag -q",
		"train --max-update":          "--max-update wants a value",
		"train --max-update x":        `--max-update is "x", want a whole number`,
		"train --sentence-avg=x":      `--sentence-avg is "x", want true or false`,
		"train --adam-betas (0.9":     `--adam-betas is "(0.9", want values with commas between: character 5`,
		"train --lr nan":              "--lr is nan, want",
		"lisops":                      `unknown command "lisops"; mega --help`,
		"help trian":                  `unknown command "trian", did you mean "train"?`,
		"help data lisops":            `unknown data set "lisops"`,
		"help train x":                `mega train has no command "x" below it`,
		"generate --lenpen nan":       "--lenpen is nan",
		"trian":                       `unknown command "trian", did you mean "train"?`,
		"data lisops":                 `unknown data set "lisops", did you mean "listops"?`,
		"train a b":                   `takes the path of the data at most, got 2 arguments: "a", "b"`,
	} {
		status, _, stderr := command(t, strings.Fields(flag)...)
		if status != exitUsage || !strings.Contains(stderr, want) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("mega %s: status %d, %q, want it to hold %q", flag, status, stderr, want)
		}
	}
}

func TestOneLine(t *testing.T) {
	_, missing := os.Stat("nowhere")
	for _, err := range []error{missing, fmt.Errorf("nowhere: %w", missing)} {
		if got := oneLine(err); got != "nowhere: no such file or directory" {
			t.Errorf("%q", got)
		}
	}
	many := strings.Repeat("a\n", 60) + "b;\n\n\n;c\nd\ne\nf\ng\n"
	if got := oneLine(fmt.Errorf("%s", many)); got != "a (60 times); b; c; d; e; and 2 more" {
		t.Errorf("%q", got)
	}
}

// TestSeveralSubsets: training validates on each split of a list, and says which
// numbers are whose; evaluation prints each.
func TestSeveralSubsets(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	if status, _, err := command(t, tiny(dir, "--valid-subset", "valid,test")...); status != exitOK {
		t.Fatal(err)
	}
	metrics, err := os.ReadFile(filepath.Join(dir, "metrics.jsonl"))
	if err != nil || !strings.Contains(string(metrics), `"test_accuracy":`) || !strings.Contains(string(metrics), `"accuracy":`) {
		t.Errorf("%s, %v", metrics, err)
	}
	single := func(split string) string {
		status, out, err := command(t, "eval", "--checkpoint", dir, "--gen-subset", split)
		if status != exitOK {
			t.Fatal(err)
		}
		return out
	}
	if both := single("valid,test"); both != single("valid")+single("test") {
		t.Errorf("of both splits it prints %q", both)
	}
}
