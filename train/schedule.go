package train

import (
	"errors"
	"fmt"
	"math"
	"strings"
)

// A Schedule gives the learning rate as a function of the updates done so far
// and of the epoch, counted from 1: update k of a run uses Rate(k-1, epoch).
type Schedule interface {
	Rate(updates, epoch int) float64
}

// Schedules lists the names that lr_scheduler may have.
var Schedules = []string{"linear_decay", "inverse_sqrt", "cosine", "fixed", "polynomial_decay"}

// ScheduleConfig chooses and shapes a schedule. Keys and meanings are those of
// the reference's arguments (optim/lr_scheduler/*.py).
type ScheduleConfig struct {
	LRScheduler   string    `json:"lr_scheduler" help:"linear_decay, inverse_sqrt, cosine, fixed or polynomial_decay"`
	LR            []float64 `json:"lr" help:"the peak learning rate; one number per epoch for fixed"`
	WarmupUpdates int       `json:"warmup_updates" help:"updates to reach it; negative for the default of the schedule"`
	WarmupEpochs  int       `json:"warmup_epochs,omitempty" range:"0,1000000" help:"the same in epochs, instead of warmup_updates"`
	WarmupPower   int       `json:"warmup_power" help:"power of linear_decay's rise; 2 starts more slowly"`
	WarmupInitLR  float64   `json:"warmup_init_lr" help:"where the rise begins; negative for the default of the schedule"`

	EndLearningRate float64 `json:"end_learning_rate" help:"where linear_decay and polynomial_decay end"`
	TotalNumUpdate  int     `json:"total_num_update" help:"the update at which they end"`
	Power           float64 `json:"power" help:"of polynomial_decay"`

	MinLR           float64 `json:"min_lr" help:"the lowest rate of cosine"`
	LRPeriodUpdates float64 `json:"lr_period_updates" help:"cosine's first period; 0 or negative for the whole run, of max_update or max_epoch"`
	TMult           float64 `json:"t_mult" help:"growth of cosine's period"`
	LRShrink        float64 `json:"lr_shrink" help:"shrinking of cosine after each period, of fixed after force_anneal"`
	ForceAnneal     int     `json:"force_anneal" help:"epoch after which fixed shrinks each epoch; 0 for never"`
}

// DefaultScheduleConfig returns the reference's defaults.
func DefaultScheduleConfig() ScheduleConfig {
	return ScheduleConfig{
		LRScheduler:     "fixed",
		LR:              []float64{0.25},
		WarmupUpdates:   -1,
		WarmupPower:     1,
		WarmupInitLR:    -1,
		TotalNumUpdate:  1_000_000,
		Power:           1,
		LRPeriodUpdates: -1,
		TMult:           1,
		LRShrink:        0.1,
	}
}

// resolve replaces what stands for a default by the number itself. maxUpdate is
// the length of the run, 0 if it has no limit.
func (c *ScheduleConfig) resolve(maxUpdate int) {
	if c.WarmupUpdates < 0 {
		c.WarmupUpdates = 0
		if c.LRScheduler == "inverse_sqrt" {
			c.WarmupUpdates = 4000
		}
	}
	if c.WarmupInitLR < 0 && len(c.LR) > 0 {
		switch {
		case c.LRScheduler == "cosine":
			c.WarmupInitLR = c.MinLR
		case c.WarmupUpdates == 0:
			c.WarmupInitLR = c.LR[0]
		default:
			c.WarmupInitLR = 0
		}
	}
	if c.LRScheduler == "cosine" && c.LRPeriodUpdates <= 0 {
		c.LRPeriodUpdates = float64(maxUpdate - c.WarmupUpdates)
	}
}

