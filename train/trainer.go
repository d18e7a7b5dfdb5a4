package train

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/checkpoint"
	"github.com/mega-go/mega/internal/config"
	"github.com/mega-go/mega/internal/cuda/device"
	"github.com/mega-go/mega/internal/tfevents"
	"github.com/mega-go/mega/tensor"
)

// ErrInterrupted is what Run returns when its context ended: the step in
// progress was finished and, if there is a run directory, saved.
var ErrInterrupted = errors.New("interrupted")

// ErrFinished is what Run returns for a run directory whose run has ended.
var ErrFinished = errors.New("the run is finished")

// Options say where a run is kept and who hears of it.
type Options struct {
	Dir          string            // the run directory; "" keeps nothing
	Progress     io.Writer         // a bar if this is a terminal, lines if not; nil for none
	Communicator Communicator      // nil for a single process
	Version      string            // of the program, which all processes must have in common
	Workers      *autograd.Workers // the threads that compute; nil for the process's own

	// Device has the model and computes, nil for the host. Run uses it in its own goroutine
	// alone, and leaves the task's parameters there, and nothing else. It multiplies as the
	// configuration says (SetTF32), and in float32 afterwards.
	Device device.Device

	// Profile adds up the time that training takes by operation, waiting for
	// batches among them as "loader"; nil for none.
	Profile *autograd.Profile

	TensorBoard TensorBoard

	// Save asks for a checkpoint after the update in progress, in any of the processes.
	Save <-chan os.Signal

	// Start is where the run begins, nil for the beginning. A run that Dir holds
	// already resumes instead. The weights that Start belongs to are in the task's
	// parameters.
	Start *checkpoint.Training
}

// A Summary is how a run stands when Run returns.
type Summary struct {
	Updates, Epoch, Skipped int
	Valid                   Metrics // of the last validation, nil if there was none
	Best                    float64 // the best value of the metric that checkpoints go by, if Valid is not nil
	BestUpdate              int
	Seconds                 float64 // of training, over all sessions
	Reason                  string  // why the run ended

	// Reading is what preparing batches took in this session, in seconds, beside
	// the training itself; Waiting, how much of that training had to wait for.
	Reading, Waiting float64
}

// Run trains task until the configuration says to stop or ctx ends. If o.Dir
// holds a run of the same task and configuration, it goes on from its last
// checkpoint, with the weights that it would have had without a break, bit for
// bit. The summary is of what was reached, whether or not there is an error. An error in
// one of several processes ends them all.
func Run(ctx context.Context, task Task, c Config, o Options) (Summary, error) {
	if o.Communicator == nil {
		o.Communicator = Alone{}
	}
	r, err := begin(task, c, o)
	if err != nil {
		if !errors.Is(err, ErrFinished) {
			o.Communicator.Abort(err)
		}
		return Summary{}, err
	}
	err = r.end(r.trainAndCatch(ctx))
	if err != nil && !errors.Is(err, ErrInterrupted) {
		r.comm.Abort(err)
	}
	return r.summary(), err
}

// begin returns a run that can train. One that cannot has given back what it held.
func begin(task Task, c Config, o Options) (*run, error) {
	r, about, err := newRun(task, c, o)
	if err != nil {
		return nil, err
	}
	if err := r.prepare(about, o); err != nil {
		return nil, r.end(err)
	}
	return r, nil
}

// end gives back what the run holds, after err or nil.
func (r *run) end(err error) error {
	if failed := r.leaveDevice(); err == nil {
		err = failed // else a device that fails would say so twice
	}
	return errors.Join(err, r.close())
}

// trainAndCatch is train with an error of what a device fails at.
func (r *run) trainAndCatch(ctx context.Context) (err error) {
	defer device.Catch(&err)
	return r.train(ctx)
}

