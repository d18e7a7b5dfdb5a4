package checkpoint

import (
	"fmt"
	"math"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/mega-go/mega/nn"
)

// TestMistakes walks through what a caller can do wrong: each is answered by an
// error of one line, not by a panic.
func TestMistakes(t *testing.T) {
	lm, dir := openTest(t, goldenDir("lm_enwik8")), t.TempDir()
	closed, err := Open(goldenDir("lra_text"))
	if err != nil {
		t.Fatal(err)
	}
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	if err := closed.Close(); err != nil {
		t.Errorf("closed twice: %v", err)
	}
	second := func(_ any, err error) error { return err }
	average := func(paths ...string) func() error {
		return func() error { return second(Average(paths, filepath.Join(dir, "mean"), SaveOptions{})) }
	}
	save := func(to string, o SaveOptions) func() error {
		return func() error { return second(lm.Save(to, o)) }
	}
	unknown := &Checkpoint{Path: "x", Task: "poetry"}
	for name, c := range map[string]struct {
		call func() error
		want string
	}{
		"no path":               {func() error { return second(Open("")) }, "no such file"},
		"no archive":            {func() error { return second(Open("x.zip:y")) }, "no such file"},
		"another kind":          {func() error { return second(lm.Classifier()) }, "is of a language_modeling model, and a classification model is wanted"},
		"a third kind":          {func() error { return second(lm.Translator()) }, "a translation model is wanted"},
		"unknown kind":          {func() error { return second(unknown.LanguageModel()) }, "x is of a poetry, of which no model can be made here"},
		"override unknown kind": {func() error { return unknown.Override(map[string]any{"x": 1}) }, `x: task is "poetry", want one of`},
		"override unknown key":  {func() error { return lm.Override(map[string]any{"decoder_layer": 1}) }, `did you mean "decoder_layers"?`},
		"closed":                {func() error { return second(closed.Classifier()) }, "the file is closed"},
		"save over it":          {save(dir, SaveOptions{Format: FormatNative}), "exists"},
		"save in nothing":       {save("", SaveOptions{Format: FormatNative}), ""},
		"save as nothing":       {save(filepath.Join(dir, "x"), SaveOptions{Format: "gguf"}), "gguf"},
		"average of nothing":    {average(), "no checkpoints to average"},
		"average of another":    {average(goldenDir("lm_enwik8"), goldenDir("lra_text")), "the first checkpoint of a language_modeling model"},
		"last of nowhere":       {func() error { return second(LastCheckpoints(filepath.Join(dir, "none"), 1, true, 0)) }, "no such file"},
		"last of nothing":       {func() error { return second(LastCheckpoints(dir, 1, true, 0)) }, ""},
		"fewer than none":       {func() error { return second(LastCheckpoints(dir, -1, false, math.MinInt)) }, ""},
		"resume nothing":        {func() error { return (&Native{Params: nn.NewShapes()}).Resume(dir) }, "config.json"},
		"save nothing":          {func() error { return (&Native{Params: nn.NewShapes()}).Save(dir) }, ""},
		"another's parameters":  {func() error { return LoadParams(nn.NewShapes(), lm.Weights) }, "unexpected: "},
	} {
		err := func() (err error) {
			defer func() {
				if r, ok := recover().(runtime.Error); ok {
					err = fmt.Errorf("the runtime panics: %w", r)
				}
			}()
			return c.call()
		}()
		if err == nil || strings.Contains(err.Error(), "the runtime panics") || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
}
