package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// extremes are numbers that no flag is made for, among them those whose sums and
// products leave 64 bits.
var extremes = []string{
	"9223372036854775807", "-9223372036854775808", "99999999999999999999", "4611686018427387904", "2147483648",
	"2147483647", "-1", "0", "1e308", "-1e308", "NaN", "+Inf", "-Inf", "",
}

// numeric reports whether a flag takes numbers.
func numeric(f *pflag.Flag) bool {
	return slices.Contains([]string{"n", "x", "x,..."}, f.Value.Type())
}

// TestEveryNumberHasASpan: every flag of every command that takes numbers takes
// those of a span alone, none that is not finite, and names itself when it refuses.
func TestEveryNumberHasASpan(t *testing.T) {
	eachCommand(func(_ string, cmd *cobra.Command) {
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if !numeric(f) {
				if !slices.Contains([]string{"bool", "string", "stringArray", "stringSlice", "name", "name,..."}, f.Value.Type()) {
					t.Errorf("%s --%s is a %s, which has no bounds", cmd.CommandPath(), f.Name, f.Value.Type())
				}
				return
			}
			for _, value := range extremes {
				err := cmd.ParseFlags([]string{"--" + f.Name + "=" + value})
				if err == nil {
					if strings.ContainsAny(value, "NI") {
						t.Errorf("%s --%s takes %s", cmd.CommandPath(), f.Name, value)
					}
					continue
				}
				if err = flagError(cmd, err); status(err) != exitUsage || !strings.HasPrefix(err.Error(), "--"+f.Name+" is ") || !strings.Contains(err.Error(), "want ") {
					t.Errorf("%s --%s=%s: %v", cmd.CommandPath(), f.Name, value, err)
				}
			}
		})
	})
}

// TestExtremeNumbers: a command gives a result, or one line that says what is
// wrong, with whatever number of a span.
func TestExtremeNumbers(t *testing.T) {
	dir := t.TempDir()
	lines, out := filepath.Join(dir, "lines"), filepath.Join(dir, "out")
	write(t, lines, "one\ntwo\nthree\n")
	for _, line := range [][]string{
		{"interactive", pairsDir, "--path", golden("mt_wmt"), "--input", lines},
		{"translate", pairsDir, "--checkpoint", golden("mt_wmt"), "--input", lines},
		{"preprocess", "--only-source", "--trainpref", lines, "--destdir", out},
		{"score", "--sys", lines, "--ref", lines, "--sacrebleu", "--confidence"},
		{"data", "enwik8", lines, out},
	} {
		find(t, line[:1]...).Flags().VisitAll(func(f *pflag.Flag) {
			if !numeric(f) || f.Name == "confidence-n" { // a million of which take long
				return
			}
			for _, value := range []string{"2147483647", "-1", "0", "1e308", "9223372036854775807"} {
				args := append(slices.Clone(line), "--"+f.Name+"="+value)
				status, _, stderr := command(t, args...)
				last := strings.TrimSpace(stderr[strings.LastIndex(strings.TrimSpace(stderr), "\n")+1:])
				if status > exitUsage || status != exitOK && !strings.HasPrefix(last, "mega: ") || status == exitUsage && !strings.Contains(last, "--"+f.Name) {
					t.Errorf("mega %s: status %d, %q", strings.Join(args, " "), status, last)
				}
				os.RemoveAll(out)
			}
		})
	}
}

// TestListsOfNumbers: lists are read with commas between or as Python writes them.
func TestListsOfNumbers(t *testing.T) {
	type config struct {
		LR []float64 `json:"lr"`
	}
	for text, want := range map[string][]float64{
		"0.1,0.2": {0.1, 0.2}, "(0.1, 0.2)": {0.1, 0.2}, "[.1, 0.2,]": {0.1, 0.2}, "0.1,": {0.1}, "(3)": {3},
	} {
		var got config
		b := bind(pflag.NewFlagSet("", pflag.ContinueOnError), &got)
		err := b.flags.Set("lr", text)
		if err == nil {
			err = b.apply(&got)
		}
		if err != nil || !slices.Equal(got.LR, want) {
			t.Errorf("%s is read as %v, %v", text, got.LR, err)
		}
	}
}
