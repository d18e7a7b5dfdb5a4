//go:build mpi && linux

package main

import (
	"bytes"
	"cmp"
	"context"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mega-go/mega/checkpoint"
	"github.com/mega-go/mega/train"
)

// Tests in this file run mega in several processes on this machine, under each
// library of MPI whose launcher is installed:
//
//	CGO_ENABLED=0 go test -tags mpi ./cmd/mega -run TestMPI
//
// With -v they say what they measured.

var (
	mpiKills     = flag.Int("mpi-kills", 3, "how often TestMPIKills kills a training under each MPI")
	mpiProcesses = flag.Int("mpi-processes", 3, "how many processes TestMPITraining trains in at most")
)

// A launcher starts processes.
type launcher struct {
	name    string
	command []string // before the number of processes
}

var launchers = []launcher{
	{"Open MPI", []string{"mpirun.openmpi", "--allow-run-as-root", "--oversubscribe", "--bind-to", "none", "-np"}},
	{"MPICH", []string{"mpiexec.hydra", "-n"}},
}

// launchersHere returns those that are installed, one at least.
func launchersHere(t *testing.T) (here []launcher) {
	t.Helper()
	for _, l := range launchers {
		if _, err := exec.LookPath(l.command[0]); err != nil {
			t.Logf("not tested: %s (%v)", l.name, err)
			continue
		}
		here = append(here, l)
	}
	if len(here) == 0 {
		t.Skip("no MPI is installed")
	}
	return here
}

// start returns a command that runs mega in n processes. It is killed after some minutes.
func (l launcher) start(t *testing.T, n int, args ...string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	t.Cleanup(cancel)
	words := append(append(append([]string{}, l.command...), strconv.Itoa(n), os.Args[0]), args...)
	c := exec.CommandContext(ctx, words[0], words[1:]...)
	c.Env = append(os.Environ(), mainVariable+"=1")
	return c
}

// run runs mega in n processes, which must succeed, and returns what they print.
func (l launcher) run(t *testing.T, n int, args ...string) (stdout string) {
	t.Helper()
	c := l.start(t, n, args...)
	var out, diagnostics bytes.Buffer
	c.Stdout, c.Stderr = &out, &diagnostics
	if err := c.Run(); err != nil {
		t.Fatalf("%s, %d processes of mega %s: %v\n%s", l.name, n, strings.Join(args, " "), err, &diagnostics)
	}
	return out.String()
}

// An mpiTraining is a training of 50 updates without dropout.
type mpiTraining struct {
	flags string
	data  func(t *testing.T) string // "" where the flags say it all
	// together returns flags with which one process does what n do with size.
	size     string
	together func(n int) []string
}

// worldSize makes one process take n batches for an update. Batches that are shuffled
// or of bounded tokens are other ones if they are larger.
func worldSize(n int) []string { return []string{"--distributed-world-size", strconv.Itoa(n)} }

const fiftyUpdates = ` --max-update 50 --total-num-update 50 --warmup-updates 10 --log-interval 1 --lr 0.001 --dropout 0 --attention-dropout 0`

var mpiTrainings = map[string]mpiTraining{
	"classifier": {
		flags:    "--preset listops-short " + strings.Join(tiny("")[5:], " ") + fiftyUpdates + " --no-shuffle --required-batch-size-multiple 1",
		size:     "--batch-size 4",
		together: func(n int) []string { return []string{"--batch-size", strconv.Itoa(4 * n)} },
	},
	// Without padding, which a batch norm counts, and which depends on what is in a batch.
	"pixels": {
		flags: refImage + ` -a mega_lra_pf32 --pixel-normalization 0.5 0.5 --norm-type syncbatchnorm ` + tinyFlags + fiftyUpdates + " --no-shuffle --required-batch-size-multiple 1",
		data: func(t *testing.T) string {
			from, flags := distribution(t, "pathfinder-images")
			dir := filepath.Join(t.TempDir(), "data")
			mustRun(t, append([]string{"data", "pathfinder-images", from, dir}, flags...)...)
			return dir
		},
		size:     "--batch-size 2",
		together: func(n int) []string { return []string{"--batch-size", strconv.Itoa(2 * n)} },
	},
	"language model": {flags: smallTrainings["language model"].flags + fiftyUpdates + " --hidden-dropout 0", data: smallTrainings["language model"].data, together: worldSize},
	"translator":     {flags: smallTrainings["translator"].flags + fiftyUpdates + " --hidden-dropout 0", data: smallTrainings["translator"].data, together: worldSize},
}

