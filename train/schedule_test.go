package train

import (
	"math"
	"strings"
	"testing"
)

// The expected rates are worked out by hand from the formulas in the
// reference's files.
func TestSchedules(t *testing.T) {
	type points map[int]float64
	for _, c := range []struct {
		name      string
		set       func(c *ScheduleConfig)
		maxUpdate int
		epoch     int
		want      points
	}{
		{"linear_decay of the ListOps recipe", func(c *ScheduleConfig) {
			c.LRScheduler, c.LR = "linear_decay", []float64{1e-3}
			c.WarmupUpdates, c.WarmupInitLR, c.TotalNumUpdate = 3000, 1e-7, 90000
		}, 90000, 1, points{0: 1e-7, 1: 4.333e-7, 1500: 5.0005e-4, 3000: 1e-3, 46500: 5e-4, 89999: 1e-3 / 87000, 90000: 0, 95000: 0}},
		{"linear_decay with a square warm-up", func(c *ScheduleConfig) {
			c.LRScheduler, c.LR, c.WarmupPower, c.EndLearningRate = "linear_decay", []float64{1e-2}, 2, 1e-3
			c.WarmupUpdates, c.WarmupInitLR, c.TotalNumUpdate = 100, 0, 200
		}, 0, 1, points{0: 0, 1: 1e-6, 10: 1e-4, 50: 2.5e-3, 100: 1e-2, 150: 5.5e-3, 200: 1e-3, 201: 1e-3}},
		{"linear_decay without a warm-up", func(c *ScheduleConfig) {
			c.LRScheduler, c.LR, c.TotalNumUpdate = "linear_decay", []float64{2}, 4
		}, 0, 1, points{0: 2, 1: 1.5, 2: 1, 3: 0.5, 4: 0}},
		{"inverse_sqrt", func(c *ScheduleConfig) {
			c.LRScheduler, c.LR, c.WarmupUpdates, c.WarmupInitLR = "inverse_sqrt", []float64{0.5}, 16, 0.1
		}, 0, 1, points{0: 0.1, 8: 0.3, 16: 0.5, 64: 0.25, 1600: 0.05}},
		{"inverse_sqrt with the default warm-up", func(c *ScheduleConfig) {
			c.LRScheduler, c.LR = "inverse_sqrt", []float64{4}
		}, 0, 1, points{0: 0, 1000: 1, 4000: 4, 16000: 2}},
		{"cosine over the run", func(c *ScheduleConfig) {
			c.LRScheduler, c.LR, c.MinLR, c.WarmupUpdates = "cosine", []float64{1}, 0.2, 10
		}, 110, 1, points{0: 0.2, 5: 0.6, 10: 1, 60: 0.6, 109: 0.2 + 0.4*(1+math.Cos(0.99*math.Pi)), 110: 0.1}},
		{"cosine with growing periods", func(c *ScheduleConfig) {
			c.LRScheduler, c.LR, c.LRPeriodUpdates, c.TMult, c.LRShrink = "cosine", []float64{1}, 10, 2, 0.5
		}, 0, 1, points{0: 1, 5: 0.5, 10: 0.5, 20: 0.25, 30: 0.25, 50: 0.125}},
		{"fixed", func(c *ScheduleConfig) { c.LR, c.WarmupUpdates = []float64{0.3}, 3 },
			0, 1, points{0: 0.1, 1: 0.2, 2: 0.3, 3: 0.3, 999: 0.3}},
		{"fixed in its second epoch", func(c *ScheduleConfig) { c.LR = []float64{3, 2, 1} },
			0, 2, points{0: 2}},
		{"fixed beyond its last rate", func(c *ScheduleConfig) { c.LR = []float64{3, 2, 1} },
			0, 9, points{0: 1}},
		{"fixed before force_anneal", func(c *ScheduleConfig) { c.LR, c.ForceAnneal = []float64{4}, 2 },
			0, 2, points{0: 4}},
		{"fixed after force_anneal", func(c *ScheduleConfig) { c.LR, c.ForceAnneal = []float64{4}, 2 },
			0, 4, points{0: 0.04}},
		{"polynomial_decay", func(c *ScheduleConfig) {
			c.LRScheduler, c.LR, c.Power, c.EndLearningRate = "polynomial_decay", []float64{1.1}, 2, 0.1
			c.WarmupUpdates, c.TotalNumUpdate = 10, 30
		}, 0, 1, points{0: 0, 5: 0.55, 10: 1.1, 20: 0.35, 30: 0.1, 40: 0.1}},
	} {
		config := DefaultScheduleConfig()
		c.set(&config)
		s, err := config.Schedule(c.maxUpdate)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		for n, want := range c.want {
			if got := s.Rate(n, c.epoch); math.Abs(got-want) > 1e-12*want {
				t.Errorf("%s: rate after %d updates is %g, want %g", c.name, n, got, want)
			}
		}
	}
}