// A run is a task being trained.
type run struct {
	task     Task
	config   Config
	schedule Schedule
	comm     Communicator

	device  device.Device // nil for the host
	tape    *autograd.Tape
	profile *autograd.Profile // nil if none is taken
	adam    *Adam
	ema     *modelEMA // nil if no averages are kept
	buffers *keptBuffers
	native  checkpoint.Native
	state   State
	stop    bool             // the context has ended, here or in another process
	saveNow bool             // a checkpoint was asked for, here or there
	asked   <-chan os.Signal // by these
	failed  error            // of sums within the tape
	elapsed float64          // state.Seconds of process 0 as of the last update
	saved   bool             // the last checkpoint is of the state
	reason  string

	dir    *runDir // nil if nothing is kept, or another process keeps it
	report *reporter
	live   live
	load   loadTime
	target int       // updates that the run will have, 0 if there is no telling
	since  time.Time // up to when state.Seconds counts
}

// newRun checks the configuration. The run that it returns, of a task that it describes,
// holds nothing yet.
func newRun(task Task, c Config, o Options) (*run, Description, error) {
	var about Description
	if err := c.Validate(); err != nil {
		return nil, about, err
	}
	if o.Device == nil {
		if err := c.CheckProcessor(); err != nil {
			return nil, about, err
		}
	}
	comm := o.Communicator
	if err := c.shareAmong(comm.Size()); err != nil {
		return nil, about, err
	}
	if c.countsEpochs() {
		perEpoch, err := c.updatesPerEpoch(task)
		if err != nil {
			return nil, about, err
		}
		c = c.inUpdates(perEpoch)
	}
	schedule, err := c.Schedule(c.MaxUpdate)
	if err != nil {
		return nil, about, err
	}
	c.resolve(c.MaxUpdate)
	if !c.ModelEMA { // as in runs from before there were averages
		c.ModelEMADecay = 0
	}
	if c.ZeroSharding == shardNothing { // as in runs from before it could be chosen
		c.ZeroSharding = ""
	}
	about = task.Describe()
	about.Metrics = metricNames(about.Metrics, c)
	if err := knownMetric(c.BestCheckpointMetric, about.Metrics); err != nil {
		return nil, about, err
	}
	r := &run{task: task, config: c, schedule: schedule, comm: comm, asked: o.Save, state: newState(), device: o.Device, tape: autograd.NewTrainingTape()}
	return r, about, nil
}

// prepare moves the task to the device, makes what training needs there, opens the run
// directory and loads its last checkpoint. What a device fails at is an error too.
func (r *run) prepare(about Description, o Options) (err error) {
	defer device.Catch(&err)
	params, c := r.task.Params(), r.config
	if o.Device != nil {
		o.Device.SetTF32(c.TF32)
	}
	params.Move(o.Device)
	r.tape.SetDevice(o.Device)
	r.tape.SetProfile(o.Profile)
	r.tape.SetBF16(c.BF16)
	r.tape.SetWorkers(o.Workers)
	r.profile = o.Profile
	adam := AdamConfig{Betas: c.AdamBetas, Eps: c.AdamEps, WeightDecay: c.WeightDecay, Workers: o.Workers}
	if u, ok := r.task.(Undecayer); ok {
		for _, p := range params.All() {
			adam.Undecayed = append(adam.Undecayed, u.Undecayed(p))
		}
	}
	var sum *exchange
	if r.comm.Size() > 1 {
		sum = newExchange(r.comm, params, c.BucketMB, c.BF16Gradients, c.ZeroSharding == shardOptimizer)
		r.tape.SetSum(r.sumOverProcesses)
	}
	r.adam = newAdam(params, adam, sum)
	r.buffers = newKeptBuffers(params)
	r.native = checkpoint.Native{Params: params, Optimizer: r.adam.buffers()}
	if s := r.adam.shared; s != nil {
		r.native.Give, r.native.Take = s.give, s.take
	}
	if r.ema = newModelEMA(params, c, o.Workers); r.ema != nil {
		r.native.ModelEMA = r.ema.averages
	}
	return r.open(about, o)
}

