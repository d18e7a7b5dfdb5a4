//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

var (
	mutants       = flag.Int("mutants", 4, "broken files that TestMutants makes of each format")
	mutantFormats = flag.String("mutant-formats", "", "regular expression for the formats of TestMutants; all if empty")
	mutantSeed    = flag.Uint64("mutant-seed", 1, "seed of TestMutants")
	keepMutants   = flag.String("keep-mutants", "", "directory in which TestMutants leaves the mutants that fail")
)

// Bounds for any command on any broken file.
const (
	mutantTime   = 10 * time.Second
	mutantMemory = 1 << 30 // bytes resident
)

// mainVariable makes the test binary behave as mega.
const mainVariable = "MEGA_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(mainVariable) != "" {
		if os.Getenv(interpretersVariable) != "" {
			useInterpreters()
		}
		main()
	}
	toldPortable.Do(func() {}) // what tests compare is the same on every processor
	os.Exit(m.Run())
}

// TestMutants breaks the files that commands read and runs the commands on them,
// each in a process of its own. Whatever is in a file, a command ends in time and
// within bounds of memory, with status 0, 1 or 2 and without a panic, and an error
// names the file or what holds it.
//
//	go test ./cmd/mega -run TestMutants -mutants 2000 -timeout 0
func TestMutants(t *testing.T) {
	if testing.Short() {
		t.Skip("it runs hundreds of processes")
	}
	only := regexp.MustCompile(*mutantFormats)
	for _, f := range mutantTable {
		if !only.MatchString(f.name) {
			continue
		}
		t.Run(f.name, func(t *testing.T) {
			fixture := t.TempDir()
			f.build(t, fixture)
			files := f.filesIn(t, fixture)
			for _, use := range f.uses { // what is whole must be read
				if status, out := runMutant(t, copyOf(t, fixture), use); status != exitOK {
					t.Fatalf("mega %s of unbroken files: status %d: %s", use, status, out)
				}
			}
			failed := 0
			for i := range *mutants {
				if !f.mutant(t, fixture, files, i) {
					failed++
				}
			}
			t.Logf("%d of %d mutants failed", failed, *mutants)
		})
	}
}

// A mutantFormat is a kind of file, and commands that read it.
type mutantFormat struct {
	name  string
	build func(t *testing.T, dir string) // writes files that are whole
	files string                         // patterns of those that are broken
	uses  []string                       // command lines, run in the directory
}

func (f *mutantFormat) filesIn(t *testing.T, dir string) (files []string) {
	t.Helper()
	for pattern := range strings.FieldsSeq(f.files) {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil || len(found) == 0 {
			t.Fatalf("nothing like %s: %v", pattern, err)
		}
		files = append(files, found...)
	}
	for i := range files {
		files[i], _ = filepath.Rel(dir, files[i])
	}
	return files
}

// mutant makes the i-th mutant, runs a command on it and reports what is wrong.
func (f *mutantFormat) mutant(t *testing.T, fixture string, files []string, i int) bool {
	r := rand.New(rand.NewPCG(*mutantSeed, uint64(i)))
	dir := copyOf(t, fixture)
	defer os.RemoveAll(dir)
	file := files[r.IntN(len(files))]
	what := breakFile(t, r, filepath.Join(dir, file))
	use := f.uses[r.IntN(len(f.uses))]
	status, out := runMutant(t, dir, use)
	wrong := judge(status, out, file)
	if wrong == "" {
		return true
	}
	t.Errorf("mutant %d, %s of %s, mega %s: %s\n%s", i, what, file, use, wrong, tail(out))
	if *keepMutants != "" {
		if err := os.CopyFS(filepath.Join(*keepMutants, fmt.Sprintf("%s-%d", f.name, i)), os.DirFS(dir)); err != nil {
			t.Log(err)
		}
	}
	return false
}

