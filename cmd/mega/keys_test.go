package main

import (
	"cmp"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"
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
		"or a text (data), (that is":                 "or a text (--data), (that is",
		"x_dim is 3":                                 "x_dim is 3",
		"/runs/source_lang/z_dim: is a directory":    "/runs/source_lang/z_dim: is a directory",
		"dict.txt: is there; use it with srcdict":    "dict.txt: is there; use it with --srcdict",
		"run/config.json: model: z_dim is 3":         "run/config.json: model: z_dim is 3",
		"records.jsonl:3: beam is 0":                 "records.jsonl:3: beam is 0",
		"a.pt: not for z_dim (hf_accept_rmsnorm so)": "a.pt: not for z_dim (--hf-accept-rmsnorm so)",
	} {
		if got := inFlags(message, flags); got != want {
			t.Errorf("%q becomes %q, want %q", message, got, want)
		}
	}
}

// TestLibraryNamesNoFlags reads the texts of all packages but those of programs.
func TestLibraryNamesNoFlags(t *testing.T) {
	flag := regexp.MustCompile(`(^|[\s("'])--[a-z]`)
	err := filepath.WalkDir("../..", func(path string, e fs.DirEntry, err error) error {
		if name := e.Name(); err != nil || e.IsDir() && (name == "cmd" || name == "docs" || name == "scripts" || name == "testdata" || name != ".." && name[0] == '.' || name[0] == '_') {
			return cmp.Or(err, fs.SkipDir)
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if text, ok := n.(*ast.BasicLit); ok && text.Kind == token.STRING && flag.MatchString(text.Value[1:]) {
				t.Errorf("%s: %s", path, text.Value)
			}
			_, isField := n.(*ast.Field) // whose tag may hold the help of a flag
			return !isField
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
