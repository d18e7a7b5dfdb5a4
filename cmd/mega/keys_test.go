package main

import (
	"testing"

	"github.com/spf13/pflag"
)

// TestKeysOfErrorsAreFlags: keys are told from words and names of files, and from
// the keys of a model's file.
func TestKeysOfErrorsAreFlags(t *testing.T) {
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	for _, name := range []string{"beam", "data", "source-lang", "srcdict", "z-dim", "hf-accept-rmsnorm"} {
		flags.String(name, "", "")
	}
	for message, want := range map[string]string{
		"beam is 0, want 1 or more":                  "--beam is 0, want 1 or more",
		"text: beam is 0\nz_dim: not even":           "text: --beam is 0\n--z-dim: not even",
		"the beam is wide":                           "the beam is wide",
		"no data is given, give source_lang":         "no data is given, give --source-lang",
		"x_dim is 3":                                 "x_dim is 3",
		"/runs/source_lang/z_dim: is a directory":    "/runs/source_lang/z_dim: is a directory",
		"dict.txt: is there; use it with srcdict":    "dict.txt: is there; use it with --srcdict",
		"run/config.json: model: z_dim is 3":         "run/config.json: model: z_dim is 3",
		"a.pt: not for z_dim (hf_accept_rmsnorm so)": "a.pt: not for z_dim (--hf-accept-rmsnorm so)",
	} {
		if got := inFlags(message, flags); got != want {
			t.Errorf("%q becomes %q, want %q", message, got, want)
		}
	}
}
