package main

import (
	"fmt"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/recipe"
	"github.com/spf13/pflag"
)

// trained says what a command line of mega train would train, and how.
func trained(t *testing.T, args []string) string {
	t.Helper()
	args, err := expandPreset(joinPairs(args))
	if err != nil {
		t.Fatal(err)
	}
	c := &trainCommand{kinds: trainKinds()}
	flags := pflag.NewFlagSet("train", pflag.ContinueOnError)
	c.addFlags(flags)
	if err := flags.Parse(append(args[1:], "--batch-size=8")); err != nil {
		t.Fatalf("%q: %v", args, err)
	}
	kind, _, training, err := c.configs(flags.Args())
	if err != nil {
		t.Fatalf("%q: %v", args, err)
	}
	fields := reflect.ValueOf(kind).Elem()
	return fmt.Sprintf("%s: %+v, %+v, %+v", kind.name(), fields.FieldByName("model"), fields.FieldByName("data"), training)
}

// TestPresetsCanBePasted: a shell makes of what mega presets prints the arguments
// of a command that trains what the preset or architecture stands for, and none of
// its flags is there twice.
func TestPresetsCanBePasted(t *testing.T) {
	for _, name := range presetNames() {
		status, out, err := command(t, "presets", name)
		if status != exitOK {
			t.Fatal(err)
		}
		text, failed := exec.Command("sh", "-c", "mega() { printf '%s\\n' \"$@\"; }\n"+out).CombinedOutput()
		if failed != nil {
			t.Fatalf("%s: %v: %s", name, failed, text)
		}
		args := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
		for i, arg := range args {
			if strings.HasPrefix(arg, "--") && slices.Contains(args[i+1:], arg) {
				t.Errorf("%s: %s is there twice", name, arg)
			}
		}
		flag := "--arch"
		if slices.Contains(recipe.Names(), name) {
			flag = "--preset"
		}
		if got, want := trained(t, args), trained(t, []string{"train", flag, name}); got != want {
			t.Errorf("%s: %s\nwant %s", name, got, want)
		}
	}
}

// TestArchInfos: mega presets knows every architecture.
func TestArchInfos(t *testing.T) {
	var names []string
	for _, a := range archInfos {
		names = append(names, a.name)
		if _, err := a.config(); err != nil || a.use == "" {
			t.Errorf("%+v: %v", a, err)
		}
	}
	want := slices.Concat(mega.ClassifierArchs(), mega.LanguageModelArchs(), mega.TranslatorArchs(), mega.VisionArchs())
	slices.Sort(names)
	if slices.Sort(want); !slices.Equal(names, want) {
		t.Errorf("mega presets has %q, want %q", names, want)
	}
}