// open opens the run directory, if one is wanted, and restores its run's state.
func (r *run) open(about Description, o Options) error {
	rc, err := newRunConfig(about, r.config)
	if err != nil {
		return err
	}
	if o.Dir != "" || r.comm.Size() > 1 {
		rc.Content, err = content(about)
	}
	if err = agree(r.comm, "the start", err); err != nil {
		return err
	}
	if err := r.sameEverywhere(rc, o.Version); err != nil {
		return err
	}
	if r.native.Config, err = json.MarshalIndent(rc, "", "  "); err != nil {
		return err
	}
	if o.Dir != "" && r.comm.Rank() == 0 {
		r.dir, err = openRunDir(o.Dir, rc)
	}
	if err = agree(r.comm, "opening the run directory", err); err != nil {
		return err
	}
	resumed, err := r.resume(o)
	if err != nil {
		return err
	}
	progress := o.Progress
	if r.comm.Rank() != 0 {
		progress = nil
	}
	r.report = newReporter(r.dir, about.Metrics, progress)
	if r.comm.Rank() == 0 {
		r.report.board = board{o.TensorBoard, r.state.Updates, map[string]*tfevents.Writer{}}
	}
	if !resumed {
		r.report.say("training", "parameters", r.task.Params().Count())
		r.report.skipped(r.task)
		r.tellStart(o.Start)
		return nil
	}
	if reason := r.finished(); reason != "" && !r.state.Pending {
		r.report.drawMissing()
		return fmt.Errorf("%s: %w: %s; raise that to go on, or choose another directory (save_dir) to train anew", o.Dir, ErrFinished, reason)
	}
	r.report.say("resuming", "epoch", r.state.Epoch, "update", r.state.Updates)
	return nil
}

// resume goes to the last checkpoint of a run directory and reports whether there is
// one. All processes have it from process 0, as they have the first weights.
func (r *run) resume(o Options) (resumed bool, err error) {
	if r.comm.Rank() == 0 {
		resumed, err = r.restore(o)
	}
	if err = agree(r.comm, "resuming", errors.Join(err, r.adam.serve())); err != nil {
		return false, err
	}
	if r.comm.Size() > 1 {
		resumed, err = r.shareStart(resumed)
	}
	r.saved, r.elapsed = resumed, r.state.Seconds
	return resumed, err
}

// restore goes to the last checkpoint of the run directory, if there is one, else to
// where o.Start says.
func (r *run) restore(o Options) (bool, error) {
	var state *State
	var err error
	if o.Dir != "" {
		config := r.native.Config // of this session, which may train for longer
		state, err = store{Checkpoints(o.Dir)}.load(&r.native)
		r.native.Config = config
	}
	if err == nil && state == nil {
		err = r.start(o.Start)
		if r.ema != nil {
			r.ema.averages.Copy(r.task.Params())
		}
	}
	if err != nil {
		return false, err
	}
	if err := r.checkStart(); err != nil {
		switch {
		case state != nil:
			from, _ := LastCheckpoint(o.Dir) // it was just read
			err = config.Wrap(from, err)
		case o.Start != nil:
			err = config.Wrap(o.Start.Path, err)
		}
		return false, err
	}
	if state != nil {
		r.state, r.adam.steps = *state, state.Steps
	}
	if r.dir == nil {
		return state != nil, nil
	}
	r.state.Names = r.dir.store.present(r.state.Names)
	if err := r.dir.store.publish(r.state.Names); err != nil {
		return false, err
	}
	return state != nil, r.dir.startMetrics(r.state.Updates)
}

// checkStart fails if no training can go on from the weights and the optimiser's
// state that were read.
func (r *run) checkStart() error {
	if where := r.adam.broken(r.task.Params().Buffers()); where != "" {
		return errNotFinite(where)
	}
	if where := r.adam.impossible(); where != "" {
		return errNegative(where)
	}
	return nil
}

func errNotFinite(where string) error {
	return fmt.Errorf("%s is not finite in the weights to begin from: continue from another checkpoint", where)
}

func errNegative(where string) error {
	return fmt.Errorf("%s, a mean of squares, is negative in the optimiser's state to begin from: continue from another checkpoint", where)
}