// TestMPITraining trains a model of each kind in 1, 2 and 3 processes, or more. Their losses are
// those of one process whose updates are as large, and their weights and moments the
// same, bit for bit, each time and under each MPI.
func TestMPITraining(t *testing.T) {
	here := launchersHere(t)
	for kind, c := range mpiTrainings {
		t.Run(kind, func(t *testing.T) {
			var args []string
			if c.data != nil {
				args = append(args, c.data(t))
			}
			args = append(append([]string{"train"}, args...), refFlags(c.flags)...)
			dirs := t.TempDir()
			for n := 1; n <= *mpiProcesses; n++ {
				alone := filepath.Join(dirs, fmt.Sprint("alone-", n))
				mustRun(t, append(append(args, c.together(n)...), "--save-dir", alone)...)
				first := ""
				for i, l := range append(here[:1:1], here...) { // the first one twice
					dir := filepath.Join(dirs, fmt.Sprint(n, "-", i))
					l.run(t, n, append(append(args, refFlags(c.size)...), "--save-dir", dir)...)
					if first = cmp.Or(first, dir); first == dir {
						t.Logf("%d processes: losses differ by %.1e at most", n, sameLosses(t, dir, alone))
						continue
					}
					sameCheckpoint(t, fmt.Sprintf("%d processes, again, under %s", n, l.name), dir, first)
				}
			}
		})
	}
}

// TestMPISharding goes on with a run in numbers of processes that change, whose moments
// are shared but for one stage: weights, averages and moments are those of a run in the
// same numbers of processes with whole moments, bit for bit, under each MPI.
func TestMPISharding(t *testing.T) {
	here := launchersHere(t)
	stages := []struct {
		processes int
		sharding  string
	}{{2, "os"}, {3, "none"}, {3, "os"}, {1, "os"}, {2, "os"}}
	goOn := func(l launcher, dir string, stage int, sharding string) {
		l.run(t, stages[stage].processes, tiny(dir, "--encoder-embed-dim", "64", "--encoder-hidden-dim", "128", "--encoder-ffn-embed-dim", "128", "--z-dim", "64",
			"--norm-type", "syncbatchnorm", "--dropout", "0.1", "--clip-norm", "0.1", "--model-ema", "--model-ema-decay", "0.9",
			"--distributed-world-size", "3", "--max-update", strconv.Itoa(2*stage+2), "--zero-sharding", sharding)...)
	}
	whole := filepath.Join(t.TempDir(), "whole")
	for stage := range stages {
		goOn(here[0], whole, stage, "none")
	}
	for _, l := range here {
		dir := filepath.Join(t.TempDir(), "sharded")
		for stage, s := range stages {
			goOn(l, dir, stage, s.sharding)
		}
		sameCheckpoint(t, "sharded, under "+l.name, dir, whole)
		if !bytes.Equal(lastFile(t, dir, checkpoint.ModelEMAFile), lastFile(t, whole, checkpoint.ModelEMAFile)) {
			t.Errorf("sharded, under %s: averages differ", l.name)
		}
	}
}

