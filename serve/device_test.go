package serve

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
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
	"github.com/mega-go/mega/internal/cuda/kernels"
	"github.com/mega-go/mega/internal/cuda/ptx"
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

// A shortDevice counts its memory, and refuses it, or copies to it, after some calls.
type shortDevice struct {
	device.Device
	allocs, writes, live int
	mostAllocs           int // negative for no limit
	mostWrites           int
}

func newShort(t *testing.T) *shortDevice {
	t.Helper()
	module, err := ptx.Parse(kernels.PTX)
	if err != nil {
		t.Fatal(err)
	}
	return &shortDevice{Device: device.NewInterpreter(module), mostAllocs: -1, mostWrites: -1}
}

func (d *shortDevice) Alloc(n int) (device.Address, error) {
	if d.allocs == d.mostAllocs {
		return 0, errors.New("out of memory")
	}
	d.allocs++
	d.live++
	return d.Device.Alloc(n)
}

func (d *shortDevice) Free(at device.Address) error {
	d.live--
	return d.Device.Free(at)
}

func (d *shortDevice) Write(at device.Address, data []byte) error {
	if d.writes == d.mostWrites {
		return errors.New("a copy failed")
	}
	d.writes++
	return d.Device.Write(at, data)
}

// limit begins to count calls anew, of which only so many succeed, all if that is negative.
func (d *shortDevice) limit(allocs, writes int) {
	d.allocs, d.writes, d.mostAllocs, d.mostWrites = 0, 0, allocs, writes
}

// TestFailedLoad: a model of any kind that cannot be loaded leaves no memory of a device
// taken, whatever fails: memory, a copy, or the data beside the model.
func TestFailedLoad(t *testing.T) {
	d := newShort(t)
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
		if !strings.Contains(err.Error(), want) || d.live != 0 {
			t.Errorf("%s: %v, and %d blocks of memory are left, want it to say %s", m.ID, err, d.live, want)
		}
	}
	pictures := Model{ID: "pictures", Path: golden("imagenet")}
	err := loop.While(func() error {
		for _, m := range []Model{bytesModel, pairsModel, greyModel, pictures} {
			d.limit(-1, -1)
			l, err := m.load(o, o.Log)
			if err != nil {
				return err
			}
			allocs, writes := d.allocs, d.writes
			if l.close(); d.live != 0 {
				t.Errorf("%s that was closed leaves %d blocks of memory", m.ID, d.live)
			}
			for _, after := range []int{0, 1, allocs / 2, allocs - 1} {
				d.limit(after, -1)
				fails(m, "out of memory")
			}
			for _, after := range []int{0, writes - 1} {
				d.limit(-1, after)
				fails(m, "a copy failed")
			}
			d.limit(-1, -1)
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
	loop := device.NewLoop(newShort(t))
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
	d := newShort(t)
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
		live := d.live
		look := func(allocs int, fails bool) {
			t.Helper()
			before := d.allocs
			old, err := slot.reload(o, s.log)
			if slot.setStale(err); old != nil {
				old.close()
			}
			if d.allocs-before != allocs || (err != nil) != fails || d.live != live {
				t.Errorf("%d allocations, %v, and %d blocks of memory, want %d allocations, failure %v, and %d blocks", d.allocs-before, err, d.live, allocs, fails, live)
			}
			health, metrics := `{"status":"ok"}`, `mega_model_stale{model="m"} 0`
			if fails {
				health, metrics = `{"status":"ok","stale":["m"]}`, `mega_model_stale{model="m"} 1`
			}
			if _, text, _ := ask(t, s, "GET", "/health", "", nil); strings.TrimSpace(string(text)) != health {
				t.Errorf("health is %s, want %s", text, health)
			}
			if _, text, _ := ask(t, s, "GET", "/metrics", "", nil); !strings.Contains(string(text), metrics) {
				t.Errorf("metrics lack %s", metrics)
			}
		}
		whole := d.allocs
		look(0, false)
		d.limit(2, -1)
		touch()
		look(2, true)
		d.limit(2, -1)
		look(0, true)
		slot.failed.next = time.Now() // the pause is over
		look(2, true)
		if slot.failed.pause != 2*o.Reload {
			t.Errorf("after two failures the files are left alone for %v, want %v", slot.failed.pause, 2*o.Reload)
		}
		d.limit(2, -1)
		touch()
		look(2, true)
		d.limit(-1, -1)
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

// A fullDevice has no more memory once it is full.
type fullDevice struct {
	device.Device
	full bool
}

func (d *fullDevice) Alloc(n int) (device.Address, error) {
	if d.full {
		return 0, errors.New("out of memory")
	}
	return d.Device.Alloc(n)
}

// TestFullDevice: prompts that a device has no memory to begin with end with an error,
// all of them, and nothing is left of them.
func TestFullDevice(t *testing.T) {
	module, err := ptx.Parse(kernels.PTX)
	if err != nil {
		t.Fatal(err)
	}
	full := &fullDevice{Device: device.NewInterpreter(module)}
	m := randomText(t)
	m.Model.Params().Move(full)
	loop := device.NewLoop(full)
	err = loop.While(func() error {
		full.full = true
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
