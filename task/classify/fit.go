package classify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/checkpoint"
	"github.com/mega-go/mega/data/labelled"
	"github.com/mega-go/mega/recipe"
	"github.com/mega-go/mega/train"
)

// Settings are what a training on labelled samples is made of.
type Settings struct {
	Model    mega.ClassifierConfig
	Data     DataConfig
	Training train.Config
	Progress io.Writer // as of train.Options
}

// Fit trains a classifier on samples in memory: texts, pairs of texts or series, of
// which Texts, or Values and Channels, and Label are to be set. A tenth of them is
// held out for validation and another for the test. The settings suit the samples,
// as those of mega train do, and adjust, if not nil, may change them.
//
// The run directory dir is one of mega train. Called again with the same samples and
// settings, Fit resumes where it stopped, or returns what it was done with. The
// predictor is of the best checkpoint, which Open opens too; the evaluation is on
// the samples for the test.
func Fit(ctx context.Context, dir string, samples iter.Seq[labelled.Sample], adjust func(*Settings)) (*Predictor, *Evaluation, error) {
	set, err := labelled.Collect("samples", samples, labelled.Options{})
	if err != nil {
		return nil, nil, err
	}
	s, err := SettingsFor(&set.Summary)
	if err != nil {
		return nil, nil, err
	}
	if adjust != nil {
		adjust(&s)
	}
	corpus, err := NewCorpus(set, s.Data, s.Model)
	if err != nil {
		return nil, nil, err
	}
	t, err := NewTaskOn(corpus, s.Data, s.Model)
	if err != nil {
		return nil, nil, err
	}
	_, err = train.Run(ctx, t, s.Training, train.Options{Dir: dir, Progress: s.Progress})
	if err != nil && !errors.Is(err, train.ErrFinished) {
		return nil, nil, err
	}
	return t.result(ctx, dir)
}

// result opens and evaluates the best checkpoint of a run.
func (c *Task) result(ctx context.Context, dir string) (*Predictor, *Evaluation, error) {
	ck, err := checkpoint.Open(dir)
	if err != nil {
		return nil, nil, err
	}
	defer ck.Close()
	m, err := ck.Classifier()
	if err != nil {
		return nil, nil, err
	}
	p, err := NewPredictor(m, c.corpus.Inputs)
	if err != nil {
		return nil, nil, err
	}
	split := c.config.TestSubset
	if !c.Has(split) {
		split = c.config.validSubsets()[0]
	}
	e, err := c.Evaluate(ctx, m, split)
	return p, e, err
}

// SettingsFor returns the settings that Suggest names by flags.
func SettingsFor(seen *labelled.Summary) (Settings, error) {
	s := Settings{Data: DefaultDataConfig(), Training: train.DefaultConfig()}
	suggestion := Suggest(seen)
	r, err := recipe.Find(suggestion.Recipe)
	if err != nil {
		return s, err
	}
	values := flagValues(append(r.Flags, suggestion.Flags...))
	if s.Model, err = mega.ClassifierArch(strings.Trim(string(values["arch"]), `"`)); err != nil {
		return s, err
	}
	text, err := json.Marshal(values)
	for _, into := range []any{&s.Model, &s.Data, &s.Training} {
		if err == nil {
			err = json.Unmarshal(text, into)
		}
	}
	if err != nil {
		return s, fmt.Errorf("recipe %s: %w", r.Name, err)
	}
	s.Model.Derive(func(key string) bool { return values[key] != nil })
	return s, nil
}

// flagValues returns the flags of a recipe as values of configurations by key.
func flagValues(flags []string) map[string]json.RawMessage {
	values := map[string]json.RawMessage{}
	for i, flag := range flags {
		name, ok := strings.CutPrefix(flag, "--")
		if !ok {
			continue
		}
		value := "true"
		if i+1 < len(flags) && !strings.HasPrefix(flags[i+1], "--") {
			value = strings.NewReplacer("(", "[", ")", "]").Replace(flags[i+1])
		}
		if !json.Valid([]byte(value)) {
			value = fmt.Sprintf("%q", value)
		}
		if name == "lr" { // one for each epoch
			value = "[" + value + "]"
		}
		values[strings.ReplaceAll(name, "-", "_")] = json.RawMessage(value)
	}
	return values
}
