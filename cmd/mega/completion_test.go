package main

import (
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/mega-go/mega/recipe"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// TestCompletion: shells are offered what a flag or an argument takes.
func TestCompletion(t *testing.T) {
	var archs []string
	for _, a := range archInfos {
		archs = append(archs, a.name)
	}
	for line, want := range map[string][]string{
		"train --preset ": recipe.Names(),
		"train --preset listops-short --norm-type ": norms,
		"train -a ":                archs,
		"presets ":                 append(recipe.Names(), archs...),
		"interactive --tokenizer ": {"moses", "space"},
	} {
		_, out, _ := command(t, append([]string{"__complete"}, strings.Split(line, " ")...)...)
		lines := strings.Split(strings.TrimSpace(out), "\n")
		if got := lines[:len(lines)-1]; !slices.Equal(got, want) {
			t.Errorf("%s<TAB>: %q, want %q", line, got, want)
		}
	}
}

// TestBashCompletion: a bash without the package bash-completion completes words, also
// behind "=" and in the middle of a line.
func TestBashCompletion(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip(err)
	}
	script, _ := mustRun(t, "completion", "bash")
	help, _ := mustRun(t, "completion", "bash", "--help")
	if strings.Contains(help, "depends on") {
		t.Errorf("the help says that a package is wanted: %s", help)
	}
	for line, want := range map[string]string{
		"mega train --preset li":  "mega|train|--preset|li cur=li prev=--preset cword=3",
		"mega train --preset=li":  "mega|train|--preset=li cur=--preset=li prev=train cword=2",
		"mega train ":             "mega|train| cur= prev=train cword=2",
		"mega tr|ain --preset li": "mega|tr cur=tr prev=mega cword=1",
	} {
		before, after, _ := strings.Cut(line, "|")
		cmd := exec.Command(bash, "--norc", "-c", script+`
COMP_LINE=$1 COMP_POINT=$2
__mega_init_completion -n =:
IFS='|'; echo "${words[*]} cur=$cur prev=$prev cword=$cword"`, "bash", before+after, strconv.Itoa(len(before)))
		cmd.Env = []string{} // no function of the tester's
		out, err := cmd.CombinedOutput()
		if got := strings.TrimSuffix(string(out), "\n"); err != nil || got != want {
			t.Errorf("%q: %q, %v, want %q", line, got, err, want)
		}
	}
}

// TestFlagValues: the values that completion knows are those that help names.
func TestFlagValues(t *testing.T) {
	used := map[string]bool{}
	eachCommand(func(_ string, cmd *cobra.Command) {
		for name, values := range flagValues {
			f := cmd.Flags().Lookup(name)
			if f == nil || f.Hidden || name == "criterion" && cmd.Name() == "eval" { // that knows classifiers alone
				continue
			}
			used[name] = true
			for _, v := range values {
				if !strings.Contains(f.Usage, v) && v != f.DefValue {
					t.Errorf("the help of %s --%s does not name %s", cmd.CommandPath(), name, v)
				}
			}
		}
	})
	if len(used) != len(flagValues) {
		t.Errorf("no command has some of the flags: %v", used)
	}
}

// TestTrainHelp: help shows the flags of the kind of model that is named, in
// groups, and every flag is in one.
func TestTrainHelp(t *testing.T) {
	help := func(args ...string) string {
		status, out, err := command(t, append([]string{"train"}, args...)...)
		if status != exitOK {
			t.Fatal(err)
		}
		return out
	}
	all := help("--help-all")
	newTrain().Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden && strings.Count(all, "--"+f.Name+" ") == 0 {
			t.Errorf("--help-all does not show --%s", f.Name)
		}
	})
	for flag, want := range map[string][]bool{ // none named, a classifier, a language model, a translator
		"--lr x":              {true, true, true, true},
		"--n-dim n":           {false, true, false, false},
		"--tokens-per-sample": {false, false, true, false},
		"--eval-bleu  ":       {false, false, false, true},
		"--decoder-layers":    {false, false, true, true},
	} {
		for i, args := range [][]string{{}, {"--preset", "lra-image"}, {"-a", "mega_lm"}, {"--arch=mega_wmt_en_de"}} {
			if got := strings.Contains(help(append(args, "--help")...), "  "+flag); got != want[i] {
				t.Errorf("mega train %q --help: %s is shown: %t", args, flag, got)
			}
		}
	}
}
