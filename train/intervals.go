package train

import (
	"fmt"
	"strings"
	"time"

	"github.com/mega-go/mega/internal/cuda/device"
	"github.com/mega-go/mega/internal/progress"
	"github.com/mega-go/mega/nn"
	"github.com/mega-go/mega/tensor"
)

// count adds an update to what is reported.
func (r *run) count(stats Stats, norm float64, clipped bool, seconds float64) {
	r.state.Interval.add(stats, norm, clipped, seconds)
	r.state.Whole.add(stats, norm, clipped, seconds)
	r.live.add(stats, seconds)
	r.clock()
}

// clock brings state.Seconds up to date.
func (r *run) clock() {
	now := time.Now()
	r.state.Seconds += now.Sub(r.since).Seconds()
	r.since = now
}

// progress shows an update, and records the interval that it completes. n is
// the number of batches of the epoch.
func (r *run) progress(n int) error {
	r.target = r.total(n)
	r.report.display.update(r.state.Updates, r.target, r.liveText())
	if r.state.Updates%r.config.LogInterval != 0 {
		return nil
	}
	return r.endInterval()
}

// total estimates how many updates the run will have, 0 if there is no telling.
func (r *run) total(n int) int {
	if r.config.MaxUpdate > 0 || r.config.MaxEpoch == 0 {
		return r.config.MaxUpdate
	}
	updates := func(batches, epoch int) int {
		each := r.config.batchesPerUpdate(epoch)
		return (batches + each - 1) / each
	}
	total := r.state.Updates + updates(n-r.state.Offset, r.state.Epoch)
	for e := r.state.Epoch + 1; e <= r.config.MaxEpoch; e++ {
		total += updates(n, e)
	}
	return total
}

// liveText is what a progress bar says beside itself.
func (r *run) liveText() []string {
	metrics := r.task.Metrics(r.live.Stats)
	metrics["lr"] = r.rate()
	metrics["wps"] = r.live.Tokens / r.live.seconds
	texts := r.report.shown(metrics)
	if r.target > 0 { // first, as narrow terminals have no room for the end
		left := float64(r.target-r.state.Updates) * r.live.seconds / r.live.updates
		texts = append([]string{progress.Clock(left) + " left"}, texts...)
	}
	return texts
}

// rate is the learning rate of the last update.
func (r *run) rate() float64 {
	return r.schedule.Rate(max(0, r.state.Updates-1), r.state.Epoch)
}

// endInterval records the means over the updates since the last record.
func (r *run) endInterval() error {
	s := &r.state
	if s.Interval.Updates == 0 {
		return nil
	}
	metrics := s.Interval.metrics(r.task.Metrics(s.Interval.Stats))
	metrics["lr"] = r.rate()
	metrics["wall"] = s.Seconds
	metrics["skipped"] = float64(s.Skipped)
	s.Interval, r.saved = totals{}, false
	return r.report.record(Record{KindTrain, s.Epoch, s.Updates, metrics}, r.target, "")
}

// endEpoch records the epoch's means and goes to the next.
func (r *run) endEpoch() error {
	s := &r.state
	rec := Record{KindEpoch, s.Epoch, s.Updates, nil}
	whole := s.Whole
	s.Whole, s.Offset, r.saved = totals{}, 0, false
	s.Epoch++
	if whole.Updates == 0 {
		return nil
	}
	rec.Metrics = whole.metrics(r.task.Metrics(whole.Stats))
	return r.report.record(rec, r.target, "")
}

// live is a running mean for the display; it forgets.
type live struct {
	Stats
	updates, seconds float64
}

// memory is the weight that an update keeps when the next comes.
const memory = 0.95

func (l *live) add(s Stats, seconds float64) {
	v := l.vector()
	for i := range v {
		v[i] *= memory
	}
	l.setVector(v)
	l.Stats.Add(s)
	l.updates = memory*l.updates + 1
	l.seconds = memory*l.seconds + seconds
}

// keptBuffers remembers the state that forward passes change, for an update
// that is skipped must not leave NaN in running statistics.
type keptBuffers struct {
	params   *nn.Params
	buffers  []*tensor.Tensor
	counters []int64
}

func newKeptBuffers(p *nn.Params) *keptBuffers {
	k := &keptBuffers{params: p, counters: make([]int64, len(p.Counters()))}
	defer device.Abandon(func() { tensor.Free(k.buffers...) })
	for _, b := range p.Buffers() {
		k.buffers = append(k.buffers, tensor.NewLike(b.Tensor, b.Shape()...))
	}
	return k
}

func (k *keptBuffers) keep() {
	for i, b := range k.params.Buffers() {
		k.buffers[i].Copy(b.Tensor)
	}
	for i, c := range k.params.Counters() {
		k.counters[i] = c.Value
	}
}

func (k *keptBuffers) restore() {
	for i, b := range k.params.Buffers() {
		b.Copy(k.buffers[i])
	}
	for i, c := range k.params.Counters() {
		c.Value = k.counters[i]
	}
}

// knownMetric fails unless the metric that checkpoints go by is among names.
func knownMetric(name string, names []string) error {
	for _, n := range names {
		if n == name {
			return nil
		}
	}
	return fmt.Errorf("best_checkpoint_metric is %q, but validation measures %s", name, strings.Join(names, ", "))
}
