package checkpoint

import (
	"slices"
	"strings"

	"github.com/mega-go/mega/format/dtype"
	"github.com/mega-go/mega/format/safetensors"
	"github.com/mega-go/mega/format/torchfile"
)

// fairseq writes a checkpoint as the reference does (fairseq
// checkpoint_utils.py:331), with the arguments that it needs to make the model.
func (s *saving) fairseq(path string) error {
	model := s.stateDict()
	if s.root != nil {
		return torchfile.Save(path, s.replaced(model))
	}
	args, err := s.referenceArgs()
	if err != nil {
		return err
	}
	root := &torchfile.Dict{}
	root.Set("args", namespace(args))
	root.Set("model", model)
	if err := s.setTraining(root, args); err != nil {
		return err
	}
	return torchfile.Save(path, root)
}

// replaced returns the fairseq checkpoint that is being converted with other
// weights.
func (s *saving) replaced(model *torchfile.Dict) *torchfile.Dict {
	root := &torchfile.Dict{}
	for key, value := range s.root.All() {
		switch {
		case key == "model":
			value = model
		case key == "last_optimizer_state" && s.options.ModelOnly:
			value = nil
		case s.options.ModelOnly && slices.Contains(deitTraining, key):
			continue
		}
		root.Set(key, value)
	}
	return root
}

// stateDict returns the weights with all that the reference's modules register
// beside them, in its order: a strict load_state_dict wants every name.
func (s *saving) stateDict() *torchfile.Dict {
	p := s.model.params
	tensors := make(map[string]*torchfile.Tensor)
	for name, t := range s.tensors {
		tensors[name] = torchTensor(t)
	}
	for _, a := range p.Aliases() {
		tensors[a.Name] = tensors[a.Of.Name] // sharing the storage
	}
	d := &torchfile.Dict{Ordered: true}
	for _, name := range p.Names() {
		for _, extra := range s.extras(name, d) {
			d.Set(extra.Name, torchTensor(extra))
		}
		d.Set(name, tensors[name])
		if placeholder, ok := strings.CutSuffix(name, "rel_pos_bias.beta"); ok {
			d.Set(placeholder+"rel_pos_bias._float_tensor", torchfile.Of([]int{1}, []float32{0}))
		}
	}
	return d
}

// extras returns what the reference lists before a name and this model does not
// have: version marks of decoders and adaptive softmaxes, and placeholders that
// only tell a device (mega_lm.py:255, adaptive_softmax.py:84,
// adaptive_input.py:64).
func (s *saving) extras(name string, d *torchfile.Dict) []safetensors.Tensor {
	var out []safetensors.Tensor
	add := func(t safetensors.Tensor) {
		if _, ok := d.Get(t.Name); !ok {
			out = append(out, t)
		}
	}
	if part, _, _ := strings.Cut(name, "."); s.model.family.versioned {
		add(safetensors.Of(part+".version", []int{1}, []float32{3}))
	}
	if strings.HasPrefix(name, "decoder.embed_tokens.embeddings.") {
		add(safetensors.Of("decoder.embed_tokens._float_tensor", []int{1}, []float32{0}))
	}
	if strings.HasPrefix(name, "decoder.adaptive_softmax.") {
		add(safetensors.Of("decoder.adaptive_softmax.version", []int{1}, []int64{1}))
	}
	if strings.HasPrefix(name, "decoder.adaptive_softmax.head.word_proj.") {
		add(safetensors.Of("decoder.adaptive_softmax.head._float_tensor", []int{1}, []float32{0}))
	}
	return out
}

func torchTensor(t safetensors.Tensor) *torchfile.Tensor {
	return torchfile.NewTensor(torchfile.NewStorage(t.DType, t.Data), t.Shape)
}

// setTraining sets what says how far a training has come. A model alone is one
// that has not begun.
func (s *saving) setTraining(root *torchfile.Dict, args map[string]any) error {
	t := s.training
	if t == nil {
		t = &Training{Epoch: 1}
	}
	rate := 0.0
	if t.Adam != nil {
		rate = t.Adam.LR
	}
	root.Set("optimizer_history", &torchfile.List{Items: []any{dict(
		"criterion_name", criterionNames[args["criterion"]],
		"optimizer_name", adamName,
		"lr_scheduler_state", dict("lr", rate),
		"num_updates", t.Updates,
	)}})
	extra := dict(
		"train_iterator", dict("version", 2, "epoch", t.Epoch, "iterations_in_epoch", t.Offset/processes(args), "shuffle", true),
		"val_loss", nil,
	)
	if t.Best != nil {
		extra.Set("best", *t.Best)
	}
	extra.Set("previous_training_time", t.Seconds)
	root.Set("extra_state", extra)
	optimizer, err := s.optimizerState(args)
	if err != nil {
		return err
	}
	root.Set("last_optimizer_state", optimizer)
	return nil
}

// criterionNames are the reference's classes by the argument that chooses them;
// its trainer refuses an optimiser's state of another (trainer.py:278).
var criterionNames = map[any]any{
	"lra_cross_entropy":            "LRACrossEntropyCriterion",
	"cross_entropy":                "CrossEntropyCriterion",
	"adaptive_loss":                "AdaptiveLoss",
	"label_smoothed_cross_entropy": "LabelSmoothedCrossEntropyCriterion",
}

// optimizerState returns the state of torch's optimiser, nil without one.
func (s *saving) optimizerState(args map[string]any) (any, error) {
	if s.training == nil || s.training.Adam == nil {
		return nil, nil
	}
	adam := s.training.Adam
	settings, err := adamSettings(args)
	if err != nil {
		return nil, err
	}
	moments, err := s.moments()
	if err != nil {
		return nil, err
	}
	states, numbers := &torchfile.Dict{}, &torchfile.List{}
	for i := range s.model.params.All() {
		state := dict("step", adam.Steps)
		for j, name := range momentNames {
			b := moments[len(momentNames)*i+j]
			state.Set(name, torchfile.NewTensor(torchfile.NewStorage(dtype.F32, dtype.Bytes(b.Host())), b.Shape()))
		}
		states.Set(i, state)
		numbers.Items = append(numbers.Items, i)
	}
	group := dict(
		"lr", adam.LR, "betas", torchfile.Tuple{settings.Betas[0], settings.Betas[1]},
		"eps", settings.Eps, "weight_decay", settings.WeightDecay, "amsgrad", false, "params", numbers,
	)
	return dict("state", states, "param_groups", &torchfile.List{Items: []any{group}}), nil
}

// dict makes a dict of keys and values in turn.
func dict(pairs ...any) *torchfile.Dict {
	d := &torchfile.Dict{}
	for i := 0; i < len(pairs); i += 2 {
		d.Set(pairs[i], pairs[i+1])
	}
	return d
}

// namespace turns arguments into an argparse.Namespace, sorted by name.
func namespace(args map[string]any) *torchfile.Namespace {
	return &torchfile.Namespace{Dict: fromPlain(args).(*torchfile.Dict)}
}
