package main

import (
	"github.com/mega-go/mega"
	"github.com/mega-go/mega/checkpoint"
	"github.com/mega-go/mega/task/translate"
)

type translatorKind = kindOf[mega.TranslatorConfig, *mega.TranslatorConfig, translate.DataConfig, *translate.Task]

func newTranslatorKind() *translatorKind {
	return &translatorKind{
		noun: translator, list: mega.TranslatorArchs, arch: mega.TranslatorArch, newTask: translate.NewTask,
		fromData: []string{"source_vocab_size", "target_vocab_size"},
		defaults: translate.DefaultDataConfig,
		run:      evaluateBy((*checkpoint.Checkpoint).Translator, (*translate.Task).Evaluate),
	}
}