// TestMPIRefusals: a process of another mind than the others ends the job at once, by its
// name, whatever it wants.
func TestMPIRefusals(t *testing.T) {
	here := launchersHere(t)
	dir := t.TempDir()
	const labelled = "testdata/reviews.csv"
	other := filepath.Join(dir, "reviews.csv")
	rows, err := os.ReadFile(labelled)
	if err != nil {
		t.Fatal(err)
	}
	write(t, other, strings.Replace(string(rows), " ", "  ", 1))
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	onLabels := func(file string) []string { return labelledArgs(file, filepath.Join(dir, "labels")) }
	onNumbers := func(more ...string) []string { return tiny(filepath.Join(dir, "run"), more...) }
	for want, c := range map[string]struct {
		environment string // of the last process
		first, last []string
	}{
		`mega: rank 2: --lr is "x", want a number`: {"", onNumbers(), onNumbers("--lr", "x")},
		"mega: rank 0: unknown flag --nope":        {"", onNumbers("--nope"), onNumbers()},
		"rank 2 (on HOST) cannot train together with rank 0 (on HOST): model.seed is 1 on rank 0, 2 on rank 2": {"", onNumbers(), onNumbers("--seed", "2")},
		"it has generic kernels, not ":                     {"MEGA_KERNEL=generic", onNumbers(), onNumbers()},
		"mega: rank 2: MEGA_KERNEL":                        {"MEGA_KERNEL=nope", onNumbers(), onNumbers()},
		"rank 2 runs mega version, and rank 0 mega train":  {"", onNumbers(), []string{"version"}},
		"rank 2 runs mega help, and rank 0 mega train":     {"", onNumbers(), []string{"train", "--help"}},
		"rank 2 runs mega train, and rank 0 mega help":     {"", []string{"train", "--help"}, onNumbers()},
		"the file of the data is not what it is on rank 0": {"", onLabels(labelled), onLabels(other)},
	} {
		want = strings.ReplaceAll(want, "HOST", host)
		for _, l := range here {
			job := l.start(t, 2, c.first...)
			job.Args = append(job.Args, ":", job.Args[len(l.command)-1], "1", "env", cmp.Or(c.environment, "LANG=C"), os.Args[0])
			job.Args = append(job.Args, c.last...)
			out, err := job.CombinedOutput()
			if err == nil || !strings.Contains(string(out), want) {
				t.Errorf("%s: %v, want %s:\n%s", l.name, err, want, out)
			}
		}
	}
}

// TestMPIDevices trains in two processes on two devices: each takes that of its number. Losses
// and weights are near those of one process on one device, whose updates are as large, and
// weights and moments are the same bits however moments are divided, under each MPI.
func TestMPIDevices(t *testing.T) {
	here := launchersHere(t)
	t.Setenv(interpretersVariable, "1")
	dirs := t.TempDir()
	train := func(name string, more ...string) []string {
		return tiny(filepath.Join(dirs, name), append([]string{"--listops-sizes", "12,1,1", "--listops-length", "3,6", "--max-update", "3", "--total-num-update", "3",
			"--warmup-updates", "1", "--log-interval", "1", "--dropout", "0", "--attention-dropout", "0", "--adam-eps", "0.01",
			"--encoder-embed-dim", "8", "--encoder-hidden-dim", "8", "--encoder-ffn-embed-dim", "8", "--z-dim", "4",
			"--no-shuffle", "--required-batch-size-multiple", "1", "--disable-validation", "--device", "cuda"}, more...)...)
	}
	onInterpreters(t)
	mustRun(t, train("alone", "--batch-size", "4")...)
	first := ""
	for _, l := range here {
		for _, sharding := range []string{"none", "os"} {
			name := l.name + " " + sharding
			job := l.start(t, 2, train(name, "--batch-size", "2", "--zero-sharding", sharding)...)
			out, err := job.CombinedOutput()
			if err != nil {
				t.Fatalf("%s: %v\n%s", name, err, out)
			}
			for _, device := range []string{"device 0 is taken", "device 1 is taken"} {
				if strings.Count(string(out), device) != 1 {
					t.Errorf("%s: want %q once:\n%s", name, device, out)
				}
			}
			if first = cmp.Or(first, name); first != name {
				sameCheckpoint(t, name, filepath.Join(dirs, name), filepath.Join(dirs, first))
				continue
			}
			nearTraining(t, filepath.Join(dirs, name), filepath.Join(dirs, "alone"))
		}
	}
}

// nearTraining fails unless the losses of two runs are within 1e-6 of each other, and their
// weights within 1e-5 of the largest.
func nearTraining(t *testing.T, dir, other string) {
	t.Helper()
	got, want := trainingLosses(t, dir), trainingLosses(t, other)
	if len(got) != len(want) || len(got) == 0 {
		t.Fatalf("%d records, want %d", len(got), len(want))
	}
	for i := range got {
		if d := math.Abs(got[i]/want[i] - 1); !(d <= 1e-6) {
			t.Errorf("record %d: the loss is %v, want %v", i+1, got[i], want[i])
		}
	}
	x, y := lastWeights(t, dir), lastWeights(t, other)
	for name, w := range y {
		most, off := 0.0, 0.0
		for i := range w {
			most, off = max(most, math.Abs(float64(w[i]))), max(off, math.Abs(float64(x[name][i]-w[i])))
		}
		if !(off <= 1e-5*most) {
			t.Errorf("%s is off by %.2g of the largest", name, off/most)
		}
	}
}

