package main

import (
	"bytes"
	"context"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/mega-go/mega/internal/printable"
)

// eachCommand calls f for every command that does something.
func eachCommand(f func(name string, c *cobra.Command)) {
	var walk func(prefix string, c *cobra.Command)
	walk = func(prefix string, c *cobra.Command) {
		for _, sub := range c.Commands() {
			f(prefix+sub.Name(), sub)
			walk(prefix+sub.Name()+" ", sub)
		}
	}
	root := newRoot()
	root.InitDefaultCompletionCmd()
	walk("", root)
}

// An outputCase is a command that writes to a file: args with OUT for it, or for
// the directory in which the file has a name of its own.
type outputCase struct{ args, name, stdin string }

func (o outputCase) command(out string) []string {
	wiki := golden("lm_wikitext103")
	return strings.Fields(strings.NewReplacer("OUT", out,
		"BYTES", golden("lm_enwik8"), "WIKITEXT", filepath.Join(wiki, "text"), "WIKI", wiki, "MT", golden("mt_wmt"), "PAIRS", pairsDir,
		"LRA", golden("lra_text"), "TEXTS", filepath.Join("..", "..", "data", "testdata", "text"),
		"IMAGENET", golden("imagenet"), "RUN", filepath.Join("testdata", "run"),
	).Replace(o.args))
}

// outputCases has the command and flag, or argument, of every output.
var outputCases = map[string]outputCase{
	"average --output":        {"average LRA LRA --to safetensors --output OUT", "a", ""},
	"bench --plot":            {}, // takes seconds, and draws as the others do
	"classify --sheet":        {"classify --checkpoint IMAGENET ../../data/images/testdata/120x39.png --sheet OUT", "a.png", ""},
	"convert OUT":             {"convert LRA --to fairseq OUT", "a", ""},
	"data pieces OUT":         {"data pieces OUT main.go train.go --vocab-size 400 --overwrite", "a", ""},
	"data pathfinder --sheet": {"data pathfinder DIR --train 2 --valid 1 --test 1 --overwrite --sheet OUT", "a", ""},
	"eval --output":           {}, // needs a model of labelled data: TestLabelled has one, and the others show how it writes
	"eval --plot":             {"eval TEXTS --checkpoint LRA_RETRIEVAL --gen-subset valid --plot OUT", "a.svg", ""},
	"eval-lm --results-path":  {"eval-lm WIKITEXT --path WIKI --gen-subset test --valid-block splits:5 --output-word-probs --results-path OUT", "generate-test.txt", ""},
	"forward --output":        {"forward --checkpoint LRA --input LRA/golden.safetensors --prefix b0. --output OUT", "a", ""},
	"generate --results-path": {"generate PAIRS --path MT --gen-subset valid --beam 1 --max-len-b 3 --results-path OUT", "generate-valid.txt", ""},
	"generate --save-state":   {"generate WIKITEXT --checkpoint WIKI --prompt the --max-new-tokens 2 --save-state OUT", "a", ""},
	"inspect --plot":          {"inspect LRA --plot OUT", "a.pdf", ""},
	"plot --output":           {"plot METRICS --output OUT", "a.svg", ""},
	"translate --output":      {"translate PAIRS --checkpoint MT --output OUT", "a", "seven\n"},
}

// outputFlag matches the help of a flag that names an output.
var outputFlag = regexp.MustCompile(`(?i)\b(file to (write|keep|draw)|draw\b.*\bto|to draw it|where to write|contact sheet|directory for (what|words))`)

// outputPath returns where a case writes in a new directory, and its arguments.
func outputPath(t *testing.T, o outputCase) (path string, args []string) {
	t.Helper()
	dir := t.TempDir()
	metrics := filepath.Join(dir, "metrics.jsonl")
	if strings.Contains(o.args, "METRICS") {
		write(t, metrics, `{"kind":"train","epoch":1,"update":1,"loss":2}`+"\n")
	}
	o.args = strings.NewReplacer("METRICS", metrics, "DIR", filepath.Join(dir, "data"), "LRA_RETRIEVAL", golden("lra_retrieval")).Replace(o.args)
	path = filepath.Join(dir, "out", o.name)
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(o.args, "--results-path") {
		return path, o.command(filepath.Dir(path))
	}
	return path, o.command(path)
}

