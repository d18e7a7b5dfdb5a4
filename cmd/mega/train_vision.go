package main

import (
	"fmt"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/checkpoint"
	"github.com/mega-go/mega/task/image"
)

type visionKind = kindOf[mega.VisionConfig, *mega.VisionConfig, image.DataConfig, *image.Task]

func newVisionKind() *visionKind {
	return &visionKind{
		noun: pictureClassifier, list: mega.VisionArchs, arch: mega.VisionArch, newTask: image.NewTask,
		fromData: []string{"num_classes"}, criterion: checkSoftTargets, defaults: image.DefaultDataConfig,
		run: evaluateBy((*checkpoint.Checkpoint).Vision, (*image.Task).Evaluate),
	}
}

// checkSoftTargets reports a loss that is not that of a classifier of pictures.
func checkSoftTargets(name string, _ mega.VisionConfig) error {
	if name != "" && name != "soft_cross_entropy" {
		return fmt.Errorf("--criterion %s is not one for classifiers of pictures, want soft_cross_entropy", name)
	}
	return nil
}