// lastWeights returns the weights of a run's last checkpoint by name.
func lastWeights(t *testing.T, dir string) map[string][]float32 {
	t.Helper()
	last, err := train.LastCheckpoint(dir)
	if err != nil {
		t.Fatal(err)
	}
	c, err := checkpoint.Open(last)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	m, err := c.Classifier()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]float32{}
	for _, p := range m.Params().All() {
		all[p.Name] = p.Value().Host()
	}
	return all
}

// TestMPIJoinTimeout: a process gives up after the time that the flag says, where another of
// the job never joins.
func TestMPIJoinTimeout(t *testing.T) {
	for _, l := range launchersHere(t) {
		job := l.start(t, 1, tiny(filepath.Join(t.TempDir(), "run"), "--join-timeout", "1")...)
		job.Args = append(job.Args, ":", job.Args[len(l.command)-1], "1", "sleep", "20")
		started := time.Now()
		out, err := job.CombinedOutput()
		if want := "one of 2 processes: waited 1s for all to start: has one failed? (--join-timeout)"; err == nil || !strings.Contains(string(out), want) {
			t.Errorf("%s: %v after %v, want %q:\n%s", l.name, err, time.Since(started), want, out)
		}
	}
}

// sameLosses fails unless the losses of two runs are within 1e-6 of each other, and
// returns the greatest difference, all relative.
func sameLosses(t *testing.T, dir, other string) (worst float64) {
	t.Helper()
	got, want := trainingLosses(t, dir), trainingLosses(t, other)
	if len(got) != len(want) || len(got) < 50 {
		t.Fatalf("%s has %d records, %s %d", dir, len(got), other, len(want))
	}
	for i, loss := range got {
		d := math.Abs(loss-want[i]) / want[i]
		if !(d <= 1e-6) {
			t.Fatalf("%s, record %d: the loss is %v, want %v", filepath.Base(dir), i+1, loss, want[i])
		}
		worst = max(worst, d)
	}
	return worst
}

// trainingLosses returns the losses of the training that a run's records have.
func trainingLosses(t *testing.T, dir string) (losses []float64) {
	t.Helper()
	records, err := train.ReadRecords(filepath.Join(dir, "metrics.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		if r.Kind == train.KindTrain {
			losses = append(losses, r.Metrics["loss"])
		}
	}
	return losses
}

// sameCheckpoint fails unless the last checkpoints of two runs have the same weights and
// moments, bit for bit.
func sameCheckpoint(t *testing.T, what, dir, other string) {
	t.Helper()
	for _, name := range []string{checkpoint.ModelFile, checkpoint.OptimizerFile} {
		if !bytes.Equal(lastFile(t, dir, name), lastFile(t, other, name)) {
			t.Errorf("%s: %s differs", what, name)
		}
	}
}

