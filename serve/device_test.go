package serve

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/mega-go/mega/generate"
	"github.com/mega-go/mega/internal/cuda/device"
	"github.com/mega-go/mega/internal/cuda/kernels"
	"github.com/mega-go/mega/internal/cuda/ptx"
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
