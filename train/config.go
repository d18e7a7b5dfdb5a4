package train

import (
	"errors"
	"fmt"
	"slices"

	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/internal/config"
)

// Config says how to train. Keys, meanings and defaults are those of the
// reference's arguments, except the two limits on skipped updates.
type Config struct {
	Seed       uint64 `json:"seed" help:"fixes initial parameters, data order and dropout"`
	MaxUpdate  int    `json:"max_update" help:"updates to train for; 0 for no limit"`
	MaxEpoch   int    `json:"max_epoch" help:"epochs to train for; 0 for no limit"`
	UpdateFreq []int  `json:"update_freq" help:"batches per update in epoch 1, 2, ...; the last for all further ones"`

	AdamBetas   [2]float64 `json:"adam_betas" help:"decays of the means of gradients and of their squares"`
	AdamEps     float64    `json:"adam_eps" help:"added to the root of the mean square"`
	WeightDecay float64    `json:"weight_decay" help:"share of a weight that decays each update, times the learning rate"`
	ClipNorm    float64    `json:"clip_norm" help:"largest norm of all gradients together; 0 for none"`

	ModelEMA      bool    `json:"model_ema,omitempty" help:"keep exponential averages of the weights in checkpoints, and validate them too: their metrics begin with ema_"`
	ModelEMADecay float64 `json:"model_ema_decay,omitempty" help:"share of an average that is left after an update"`

	ScheduleConfig

	StopMinLR     float64 `json:"stop_min_lr" help:"stop before an epoch that would begin at this rate or below"`
	StopTimeHours float64 `json:"stop_time_hours" help:"stop after this much training time; 0 for no limit"`
	Patience      int     `json:"patience" help:"stop after this many validations without a better one; 0 for never"`

	DisableValidation       bool `json:"disable_validation" help:"do not validate"`
	ValidateInterval        int  `json:"validate_interval" help:"epochs between validations"`
	ValidateIntervalUpdates int  `json:"validate_interval_updates" help:"updates between further validations; 0 for none"`
	ValidateAfterUpdates    int  `json:"validate_after_updates" help:"no checkpoints between epochs before this update"`

	BestCheckpointMetric         string `json:"best_checkpoint_metric" help:"metric that decides which checkpoint is best"`
	MaximizeBestCheckpointMetric bool   `json:"maximize_best_checkpoint_metric" help:"the largest value of the metric is the best, not the smallest"`

	NoSave              bool `json:"no_save" help:"keep no checkpoints"`
	NoEpochCheckpoints  bool `json:"no_epoch_checkpoints" help:"keep only the last and the best checkpoint"`
	SaveInterval        int  `json:"save_interval" help:"epochs between checkpoints"`
	SaveIntervalUpdates int  `json:"save_interval_updates" help:"updates between further checkpoints; 0 for none"`
	KeepIntervalUpdates int  `json:"keep_interval_updates" help:"how many of those to keep; negative for all"`
	KeepLastEpochs      int  `json:"keep_last_epochs" help:"epoch checkpoints to keep; 0 or negative for all"`
	KeepBestCheckpoints int  `json:"keep_best_checkpoints" help:"best checkpoints to keep under names of their own"`

	LogInterval int `json:"log_interval" help:"updates between lines of metrics"`

	MaxSkippedInRow int `json:"max_skipped_in_row" help:"updates that may be skipped one after another because something is not finite"`
	MaxSkipped      int `json:"max_skipped" help:"and in all"`

	DistributedWorldSize int  `json:"distributed_world_size,omitempty" range:"0," help:"batches that make up an update are this many times update_freq, whatever number of processes shares them; 0 for the number of processes, which it must not be below"`
	BucketMB             int  `json:"bucket_mb" range:"1,4096" help:"with several processes, gradients are summed in pieces of so many MB while the backward pass goes on"`
	BF16Gradients        bool `json:"bf16_gradients,omitempty" help:"with several processes, round gradients to bfloat16 while they travel; they are added in float32"`
	CollectiveTimeout    int  `json:"collective_timeout" range:"0," help:"with several processes, seconds after which one that waits for the others in the middle of an update ends the job; ten times as many elsewhere; 0 for ever"`

	ZeroSharding string `json:"zero_sharding,omitempty" help:"what several processes divide among them: none, or os for the optimiser's moments, each process then updating its share of the weights. The result is the same, bit for bit"`

	TF32 bool `json:"tf32,omitempty" help:"on a device, round the factors of matrix products, attention's too, to TF32, which has 11 bits of precision; weights, sums and everything else stay float32. It is for CUDA devices of compute capability 8.0 or later, and not beside --bf16"`
	BF16 bool `json:"bf16" help:"round the factors of matrix products, attention's too, to bfloat16; weights, sums and everything else stay float32. On the processor it needs AVX512_BF16 or ARM's BF16; AMX makes it fastest"`
}

