package train

import (
	"cmp"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"os"
	"slices"
	"strings"

	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/format/dtype"
	"github.com/mega-go/mega/tensor"
)

// An identity is what processes must have in common to train one model.
type identity struct {
	Host    string // named in errors
	Version string
	Kernels string
	Config  RunConfig
	Batches int // of the first epoch
}

// cudaKernels stands for those of any device: weights are updated alike on all.
const cudaKernels = "cuda"

// sameEverywhere fails, naming the process and what differs, unless all processes are
// of one mind. Kernels count, since others round otherwise and weights would drift
// apart.
func (r *run) sameEverywhere(rc RunConfig, version string) error {
	if r.comm.Size() == 1 {
		return nil
	}
	first, err := r.task.Epoch(1)
	mine := identity{Version: version, Kernels: autograd.KernelsOf(rc.Training.BF16), Config: rc}
	if r.device != nil {
		mine.Kernels = cudaKernels
	}
	if err == nil {
		mine.Batches = first.Len()
	}
	mine.Host, _ = os.Hostname()
	text, wrong := json.Marshal(mine)
	if err = agree(r.comm, "the start", cmp.Or(err, wrong)); err != nil {
		return err
	}
	all, err := r.comm.AllGather("the start", text)
	if err != nil {
		return err
	}
	identities := make([]identity, len(all))
	for rank, text := range all {
		if err := json.Unmarshal(text, &identities[rank]); err != nil {
			return err
		}
		if what := identities[0].differs(identities[rank], rank); what != "" {
			return fmt.Errorf("rank %d (on %s) cannot train together with rank 0 (on %s): %s", rank, identities[rank].Host, identities[0].Host, what)
		}
	}
	return nil
}

// differs says what o, which is of a rank, has otherwise than i of rank 0, "" if nothing.
func (i identity) differs(o identity, rank int) string {
	var parts []string
	if i.Version != o.Version {
		parts = append(parts, fmt.Sprintf("it is version %q, not %q", o.Version, i.Version))
	}
	if i.Kernels != o.Kernels {
		parts = append(parts, fmt.Sprintf("it has %s kernels, not %s (MEGA_KERNEL and device choose)", o.Kernels, i.Kernels))
	}
	if err := sameConfig(i.Config, o.Config, nil, fmt.Sprintf("%%s is %%s on rank 0, %%s on rank %d", rank)); err != nil {
		parts = append(parts, strings.NewReplacer("is not what it was", "is not what it is on rank 0", "was not there", "is not there on rank 0").Replace(err.Error()))
	}
	if i.Batches != o.Batches {
		parts = append(parts, fmt.Sprintf("its first epoch has %d batches, not %d", o.Batches, i.Batches))
	}
	return strings.Join(parts, "; ")
}

// shareStart gives all processes the weights of process 0, its optimiser and its place
// in the training, and reports whether it has resumed.
func (r *run) shareStart(resumed bool) (bool, error) {
	type start struct {
		Resumed bool
		Steps   int
		State   State
	}
	text, err := json.Marshal(start{resumed, r.adam.steps, r.state})
	if err = agree(r.comm, "the first state", err); err != nil {
		return false, err
	}
	all, err := r.comm.AllGather("the first state", text)
	if err != nil {
		return false, err
	}
	var s start
	if err := json.Unmarshal(all[0], &s); err != nil {
		return false, err
	}
	r.state, r.adam.steps = s.State, s.Steps
	var tensors []*tensor.Tensor
	for _, p := range r.task.Params().All() {
		tensors = append(tensors, p.Value())
	}
	if s.Steps > 0 && r.adam.whole != nil { // who shares moments has its share from restore
		for _, b := range r.adam.buffers() {
			tensors = append(tensors, b.Tensor)
		}
	}
	if r.ema != nil {
		tensors = append(tensors, r.ema.averages.Tensors()...)
	}
	if err := r.broadcast("the first weights", tensors...); err != nil {
		return false, err
	}
	return s.Resumed, r.shareBuffers()
}

// shareBuffers gives all processes the running statistics of process 0: those of a
// batch norm that is not synchronised differ.
func (r *run) shareBuffers() error {
	if r.comm.Size() == 1 {
		return nil
	}
	params := r.task.Params()
	counts := make([]int64, len(params.Counters()))
	for i, c := range params.Counters() {
		counts[i] = c.Value
	}
	if err := r.comm.Broadcast("counts of batches", dtype.Bytes(counts), 0); err != nil {
		return err
	}
	for i, c := range params.Counters() {
		c.Value = counts[i]
	}
	buffers := params.Buffers()
	if r.ema != nil {
		buffers = slices.Concat(buffers, r.ema.averages.Buffers())
	}
	var tensors []*tensor.Tensor
	for _, b := range buffers {
		tensors = append(tensors, b.Tensor)
	}
	return r.broadcast("running statistics", tensors...)
}

// broadcast gives all processes the numbers of process 0.
func (r *run) broadcast(what string, tensors ...*tensor.Tensor) error {
	for _, t := range tensors {
		if err := t.WriteHost(func(x []float32) error { return r.comm.Broadcast(what, dtype.Bytes(x), 0) }); err != nil {
			return err
		}
	}
	return nil
}

// sameWeights fails unless all processes have the same weights, bit for bit. Whatever
// made them drift apart, from then on they do not train one model.
func (r *run) sameWeights() error {
	if r.comm.Size() == 1 {
		return nil
	}
	sum := crc32.NewIEEE()
	for _, p := range r.task.Params().All() {
		sum.Write(dtype.Bytes(p.Value().Host()))
	}
	all, err := r.comm.AllGather("the comparison of weights", sum.Sum(nil))
	if err != nil {
		return err
	}
	for rank, s := range all {
		if string(s) != string(all[0]) {
			return fmt.Errorf("update %d: the weights of rank %d are not those of rank 0, so that they are not saved: is its memory or processor at fault?", r.state.Updates, rank)
		}
	}
	return nil
}

// sumOverProcesses is what synchronised norms add up by. The tape has no way to fail,
// so that the first error is kept for accumulate.
func (r *run) sumOverProcesses(x []float64) {
	if r.failed == nil {
		r.failed = r.comm.Sum64(fmt.Sprintf("update %d, statistics of a norm", r.state.Updates+1), x)
	}
}

// A turn is a forward and backward pass of one process.
type turn struct {
	batch int  // of the epoch
	idle  bool // another process has the batch, and this one only keeps it company
}

// turns returns this process's turns for batches [first, last). They go round the
// processes. Where there are fewer than processes, those without one sit by, unless a
// norm needs them all.
func (r *run) turns(first, last int) []turn {
	var turns []turn
	for round := first; round < last; round += r.comm.Size() {
		if i := round + r.comm.Rank(); i < last {
			turns = append(turns, turn{batch: i})
		} else if r.task.Params().Synchronised() {
			turns = append(turns, turn{batch: round, idle: true})
		}
	}
	return turns
}

// reading yields the batches that this process reads of an epoch of n, from batch
// first on.
func (r *run) reading(first, n int) func(yield func(int) bool) {
	together := r.config.batchesPerUpdate(r.state.Epoch)
	return func(yield func(int) bool) {
		for ; first < n; first += together {
			for _, t := range r.turns(first, min(n, first+together)) {
				if !yield(t.batch) {
					return
				}
			}
		}
	}
}
