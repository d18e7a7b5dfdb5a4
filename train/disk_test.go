//go:build linux

package train

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// fullDir tells a child of TestFullDisk where to train.
const fullDir = "MEGA_TEST_FULL_DIR"

// TestFullDiskChild trains some updates more, while no file may grow beyond two
// kilobytes, as the optimiser's does: as if the disk were full.
func TestFullDiskChild(t *testing.T) {
	dir := os.Getenv(fullDir)
	if dir == "" {
		t.Skip("run by TestFullDisk")
	}
	signal.Ignore(syscall.SIGXFSZ)
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 2 << 10, Max: was.Max}); err != nil {
		t.Fatal(err)
	}
	c := toyConfig()
	c.MaxUpdate, c.LogInterval, c.NoEpochCheckpoints = 12, 1000, true
	_, err := Run(context.Background(), newToy(), c, Options{Dir: dir})
	fmt.Println("result:", err)
	syscall.Setrlimit(syscall.RLIMIT_FSIZE, &was) // the coverage of go test -cover is larger
}

// TestFullDisk: a checkpoint that cannot be written is an error that says so,
// and the one before stays as it was.
func TestFullDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	c := toyConfig()
	c.MaxUpdate, c.LogInterval, c.NoEpochCheckpoints = 8, 1000, true
	trainToy(t, newToy(), c, dir)
	wantBits, _ := lastState(t, dir)
	child := exec.Command(os.Args[0], "-test.run=^TestFullDiskChild$")
	child.Env = append(os.Environ(), fullDir+"="+dir)
	out, err := child.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if s := string(out); !strings.Contains(s, "result: saving a checkpoint: ") || !strings.Contains(s, "file too large") {
		t.Errorf("got %s", s)
	}
	if bits, state := lastState(t, dir); state.Updates != 8 || len(bits) != len(wantBits) {
		t.Errorf("the last checkpoint is of update %d", state.Updates)
	}
	checkTidy(t, Checkpoints(dir))
}
