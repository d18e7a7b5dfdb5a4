package image

import (
	"fmt"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/checkpoint"
	"github.com/mega-go/mega/data"
	"github.com/mega-go/mega/data/images"
	"github.com/mega-go/mega/internal/config"
)

// DataConfig says what pictures to train on and how to vary them. Keys are those of
// mega-image's deit/main.py, or of the other kinds of models.
type DataConfig struct {
	Task         string    `json:"task" help:"image_classification"`
	Data         string    `json:"data" help:"directory of pictures: DIR/CLASS/*.jpg, or DIR/train/CLASS and DIR/val/CLASS"`
	BatchSize    int       `json:"batch_size" help:"pictures in a batch"`
	MaxSentences int       `json:"max_sentences_valid" help:"pictures in a batch of validation; 0 for the same as in training"`
	ClassWeights []string  `json:"class_weights,omitempty" help:"weights of the classes in the loss: none, balanced (each class has the same part in it), or CLASS=WEIGHT, 1 for those not named (default none)"`
	HeldOut      []float64 `json:"held_out,omitempty" range:"0,1" help:"share of the pictures of each class to validate on, where no directory is for that (default 0.1)"`

	CropRatio float64    `json:"crop_pct" help:"share of the shorter side that evaluation looks at"`
	Scale     [2]float64 `json:"scale" help:"least and greatest share of a picture that a crop in training has"`
	Ratio     [2]float64 `json:"ratio" help:"least and greatest width of such a crop over its height"`
	Flip      float64    `json:"hflip" help:"probability that left and right are exchanged"`
	Rand      string     `json:"aa" help:"operations drawn by lot, such as rand-m9-mstd0.5-inc1, or none"`
	Erase     float64    `json:"reprob" help:"probability that a rectangle is erased"`
	EraseClip float64    `json:"reclip" help:"bound of the noise that is put in its place; 0 for none"`
	Repeats   int        `json:"repeated_aug" help:"times that an epoch shows a picture, of a part of all"`
	Mixup     float64    `json:"mixup" help:"alpha of the shares in which two pictures are mixed; 0 for never"`
	Cutmix    float64    `json:"cutmix" help:"alpha of the size of what is pasted from another picture; 0 for never"`
	Switch    float64    `json:"mixup_switch_prob" help:"probability of cutmix where both are on"`
	Smoothing float64    `json:"smoothing" help:"part of a target that all classes share"`
}

// DefaultDataConfig returns the reference's defaults.
func DefaultDataConfig() DataConfig {
	a := images.DeiT
	return DataConfig{
		Task: checkpoint.ImageClassification, CropRatio: images.ImageNet.CropRatio, Scale: a.Scale, Ratio: a.Ratio, Flip: a.Flip,
		Rand: "rand-m9-mstd0.5-inc1", Erase: a.Erase, EraseClip: a.EraseClip, Repeats: a.Repeats,
		Mixup: a.Mixup, Cutmix: a.Cutmix, Switch: a.Switch, Smoothing: a.Smoothing,
	}
}

// Validate reports every value that is impossible.
func (d DataConfig) Validate() error {
	var v config.Complaints
	v.OneOf("task", d.Task, checkpoint.ImageClassification)
	v.AtLeast("batch_size", d.BatchSize, 1)
	v.AtLeast("max_sentences_valid", d.MaxSentences, 0)
	v.Check(len(d.HeldOut) < 2, "held_out has %d numbers, want one: the share to validate on", len(d.HeldOut))
	v.Add(data.CheckClassWeights(d.ClassWeights))
	_, err := d.augmentation()
	v.Add(err)
	v.Add(d.view(mega.VisionConfig{ImgSize: 1}).Validate())
	return v.Err()
}

// augmentation returns how pictures are varied.
func (d DataConfig) augmentation() (images.Augmentation, error) {
	a := images.Augmentation{
		Scale: d.Scale, Ratio: d.Ratio, Flip: d.Flip, Erase: d.Erase, EraseClip: d.EraseClip, Repeats: d.Repeats,
		Mixing: images.Mixing{Mixup: d.Mixup, Cutmix: d.Cutmix, Switch: d.Switch, Smoothing: d.Smoothing},
	}
	var err error
	if a.Rand, err = images.ParseRandAugment(d.Rand); err != nil {
		return a, fmt.Errorf("aa: %w", err)
	}
	return a, a.Validate()
}

// view returns how pictures become what a model reads.
func (d DataConfig) view(m mega.VisionConfig) images.View {
	v := images.ImageNet
	v.Side, v.CropRatio = m.ImgSize, d.CropRatio
	return v
}

// heldOut returns the share to validate on.
func (d DataConfig) heldOut() float64 {
	if len(d.HeldOut) == 0 {
		const usual = 0.1
		return usual
	}
	return d.HeldOut[0]
}

// validSize returns the size of batches outside training.
func (d DataConfig) validSize() int {
	if d.MaxSentences > 0 {
		return d.MaxSentences
	}
	return d.BatchSize
}

// trainedOn is the data part of a checkpoint's configuration.
type trainedOn struct {
	DataConfig
	Classes []string `json:"classes"`
}

// settingsOf returns what a checkpoint was trained on: of mega-image's, whose data is
// not known, the defaults.
func settingsOf(c *checkpoint.Checkpoint) (trainedOn, error) {
	t := trainedOn{DataConfig: DefaultDataConfig()}
	if len(c.Data) == 0 {
		t.BatchSize = 32
		return t, nil
	}
	return t, config.Wrap(c.Path, config.Decode(c.Data, &t))
}
