//go:build ignore

// Licenses writes THIRD_PARTY_LICENSES: the licences of Go and of every module
// that is linked into mega on some platform, word by word.
//
//	go run scripts/licenses.go > THIRD_PARTY_LICENSES
package main

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// platforms are where mega is built for: some modules are linked on one alone.
var platforms = []string{"linux/amd64", "linux/arm64", "darwin/arm64", "windows/amd64"}

// licence matches the files that say under which terms a module comes.
var licence = regexp.MustCompile(`(?i)^(un)?licen[cs]e|^copying|^notice|^patents|^authors`)

func main() {
	log.SetFlags(0)
	modules, err := linked()
	if err != nil {
		log.Fatal(err)
	}
	root, err := output("go", "env", "GOROOT")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("mega is linked with Go's runtime and standard library and with the modules below.\nThese are their licences.")
	err = write(os.Stdout, "Go", strings.TrimSpace(root))
	for _, name := range slices.Sorted(maps.Keys(modules)) {
		if err == nil {
			err = write(os.Stdout, name, modules[name])
		}
	}
	if err != nil {
		log.Fatal(err)
	}
}

// linked returns the directories of the modules that mega is linked with, by path
// and version.
func linked() (map[string]string, error) {
	modules := make(map[string]string)
	for _, p := range platforms {
		system, processor, _ := strings.Cut(p, "/")
		list, err := output("env", "GOOS="+system, "GOARCH="+processor, "CGO_ENABLED=0", "go", "list", "-tags", "mpi", "-deps",
			"-f", "{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}\t{{.Dir}}{{end}}{{end}}", "./cmd/mega")
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(list) {
			if name, dir, ok := strings.Cut(strings.TrimSpace(line), "\t"); ok {
				modules[name] = dir
			}
		}
	}
	return modules, nil
}

func output(name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	return string(out), err
}

// write prints the terms of what lies in dir, those in a folder of licences among
// them.
func write(w io.Writer, name, dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	found := false
	for _, e := range entries {
		if !licence.MatchString(e.Name()) {
			continue
		}
		paths := []string{filepath.Join(dir, e.Name())}
		if e.IsDir() {
			if paths, err = filepath.Glob(filepath.Join(dir, e.Name(), "*")); err != nil {
				return err
			}
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			file, err := filepath.Rel(dir, path)
			if err != nil {
				return err
			}
			found = true
			text = bytes.ReplaceAll(bytes.TrimSpace(text), []byte("\r\n"), []byte("\n"))
			fmt.Fprintf(w, "\n%s\n%s: %s\n\n%s\n", strings.Repeat("=", 80), name, filepath.ToSlash(file), text)
		}
	}
	if !found {
		return fmt.Errorf("%s: no licence in %s", name, dir)
	}
	return nil
}
