package main

import (
	"context"
	"fmt"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/checkpoint"
	"github.com/mega-go/mega/task/translate"
	"github.com/mega-go/mega/train"
	"github.com/spf13/pflag"
)

// translatorKind is a translator on the command line of mega train.
type translatorKind struct {
	modelFlags, dataFlags *binding

	model mega.TranslatorConfig
	data  translate.DataConfig
	task  *translate.Task
}

func (k *translatorKind) name() string { return translator }

func (k *translatorKind) archs() []string { return mega.TranslatorArchs() }

func (k *translatorKind) bind(flags *pflag.FlagSet) []*binding {
	data := translate.DefaultDataConfig()
	k.modelFlags = bind(flags, &mega.TranslatorConfig{}, "source_vocab_size", "target_vocab_size")
	k.dataFlags = bind(flags, &data, "data")
	flags.Lookup("eval-bleu-remove-bpe").NoOptDefVal = "@@ "
	return []*binding{k.modelFlags, k.dataFlags}
}

func (k *translatorKind) configure(flags *pflag.FlagSet, arch, data, criterion string) (err error) {
	if k.model, err = mega.TranslatorArch(arch); err != nil {
		return err
	}
	if err = k.modelFlags.apply(&k.model); err != nil {
		return err
	}
	k.model.Derive(func(key string) bool { return flags.Changed(flagName(key)) })
	checked := k.model
	checked.SourceVocabSize, checked.TargetVocabSize = 4, 4 // the data's, which is read later
	if err = checked.Validate(); err != nil {
		return err
	}
	k.data = translate.DefaultDataConfig()
	k.data.Data = data
	if err = k.dataFlags.apply(&k.data); err != nil {
		return err
	}
	return k.data.Validate()
}

func (k *translatorKind) open() (train.Task, string, error) {
	t, err := translate.NewTask(k.data, k.model)
	if err != nil {
		return nil, "", err
	}
	k.task = t
	c := t.Corpus()
	what := fmt.Sprintf("%s to %s, %d and %d kinds of tokens", c.SourceLang, c.TargetLang, c.Source.Len(), c.Target.Len())
	if n := t.Skipped(); n > 0 {
		what += fmt.Sprintf(", %d pairs for training left out as too long", n)
	}
	return t, what, nil
}

func (k *translatorKind) check() error {
	split, err := testSplit(k.task.Corpus(), k.data.TestSubset, k.data.ValidSubset)
	if err != nil {
		return err
	}
	return k.task.CheckEvaluation(split)
}

// evaluate translates the test split, or the validation split where there is
// none.
func (k *translatorKind) evaluate(ctx context.Context, c *checkpoint.Checkpoint) (evaluation, error) {
	m, err := c.Translator()
	if err != nil {
		return nil, err
	}
	split, err := testSplit(k.task.Corpus(), k.data.TestSubset, k.data.ValidSubset)
	if err != nil {
		return nil, err
	}
	return k.task.Evaluate(ctx, m, split)
}

func (k *translatorKind) close() error {
	if k.task == nil {
		return nil
	}
	return k.task.Corpus().Close()
}
