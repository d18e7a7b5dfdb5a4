package checkpoint

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/mega-go/mega/format/torchfile"
)

// referenceDefaults holds the arguments that the reference's commands have
// beside those of a model, with its defaults (fairseq/options.py,
// fairseq/tasks), for all models and by kind of model.
//
//go:embed reference_args.json
var referenceDefaults []byte

// referenceArgs returns the arguments with which the reference makes the model:
// those that it was trained with, or else what its configuration says over the
// reference's defaults.
func (s *saving) referenceArgs() (map[string]any, error) {
	if s.Args != nil {
		return s.Args, nil
	}
	var defaults map[string]json.RawMessage
	if err := json.Unmarshal(referenceDefaults, &defaults); err != nil {
		return nil, err
	}
	args, err := parseArgs(defaults["common"])
	if err != nil {
		return nil, err
	}
	own, err := parseArgs(defaults[s.Task])
	if err != nil {
		return nil, err
	}
	maps.Copy(args, own)
	for _, part := range []json.RawMessage{s.config.Training, s.config.Data} {
		if err := overlay(args, part); err != nil {
			return nil, err
		}
	}
	model, err := parseArgs(s.config.Model)
	if err != nil {
		return nil, err
	}
	maps.Copy(args, model)
	return args, s.model.family.asReference(args)
}

// overlay sets the arguments that a configuration has too.
func overlay(args map[string]any, config json.RawMessage) error {
	if len(config) == 0 || string(config) == "null" {
		return nil
	}
	values, err := parseArgs(config)
	if err != nil {
		return err
	}
	if size, ok := values["batch_size"]; ok {
		values["max_sentences"] = size
	}
	for key, value := range values {
		if _, known := args[key]; known {
			args[key] = value
		}
	}
	return nil
}

// asReference writes values in the ways that the reference has for them.
func (f family) asReference(args map[string]any) error {
	for _, key := range []string{"vocab_size", "source_vocab_size", "target_vocab_size"} {
		delete(args, key) // the reference counts its dictionary
	}
	for _, key := range []string{"max_tokens", "max_sentences", "max_tokens_valid", "max_sentences_valid"} {
		if args[key] == int64(0) {
			args[key] = nil
		}
	}
	if betas, ok := args["adam_betas"].([]any); ok {
		args["adam_betas"] = pythonList(betas, ", ")
	}
	if args["patience"] == int64(0) {
		args["patience"] = int64(-1)
	}
	if f.toReference != nil {
		f.toReference(args)
	}
	return f.nameArch(args)
}

// nameArch makes sure that the arguments name an architecture, because the reference
// finds the model's class by it. Every value that it stands for is among them.
func (f family) nameArch(args map[string]any) error {
	if arch, _ := args["arch"].(string); arch != "" {
		return nil
	}
	i := slices.IndexFunc(f.tasks, func(t task) bool { return t.name == args["task"] })
	if i < 0 {
		return fmt.Errorf("the task %v is not one of the reference", args["task"])
	}
	args["arch"] = f.tasks[i].arch
	return nil
}

// pythonList writes numbers as a tuple in Python.
func pythonList(items []any, separator string) string {
	var out []string
	for _, item := range items {
		text := fmt.Sprint(item)
		if x, ok := item.(float64); ok {
			text = strconv.FormatFloat(x, 'g', -1, 64)
		}
		out = append(out, text)
	}
	return "(" + strings.Join(out, separator) + ")"
}

// adamSettings returns the arguments of the optimiser.
func adamSettings(args map[string]any) (AdamSettings, error) {
	var a AdamSettings
	text, _ := args["adam_betas"].(string)
	fields := strings.Split(strings.Trim(text, "()[] "), ",")
	if len(fields) != 2 {
		return a, fmt.Errorf("adam_betas is %q, want two numbers", text)
	}
	for i, field := range fields {
		var err error
		if a.Betas[i], err = strconv.ParseFloat(strings.TrimSpace(field), 64); err != nil {
			return a, fmt.Errorf("adam_betas is %q, want two numbers", text)
		}
	}
	a.Eps, _ = number(args["adam_eps"])
	a.WeightDecay, _ = number(args["weight_decay"])
	return a, nil
}

// fromPlain turns decoded JSON into values of package torchfile; maps become
// dicts sorted by key.
func fromPlain(value any) any {
	switch v := value.(type) {
	case []any:
		list := &torchfile.List{}
		for _, item := range v {
			list.Items = append(list.Items, fromPlain(item))
		}
		return list
	case map[string]any:
		d := &torchfile.Dict{}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			d.Set(key, fromPlain(v[key]))
		}
		return d
	}
	return value
}
