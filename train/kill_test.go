//go:build unix

package train

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/mega-go/mega/checkpoint"
)

// killDir tells a child of TestKills where to train.
const killDir = "MEGA_TEST_KILL_DIR"

// killConfig trains longer than anyone waits, saving each update under several
// names.
func killConfig() Config {
	c := toyConfig()
	c.MaxUpdate, c.TotalNumUpdate, c.LogInterval = 1_000_000, 1_000_000, 1
	c.SaveIntervalUpdates, c.KeepIntervalUpdates, c.KeepLastEpochs = 1, 2, 1
	return c
}

// TestKillChild is the process that TestKills kills.
func TestKillChild(t *testing.T) {
	dir := os.Getenv(killDir)
	if dir == "" {
		t.Skip("run by TestKills")
	}
	os.Stdout.WriteString("go")
	_, err := Run(context.Background(), newToy(), killConfig(), Options{Dir: dir})
	t.Fatal(err)
}

// TestKills kills runs a hundred times while they save a checkpoint after each
// update. Every checkpoint that has a name must open, and in the end the weights
// must be those of a run that nobody killed.
func TestKills(t *testing.T) {
	for seed := range uint64(2) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			killRepeatedly(t, filepath.Join(t.TempDir(), "run"), 50, rand.New(rand.NewPCG(seed, 2)))
		})
	}
}

func killRepeatedly(t *testing.T, dir string, kills int, rng *rand.Rand) {
	updates, after := 0, 0
	for kill := range kills {
		child := startChild(t, dir)
		time.Sleep(time.Duration(rng.IntN(70_000)) * time.Microsecond)
		if err := child.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := child.Wait(); err == nil || child.ProcessState.Exited() {
			t.Fatalf("kill %d: the run ended by itself: %v", kill, child.ProcessState)
		}
		last := checkNamed(t, dir)
		if last < updates {
			t.Fatalf("kill %d: the last checkpoint went back from update %d to %d", kill, updates, last)
		}
		if last > updates {
			updates, after = last, after+1
		}
	}
	t.Logf("%d updates; %d of %d kills came after new checkpoints", updates, after, kills)
	if updates == 0 {
		t.Fatal("no update was saved")
	}
	compareWithUnkilled(t, dir, updates)
}

// startChild starts a run and returns when it is about to open the directory.
func startChild(t *testing.T, dir string) *exec.Cmd {
	t.Helper()
	child := exec.Command(os.Args[0], "-test.run=^TestKillChild$")
	child.Env = append(os.Environ(), killDir+"="+dir, "GOMAXPROCS=1")
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	return child
}

// checkNamed opens every checkpoint that has a name and returns the number of
// updates of the last.
func checkNamed(t *testing.T, dir string) int {
	t.Helper()
	links, err := filepath.Glob(filepath.Join(Checkpoints(dir), "checkpoint*"))
	if err != nil {
		t.Fatal(err)
	}
	last := 0
	for _, link := range links {
		m := newToy()
		n := checkpoint.Native{Params: m.params, Optimizer: NewAdam(m.params, AdamConfig{}).buffers()}
		if err := n.Resume(link); err != nil {
			t.Fatal(err)
		}
		state, err := parseState(n.State)
		if err != nil {
			t.Fatal(err)
		}
		if n.Stamp != stamp(&state) || state.Steps != state.Updates || int(m.params.Counters()[0].Value) != state.Updates {
			t.Fatalf("%s mixes updates: %q, %d, %d, %d", link, n.Stamp, state.Updates, state.Steps, m.params.Counters()[0].Value)
		}
		if filepath.Base(link) == lastName {
			last = state.Updates
		}
	}
	return last
}

// compareWithUnkilled lets the run come to an end and holds it against one that
// was never stopped.
func compareWithUnkilled(t *testing.T, dir string, updates int) {
	t.Helper()
	c := killConfig()
	c.MaxUpdate, c.SaveIntervalUpdates = updates+3, 0
	trainToy(t, newToy(), c, dir)
	whole := filepath.Join(t.TempDir(), "whole")
	c.SaveIntervalUpdates, c.ValidateIntervalUpdates = 0, 1
	trainToy(t, newToy(), c, whole)
	bits, _ := lastState(t, dir)
	want, _ := lastState(t, whole)
	if !slices.Equal(bits, want) {
		t.Error("weights or moments differ from those of a run that was not killed")
	}
	checkNamed(t, dir)
	checkTidy(t, Checkpoints(dir))
}
