package checkpoint

import (
	"errors"
	"fmt"

	"github.com/mega-go/mega/format/torchfile"
	"github.com/mega-go/mega/nn"
)

// adamName is what fairseq calls its Adam.
const adamName = "FairseqAdam"

// torchTraining reads where a fairseq run stood (fairseq trainer.py:240).
func (c *Checkpoint) torchTraining(p *nn.Params, drop Reset) (*Training, error) {
	history, err := lastHistory(c.root)
	if history == nil && err == nil || err != nil && !drop.Optimizer {
		return nil, err
	}
	t := &Training{Epoch: 1}
	if err := c.readExtra(t, drop); err != nil {
		return nil, fmt.Errorf("extra_state: %w", err)
	}
	if drop.Optimizer {
		return t, nil
	}
	if t.Updates, err = intAt(history, "num_updates"); err != nil {
		return nil, fmt.Errorf("optimizer_history: %w", err)
	}
	value, _ := c.root.Get("last_optimizer_state")
	state, ok := value.(*torchfile.Dict)
	if !ok || p == nil {
		return t, nil
	}
	if name, _ := history.Get("optimizer_name"); name != adamName {
		return nil, fmt.Errorf("the optimiser was %v, and its state is of no use to Adam", name)
	}
	if t.Adam, err = readAdam(state, p); err != nil {
		return nil, fmt.Errorf("last_optimizer_state: %w", err)
	}
	return t, nil
}

// lastHistory returns the last entry of optimizer_history, nil if the file is of
// a model alone.
func lastHistory(root *torchfile.Dict) (*torchfile.Dict, error) {
	value, _ := root.Get("optimizer_history")
	list, ok := value.(*torchfile.List)
	if !ok || len(list.Items) == 0 {
		return nil, nil
	}
	last, ok := list.Items[len(list.Items)-1].(*torchfile.Dict)
	if !ok {
		return nil, fmt.Errorf("optimizer_history holds a %T, want a dict", list.Items[len(list.Items)-1])
	}
	return last, nil
}

// readExtra reads the position in the data, the best metric and the time.
func (c *Checkpoint) readExtra(t *Training, drop Reset) error {
	extra, err := dictAt(c.root, "extra_state")
	if err == nil {
		if best, ok := floatAt(extra, "best"); ok && best-best == 0 { // NaN, once there, would stay the best
			t.Best = &best
		}
		if seconds, ok := floatAt(extra, "previous_training_time"); ok && seconds-seconds == 0 {
			t.Seconds = seconds
		}
	}
	if drop.Loader {
		return nil
	}
	if err != nil {
		return err
	}
	iterator, err := dictAt(extra, "train_iterator")
	if err != nil {
		return err
	}
	var errs [2]error
	t.Epoch, errs[0] = intAt(iterator, "epoch")
	t.Offset, errs[1] = intAt(iterator, "iterations_in_epoch")
	if err := errors.Join(errs[:]...); err != nil {
		return fmt.Errorf("train_iterator: %w", err)
	}
	t.Epoch = max(t.Epoch, 1)
	t.Offset *= processes(c.Args) // each has used as many (data/iterators.py:335)
	return nil
}

// processes returns how many trained together.
func processes(args map[string]any) int {
	n, _ := args["distributed_world_size"].(int64)
	return int(min(max(n, 1), 1<<20))
}

// readAdam reads the state of torch's optimiser: by parameter, numbered in the
// order of the model, or for all in one where training was in float16 (fairseq
// fp16_optimizer.py:27).
func readAdam(state *torchfile.Dict, p *nn.Params) (*Adam, error) {
	states, err := dictAt(state, "state")
	if err != nil {
		return nil, err
	}
	group, numbers, err := onlyGroup(state)
	if err != nil {
		return nil, err
	}
	a := &Adam{}
	a.readSettings(group)
	moments := &torchfile.Dict{}
	if len(numbers) == 1 && len(p.All()) > 1 {
		err = a.readFlat(moments, states, numbers[0], p)
	} else {
		err = a.readEach(moments, states, numbers, p)
	}
	if err != nil {
		return nil, err
	}
	if steps, err := intAt(group, "step"); err == nil { // apex keeps it here
		a.Steps = max(a.Steps, steps)
	}
	a.Moments, err = torchfile.NewStateDict(moments)
	return a, err
}

// onlyGroup returns the one group of parameters and their numbers.
func onlyGroup(state *torchfile.Dict) (*torchfile.Dict, []any, error) {
	value, _ := state.Get("param_groups")
	groups, ok := value.(*torchfile.List)
	if !ok || len(groups.Items) != 1 {
		return nil, nil, errors.New("param_groups: want one group, as fairseq's trainer makes")
	}
	group, ok := groups.Items[0].(*torchfile.Dict)
	if !ok {
		return nil, nil, errors.New("param_groups: want a dict")
	}
	value, _ = group.Get("params")
	numbers, ok := value.(*torchfile.List)
	if !ok {
		return nil, nil, errors.New("param_groups: params is no list of numbers")
	}
	return group, numbers.Items, nil
}

