package train

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"github.com/mega-go/mega/internal/atomicfile"
	"github.com/mega-go/mega/internal/progress"
)

// validateAndSave does what is due between updates: validation, records, checkpoints,
// stopping. end says that the epoch is over.
func (r *run) validateAndSave(ctx context.Context, end bool) error {
	m := savePoint{epoch: r.state.Epoch, updates: r.state.Updates, end: end}
	r.report.skipped(r.task)
	m.interval = r.intervalDue(r.config.SaveIntervalUpdates) && m.updates >= r.config.ValidateAfterUpdates
	if r.state.Pending || r.validationDue(m) {
		var err error
		if m.best, err = r.validate(ctx); err != nil {
			return r.failValidation(err)
		}
	}
	over := r.over(end)
	if over {
		if err := r.endInterval(); err != nil {
			return err
		}
	}
	if end {
		if err := r.endEpoch(); err != nil {
			return err
		}
	}
	r.state.Settled = r.state.Updates
	if over || r.saveNow || m.interval || m.best != nil || end && m.epoch%r.config.SaveInterval == 0 {
		if err := r.save(m); err != nil {
			return err
		}
	}
	if r.stop {
		return r.saveAndStop()
	}
	return nil
}

// intervalDue reports whether something that is due every so many updates is
// due now. Skipped updates make nothing due again.
func (r *run) intervalDue(every int) bool {
	return every > 0 && r.state.Updates%every == 0 && r.state.Updates != r.state.Settled
}

// validationDue follows the reference (fairseq_cli/train.py:241), but also has
// the run end with one.
func (r *run) validationDue(m savePoint) bool {
	return !r.config.DisableValidation && (m.interval && !m.end ||
		m.end && m.epoch%r.config.ValidateInterval == 0 ||
		r.intervalDue(r.config.ValidateIntervalUpdates) ||
		r.over(m.end))
}

// over reports whether the update just done is the last. end says that it was
// the epoch's last.
func (r *run) over(end bool) bool {
	return r.finished() != "" || end && r.config.MaxEpoch > 0 && r.state.Epoch >= r.config.MaxEpoch
}

// validate measures the model and returns the value of the metric that
// checkpoints go by if it is the best so far, else nil.
func (r *run) validate(ctx context.Context) (best *float64, err error) {
	if err := r.shareBuffers(); err != nil {
		return nil, err
	}
	if err := r.sound(); err != nil {
		return nil, err
	}
	if r.comm.Size() > 1 {
		ctx = context.WithoutCancel(ctx) // all processes stop after the same step, in validateAndSave
	}
	r.tape.SetMode(false, false)
	defer r.tape.SetMode(true, true)
	defer r.tape.Trim() // of buffers in the sizes of validation
	tick := func(done, total int) { r.report.display.busy("validating", done, total) }
	metrics, err := r.measure(ctx, &Evaluator{r.tape, r.comm, tick})
	if err != nil && ctx.Err() != nil {
		return nil, ErrInterrupted
	}
	if err != nil {
		return nil, fmt.Errorf("validation: %w", err)
	}
	value, ok := metrics[r.config.BestCheckpointMetric]
	if !ok {
		return nil, fmt.Errorf("validation gives no %s, which best_checkpoint_metric asks for", r.config.BestCheckpointMetric)
	}
	s := &r.state
	s.Valid, s.Validated, s.Pending, r.saved = metrics, s.Updates, false, false
	note := ""
	if !finite(metrics["loss"]) { // a model of NaN is right about every sample of class 0
		r.report.warn("the loss of validation is not finite", "update", s.Updates)
		value = math.NaN()
	}
	if s.judge(value, r.config.MaximizeBestCheckpointMetric) {
		s.BestUpdate, best, note = s.Updates, &value, "  best so far"
	}
	return best, r.report.record(Record{KindValid, s.Epoch, s.Updates, metrics}, r.target, note)
}

// failValidation handles a validation that failed; a resumed run repeats it.
func (r *run) failValidation(err error) error {
	r.state.Pending, r.saved = true, false
	if !errors.Is(err, ErrInterrupted) {
		return r.rescue(err)
	}
	return r.saveAndStop()
}

// rescue saves what was reached before err, such as data that can no longer be
// read, unless other processes wait for this one.
func (r *run) rescue(err error) error {
	if r.dir == nil || r.config.NoSave || r.comm.Size() > 1 || r.sound() != nil {
		return err
	}
	if failed := r.save(savePoint{epoch: r.state.Epoch, updates: r.state.Updates}); failed != nil {
		return errors.Join(err, failed)
	}
	return fmt.Errorf("%w; the run is saved at update %d", err, r.state.Updates)
}

// saveAndStop saves the run and ends it before its time.
func (r *run) saveAndStop() error {
	if err := r.save(savePoint{epoch: r.state.Epoch, updates: r.state.Updates}); err != nil {
		return err
	}
	r.report.draw(true)
	r.report.say("interrupted and saved: the same run started again goes on", "epoch", r.state.Epoch, "update", r.state.Updates)
	r.reason = ErrInterrupted.Error()
	return ErrInterrupted
}

// finish validates and saves what the run has come to, unless validateAndSave has.
func (r *run) finish(ctx context.Context) error {
	m := savePoint{epoch: r.state.Epoch, updates: r.state.Updates}
	if !r.config.DisableValidation && r.state.Validated != r.state.Updates {
		var err error
		if m.best, err = r.validate(ctx); err != nil {
			return r.failValidation(err)
		}
	}
	if err := r.endInterval(); err != nil {
		return err
	}
	if err := r.save(m); err != nil {
		return err
	}
	r.report.draw(true)
	r.report.skipped(r.task)
	r.report.tellSkipped()
	r.report.say("finished", "because", r.reason, "updates", r.state.Updates, "time", progress.Clock(r.state.Seconds))
	return nil
}

// save writes a checkpoint and gives it its names. It does nothing if the last one
// has this state already, if none are wanted, or if the model is not finite.
func (r *run) save(m savePoint) error {
	if r.saved {
		return nil
	}
	if err := r.shareBuffers(); err != nil {
		return err
	}
	if err := r.sound(); err != nil || r.config.NoSave {
		return err
	}
	if err := r.sameWeights(); err != nil {
		return err
	}
	r.saved = true
	return agree(r.comm, "saving a checkpoint", errors.Join(r.saveFiles(m), r.adam.serve()))
}

// saveFiles writes a checkpoint in the process that has the run directory.
func (r *run) saveFiles(m savePoint) error {
	if r.dir == nil {
		return nil
	}
	if err := r.write(m); err != nil {
		return fmt.Errorf("saving a checkpoint: %w", err)
	}
	r.report.info("saved", "checkpoint", r.state.Names.directory(lastName), "epoch", m.epoch, "update", m.updates)
	r.report.draw(false)
	return nil
}

func (r *run) write(m savePoint) error {
	var err error
	if m.dir, err = r.dir.store.unused(m.updates); err != nil {
		return err
	}
	r.clock()
	r.state.Names = r.state.Names.after(m, &r.config)
	r.state.Steps = r.adam.steps
	r.native.Stamp = stamp(&r.state)
	if r.native.State, err = json.MarshalIndent(r.state, "", "  "); err != nil {
		return err
	}
	if err := atomicfile.Sync(r.dir.metrics); err != nil {
		return err
	}
	if err := r.native.Save(r.dir.store.path(m.dir)); err != nil {
		return err
	}
	return r.dir.store.publish(r.state.Names)
}
