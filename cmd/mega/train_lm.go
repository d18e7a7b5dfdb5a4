package main

import (
	"context"
	"fmt"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/checkpoint"
	"github.com/mega-go/mega/task/language"
	"github.com/mega-go/mega/train"
	"github.com/spf13/pflag"
)

// languageModelKind is a language model on the command line of mega train.
type languageModelKind struct {
	modelFlags, dataFlags *binding

	model mega.LanguageModelConfig
	data  language.DataConfig
	task  *language.Task
}

func (k *languageModelKind) name() string { return languageModel }

func (k *languageModelKind) archs() []string { return mega.LanguageModelArchs() }

func (k *languageModelKind) bind(flags *pflag.FlagSet) []*binding {
	data := language.DefaultDataConfig()
	k.modelFlags = bind(flags, &mega.LanguageModelConfig{})
	k.dataFlags = bind(flags, &data, "data")
	return []*binding{k.modelFlags, k.dataFlags}
}

func (k *languageModelKind) configure(flags *pflag.FlagSet, arch, data, criterion string) (err error) {
	if k.model, err = mega.LanguageModelArch(arch); err != nil {
		return err
	}
	if err = k.modelFlags.apply(&k.model); err != nil {
		return err
	}
	k.model.Derive(func(key string) bool { return flags.Changed(flagName(key)) })
	if err = checkCriterion(criterion, k.model); err != nil {
		return err
	}
	k.data = language.DefaultDataConfig()
	k.data.Data = data
	return k.dataFlags.apply(&k.data)
}

// checkCriterion reports a loss that is not the model's.
func checkCriterion(criterion string, m mega.LanguageModelConfig) error {
	want, with := "cross_entropy", "a plain softmax"
	if m.Adaptive() {
		want, with = "adaptive_loss", "an adaptive softmax"
	}
	if criterion != "" && criterion != want {
		return fmt.Errorf("--criterion %s is not the one of a language model with %s, want %s", criterion, with, want)
	}
	return nil
}

func (k *languageModelKind) open() (train.Task, string, error) {
	t, err := language.NewTask(k.data, k.model)
	if err != nil {
		return nil, "", err
	}
	k.task = t
	return t, fmt.Sprintf("%d kinds of tokens", t.Corpus().Dictionary.Len()), nil
}

func (k *languageModelKind) evalOptions() (o language.EvalOptions, err error) {
	o = language.DefaultEvalOptions()
	o.Subset, err = testSplit(k.task.Corpus(), k.data.TestSubset, k.data.ValidSubset)
	return o, err
}

func (k *languageModelKind) check() error {
	o, err := k.evalOptions()
	if err != nil {
		return err
	}
	return language.CheckEvaluation(k.task.Model(), k.task.Corpus(), o)
}

// evaluate runs the test split, or the validation split where there is none, in
// windows of the model's chunks.
func (k *languageModelKind) evaluate(ctx context.Context, c *checkpoint.Checkpoint) (evaluation, error) {
	m, err := c.LanguageModel()
	if err != nil {
		return nil, err
	}
	o, err := k.evalOptions()
	if err != nil {
		return nil, err
	}
	return language.Evaluate(ctx, m, k.task.Corpus(), o, nil, nil)
}

func (k *languageModelKind) close() error {
	if k.task == nil {
		return nil
	}
	return k.task.Corpus().Close()
}
