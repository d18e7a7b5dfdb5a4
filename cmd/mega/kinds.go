package main

import (
	"fmt"
	"io"
	"slices"

	"github.com/spf13/pflag"
)

// The kinds of models that a command has flags for.
const (
	classifier        = "a classifier"
	languageModel     = "a language model"
	translator        = "a translator"
	pictureClassifier = "a classifier of pictures"
)

// modelKinds are all of them.
var modelKinds = []string{classifier, languageModel, translator, pictureClassifier}

// forKey is the annotation of a flag that says which kinds of models it is for; one
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

// markFlag says which kinds of models a flag is for; with none it is for all.
func markFlag(flags *pflag.FlagSet, name string, kinds ...string) {
	if err := flags.SetAnnotation(name, forKey, kinds); err != nil {
		panic(err) // there is no such flag
	}
}

// alsoFor adds to the kinds of models that the flags of a binding are for.
func (b *binding) alsoFor(kinds ...string) {
	for name := range flagFields(b.kind) {
		if f := b.flags.Lookup(name); f != nil {
			markFlag(b.flags, name, append(f.Annotations[forKey], kinds...)...)
		}
	}
}

// bindShared is bind for flags that are for every kind of model, whichever had
// them first.
func bindShared(flags *pflag.FlagSet, example any) *binding {
	b := bind(flags, example)
	for name := range flagFields(b.kind) {
		markFlag(flags, name)
	}
	return b
}

// eachForeign calls tell with the flags that were given and are for other kinds of
// models than the given one, and with these.
func eachForeign(flags *pflag.FlagSet, kind string, tell func(name string, others []string)) {
	flags.Visit(func(f *pflag.Flag) {
		if kinds := f.Annotations[forKey]; len(kinds) > 0 && !slices.Contains(kinds, kind) {
			tell(f.Name, kinds)
		}
	})
}

// tellFlagsFor names the flags that were given and are for another kind of model.
func tellFlagsFor(w io.Writer, flags *pflag.FlagSet, kind string) {
	eachForeign(flags, kind, func(name string, others []string) {
		fmt.Fprintf(w, "mega: --%s has no effect: it is for %s, and the model is %s\n", name, others[0], kind)
	})
}
