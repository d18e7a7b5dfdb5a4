package train

import (
	"errors"
	"fmt"
)

// Config says how to train. Keys, meanings and defaults are those of the
// reference's arguments, except the two limits on skipped updates.
type Config struct {
	Seed       uint64 `json:"seed"`
	MaxUpdate  int    `json:"max_update"`  // 0: no limit
	MaxEpoch   int    `json:"max_epoch"`   // 0: no limit
	UpdateFreq []int  `json:"update_freq"` // batches per update in epoch 1, 2, ...; the last for all further ones

	AdamBetas   [2]float64 `json:"adam_betas"`
	AdamEps     float64    `json:"adam_eps"`
	WeightDecay float64    `json:"weight_decay"`
	ClipNorm    float64    `json:"clip_norm"` // 0: none
	ScheduleConfig

	StopMinLR     float64 `json:"stop_min_lr"`     // stop before an epoch that would begin at this rate or below
	StopTimeHours float64 `json:"stop_time_hours"` // stop after so much training time; 0: no limit
	Patience      int     `json:"patience"`        // stop after so many validations without a better one; 0: never

	DisableValidation       bool `json:"disable_validation"`
	ValidateInterval        int  `json:"validate_interval"`         // epochs
	ValidateIntervalUpdates int  `json:"validate_interval_updates"` // 0: only at the end of epochs
	ValidateAfterUpdates    int  `json:"validate_after_updates"`    // no interval checkpoints before

	BestCheckpointMetric         string `json:"best_checkpoint_metric"`
	MaximizeBestCheckpointMetric bool   `json:"maximize_best_checkpoint_metric"`

	NoSave              bool `json:"no_save"`
	NoEpochCheckpoints  bool `json:"no_epoch_checkpoints"`
	SaveInterval        int  `json:"save_interval"`         // epochs
	SaveIntervalUpdates int  `json:"save_interval_updates"` // also validates; 0: only at the end of epochs
	KeepIntervalUpdates int  `json:"keep_interval_updates"` // of those, how many to keep; not positive: all
	KeepLastEpochs      int  `json:"keep_last_epochs"`      // epoch checkpoints to keep; not positive: all
	KeepBestCheckpoints int  `json:"keep_best_checkpoints"` // the best N under names of their own; not positive: none

	LogInterval int `json:"log_interval"` // updates per record of metrics

	MaxSkippedInRow int `json:"max_skipped_in_row"` // updates that may be skipped one after another
	MaxSkipped      int `json:"max_skipped"`        // and in all
}

// DefaultConfig returns the reference's defaults. The seed is 1.
func DefaultConfig() Config {
	return Config{
		Seed:                 1,
		UpdateFreq:           []int{1},
		AdamBetas:            [2]float64{0.9, 0.999},
		AdamEps:              1e-8,
		ScheduleConfig:       DefaultScheduleConfig(),
		StopMinLR:            -1,
		ValidateInterval:     1,
		BestCheckpointMetric: "loss",
		SaveInterval:         1,
		KeepIntervalUpdates:  -1,
		KeepLastEpochs:       -1,
		KeepBestCheckpoints:  -1,
		LogInterval:          100,
		MaxSkippedInRow:      10,
		MaxSkipped:           1000,
	}
}

// Validate reports every value that is impossible.
func (c Config) Validate() error {
	var v validator
	v.atLeast("max_update", c.MaxUpdate, 0)
	v.atLeast("max_epoch", c.MaxEpoch, 0)
	v.atLeast("validate_interval", c.ValidateInterval, 1)
	v.atLeast("validate_interval_updates", c.ValidateIntervalUpdates, 0)
	v.atLeast("save_interval", c.SaveInterval, 1)
	v.atLeast("save_interval_updates", c.SaveIntervalUpdates, 0)
	v.atLeast("log_interval", c.LogInterval, 1)
	v.atLeast("max_skipped_in_row", c.MaxSkippedInRow, 0)
	v.atLeast("max_skipped", c.MaxSkipped, 0)
	v.check(len(c.UpdateFreq) > 0, "update_freq is empty, want a number of batches per update")
	for i, n := range c.UpdateFreq {
		v.atLeast(fmt.Sprintf("update_freq[%d]", i), n, 1)
	}
	for i, b := range c.AdamBetas {
		v.check(b >= 0 && b < 1, "adam_betas[%d] is %g, want a number from 0 to below 1", i, b)
	}
	v.notNegative("adam_eps", c.AdamEps)
	v.notNegative("weight_decay", c.WeightDecay)
	v.notNegative("clip_norm", c.ClipNorm)
	v.check(c.BestCheckpointMetric != "", "best_checkpoint_metric is empty, want the name of a metric")
	_, err := c.Schedule(c.MaxUpdate)
	return errors.Join(append(v, err)...)
}

// validator collects what is wrong with a configuration.
type validator []error

func (v *validator) check(ok bool, format string, args ...any) {
	if !ok {
		*v = append(*v, fmt.Errorf(format, args...))
	}
}

func (v *validator) atLeast(key string, n, least int) {
	v.check(n >= least, "%s is %d, want %d or more", key, n, least)
}

func (v *validator) notNegative(key string, x float64) {
	v.check(x >= 0 && finite(x), "%s is %g, want a finite number of 0 or more", key, x)
}

// updateFreq returns how many batches make up an update in an epoch.
func (c Config) updateFreq(epoch int) int {
	return c.UpdateFreq[min(epoch, len(c.UpdateFreq))-1]
}