// Schedule returns the schedule for a run of at most maxUpdate updates (0 for
// no limit), or an error that says which values do not go together.
func (c ScheduleConfig) Schedule(maxUpdate int) (Schedule, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	c.resolve(maxUpdate)
	lr := c.LR[0]
	w := warmup{float64(c.WarmupUpdates), c.WarmupInitLR, lr}
	switch c.LRScheduler {
	case "linear_decay":
		return newLinearDecay(c, w)
	case "inverse_sqrt":
		if w.updates == 0 {
			return nil, errors.New("lr_scheduler inverse_sqrt needs warmup_updates above 0")
		}
		return inverseSqrt{w}, nil
	case "cosine":
		return newCosine(c, w)
	case "fixed":
		return fixed{c.LR, c.ForceAnneal, c.LRShrink, w.updates}, nil
	case "polynomial_decay":
		if c.TotalNumUpdate <= c.WarmupUpdates {
			return nil, fmt.Errorf("total_num_update is %d, want more than warmup_updates = %d", c.TotalNumUpdate, c.WarmupUpdates)
		}
		return polynomialDecay{w, c.EndLearningRate, float64(c.TotalNumUpdate), c.Power}, nil
	}
	return nil, fmt.Errorf("lr_scheduler is %q, want one of %s", c.LRScheduler, strings.Join(Schedules, ", "))
}

// check reports values that fit no schedule.
func (c ScheduleConfig) check() error {
	if len(c.LR) == 0 {
		return errors.New("lr is empty, want a learning rate")
	}
	for _, lr := range c.LR {
		if !(lr >= 0) || math.IsInf(lr, 1) {
			return fmt.Errorf("lr is %g, want a finite number of 0 or more", lr)
		}
	}
	if len(c.LR) > 1 && c.LRScheduler != "fixed" {
		return fmt.Errorf("lr has %d values, which only lr_scheduler fixed can use, not %s", len(c.LR), c.LRScheduler)
	}
	return nil
}

// warmup is a straight rise from init at update 0 to peak.
type warmup struct{ updates, init, peak float64 }

func (w warmup) rate(n float64) float64 {
	return w.init + n*(w.peak-w.init)/w.updates
}

// linearDecay rises as a power of the update and falls on a line to end
// (linear_decay_schedule.py:73).
type linearDecay struct {
	warmup
	power, end, total float64
}

func newLinearDecay(c ScheduleConfig, w warmup) (Schedule, error) {
	switch {
	case c.TotalNumUpdate <= c.WarmupUpdates:
		return nil, fmt.Errorf("total_num_update is %d, want more than warmup_updates = %d", c.TotalNumUpdate, c.WarmupUpdates)
	case c.WarmupUpdates > 0 && w.init >= w.peak:
		return nil, fmt.Errorf("warmup_init_lr is %g, want less than lr = %g", w.init, w.peak)
	case c.WarmupUpdates == 0 && w.init != w.peak:
		return nil, errors.New("warmup_init_lr is given but warmup_updates is 0")
	case c.WarmupPower < 1:
		return nil, fmt.Errorf("warmup_power is %d, want 1 or more", c.WarmupPower)
	}
	return linearDecay{w, float64(c.WarmupPower), c.EndLearningRate, float64(c.TotalNumUpdate)}, nil
}

func (s linearDecay) Rate(updates, _ int) float64 {
	n := float64(updates)
	switch {
	case n == 0:
		return s.init
	case n <= s.updates:
		return s.init + math.Pow(n, s.power)*((s.peak-s.init)/math.Pow(s.updates, s.power))
	case n >= s.total:
		return s.end
	}
	return (s.peak-s.end)/(s.total-s.updates)*(s.total-n) + s.end
}

// inverseSqrt rises on a line and falls as 1/√n (inverse_square_root_schedule.py:75).
type inverseSqrt struct{ warmup }

func (s inverseSqrt) Rate(updates, _ int) float64 {
	n := float64(updates)
	if n < s.updates {
		return s.rate(n)
	}
	return s.peak * math.Sqrt(s.updates) / math.Sqrt(n)
}

// cosine rises on a line and then follows half cosines from peak to min, each
// period growth times as long and shrink times as high as the one before
// (cosine_lr_scheduler.py:100).
type cosine struct {
	warmup
	min, period, growth, shrink float64
}

