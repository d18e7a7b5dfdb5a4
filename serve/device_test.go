package serve

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/mega-go/mega/internal/cuda/device"
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