func TestScheduleErrors(t *testing.T) {
	for want, set := range map[string]func(c *ScheduleConfig){
		`lr_scheduler is "step", want one of linear_decay,`: func(c *ScheduleConfig) { c.LRScheduler = "step" },
		"lr is empty":     func(c *ScheduleConfig) { c.LR = nil },
		"lr is NaN":       func(c *ScheduleConfig) { c.LR = []float64{math.NaN()} },
		"lr has 2 values": func(c *ScheduleConfig) { c.LRScheduler, c.LR = "cosine", []float64{1, 2} },
		"want more than warmup_updates = 2000000":               func(c *ScheduleConfig) { c.LRScheduler, c.WarmupUpdates = "linear_decay", 2000000 },
		"warmup_init_lr is 0.5, want less than lr = 0.25":       func(c *ScheduleConfig) { c.LRScheduler, c.WarmupUpdates, c.WarmupInitLR = "linear_decay", 1, 0.5 },
		"warmup_init_lr is given but warmup_updates is 0":       func(c *ScheduleConfig) { c.LRScheduler, c.WarmupInitLR = "linear_decay", 0.1 },
		"warmup_power is 0":                                     func(c *ScheduleConfig) { c.LRScheduler, c.WarmupPower = "linear_decay", 0 },
		"inverse_sqrt needs warmup_updates above 0":             func(c *ScheduleConfig) { c.LRScheduler, c.WarmupUpdates = "inverse_sqrt", 0 },
		"cosine needs lr_period_updates, or max_update beyond":  func(c *ScheduleConfig) { c.LRScheduler = "cosine" },
		"min_lr is 1, want less than lr = 0.25":                 func(c *ScheduleConfig) { c.LRScheduler, c.MinLR = "cosine", 1 },
		"t_mult is 0.5":                                         func(c *ScheduleConfig) { c.LRScheduler, c.LRPeriodUpdates, c.TMult = "cosine", 5, 0.5 },
		"total_num_update is 0, want more than warmup_updates ": func(c *ScheduleConfig) { c.LRScheduler, c.TotalNumUpdate = "polynomial_decay", 0 },
	} {
		config := DefaultScheduleConfig()
		set(&config)
		if _, err := config.Schedule(0); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want %q", err, want)
		}
	}
}

// TestEpochsOfSchedule: what is given in epochs is that many updates, and cosine
// falls over the whole run.
func TestEpochsOfSchedule(t *testing.T) {
	c := DefaultConfig()
	c.LRScheduler, c.LR, c.MinLR, c.WarmupInitLR, c.WarmupEpochs, c.MaxEpoch = "cosine", []float64{2e-3}, 1e-6, 1e-5, 20, 300
	if err := c.Validate(); err != nil || !c.countsEpochs() {
		t.Fatal(err)
	}
	s, err := c.inUpdates(7).Schedule(0)
	if err != nil {
		t.Fatal(err)
	}
	for updates, want := range map[int]float64{0: 1e-5, 70: (1e-5 + 2e-3) / 2, 140: 2e-3, 140 + 980: (2e-3 + 1e-6) / 2} {
		if got := s.Rate(updates, 1); math.Abs(got-want) > 1e-9 {
			t.Errorf("rate %g after %d updates, want %g", got, updates, want)
		}
	}
	c.MaxEpoch = 20
	if err := c.Validate(); err == nil {
		t.Error("a run that ends with its rise is taken")
	}
}
