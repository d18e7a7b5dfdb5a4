package main

import (
	"context"
	"fmt"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/checkpoint"
	"github.com/mega-go/mega/task/classify"
	"github.com/mega-go/mega/train"
	"github.com/spf13/pflag"
)

// classifierKind is a classifier on the command line of mega train.
type classifierKind struct {
	modelFlags, dataFlags *binding

	model mega.ClassifierConfig
	data  classify.DataConfig
	task  *classify.Task
}

func (k *classifierKind) name() string { return classifier }

func (k *classifierKind) archs() []string { return mega.ClassifierArchs() }

func (k *classifierKind) bind(flags *pflag.FlagSet) []*binding {
	data := classify.DefaultDataConfig()
	k.modelFlags = bind(flags, &mega.ClassifierConfig{})
	k.dataFlags = bind(flags, &data, "data")
	return []*binding{k.modelFlags, k.dataFlags}
}

func (k *classifierKind) configure(flags *pflag.FlagSet, arch, data, criterion string) (err error) {
	if err := checkClassification(criterion); err != nil {
		return err
	}
	if k.model, err = mega.ClassifierArch(arch); err != nil {
		return err
	}
	if err = k.modelFlags.apply(&k.model); err != nil {
		return err
	}
	k.model.Derive(func(key string) bool { return flags.Changed(flagName(key)) })
	checked := k.model
	checked.VocabSize = max(checked.VocabSize, 4) // the data's, which is read later
	if err = checked.Validate(); err != nil {
		return err
	}
	k.data = classify.DefaultDataConfig()
	k.data.Data = data
	return k.dataFlags.apply(&k.data)
}

// checkClassification reports a loss that is not a classifier's.
func checkClassification(criterion string) error {
	if criterion != "" && criterion != "lra_cross_entropy" {
		return fmt.Errorf("--criterion %s is not one for classification, want lra_cross_entropy", criterion)
	}
	return nil
}

func (k *classifierKind) open() (train.Task, string, error) {
	t, err := classify.NewTask(k.data, k.model)
	if err != nil {
		return nil, "", err
	}
	k.task = t
	return t, fmt.Sprintf("%d kinds of symbols, %d classes", t.Corpus().Vocabulary, k.model.SentenceClassNum), nil
}

func (k *classifierKind) check() error {
	split, err := testSplit(k.task.Corpus(), k.data.TestSubset, k.data.ValidSubset)
	if err != nil {
		return err
	}
	return classify.CheckEvaluation(k.task.Model(), k.task.Corpus(), k.data, split)
}

// evaluate runs the test split, or the validation split where there is none.
func (k *classifierKind) evaluate(ctx context.Context, c *checkpoint.Checkpoint) (evaluation, error) {
	m, err := c.Classifier()
	if err != nil {
		return nil, err
	}
	split, err := testSplit(k.task.Corpus(), k.data.TestSubset, k.data.ValidSubset)
	if err != nil {
		return nil, err
	}
	return classify.Evaluate(ctx, m, k.task.Corpus(), k.data, split, nil)
}

func (k *classifierKind) close() error { return nil }