// close releases what the run holds.
func (r *run) close() (err error) {
	if r.report != nil {
		r.report.display.bar.Close()
		err = r.report.board.close()
	}
	if r.dir != nil {
		err = errors.Join(err, r.dir.close())
	}
	return err
}

// leaveDevice gives a device back all memory of the run but that of the task's parameters:
// what comes after training, such as an evaluation, has room then. It may come before all
// is there.
func (r *run) leaveDevice() (err error) {
	if r.device == nil {
		return nil
	}
	defer device.Catch(&err)
	r.device.SetTF32(false)
	r.tape.Close()
	for _, p := range r.task.Params().All() {
		p.Forget()
	}
	if r.adam != nil {
		r.adam.close()
	}
	if r.buffers != nil {
		tensor.Free(r.buffers.buffers...)
	}
	if r.ema != nil {
		tensor.Free(r.ema.averages.Tensors()...)
	}
	if graphs, ok := r.device.(*device.Replayer); ok {
		device.Must(r.device, "drop graphs", graphs.Drop())
	}
	return nil
}

func (r *run) summary() Summary {
	s := Summary{
		Updates: r.state.Updates, Epoch: r.state.Epoch, Skipped: r.state.Skipped,
		Valid: r.state.Valid, BestUpdate: r.state.BestUpdate, Seconds: r.state.Seconds, Reason: r.reason,
		Reading: r.load.reading.Seconds(), Waiting: r.load.waiting.Seconds(),
	}
	if r.state.Best != nil {
		s.Best = *r.state.Best
	}
	return s
}

// train is the run.
func (r *run) train(ctx context.Context) error {
	r.since = time.Now()
	for r.reason = r.finished(); r.reason == "" || r.state.Pending; r.reason = r.finished() {
		if err := r.epoch(ctx); err != nil {
			return err
		}
	}
	return r.finish(ctx)
}

// finished says why the run is over, "" if it is not.
func (r *run) finished() string {
	c, s := &r.config, &r.state
	rate := r.schedule.Rate(s.Updates, s.Epoch)
	switch {
	case c.MaxUpdate > 0 && s.Updates >= c.MaxUpdate:
		return fmt.Sprintf("max_update %d is reached", c.MaxUpdate)
	case c.MaxEpoch > 0 && s.Epoch > c.MaxEpoch:
		return fmt.Sprintf("max_epoch %d is reached", c.MaxEpoch)
	case c.Patience > 0 && s.Impatience >= c.Patience:
		return fmt.Sprintf("no better %s in %d validations", c.BestCheckpointMetric, s.Impatience)
	case s.Offset == 0 && rate <= c.StopMinLR:
		return fmt.Sprintf("the learning rate has come down to %g", rate)
	case c.StopTimeHours > 0 && r.elapsed > c.StopTimeHours*3600:
		return fmt.Sprintf("%g hours have passed", c.StopTimeHours)
	}
	return ""
}

// epoch trains on what is left of an epoch, or until the run is over.
func (r *run) epoch(ctx context.Context) error {
	batches, err := r.task.Epoch(r.state.Epoch)
	if err != nil {
		return fmt.Errorf("epoch %d: %w", r.state.Epoch, err)
	}
	n := batches.Len()
	switch {
	case n == 0:
		return fmt.Errorf("epoch %d has no batches to train on", r.state.Epoch)
	case r.state.Offset > n:
		return fmt.Errorf("the checkpoint stands at batch %d of epoch %d, which has only %d: its batches are of another size (max_tokens, batch_size) or of other data; with restore_file, reset_dataloader begins at the first epoch", r.state.Offset, r.state.Epoch, n)
	}
	l := newLoader(batches, r.reading(r.state.Offset, n))
	defer r.load.add(l)
	for {
		if !r.state.Pending {
			if err := r.update(ctx, l, n); err != nil {
				return err
			}
		}
		end := r.state.Offset >= n
		if err := r.validateAndSave(ctx, end); err != nil {
			return err
		}
		if end || r.finished() != "" {
			return nil
		}
	}
}
