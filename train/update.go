package train

import (
	"context"
	"fmt"
	"time"
)

// update takes one update's batches, of the n that the epoch has, from l and
// steps. An update whose loss or gradient is not finite is skipped.
func (r *run) update(ctx context.Context, l *Loader, n int) error {
	if r.device == nil {
		defer r.tape.Workers().Hot()()
	}
	started := time.Now()
	first := r.state.Offset
	last := min(n, first+r.config.batchesPerUpdate(r.state.Epoch))
	r.buffers.keep()
	stats, err := r.accumulate(ctx, l, first, last)
	if err != nil {
		r.buffers.restore()
		return r.rescue(fmt.Errorf("epoch %d: %w", r.state.Epoch, err))
	}
	r.state.Offset, r.saved = last, false
	norm := r.adam.Norm() / stats.SampleSize
	if !finite(stats.Loss) || !finite(norm) {
		return r.skip(stats.Loss, norm)
	}
	clip := ClipScale(norm, r.config.ClipNorm)
	if err := r.step(clip / stats.SampleSize); err != nil {
		return err
	}
	r.state.Updates++
	r.state.SkippedInRow = 0
	r.count(stats, norm, clip < 1, time.Since(started).Seconds())
	return r.progress(n)
}

// step changes the weights by the gradients times scale.
func (r *run) step(scale float64) error {
	started := time.Now()
	r.adam.Step(r.schedule.Rate(r.state.Updates, r.state.Epoch), scale)
	r.took("optimiser", started)
	if r.adam.shared != nil {
		started = time.Now()
		if err := r.adam.shared.arrive(); err != nil {
			return err
		}
		r.took(r.adam.gathering(), started)
	}
	if r.ema != nil {
		started = time.Now()
		r.ema.update()
		r.took("optimiser", started)
	}
	return nil
}

// accumulate adds up the gradients and statistics of this process's share of
// batches [first, last), then those of all processes.
func (r *run) accumulate(ctx context.Context, l *Loader, first, last int) (Stats, error) {
	r.task.Params().ZeroGrad()
	r.adam.begin(r.state.Updates + 1)
	var stats Stats
	var results []Result
	turns := r.turns(first, last)
	for i, turn := range turns {
		if i == len(turns)-1 {
			r.adam.overlap()
		}
		result, err := r.pass(l, turn, first)
		if err != nil {
			return stats, err
		}
		results = append(results, result)
	}
	for i, result := range results {
		if of := result.Host(); !turns[i].idle {
			stats.Add(of)
		}
	}
	summed := time.Now()
	if err := r.adam.Gather(); err != nil {
		return stats, err
	}
	r.took(r.adam.gathering(), summed)
	return r.reduce(ctx, stats)
}

// pass takes a batch from l, forward and back. first is the update's first batch.
func (r *run) pass(l *Loader, turn turn, first int) (Result, error) {
	asked := time.Now()
	batch, err := l.Next()
	r.took("loader", asked)
	if err != nil {
		return Result{}, err
	}
	r.tape.SetSeed(stepSeed(r.config.Seed, r.state.Updates, turn.batch-first))
	r.tape.SetIdle(turn.idle)
	result, err := batch.Loss(r.tape)
	if err != nil {
		return result, fmt.Errorf("batch %d: %w", turn.batch, err)
	}
	r.tape.Backward(result.Loss)
	return result, r.failed
}

// took adds the time since start to the profile, if one is taken.
func (r *run) took(name string, start time.Time) {
	if r.profile != nil {
		r.profile.Add(name, time.Since(start))
	}
}

// reduce adds up statistics over all processes, which thereby also learn whether any of
// them is to stop or to save, and what process 0's clock says.
func (r *run) reduce(ctx context.Context, stats Stats) (Stats, error) {
	const stop, save, seconds = statsLen, statsLen + 1, statsLen + 2
	var shared [statsLen + 3]float64
	sums := stats.vector()
	copy(shared[:], sums[:])
	if ctx.Err() != nil {
		shared[stop] = 1
	}
	select {
	case <-r.asked:
		shared[save] = 1
	default:
	}
	if r.comm.Rank() == 0 {
		r.clock()
		shared[seconds] = r.state.Seconds
	}
	if err := r.comm.Sum64(fmt.Sprintf("update %d, statistics", r.state.Updates+1), shared[:]); err != nil {
		return stats, err
	}
	stats.setVector([statsLen]float64(shared[:statsLen]))
	r.stop, r.saveNow, r.elapsed = shared[stop] > 0, shared[save] > 0, shared[seconds]
	return stats, nil
}

// stepSeed fixes the randomness of one batch of one update, so that it does not
// depend on what was drawn before.
func stepSeed(seed uint64, update, batch int) uint64 {
	const a, b = 0x9e3779b97f4a7c15, 0xd1b54a32d192ed03 // odd, from the golden ratio and its like in two dimensions
	return seed ^ (uint64(update)+1)*a ^ (uint64(batch)+1)*b
}

// sound fails if a step has left the model with numbers that are not finite. No
// further step can mend that, so the model is not saved and training ends.
func (r *run) sound() error {
	if where := r.adam.broken(r.task.Params().Buffers()); where != "" {
		return fmt.Errorf("update %d, at the latest, has made %s not finite; checkpoints saved before are kept: go on from one with a lower learning rate, a longer warm-up, clip_norm or a larger adam_eps", r.state.Updates, where)
	}
	return nil
}

// skip drops an update, and fails after too many.
func (r *run) skip(loss, norm float64) error {
	r.buffers.restore()
	if err := r.sound(); err != nil {
		return err
	}
	s := &r.state
	s.Skipped++
	s.SkippedInRow++
	where := r.adam.notFinite()
	r.report.warn("skipped an update that is not finite", "update", s.Updates+1, "loss", loss, "gnorm", norm, "parameter", where)
	if s.SkippedInRow > r.config.MaxSkippedInRow || s.Skipped > r.config.MaxSkipped {
		return fmt.Errorf("update %d of epoch %d: the loss is %g and the norm of the gradient %g (first in %s); %d updates in a row and %d in all were skipped, the limits being %d and %d: try a lower learning rate, a longer warm-up or clip_norm",
			s.Updates+1, s.Epoch, loss, norm, where, s.SkippedInRow, s.Skipped, r.config.MaxSkippedInRow, r.config.MaxSkipped)
	}
	return nil
}
