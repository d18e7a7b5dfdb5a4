package main

import (
	"fmt"
	"io"

	"github.com/spf13/pflag"
)

// Kinds of models that a command has flags for.
const (
	languageModel = "a language model"
	translator    = "a translator"
)

// forKey is the annotation of a flag that says which kind of model it is for; one
// without is for all.
const forKey = "for"

// addFlagsFor adds flags that are for one kind of model.
func addFlagsFor(flags *pflag.FlagSet, kind string, add func()) {
	had := map[string]bool{}
	flags.VisitAll(func(f *pflag.Flag) { had[f.Name] = true })
	add()
	flags.VisitAll(func(f *pflag.Flag) {
		if !had[f.Name] {
			markFlag(flags, f.Name, kind)
		}
	})
}

// markFlag says which kind of model a flag is for, "" for all.
func markFlag(flags *pflag.FlagSet, name, kind string) {
	f := flags.Lookup(name)
	if f.Annotations == nil {
		f.Annotations = map[string][]string{}
	}
	if f.Annotations[forKey] = []string{kind}; kind == "" {
		delete(f.Annotations, forKey)
	}
}

// bindShared is bind for flags that are for every kind of model, whichever had
// them first.
func bindShared(flags *pflag.FlagSet, example any) *binding {
	b := bind(flags, example)
	for name := range flagFields(b.kind) {
		markFlag(flags, name, "")
	}
	return b
}

// tellFlagsFor names the flags that were given and are for another kind of model.
func tellFlagsFor(w io.Writer, flags *pflag.FlagSet, kind string) {
	flags.Visit(func(f *pflag.Flag) {
		for _, other := range f.Annotations[forKey] {
			if other != kind {
				fmt.Fprintf(w, "mega: --%s has no effect: it is for %s, and the model is %s\n", f.Name, other, kind)
			}
		}
	})
}