// lastFile returns a file of a run's last checkpoint.
func lastFile(t *testing.T, dir, name string) []byte {
	t.Helper()
	last, err := train.LastCheckpoint(dir)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(last, name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// timings are what two evaluations may print differently.
var timings = regexp.MustCompile(`[0-9.]+(s| sentences/s| tokens/s)\b`)

// TestMPISharedWork: evaluations and texts of several processes are those of one, byte
// for byte.
func TestMPISharedWork(t *testing.T) {
	here := launchersHere(t)
	dir := t.TempDir()
	classifier, language, prompts := filepath.Join(dir, "classifier"), filepath.Join(dir, "language"), filepath.Join(dir, "prompts")
	mustRun(t, tiny(classifier)...)
	c := smallTrainings["language model"]
	mustRun(t, append([]string{"train", c.data(t), "--save-dir", language}, refFlags(c.flags+" --lr 0.001")...)...)
	write(t, prompts, strings.Repeat("the quick brown fox\nthe slow\nover\n", 3))
	pairs := []string{"generate", pairsDir, "--path", golden("mt_wmt"), "--beam", "2", "--batch-size", "9"}
	for _, args := range [][]string{
		{"eval", classifier},
		{"validate", classifier, "--json", "--max-sentences-valid", "7"},
		{"eval-lm", language, "--valid-block", "splits:5", "--output-word-probs", "--output-word-stats"},
		{"eval-lm", language, "--valid-block", "splits:40", "--batch-size", "3", "--test-chunk-size", "32", "--output-word-probs"},
		{"generate", language, "--prompts", prompts, "--max-len-b", "5", "--nbest", "30", "--json"},
		{"generate", language, "--prompts", prompts, "--max-len-b", "20", "--beam", "3"},
		{"generate", language, "--prompt", "the quick", "--max-len-b", "20"},
		pairs,
		append(pairs, "--gen-subset", "valid", "--scoring", "sacrebleu", "--print-alignment", "--nbest", "2"),
	} {
		out, _ := mustRun(t, args...)
		want := timings.ReplaceAllString(out, "")
		for n := 2; n <= 3; n++ {
			for _, l := range here {
				if got := timings.ReplaceAllString(l.run(t, n, args...), ""); got != want {
					t.Errorf("%s, %d processes of mega %s print\n%s\nwant\n%s", l.name, n, strings.Join(args, " "), got, want)
				}
			}
		}
	}
}

// TestMPIKills kills one process of three, at random moments of a training that saves
// often. The launcher ends the others, the same command goes on, every second time with
// shared moments, and in the end weights and moments are those of a training that nobody
// disturbed, and whose moments were whole.
func TestMPIKills(t *testing.T) {
	for _, l := range launchersHere(t) {
		t.Run(l.name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, 2))
			dir := filepath.Join(t.TempDir(), "run")
			args := tiny(dir, "--norm-type", "syncbatchnorm", "--dropout", "0.1", "--encoder-embed-dim", "64", "--encoder-hidden-dim", "128", "--save-interval-updates", "5", "--keep-interval-updates", "2",
				"--disable-validation", "--total-num-update", "1000000", "--max-update", "1000000")
			var longest time.Duration
			for i := range *mpiKills {
				sharding := []string{"none", "os"}[i%2]
				longest = max(longest, killOne(t, l, rng, dir, append(args[:len(args):len(args)], "--zero-sharding", sharding)))
			}
			updates := updatesSaved(t, dir)
			if updates == 0 {
				t.Error("no update was saved before a kill")
			}
			args = append(args, "--max-update", strconv.Itoa(updates+7))
			l.run(t, 3, args...)
			whole := filepath.Join(t.TempDir(), "whole")
			l.run(t, 3, append(args, "--save-dir", whole)...)
			sameCheckpoint(t, "after kills", dir, whole)
			t.Logf("%d kills in %d updates; the job ended %v after a kill at most", *mpiKills, updates, longest.Round(time.Millisecond))
		})
	}
}

// killOne starts a training in three processes, kills one at a random moment, soon after
// the start or once a checkpoint has been saved, and returns how long the others lived on.
func killOne(t *testing.T, l launcher, rng *rand.Rand, dir string, args []string) time.Duration {
	t.Helper()
	before := updatesSaved(t, dir)
	c := l.start(t, 3, args...)
	var diagnostics bytes.Buffer
	c.Stderr = &diagnostics
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	saved, ranks := rng.IntN(3) > 0, []int(nil)
	meanwhile(t, ended, &diagnostics, func() bool {
		ranks = processesOf(dir)
		return len(ranks) >= 3 && (!saved || updatesSaved(t, dir) != before)
	})
	time.Sleep(time.Duration(rng.IntN(500)) * time.Millisecond)
	killed := time.Now()
	if err := syscall.Kill(ranks[rng.IntN(3)], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil {
		t.Fatalf("the training went on without a process:\n%s", &diagnostics)
	}
	return time.Since(killed)
}

// meanwhile waits until something holds of a training, which must not end before.
func meanwhile(t *testing.T, ended <-chan error, diagnostics *bytes.Buffer, holds func() bool) {
	t.Helper()
	for !holds() {
		select {
		case err := <-ended:
			t.Fatalf("the training ended by itself: %v\n%s", err, diagnostics)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// processesOf returns the processes of mega that train in a directory.
func processesOf(dir string) (ids []int) {
	lines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range lines {
		words, err := os.ReadFile(path) // fails if the process has ended
		if program, args, _ := strings.Cut(string(words), "\x00"); err == nil && program == os.Args[0] && strings.Contains(args, dir+"\x00") {
			id, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			ids = append(ids, id)
		}
	}
	return ids
}

// updatesSaved returns how many updates the last checkpoint of a run has, 0 if there is
// none.
func updatesSaved(t *testing.T, dir string) int {
	t.Helper()
	last, err := train.LastCheckpoint(dir)
	if err != nil {
		t.Fatal(err)
	}
	return max(0, checkpoint.SavedUpdates(filepath.Base(last)))
}