// DefaultConfig returns the reference's defaults. The seed is 1.
func DefaultConfig() Config {
	return Config{
		Seed:                 1,
		UpdateFreq:           []int{1},
		AdamBetas:            [2]float64{0.9, 0.999},
		AdamEps:              1e-8,
		ModelEMADecay:        0.99996,
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
		BucketMB:             25,
		CollectiveTimeout:    120,
		ZeroSharding:         shardNothing,
	}
}

// Validate reports every value that is impossible.
func (c Config) Validate() error {
	var v config.Complaints
	v.AtLeast("max_update", c.MaxUpdate, 0)
	v.AtLeast("max_epoch", c.MaxEpoch, 0)
	v.AtLeast("validate_interval", c.ValidateInterval, 1)
	v.AtLeast("validate_interval_updates", c.ValidateIntervalUpdates, 0)
	v.AtLeast("save_interval", c.SaveInterval, 1)
	v.AtLeast("save_interval_updates", c.SaveIntervalUpdates, 0)
	v.AtLeast("log_interval", c.LogInterval, 1)
	v.AtLeast("max_skipped_in_row", c.MaxSkippedInRow, 0)
	v.AtLeast("max_skipped", c.MaxSkipped, 0)
	v.AtLeast("distributed_world_size", c.DistributedWorldSize, 0)
	v.AtLeast("bucket_mb", c.BucketMB, 1)
	v.AtLeast("collective_timeout", c.CollectiveTimeout, 0)
	v.Check(len(c.UpdateFreq) > 0, "update_freq is empty, want a number of batches per update")
	for i, n := range c.UpdateFreq {
		v.AtLeast(fmt.Sprintf("update_freq[%d]", i), n, 1)
	}
	for i, b := range c.AdamBetas {
		v.Check(b >= 0 && b < 1, "adam_betas[%d] is %g, want a number from 0 to below 1", i, b)
	}
	v.NotNegative("adam_eps", c.AdamEps)
	v.NotNegative("weight_decay", c.WeightDecay)
	v.NotNegative("clip_norm", c.ClipNorm)
	v.Check(c.ModelEMADecay >= 0 && c.ModelEMADecay < 1, "model_ema_decay is %g, want a number from 0 to below 1", c.ModelEMADecay)
	v.Check(c.BestCheckpointMetric != "", "best_checkpoint_metric is empty, want the name of a metric")
	v.Check(slices.Contains([]string{"", shardNothing, shardOptimizer}, c.ZeroSharding),
		"zero_sharding is %q, want %s or %s, which shards the state of the optimiser", c.ZeroSharding, shardNothing, shardOptimizer)
	v.Check(!c.BF16 || !c.TF32, "tf32 is set; bf16 is set too, and factors of products are rounded to one of them")
	const some = 1 // the data says how many, and nothing here depends on it
	_, err := c.inUpdates(some).Schedule(c.MaxUpdate)
	v.Add(err)
	return v.Err()
}

// CheckProcessor returns an error if the processor lacks what a training on it needs.
func (c Config) CheckProcessor() error {
	switch {
	case c.TF32:
		return errors.New("tf32 is set, and the CPU computes: it is for CUDA devices of compute capability 8.0 or later")
	case c.BF16:
		return config.Wrap("bf16 is set", autograd.CheckBF16())
	}
	return nil
}

// updateFreq returns how many batches make up an update in an epoch.
func (c Config) updateFreq(epoch int) int {
	return c.UpdateFreq[min(epoch, len(c.UpdateFreq))-1]
}

// batchesPerUpdate returns how many batches all processes take together for an
// update in an epoch.
func (c Config) batchesPerUpdate(epoch int) int {
	return max(1, c.DistributedWorldSize) * c.updateFreq(epoch)
}

// shareAmong settles how many batches an update has if that follows from the number
// of processes. One is what it is without saying so.
func (c *Config) shareAmong(processes int) error {
	switch {
	case c.DistributedWorldSize == 0:
		c.DistributedWorldSize = processes
	case c.DistributedWorldSize < processes:
		return fmt.Errorf("distributed_world_size is %d, and there are %d processes: want at least as many, or fewer processes", c.DistributedWorldSize, processes)
	}
	if c.DistributedWorldSize == 1 {
		c.DistributedWorldSize = 0
	}
	return nil
}