func newCosine(c ScheduleConfig, w warmup) (Schedule, error) {
	switch {
	case w.peak <= c.MinLR:
		return nil, fmt.Errorf("min_lr is %g, want less than lr = %g", c.MinLR, w.peak)
	case c.LRPeriodUpdates <= 0:
		return nil, errors.New("lr_scheduler cosine needs lr_period_updates, or max_update beyond warmup_updates, or max_epoch")
	case !(c.TMult >= 1):
		return nil, fmt.Errorf("t_mult is %g, want 1 or more", c.TMult)
	}
	return cosine{w, max(0, c.MinLR), c.LRPeriodUpdates, c.TMult, c.LRShrink}, nil
}

func (s cosine) Rate(updates, _ int) float64 {
	n := float64(updates)
	if n < s.updates {
		return s.rate(n)
	}
	i, at, length := s.locate(n - s.updates)
	shrink := math.Pow(s.shrink, i)
	low, high := s.min*shrink, s.peak*shrink
	return low + 0.5*(high-low)*(1+math.Cos(math.Pi*at/length))
}

// locate returns the number of n's period, how far into it n is, and its length.
func (s cosine) locate(n float64) (i, at, length float64) {
	if s.growth == 1 {
		i = math.Floor(n / s.period)
		return i, n - s.period*i, s.period
	}
	i = math.Floor(math.Log(1-n/s.period*(1-s.growth)) / math.Log(s.growth))
	grown := math.Pow(s.growth, i)
	return i, n - (1-grown)/(1-s.growth)*s.period, grown * s.period
}

// fixed has a rate for each epoch, the last for all further ones, and may shrink
// it from an epoch on (fixed_schedule.py:43). The reference steps once before
// the first epoch, which gives that epoch the second rate; here it has the first.
type fixed struct {
	rates   []float64
	anneal  int
	shrink  float64
	warmups float64
}

func (s fixed) Rate(updates, epoch int) float64 {
	last := len(s.rates) - 1
	rate := s.rates[min(epoch-1, last)]
	if s.anneal > 0 && epoch > s.anneal {
		rate = s.rates[last] * math.Pow(s.shrink, float64(epoch-s.anneal))
	}
	if n := float64(updates); n < s.warmups {
		rate *= (n + 1) / s.warmups
	}
	return rate
}

// polynomialDecay rises on a line from 0 and falls to end as a power of what
// remains (polynomial_decay_schedule.py:62).
type polynomialDecay struct {
	warmup
	end, total, power float64
}

func (s polynomialDecay) Rate(updates, _ int) float64 {
	n := float64(updates)
	switch {
	case s.updates > 0 && n <= s.updates:
		return n / s.updates * s.peak
	case n >= s.total:
		return s.end
	}
	remaining := 1 - (n-s.updates)/(s.total-s.updates)
	return (s.peak-s.end)*math.Pow(remaining, s.power) + s.end
}

// countsEpochs reports whether the schedule depends on the updates of an epoch.
func (c Config) countsEpochs() bool {
	return c.WarmupEpochs > 0 || c.LRScheduler == "cosine" && c.LRPeriodUpdates <= 0 && c.MaxUpdate == 0 && c.MaxEpoch > 0
}

// inUpdates gives in updates what the schedule has in epochs of so many: its rise,
// and the run, over which cosine falls.
func (c Config) inUpdates(perEpoch int) Config {
	counts := c.countsEpochs()
	if c.WarmupEpochs > 0 {
		c.WarmupUpdates = c.WarmupEpochs * perEpoch
	}
	if counts && c.LRScheduler == "cosine" && c.LRPeriodUpdates <= 0 && c.MaxUpdate == 0 {
		c.LRPeriodUpdates = float64(c.MaxEpoch*perEpoch - max(0, c.WarmupUpdates))
	}
	return c
}

// updatesPerEpoch returns how many updates the first epoch of a task has.
func (c Config) updatesPerEpoch(task Task) (int, error) {
	b, err := task.Epoch(1)
	if err != nil {
		return 0, fmt.Errorf("epoch 1: %w", err)
	}
	together := c.batchesPerUpdate(1)
	return (b.Len() + together - 1) / together, nil
}
