package main

import (
	"context"
	"reflect"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/checkpoint"
	"github.com/mega-go/mega/train"
	"github.com/spf13/pflag"
)

// A modelKind is a kind of model on the command line of mega train. Its flags and
// those of others are bound side by side, and the architecture says which kind
// is meant.
type modelKind interface {
	// name says in words what the kind is.
	name() string
	// archs lists the architectures of the kind, and config returns the configuration
	// of one.
	archs() []string
	config(arch string) (mega.Config, error)
	// bind adds the flags of its model and data and returns their bindings.
	bind(flags *pflag.FlagSet) []*binding
	// configure reads the flags. data is the positional argument, "" if there is
	// none; criterion is "" if none was given.
	configure(flags *pflag.FlagSet, arch, data, criterion string) error
	// open opens the data and makes the model.
	open() (trainTask, error)
	// evaluate runs a checkpoint on held-out data and returns how it did.
	evaluate(ctx context.Context, c *checkpoint.Checkpoint) (evaluation, error)
}

// trainKinds returns the kinds of models that can be trained.
func trainKinds() []modelKind {
	return []modelKind{newClassifierKind(), newLanguageModelKind(), newTranslatorKind(), newVisionKind()}
}

// A trainTask is a task that mega train runs.
type trainTask interface {
	train.Task
	// Summary says what the data is.
	Summary() string
	// Has reports whether the data has a split, of which Subsets names those to
	// evaluate and to validate on.
	Has(split string) bool
	Subsets() (test, valid string)
	// CheckEvaluation fails where evaluating on a split would for reasons that are
	// known before training.
	CheckEvaluation(split string) error
	Close() error
}

// An evaluation is the result of a training, which is printed as a line or as
// JSON.
type evaluation interface {
	Line() string
	Finite() bool // the loss is a number
}

// heldOut returns the split for the final evaluation: test or, where there is
// none, the first of valid. One that was named must be there.
func heldOut(t trainTask) (string, error) {
	test, valid := t.Subsets()
	switch {
	case t.Has(test):
		return test, nil
	case test != "test":
		return "", usagef("--test-subset %s: the data has no such split", test)
	}
	return train.Subsets(valid)[0], nil
}

// kindOf is the modelKind of models with configuration C, trained on data D by
// task T.
type kindOf[C mega.Config, P derived[C], D any, T trainTask] struct {
	noun      string
	list      func() []string
	arch      func(name string) (C, error)
	fromData  []string                     // keys of C without flags, since the data has them
	criterion func(name string, m C) error // refuses a loss that is not the model's; nil if D has it
	defaults  func() D                     // its field Data names the data
	newTask   func(D, C) (T, error)
	run       func(ctx context.Context, c *checkpoint.Checkpoint, t T, split string) (evaluation, error)

	modelFlags, dataFlags *binding

	model C
	data  D
	task  T
}

// derived is a pointer to a configuration some of whose values follow from others
// if they are not given.
type derived[C any] interface {
	*C
	Derive(given func(key string) bool)
}

func (k *kindOf[C, P, D, T]) name() string { return k.noun }

func (k *kindOf[C, P, D, T]) archs() []string { return k.list() }

func (k *kindOf[C, P, D, T]) config(arch string) (mega.Config, error) { return k.arch(arch) }

func (k *kindOf[C, P, D, T]) bind(flags *pflag.FlagSet) []*binding {
	data := k.defaults()
	k.modelFlags, k.dataFlags = bind(flags, &k.model, k.fromData...), bind(flags, &data, "data")
	return []*binding{k.modelFlags, k.dataFlags}
}

func (k *kindOf[C, P, D, T]) configure(flags *pflag.FlagSet, arch, data, criterion string) (err error) {
	if k.model, err = k.arch(arch); err != nil {
		return err
	}
	if err = k.modelFlags.apply(&k.model); err != nil {
		return err
	}
	P(&k.model).Derive(func(key string) bool { return flags.Changed(flagName(key)) })
	if k.criterion != nil {
		if err = k.criterion(criterion, k.model); err != nil {
			return err
		}
	}
	if err = k.model.ValidateBeforeData(); err != nil {
		return err
	}
	k.data = k.defaults()
	reflect.ValueOf(&k.data).Elem().FieldByName("Data").SetString(data)
	if err = k.dataFlags.apply(&k.data); err != nil {
		return err
	}
	if d, ok := any(k.data).(interface{ Validate() error }); ok {
		return d.Validate()
	}
	return nil
}

func (k *kindOf[C, P, D, T]) open() (trainTask, error) {
	t, err := k.newTask(k.data, k.model)
	k.task = t
	return t, err
}

func (k *kindOf[C, P, D, T]) evaluate(ctx context.Context, c *checkpoint.Checkpoint) (evaluation, error) {
	split, err := heldOut(k.task)
	if err != nil {
		return nil, err
	}
	return k.run(ctx, c, k.task, split)
}

// evaluateBy returns a kindOf's run: it makes the model of a checkpoint and
// evaluates it.
func evaluateBy[M, T any, E evaluation](load func(*checkpoint.Checkpoint) (M, error), evaluate func(T, context.Context, M, string) (E, error)) func(context.Context, *checkpoint.Checkpoint, T, string) (evaluation, error) {
	return func(ctx context.Context, c *checkpoint.Checkpoint, t T, split string) (evaluation, error) {
		m, err := load(c)
		if err != nil {
			return nil, err
		}
		return evaluate(t, ctx, m, split)
	}
}