func (a *Adam) readSettings(group *torchfile.Dict) {
	a.LR, _ = floatAt(group, "lr")
	s := &AdamSettings{}
	s.Eps, _ = floatAt(group, "eps")
	s.WeightDecay, _ = floatAt(group, "weight_decay")
	value, _ := group.Get("betas")
	if betas, ok := torchfile.Plain(value).([]any); ok && len(betas) == 2 {
		s.Betas[0], _ = number(betas[0])
		s.Betas[1], _ = number(betas[1])
		a.Settings = s
	}
}

// momentNames are torch's, m and v in the paper.
var momentNames = [...]string{"exp_avg", "exp_avg_sq"}

// readEach collects the moments of every parameter. A parameter that no gradient
// has reached has none, which is the same as zeros.
func (a *Adam) readEach(moments, states *torchfile.Dict, numbers []any, p *nn.Params) error {
	if len(numbers) != len(p.All()) {
		return fmt.Errorf("the optimiser has %d parameters, the model %d", len(numbers), len(p.All()))
	}
	for i, q := range p.All() {
		state, ok := stateOf(states, numbers[i])
		if !ok {
			for _, moment := range momentNames {
				moments.Set(q.Name+"."+moment, torchfile.Of(q.Shape(), make([]float32, q.Value().Len())))
			}
			continue
		}
		// The reference counts steps by parameter; they differ only where some
		// batches do not reach a parameter.
		if steps, err := intAt(state, "step"); err == nil {
			a.Steps = max(a.Steps, steps)
		}
		for _, moment := range momentNames {
			t, err := tensorAt(state, moment)
			if err != nil {
				return fmt.Errorf("parameter %d (%s): %w", i, q.Name, err)
			}
			moments.Set(q.Name+"."+moment, t)
		}
	}
	return nil
}

// stateOf returns the state of the parameter with a number.
func stateOf(states *torchfile.Dict, number any) (*torchfile.Dict, bool) {
	n, ok := number.(int64)
	if !ok {
		return nil, false
	}
	value, _ := states.Get(n)
	state, ok := value.(*torchfile.Dict)
	return state, ok
}

// readFlat cuts moments that all parameters have in one.
func (a *Adam) readFlat(moments, states *torchfile.Dict, number any, p *nn.Params) error {
	state, ok := stateOf(states, number)
	if !ok {
		return errors.New("state is empty")
	}
	if steps, err := intAt(state, "step"); err == nil {
		a.Steps = steps
	}
	for _, moment := range momentNames {
		flat, err := tensorAt(state, moment)
		if err != nil {
			return err
		}
		if len(flat.Shape) != 1 || flat.Elements() != p.Count() || !flat.Contiguous() {
			return fmt.Errorf("%s has shape %v, want the %d numbers of the model", moment, flat.Shape, p.Count())
		}
		at := 0
		for _, q := range p.All() {
			t := flat.Cut(at, q.Shape())
			moments.Set(q.Name+"."+moment, t)
			at += t.Elements()
		}
	}
	return nil
}

func dictAt(d *torchfile.Dict, key string) (*torchfile.Dict, error) {
	value, _ := d.Get(key)
	inner, ok := value.(*torchfile.Dict)
	if !ok {
		return nil, fmt.Errorf("%s is missing or no dict", key)
	}
	return inner, nil
}

func tensorAt(d *torchfile.Dict, key string) (*torchfile.Tensor, error) {
	value, _ := d.Get(key)
	t, ok := value.(*torchfile.Tensor)
	if !ok {
		return nil, fmt.Errorf("%s is missing or no tensor", key)
	}
	return t, nil
}

// intAt returns a count, as an int or, since torch 1.12, a tensor of one number.
func intAt(d *torchfile.Dict, key string) (int, error) {
	value, _ := d.Get(key)
	x, ok := number(value)
	if !ok || x < 0 || x > 1<<53 || x != float64(int(x)) {
		return 0, fmt.Errorf("%s is missing or no count", key)
	}
	return int(x), nil
}

func floatAt(d *torchfile.Dict, key string) (float64, bool) {
	value, _ := d.Get(key)
	return number(value)
}

// number returns what stands for a number in Python.
func number(value any) (float64, bool) {
	switch v := value.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	case *torchfile.Tensor:
		if v.Elements() != 1 {
			return 0, false
		}
		if x, err := v.Float32(); err == nil {
			return float64(x[0]), true
		}
		if x, err := v.Int64(); err == nil {
			return float64(x[0]), true
		}
	}
	return 0, false
}