// TestOutputs: every command writes through links and into pipes and devices,
// keeps the permissions of a file, and leaves no other file.
func TestOutputs(t *testing.T) {
	have := map[string]bool{"convert OUT": true, "data pieces OUT": true}
	eachCommand(func(name string, c *cobra.Command) {
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if outputFlag.MatchString(f.Usage) && f.Value.Type() == "string" {
				have[name+" --"+f.Name] = true
			}
		})
	})
	if want := slices.Sorted(maps.Keys(have)); !slices.Equal(want, slices.Sorted(maps.Keys(outputCases))) {
		t.Fatalf("outputs are %q, cases %q", want, slices.Sorted(maps.Keys(outputCases)))
	}
	for name, o := range outputCases {
		t.Run(name, func(t *testing.T) {
			if o.args == "" {
				return
			}
			path, args := outputPath(t, o)
			checkLink(t, o, path, args)
			path, args = outputPath(t, o)
			checkPipe(t, o, path, args)
		})
	}
}

func runOutput(t *testing.T, o outputCase, args []string) {
	t.Helper()
	if status, _, stderr := withInput(t, o.stdin, args...); status != exitOK {
		t.Fatalf("%q: status %d: %s", args, status, stderr)
	}
}

// checkLink writes to a link to a file and to one to a device.
func checkLink(t *testing.T, o outputCase, path string, args []string) {
	target := filepath.Join(filepath.Dir(path), "target")
	overwrites := !strings.Contains(o.args, " --to ") // checkpoints take the place of no file
	if overwrites {
		if err := os.WriteFile(target, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, to := range []string{"target", os.DevNull} {
		os.Remove(path)
		if err := os.Symlink(to, path); err != nil {
			t.Skip(err)
		}
		runOutput(t, o, args)
		if link, err := os.Readlink(path); err != nil || link != to {
			t.Errorf("a link to %s became another thing: %v", to, err)
		}
	}
	if info, err := os.Stat(target); err != nil || info.Size() == 0 || overwrites && info.Mode().Perm() != 0o600 {
		t.Errorf("the target of a link: %+v, %v", info, err)
	}
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 2 {
		t.Errorf("the directory holds %v, %v", entries, err)
	}
}

// failing is an output that takes nothing.
type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

// runFailing runs a command whose output fails.
func runFailing(err error, stdin string, args []string) (status int, stderr string) {
	var text bytes.Buffer
	status = run(context.Background(), args, strings.NewReader(stdin), failing{err}, &text)
	return status, text.String()
}

// printing has, of every command, arguments with which it prints results; none
// where all it has to say goes to standard error.
func printing(t *testing.T) map[string]outputCase {
	cases := map[string]outputCase{
		"average": {}, "convert": {}, "forward": {},
		"bench":       {}, // takes seconds
		"classify":    {"classify --checkpoint LRA --dict TEXTS/src-bin/dict.txt --text 5", "", ""},
		"data":        {"data", "", ""},
		"devices":     {"devices", "", ""},
		"eval":        outputCases["eval --plot"],
		"eval-lm":     {"eval-lm WIKITEXT --path WIKI --gen-subset test --valid-block splits:5", "", ""},
		"generate":    {"generate WIKITEXT --checkpoint WIKI --prompt the --max-new-tokens 2", "", ""},
		"inspect":     outputCases["inspect --plot"],
		"interactive": {"interactive WIKITEXT --checkpoint WIKI --max-new-tokens 2", "", "the\nthe\n"},
		"plot":        outputCases["plot --output"],
		"presets":     {"presets", "", ""},
		"score":       {"score WIKITEXT --checkpoint WIKI -", "", "the\n"},
		"serve":       {"serve --runs OUT --address 127.0.0.1:0", "", ""},
		"train":       {strings.Join(tiny("OUT"), " "), "", ""},
		"translate":   {"translate PAIRS --checkpoint MT", "", "seven\n"},
		"version":     {"version", "", ""},
		"data look":   {"data look testdata/reviews.csv", "", ""},
		"completion":  {"completion", "", ""},
		"data pieces": outputCases["data pieces OUT"],
		"help":        {"help train", "", ""},
	}
	for _, shell := range []string{"bash", "fish", "powershell", "zsh"} {
		cases["completion "+shell] = outputCase{"completion " + shell, "", ""}
	}
	for name, c := range setCases(t) {
		cases[name] = outputCase{args: strings.ReplaceAll(strings.Join(c.args, " "), "DIR", "OUT")}
	}
	return cases
}

// TestFullStandardOutput: no command, and no help, takes a full disk for success,
// and all end quietly when nobody reads.
func TestFullStandardOutput(t *testing.T) {
	cases := printing(t)
	eachCommand(func(name string, c *cobra.Command) {
		o, ok := cases[name]
		if !ok {
			t.Errorf("%s: no case", name)
			return
		}
		help := append(strings.Fields(name), "--help")
		if status, stderr := runFailing(syscall.EPIPE, "", help); status != exitPipe || strings.Contains(stderr, "mega:") {
			t.Errorf("mega %s into a broken pipe: status %d: %s", help, status, stderr)
		}
		all := [][]string{help}
		if o.args != "" {
			_, args := outputPath(t, o)
			all = append(all, args)
		}
		for _, args := range all {
			status, stderr := runFailing(syscall.ENOSPC, o.stdin, args)
			if status != exitFailure || !strings.Contains(stderr, "mega: the standard output: no space left") {
				t.Errorf("mega %s on a full disk: status %d: %s", args, status, stderr)
			}
		}
	})
}

// evil drives a terminal.
const evil = "\x1b]0;PWNED\a\x1b[31m\u009b1m\u202e"

// clean reports whether a text can be shown.
func clean(text string) bool { return printable.String(text) == text }

// TestErrorsAreClean: what a command line holds comes back escaped.
func TestErrorsAreClean(t *testing.T) {
	t.Chdir(t.TempDir())
	lines := [][]string{{evil}, {"inspect", evil}, {"convert", evil, "a"}, {"plot", evil}, {"average", evil, "--output", "a"}, {"eval", "--checkpoint", evil}}
	eachCommand(func(name string, c *cobra.Command) {
		lines = append(lines, append(strings.Fields(name), "--"+evil), append(strings.Fields(name), evil, evil, "--workers="+evil))
	})
	for _, args := range lines {
		if _, out, stderr := command(t, args...); !clean(out) || !clean(stderr) {
			t.Errorf("mega %q prints %q%q", args, out, stderr)
		}
	}
}

// TestNamesAreClean: names that files hold are escaped in results and pictures,
// and stay as they are in JSON.
func TestNamesAreClean(t *testing.T) {
	data, picture := t.TempDir(), filepath.Join(t.TempDir(), "a.svg")
	if err := os.CopyFS(data, os.DirFS(filepath.Join("..", "..", "data", "testdata", "text"))); err != nil {
		t.Fatal(err)
	}
	dict := filepath.Join(data, "label-bin", "dict.txt")
	labels, err := os.ReadFile(dict)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(labels), " ")
	write(t, dict, evil+" "+rest)
	write(t, filepath.Join(data, "a.jsonl"), `{"id":"\u001b]0;PWNED\u0007X","text":"5 6","pair":"5"}`+"\n")
	model := golden("lra_retrieval")
	for _, args := range [][]string{
		{"eval", data, "--checkpoint", model, "--gen-subset", "valid", "--plot", picture},
		{"classify", "--checkpoint", model, "--data", data, "--text", "5 6", "--text", "5"},
		{"classify", "--checkpoint", model, "--data", data, filepath.Join(data, "a.jsonl")},
	} {
		out, stderr := mustRun(t, args...)
		if !clean(out) || !clean(stderr) || !strings.Contains(out, `\u001b]0;PWNED\u0007`) {
			t.Errorf("%q prints %q%q", args, out, stderr)
		}
	}
	image, err := os.ReadFile(picture)
	if err != nil || !clean(string(image)) || !strings.Contains(string(image), `\u001b]0;PWNED`) {
		t.Errorf("the picture holds what it must not: %v", err)
	}
}

// TestTextsKeepTheirBytes: elsewhere than on a terminal a text is what it is.
func TestTextsKeepTheirBytes(t *testing.T) {
	wiki := golden("lm_wikitext103")
	out, _ := mustRun(t, "generate", filepath.Join(wiki, "text"), "--checkpoint", wiki, "--prompt", evil, "--max-new-tokens", "1")
	if !strings.HasPrefix(out, evil) {
		t.Errorf("printed %q", out)
	}
	var direct, plain bytes.Buffer
	o := newStandardOutput(&plain, func() {})
	io.WriteString(o, evil)
	cmd := &cobra.Command{}
	cmd.SetOut(newStandardOutput(&direct, func() {}))
	io.WriteString(textOutput(cmd), evil)
	if direct.String() != evil || !clean(plain.String()) {
		t.Errorf("texts are %q, results %q", direct.String(), plain.String())
	}
}

// TestResultsAreOfASplit: the name of a split, which names the file of its results,
// leads to no other directory.
func TestResultsAreOfASplit(t *testing.T) {
	for _, split := range []string{"", "a/b", "../valid"} {
		if err := toResults(nil, t.TempDir(), split, nil); err == nil || !strings.Contains(err.Error(), "want the name of a split") {
			t.Errorf("%q: %v", split, err)
		}
	}
}
