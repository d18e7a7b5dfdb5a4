package main

import (
	"errors"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/internal/cuda/driver"
)

func TestDevices(t *testing.T) {
	t.Setenv(driver.LibraryVariable, "/nowhere/libcuda.so")
	status, out, stderr := command(t, "devices")
	cpu := "cpu: " + autograd.DescribeKernels() + ", " + strconv.Itoa(runtime.NumCPU()) + " cores\n"
	want := cpu + "cuda: none: this program was built without CUDA: build it with go build -tags cuda (on Linux or Windows, for amd64 or arm64)\n"
	if driver.Built {
		want = cpu + "cuda: none: no driver: "
	}
	if status != exitOK || !strings.HasPrefix(out, want) || stderr != "" || strings.Count(out, "\n") != 2 {
		t.Errorf("status %d, %q, %q, want %q", status, out, stderr, want)
	}
	status, out, _ = command(t, "version")
	if status != exitOK || strings.Contains(out, "with CUDA") != driver.Built || strings.Contains(out, "\nCUDA driver: none: no driver: ") != driver.Built {
		t.Errorf("status %d, %q", status, out)
	}
}

func TestGPULines(t *testing.T) {
	d := &driver.Driver{Library: "libcuda.so.1", Version: 12040}
	for want, got := range map[string]string{
		"cuda: none: the driver (libcuda.so.1, CUDA 12.4) sees no GPU\n": gpuLines(d, nil, nil),
		"cuda: none: this; and that\n":                                   gpuLines(nil, nil, errors.New("cuda: this\nand that")),
		"cuda:0: A, compute capability 9.0, 139.5 GiB, driver libcuda.so.1, CUDA 12.4\n" +
			"cuda:1: B, compute capability 8.6, 24.0 GiB, driver libcuda.so.1, CUDA 12.4\n": gpuLines(d, []driver.Info{
			{Index: 0, Name: "A", Major: 9, Memory: 279 << 29}, {Index: 1, Name: "B", Major: 8, Minor: 6, Memory: 24 << 30}}, nil),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestForwardOnDevice: what --device is, and what is said where there is no GPU.
func TestForwardOnDevice(t *testing.T) {
	t.Setenv(driver.LibraryVariable, "/nowhere/libcuda.so")
	why := "this program was built without CUDA"
	if driver.Built {
		why = "no driver: "
	}
	for name, want := range map[string]struct {
		status int
		words  string
	}{
		"cpu":     {exitOK, ""},
		"auto":    {exitOK, ""},
		"cuda":    {exitFailure, "mega: --device cuda: cuda: " + why},
		"cuda:0":  {exitFailure, "mega: --device cuda:0: cuda: " + why},
		"cuda:":   {exitUsage, `mega: --device "cuda:": want cpu, cuda, cuda:N with a number from 0 on, or auto`},
		"cuda:-1": {exitUsage, `mega: --device "cuda:-1": want cpu, `},
		"gpu":     {exitUsage, `mega: --device "gpu": want cpu, `},
	} {
		status, _, err := command(t, "forward", golden("lra_text"), "--input", filepath.Join(golden("lra_text"), "golden.safetensors"),
			"--prefix", "b0.", "--device", name, "--output", filepath.Join(t.TempDir(), "out.safetensors"))
		if status != want.status || !strings.HasPrefix(err, want.words) || want.words == "" && err != "" {
			t.Errorf("--device %s: status %d, %q, want %d, %q", name, status, err, want.status, want.words)
		}
	}
}
