package browser

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// root is the repository.
const root = "../../.."

// A running server has the models of models/, two small ones of pictures and sounds
// that are trained for a moment, and two runs.
type running struct {
	url  string
	dir  string // of what was made for it
	mega string // the program

	browser context.Context
}

var server running

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "page")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	server = running{dir: dir, mega: filepath.Join(dir, "mega")}
	command("go", "-C", root, "build", "-o", server.mega, "./cmd/mega")
	server.pictures()
	server.sounds()
	server.runs()
	stop := server.start()
	defer stop()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox,
		chromedp.Flag("use-fake-ui-for-media-stream", true), chromedp.Flag("use-fake-device-for-media-stream", true))
	allocator, stopBrowser := chromedp.NewExecAllocator(context.Background(), options...)
	defer stopBrowser()
	var end context.CancelFunc
	server.browser, end = chromedp.NewContext(allocator)
	defer end()
	if err := chromedp.Do(server.browser); err != nil { // starts it
		panic(err)
	}
	return m.Run()
}

// command runs a program and returns what it printed.
func command(name string, args ...string) string {
	var errors bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Stderr = &errors
	out, err := cmd.Output()
	if err != nil {
		panic(fmt.Sprintf("%s: %v\n%s", cmd, err, errors.Bytes()))
	}
	return string(out)
}

func (r *running) path(name string) string { return filepath.Join(r.dir, name) }

// pictures trains a model of pictures for two updates.
func (r *running) pictures() {
	command(r.mega, "data", "shapes", r.path("shapes"), "--train", "72", "--valid", "36", "--test", "36", "--size", "32")
	command(r.mega, "train", r.path("shapes"), "--preset", "photos", "--save-dir", r.path("pictures"), "--img-size", "32",
		"--depth", "1", "--embed-dim", "16", "--hidden-dim", "16", "--ffn-hidden-dim", "16", "--zdim", "8", "--ndim", "2", "--max-epoch", "0", "--max-update", "2", "--warmup-epochs", "0")
}

// sounds trains a model on noises and tones for two updates.
func (r *running) sounds() {
	for class, tone := range map[string]float64{"noise": 0, "tone": 440} {
		if err := os.MkdirAll(r.path("sound/"+class), 0o755); err != nil {
			panic(err)
		}
		for i := range 10 {
			writeWAV(r.path(fmt.Sprintf("sound/%s/%d.wav", class, i)), tone*(1+float64(i)/20))
		}
	}
	command(r.mega, "train", r.path("sound"), "--save-dir", r.path("sounds"), "--encoder-layers", "1", "--max-update", "2", "--total-num-update", "2", "--warmup-updates", "1")
}

// writeWAV writes half a second of a tone, or of noise for 0 Hz.
func writeWAV(path string, tone float64) {
	const rate, n = 4000, 2000
	var b bytes.Buffer
	b.WriteString("RIFF")
	binary.Write(&b, binary.LittleEndian, uint32(36+2*n))
	b.WriteString("WAVEfmt ")
	binary.Write(&b, binary.LittleEndian, struct {
		Size           uint32
		Format, Ch     uint16
		Rate, PerS     uint32
		PerFrame, Bits uint16
	}{16, 1, 1, rate, 2 * rate, 2, 16})
	b.WriteString("data")
	binary.Write(&b, binary.LittleEndian, uint32(2*n))
	for i := range n {
		x := rand.Float64()*2 - 1
		if tone > 0 {
			x = math.Sin(2 * math.Pi * tone * float64(i) / rate)
		}
		binary.Write(&b, binary.LittleEndian, int16(20000*x))
	}
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		panic(err)
	}
}

// runs copies two runs, of which the first, the newer, is in the middle of its training.
func (r *running) runs() {
	for i, name := range []string{"numbers-en-de", "go-std"} {
		text, err := os.ReadFile(filepath.Join(root, "docs/results", name, "metrics.jsonl"))
		if err != nil {
			panic(err)
		}
		lines := strings.SplitAfter(string(text), "\n")
		dir := r.path("runs/" + name)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			panic(err)
		}
		metrics := filepath.Join(dir, "metrics.jsonl")
		if err := os.WriteFile(metrics, []byte(strings.Join(lines[:20], "")), 0o644); err != nil {
			panic(err)
		}
		config, err := os.ReadFile(filepath.Join(root, "docs/results", name, "config.json"))
		if err != nil {
			panic(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "config.json"), config, 0o644); err != nil {
			panic(err)
		}
		now := time.Now().Add(time.Duration(i-1) * time.Hour)
		if err := os.Chtimes(metrics, now, now); err != nil {
			panic(err)
		}
	}
}

// record adds a line to the run that is training.
func (r *running) record(t *testing.T, line string) {
	f, err := os.OpenFile(r.path("runs/go-std/metrics.jsonl"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := fmt.Fprintln(f, line); err != nil {
		t.Fatal(err)
	}
}

// start starts mega serve and waits until it says where it is.
func (r *running) start() (stop func()) {
	configs, _ := filepath.Glob(root + "/models/*/config.json")
	args := []string{"serve", "--address", "127.0.0.1:0", "--runs", r.path("runs")}
	for _, config := range configs {
		args = append(args, filepath.Dir(config))
	}
	cmd := exec.Command(r.mega, append(args, r.path("pictures"), r.path("sounds"))...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		panic(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	url, ok := strings.CutPrefix(strings.TrimSpace(line), "serving at ")
	if !ok {
		panic(fmt.Sprintf("mega serve says %q: %v", line, err))
	}
	r.url = url
	return func() {
		cmd.Process.Signal(os.Interrupt)
		cmd.Wait()
	}
}
