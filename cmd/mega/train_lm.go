package main

import (
	"fmt"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/checkpoint"
	"github.com/mega-go/mega/task/language"
)

type languageModelKind = kindOf[mega.LanguageModelConfig, *mega.LanguageModelConfig, language.DataConfig, *language.Task]

func newLanguageModelKind() *languageModelKind {
	return &languageModelKind{
		noun: languageModel, list: mega.LanguageModelArchs, arch: mega.LanguageModelArch, newTask: language.NewTask,
		criterion: checkCriterion,
		defaults:  language.DefaultDataConfig,
		run:       evaluateBy((*checkpoint.Checkpoint).LanguageModel, (*language.Task).Evaluate),
	}
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
