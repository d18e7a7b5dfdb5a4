package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/data/images"
	"github.com/mega-go/mega/data/labelled"
	"github.com/mega-go/mega/internal/textfile"
	"github.com/mega-go/mega/recipe"
	"github.com/mega-go/mega/task/classify"
	"github.com/spf13/pflag"
)

// isLabelled tells whether a path can be labelled data as somebody has it: a file
// by its name, or a directory that is not of one of the reference's layouts.
func isLabelled(path string) bool {
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		return labelled.IsFile(path)
	}
	for _, of := range []string{"src-bin", "input", "dict.txt", "dict.*.txt", "*.idx"} {
		if found, _ := filepath.Glob(filepath.Join(path, of)); len(found) > 0 { // the patterns are valid
			return false
		}
	}
	return true
}

// bestByLoss is for classes with weights, which the loss of the validation has
// too: by accuracy the best checkpoint may be one that neglects small classes.
var bestByLoss = []string{"--best-checkpoint-metric", "loss", "--maximize-best-checkpoint-metric=false"}

// suggest sets the flags of what suits labelled data that no architecture is given
// for, but for those given.
func (c *trainCommand) suggest(w io.Writer, args []string) error {
	if len(args) != 1 || c.flags.Changed("arch") {
		return nil
	}
	if _, err := os.Stat(args[0]); err != nil {
		return err
	}
	if !isLabelled(args[0]) {
		if textfile.Regular(args[0]) == nil {
			return usagef("%s is no labelled data by its name; --preset bytes-small --text %s trains a language model of its text", args[0], args[0])
		}
		return nil
	}
	if _, err := os.Stat(filepath.Join(args[0], "metrics.jsonl")); err == nil {
		return usagef("%s is a run directory, not data: the command that began the run goes on with it", args[0])
	}
	if images.Holds(args[0]) {
		return c.choose(w, args[0], classify.Suggestion{Recipe: "photos"})
	}
	for _, kind := range c.kinds {
		k, ok := kind.(*classifierKind)
		if !ok {
			continue
		}
		s, weighted, err := look(k, args[0])
		if err != nil {
			return err
		}
		if weighted && !c.flags.Changed("best-checkpoint-metric") {
			s.Flags = append(s.Flags, bestByLoss...)
		}
		return c.choose(w, args[0], s)
	}
	return nil
}

// choose sets the flags of what is suggested for data.
func (c *trainCommand) choose(w io.Writer, path string, s classify.Suggestion) error {
	r, err := recipe.Find(s.Recipe)
	if err != nil {
		return err
	}
	name, _, _ := strings.Cut(filepath.Base(path), ".")
	c.chosen = cmp.Or(name, "labelled")
	if err := c.inUpdates(s.Flags); err != nil {
		return err
	}
	fmt.Fprintln(w, strings.Join(append([]string{"chosen by the data: --preset", s.Recipe}, notGiven(c.flags, s.Flags)...), " "))
	return underGiven(c.flags, append(r.Flags, s.Flags...))
}

// inUpdates fits what is suggested to updates that are given, the end of the decay or
// else of the training, if that comes before the end of the suggested warm-up. A later
// one leaves the schedule as it is, so that a run can go on beyond it.
func (c *trainCommand) inUpdates(flags []string) error {
	n, err := c.givenUpdates("total-num-update")
	if n == 0 && err == nil {
		n, err = c.givenUpdates("max-update")
	}
	at := slices.Index(flags, "--warmup-updates") + 1
	if err != nil || n <= 0 || at == 0 {
		return err
	}
	if warmup, err := strconv.Atoi(flags[at]); err != nil || warmup < n {
		return err
	}
	fit := map[string]int{"--total-num-update": n, "--warmup-updates": max(n/10, 1), "--validate-interval-updates": max(n/4, 1)}
	for i := range flags[:len(flags)-1] {
		if value, ok := fit[flags[i]]; ok {
			flags[i+1] = strconv.Itoa(value)
		}
	}
	return nil
}

// givenUpdates returns the value of a flag that counts updates, 0 if it is not given.
func (c *trainCommand) givenUpdates(flag string) (int, error) {
	if !c.flags.Changed(flag) {
		return 0, nil
	}
	return strconv.Atoi(c.flags.Lookup(flag).Value.String())
}

// notGiven returns those of args, flags with or without a value behind them, that
// are not given otherwise.
func notGiven(flags *pflag.FlagSet, args []string) (out []string) {
	given := false
	for _, arg := range args {
		if name, isFlag := strings.CutPrefix(arg, "--"); isFlag {
			name, _, _ = strings.Cut(name, "=")
			given = flags.Changed(name)
		}
		if !given {
			out = append(out, arg)
		}
	}
	return out
}

// look reads labelled data and says what suits it, and whether classes are to have
// weights.
func look(k *classifierKind, path string) (s classify.Suggestion, weighted bool, err error) {
	data := classify.DefaultDataConfig()
	if err := k.dataFlags.apply(&data); err != nil {
		return s, false, usage(err)
	}
	if err := data.Options.Check(); err != nil {
		return s, false, usage(err)
	}
	set, err := labelled.Load(path, data.Options)
	if err != nil {
		return s, false, err
	}
	if err := set.Summary.Weigh(data.ClassWeights); err != nil {
		return s, false, usage(err)
	}
	k.newTask = func(d classify.DataConfig, m mega.ClassifierConfig) (*classify.Task, error) {
		corpus, err := classify.NewCorpus(set, d, m)
		if err != nil {
			return nil, err
		}
		return classify.NewTaskOn(corpus, d, m)
	}
	return classify.Suggest(&set.Summary), set.Summary.Weights() != nil, nil
}

// underGiven sets flags as if args stood before those that were given.
func underGiven(flags *pflag.FlagSet, args []string) error {
	given := map[string]string{}
	flags.Visit(func(f *pflag.Flag) { given[f.Name] = f.Value.String() })
	if err := flags.Parse(args); err != nil {
		return err
	}
	for name, value := range given {
		if err := flags.Set(name, value); err != nil {
			return err
		}
	}
	return nil
}
