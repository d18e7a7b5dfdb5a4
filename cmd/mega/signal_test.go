//go:build unix

package main

import (
	"bufio"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mega-go/mega/train"
)

// childArgs passes a command line to a child process.
const childArgs = "MEGA_TEST_ARGS"

// TestChild is the program itself in a process of its own.
func TestChild(t *testing.T) {
	args := os.Getenv(childArgs)
	if args == "" {
		t.Skip("run by tests of signals")
	}
	os.Args = append([]string{"mega"}, strings.Split(args, "\n")...)
	main()
}

// startTraining starts a training without end and returns once it has done some
// updates. before is a line for the shell that starts it.
func startTraining(t *testing.T, dir, before string) (*exec.Cmd, *os.File) {
	t.Helper()
	args := tiny(dir, "--max-update", "1000000", "--save-interval", "1000000", "--disable-validation", "--workers", "1")
	// A process whose parent handles a signal begins with the default action, also
	// where the tests were started with the signal ignored, as by nohup.
	handled := make(chan os.Signal, 1)
	signal.Notify(handled, syscall.SIGHUP, os.Interrupt)
	t.Cleanup(func() { signal.Stop(handled) })
	child := exec.Command("sh", "-c", before+`; exec "$0" -test.run='^TestChild$'`, os.Args[0])
	child.Env = append(os.Environ(), childArgs+"="+strings.Join(args, "\n"))
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	child.Stderr = w
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	t.Cleanup(func() { child.Process.Kill() })
	for lines := bufio.NewScanner(r); lines.Scan(); {
		if strings.Contains(lines.Text(), "update 8") {
			return child, r
		}
	}
	t.Fatal("the training ended by itself")
	return nil, nil
}

// TestSignalsEndTrainingAfterSaving: a closed terminal as well as Ctrl-C, a job
// system and a closed pipe.
func TestSignalsEndTrainingAfterSaving(t *testing.T) {
	for name, end := range map[string]func(*exec.Cmd, *os.File) error{
		"SIGHUP":  func(c *exec.Cmd, _ *os.File) error { return c.Process.Signal(syscall.SIGHUP) },
		"SIGINT":  func(c *exec.Cmd, _ *os.File) error { return c.Process.Signal(os.Interrupt) },
		"SIGTERM": func(c *exec.Cmd, _ *os.File) error { return c.Process.Signal(syscall.SIGTERM) },
		"SIGPIPE": func(_ *exec.Cmd, r *os.File) error { return r.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "run")
			child, r := startTraining(t, dir, ":")
			if err := end(child, r); err != nil {
				t.Fatal(err)
			}
			child.Wait()
			last, err := train.LastCheckpoint(dir)
			got := child.ProcessState.ExitCode() // after SIGPIPE the last word goes into the closed pipe again
			if last == "" || err != nil || got != exitInterrupted && name != "SIGPIPE" {
				t.Errorf("status %d, checkpoint %q, %v", got, last, err)
			}
			r.Close()
		})
	}
}

// TestNohup: SIGHUP stays ignored where it was.
func TestNohup(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "run")
	child, r := startTraining(t, dir, `trap "" HUP`)
	defer r.Close()
	go func() {
		for lines := bufio.NewScanner(r); lines.Scan(); { // so that it does not wait for us
		}
	}()
	if err := child.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	time.Sleep(300 * time.Millisecond)
	if last, err := train.LastCheckpoint(dir); last != "" || err != nil {
		t.Errorf("SIGHUP ended the training: %q, %v", last, err)
	}
	if err := child.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	child.Wait()
	if got := child.ProcessState.ExitCode(); got != exitInterrupted {
		t.Errorf("SIGTERM: status %d", got)
	}
}
