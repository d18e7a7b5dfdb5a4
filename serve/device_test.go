package serve

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mega-go/mega/generate"
	"github.com/mega-go/mega/internal/cuda/device"
	"github.com/mega-go/mega/internal/cuda/devicetest"
	"github.com/mega-go/mega/task/classify"
)

// TestEndedDevice: a model that is to be loaded, or to leave, after the device's loop has
// ended is an error that is told, and no panic.
func TestEndedDevice(t *testing.T) {
	loop := device.NewLoop(device.NewInterpreter(nil))
	if err := loop.While(func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	const want = "its loop has ended"
	if _, err := bytesModel.load(Options{Device: loop}, slog.Default()); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("load: %v, want it to say that %s", err, want)
	}
	var log bytes.Buffer
	l := &loaded{device: loop, log: slog.New(slog.NewTextHandler(&log, nil))}
	if l.leaveDevice(); !strings.Contains(log.String(), want) {
		t.Errorf("leave: %q, want it to say that %s", log.String(), want)
	}
}

// TestFailedLoad: a model of any kind that cannot be loaded leaves no memory of a device
// taken, whatever fails: memory, a copy, or the data beside the model.
func TestFailedLoad(t *testing.T) {
	d := devicetest.NewCounter(t)
	loop := device.NewLoop(d)
	o := Options{Device: loop}.withDefaults()
	fails := func(m Model, want string) {
		t.Helper()
		l, err := m.load(o, o.Log)
		if err == nil {
			l.close()
			t.Errorf("%s is loaded, want it to say %s", m.ID, want)
			return
		}
		if !strings.Contains(err.Error(), want) || d.Blocks != 0 {
			t.Errorf("%s: %v, and %d blocks of memory are left, want it to say %s", m.ID, err, d.Blocks, want)
		}
	}
	pictures := Model{ID: "pictures", Path: golden("imagenet")}
	err := loop.While(func() error {
		for _, m := range []Model{bytesModel, pairsModel, greyModel, pictures} {
			d.Limit(-1, -1)
			l, err := m.load(o, o.Log)
			if err != nil {
				return err
			}
			allocs, writes := d.Allocs, d.Writes
			if l.close(); d.Blocks != 0 {
				t.Errorf("%s that was closed leaves %d blocks of memory", m.ID, d.Blocks)
			}
			for _, after := range []int{0, 1, allocs / 2, allocs - 1} {
				d.Limit(after, -1)
				fails(m, "out of memory")
			}
			for _, after := range []int{0, writes - 1} {
				d.Limit(-1, after)
				fails(m, "a copy failed")
			}
			d.Limit(-1, -1)
			if m.Data != "" {
				m.Data = t.TempDir()
				fails(m, m.Data)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// TestClassifiersOnDevice holds what a server says of pictures, and of a stream of grey
// ones, on a device against what it says on the CPU.
func TestClassifiersOnDevice(t *testing.T) {
	models := []Model{greyModel, {ID: "pictures", Path: golden("imagenet")}}
	file := picture(t, 20, 16)
	answers := func(o Options) (all [][]classScore, err error) {
		o.Reload = -1
		s, err := New(o)
		if err != nil {
			return nil, err
		}
		defer s.Close()
		for _, m := range models {
			status, text, _ := ask(t, s, "POST", "/predict?model="+m.ID, "image/png", file)
			var answer []classScore
			if err := json.Unmarshal(text, &answer); err != nil || status != 200 || len(answer) < 2 {
				return nil, fmt.Errorf("%s: %d %s", m.ID, status, text)
			}
			all = append(all, answer)
		}
		status, text, _ := ask(t, s, "POST", "/models/grey/stream?window=64", "application/octet-stream", bytes.Repeat([]byte("some grey pixels"), 8))
		windows := json.NewDecoder(bytes.NewReader(text))
		for range 2 {
			var p classify.Prediction
			if err := windows.Decode(&p); err != nil || status != 200 {
				return nil, fmt.Errorf("a stream: %d %s", status, text)
			}
			all = append(all, []classScore{{p.Class, p.Probability}})
		}
		return all, nil
	}
	want, err := answers(Options{Models: models})
	if err != nil {
		t.Fatal(err)
	}
	loop := device.NewLoop(devicetest.New(t))
	if err := loop.While(func() error {
		got, err := answers(Options{Models: models, Device: loop})
		if err != nil {
			return err
		}
		for i := range want {
			for k, w := range want[i] {
				if g := got[i][k]; g.Label != w.Label || math.Abs(g.Score-w.Score) > 1e-5 {
					t.Errorf("answer %d: %v, want %v", i, g, w)
				}
			}
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

// TestFailedReload: a checkpoint that cannot be loaded is not tried again at each look, but
// at once when it changes, and the server tells of it meanwhile.
func TestFailedReload(t *testing.T) {
	d := devicetest.NewCounter(t)
	loop := device.NewLoop(d)
	dir := filepath.Join(t.TempDir(), "model")
	if err := os.CopyFS(dir, os.DirFS(golden("lra_image"))); err != nil {
		t.Fatal(err)
	}
	touch := func() {
		if err := os.WriteFile(filepath.Join(dir, "note"), []byte(time.Now().String()), 0o600); err != nil {
			t.Error(err)
		}
	}
	err := loop.While(func() error {
		s := newServer(t, Options{Models: []Model{{ID: "m", Path: dir}}, Device: loop})
		defer s.Close()
		slot := s.slots[0]
		o := s.options
		o.Reload = time.Minute // after which the same files are tried again
		live := d.Blocks
		look := func(allocs int, fails bool) {
			t.Helper()
			before := d.Allocs
			old, err := slot.reload(o, s.log)
			if slot.setStale(err); old != nil {
				old.close()
			}
			if d.Allocs-before != allocs || (err != nil) != fails || d.Blocks != live {
				t.Errorf("%d allocations, %v, and %d blocks of memory, want %d allocations, failure %v, and %d blocks", d.Allocs-before, err, d.Blocks, allocs, fails, live)
			}
			health, metrics := `{"status":"ok"}`, `mega_model_stale{model="m"} 0`
			if fails {
				health, metrics = `{"status":"ok","stale":1}`, `mega_model_stale{model="m"} 1`
			}
			if _, text, _ := ask(t, s, "GET", "/health", "", nil); strings.TrimSpace(string(text)) != health {
				t.Errorf("health is %s, want %s", text, health)
			}
			if _, text, _ := ask(t, s, "GET", "/metrics", "", nil); !strings.Contains(string(text), metrics) {
				t.Errorf("metrics lack %s", metrics)
			}
		}
		whole := d.Allocs
		look(0, false)
		d.Limit(2, -1)
		touch()
		look(2, true)
		d.Limit(2, -1)
		look(0, true)
		slot.failed.next = time.Now() // the pause is over
		look(2, true)
		if slot.failed.pause != 2*o.Reload {
			t.Errorf("after two failures the files are left alone for %v, want %v", slot.failed.pause, 2*o.Reload)
		}
		d.Limit(2, -1)
		touch()
		look(2, true)
		d.Limit(-1, -1)
		slot.failed.next = time.Now()
		look(whole, false)
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	a := attempt{}
	for range 20 {
		a = a.again("files", nil, time.Second)
	}
	if a.pause != longestPause || a.again("others", nil, time.Second).pause != time.Second {
		t.Errorf("the longest pause is %v, and after others %v", a.pause, a.again("others", nil, time.Second).pause)
	}
}

// TestFullDevice: prompts that a device has no memory to begin with end with an error,
// all of them, and nothing is left of them.
func TestFullDevice(t *testing.T) {
	full := devicetest.NewCounter(t)
	m := randomText(t)
	m.Model.Params().Move(full)
	loop := device.NewLoop(full)
	err := loop.While(func() error {
		full.Limit(0, -1)
		e := newTextEngine(m, Options{Rows: 4, Queue: 4, Device: loop}.withDefaults(), slog.New(slog.DiscardHandler))
		defer e.close()
		var jobs []*textJob
		for range 3 {
			j := &textJob{ctx: t.Context(), tokens: promptTokens(nil, nil), options: m.Options(generate.DefaultContinueOptions()), texts: 1}
			if err := e.start(j); err != nil {
				return err
			}
			jobs = append(jobs, j)
		}
		for _, j := range jobs {
			if _, _, err := j.out.take(context.Background()); err == nil || !strings.Contains(err.Error(), "out of memory") {
				t.Errorf("%v, want it to say that there is no memory", err)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