// copyOf copies what is below from, links as links.
func copyOf(t *testing.T, from string) string {
	t.Helper()
	dir, err := os.MkdirTemp(t.TempDir(), "")
	if err == nil {
		err = os.CopyFS(dir, os.DirFS(from))
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// breakFile changes the file at path, or puts something else into its place.
func breakFile(t *testing.T, r *rand.Rand, path string) string {
	t.Helper()
	if r.IntN(25) == 0 {
		return replaceFile(t, r, path)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	m := mutations[r.IntN(len(mutations))]
	if bytes.HasPrefix(data, []byte("PK\x03\x04")) && r.IntN(2) == 0 {
		m = zipMutations[r.IntN(len(zipMutations))]
	}
	if err := os.WriteFile(path, m.make(r, data), 0o666); err != nil {
		t.Fatal(err)
	}
	return m.name
}

// replaceFile puts a link, a directory or nothing into the place of a file.
func replaceFile(t *testing.T, r *rand.Rand, path string) string {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	var err error
	what := []string{"/dev/zero", "/dev/null", filepath.Base(path), ".", "/nowhere", "directory", "nothing"}[r.IntN(7)]
	switch what {
	case "nothing":
	case "directory":
		err = os.Mkdir(path, 0o777)
	default:
		err = os.Symlink(what, path)
	}
	if err != nil {
		t.Fatal(err)
	}
	return "replacement by " + what
}

// runMutant runs a command line in dir. A status below zero stands for a limit
// that was passed.
func runMutant(t *testing.T, dir, line string) (status int, output string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), mutantTime)
	defer cancel()
	self, err := filepath.Abs(os.Args[0]) // which an emulator can be told to set
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, self, strings.Fields(line)...)
	var out bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &out
	if text := strings.Fields("generate interactive score translate"); slices.Contains(text, strings.Fields(line)[0]) {
		cmd.Stdout = nil // it keeps the bytes of texts where it is no terminal
	}
	cmd.Env = append(os.Environ(), mainVariable+"=1")
	err = cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if ctx.Err() != nil {
		return -1, out.String()
	}
	usage, _ := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if usage != nil && usage.Maxrss<<10 > mutantMemory {
		return -2, out.String()
	}
	return cmd.ProcessState.ExitCode(), out.String()
}

// judge says what is wrong with how a command ended that read a broken file.
func judge(status int, out, file string) string {
	last := tail(out)
	switch {
	case status == -1:
		return fmt.Sprintf("not done in %v", mutantTime)
	case status == -2:
		return fmt.Sprintf("more than %d MB", mutantMemory>>20)
	case status != exitOK && status != exitFailure && status != exitUsage:
		return fmt.Sprintf("status %d", status)
	case strings.Contains(out, "goroutine ") || strings.Contains(out, "panic:"):
		return "a panic"
	case strings.Contains(out, "\x1b"):
		return "an escape sequence in what it printed"
	case status != exitOK && !strings.HasPrefix(last, "mega: "):
		return "no error in its last line"
	case status != exitOK && !anErrorNames(out, file):
		return "the error does not name the file"
	}
	return ""
}

func tail(out string) string {
	lines := strings.Split(strings.TrimSpace(out), "\n")
	return lines[len(lines)-1]
}

// anErrorNames reports whether one of the lines of errors names a file.
func anErrorNames(out, file string) bool {
	for line := range strings.Lines(out) {
		if strings.HasPrefix(line, "mega: ") && namesFile(line, file) {
			return true
		}
	}
	return false
}

// namesFile reports whether an error names a file or a directory above it.
func namesFile(message, file string) bool {
	parts := strings.Split(filepath.ToSlash(file), "/")
	return slices.ContainsFunc(parts, func(part string) bool { return strings.Contains(message, part) })
}

// TestPortableKernels checks that who runs models on the portable kernels is told,
// and nobody else.
func TestPortableKernels(t *testing.T) {
	t.Setenv("MEGA_KERNEL", "generic")
	for line, told := range map[string]int{"forward": 1, "version": 0, "forward --help": 0} {
		_, out := runMutant(t, t.TempDir(), line)
		if n := strings.Count(out, "portable kernels"); n != told {
			t.Errorf("%s says so %d times: %s", line, n, out)
		}
	}
}
