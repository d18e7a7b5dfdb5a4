package main

import (
	"fmt"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/checkpoint"
	"github.com/mega-go/mega/task/classify"
)

type classifierKind = kindOf[mega.ClassifierConfig, *mega.ClassifierConfig, classify.DataConfig, *classify.Task]

func newClassifierKind() *classifierKind {
	return &classifierKind{
		noun: classifier, list: mega.ClassifierArchs, arch: mega.ClassifierArch, newTask: classify.NewTask,
		criterion: func(name string, _ mega.ClassifierConfig) error { return checkClassification(name) },
		defaults:  classify.DefaultDataConfig,
		run:       evaluateBy((*checkpoint.Checkpoint).Classifier, (*classify.Task).Evaluate),
	}
}

// checkClassification reports a loss that is not a classifier's.
func checkClassification(criterion string) error {
	if criterion != "" && criterion != "lra_cross_entropy" {
		return fmt.Errorf("--criterion %s is not one for classification, want lra_cross_entropy", criterion)
	}
	return nil
}
