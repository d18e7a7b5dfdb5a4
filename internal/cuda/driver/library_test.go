//go:build cuda && linux && (amd64 || arm64)

package driver

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ebitengine/purego"
	"github.com/mega-go/mega/internal/cuda/device"
	"github.com/mega-go/mega/internal/cuda/kernels"
)

// compiled returns a library made of a file in C, where there is a compiler.
func compiled(t testing.TB, source string) string {
	t.Helper()
	for _, compiler := range []string{"clang-22", "clang", "cc"} {
		if _, err := exec.LookPath(compiler); err != nil {
			continue
		}
		library := filepath.Join(t.TempDir(), "libcuda.so")
		if out, err := exec.Command(compiler, "-shared", "-fPIC", "-O1", "-fno-builtin", "-nostdlib", "-o", library, source).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", compiler, err, out)
		}
		return library
	}
	t.Skip("no C compiler is installed")
	return ""
}

// TestLibrary calls the functions of a real library, and holds that their arguments
// arrive.
func TestLibrary(t *testing.T) {
	library := compiled(t, filepath.Join("testdata", "libcuda.c"))
	t.Setenv(LibraryVariable, library)
	calls, name, err := open()
	if err != nil || name != library {
		t.Fatal(name, err)
	}
	d, err := newDriver(calls, name)
	if err != nil {
		t.Fatal(err)
	}
	all, err := d.Devices()
	if err != nil || len(all) != 2 || all[1] != (Info{Index: 1, Name: "C8", Major: 9, Memory: 5 << 32, device: 8}) {
		t.Errorf("devices are %+v, %v", all, err)
	}
	if err := life(calls); err != nil {
		t.Error(err)
	}
	_, err = d.Open(0, ".target sm_80\n")
	if err == nil || !strings.Contains(err.Error(), "cuModuleLoadDataEx returned 218") || !strings.HasSuffix(err.Error(), "the driver's log: too few lines") {
		t.Errorf("a module that is none: %v", err)
	}
	dev, err := d.Open(0, kernels.PTX)
	if err != nil {
		t.Fatal(err)
	}
	err = dev.Run(func(s *Stream) error { return s.Fill(1<<40, 1, 1) })
	if err == nil || !strings.Contains(err.Error(), "(CUDA_ERROR_OF_TEST: a line of libcuda.c)") {
		t.Errorf("memory that nobody has: %v", err)
	}
	err = dev.Run(func(s *Stream) error { _, err := s.Alloc(1 << 20); return err })
	if err == nil || !strings.Contains(err.Error(), "of the device's 64.0 KiB free") {
		t.Errorf("more memory than there is: %v", err)
	}
	if err := dev.Close(); err != nil {
		t.Error(err)
	}
	var left func() int32
	opened, err := purego.Dlopen(library, purego.RTLD_NOW)
	if err != nil {
		t.Fatal(err)
	}
	purego.RegisterLibFunc(&left, opened, "left")
	if n := left(); n != 0 {
		t.Errorf("%d things were not given back", n)
	}
}

// TestLibraryLacks holds what is said of a library that has not all functions.
func TestLibraryLacks(t *testing.T) {
	source := filepath.Join(t.TempDir(), "old.c")
	if err := os.WriteFile(source, []byte("int cuInit(unsigned f) { return 0; }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv(LibraryVariable, compiled(t, source))
	_, _, err := open()
	if err == nil || !strings.Contains(err.Error(), "is not usable: it lacks cuDriverGetVersion, cuGetErrorName,") || !strings.HasSuffix(err.Error(), "want a driver of CUDA 11.0 or later") {
		t.Errorf("the error is %v", err)
	}
	if strings.Contains(err.Error(), "cuGraphInstantiateWithFlags") {
		t.Errorf("a function that need not be there is missed: %v", err)
	}
}

// TestGPU has a tape compute on the first GPU of a machine that has one. It gives, bit for
// bit, what the interpreter gives.
func TestGPU(t *testing.T) {
	d, err := Load()
	if err != nil {
		t.Skip(err)
	}
	m, err := parse(kernels.PTX)
	if err != nil {
		t.Fatal(err)
	}
	want := newNetwork(device.NewInterpreter(m)).step()
	dev, err := d.Open(0, kernels.PTX)
	if err != nil {
		t.Fatal(err)
	}
	err = dev.Run(func(stream *Stream) (err error) {
		defer device.Catch(&err)
		for i, got := range newNetwork(stream).step() {
			if got != want[i] {
				t.Errorf("number %d of %d is %v, want %v", i, len(want), got, want[i])
				break
			}
		}
		return nil
	})
	if err := errors.Join(err, dev.Close()); err != nil {
		t.Error(err)
	}
}

// BenchmarkLaunch measures what a launch costs the processor, without the driver's share:
// the library does next to nothing.
func BenchmarkLaunch(b *testing.B) {
	b.Setenv(LibraryVariable, compiled(b, filepath.Join("testdata", "libcuda.c")))
	calls, name, err := open()
	if err != nil {
		b.Fatal(err)
	}
	d, err := newDriver(calls, name)
	if err != nil {
		b.Fatal(err)
	}
	dev, err := d.Open(0, kernels.PTX)
	if err != nil {
		b.Fatal(err)
	}
	defer dev.Close()
	b.ReportAllocs()
	err = dev.Run(func(s *Stream) error {
		at, err := s.Alloc(4)
		for b.Loop() {
			err = errors.Join(err, kernels.Scale(s, at, at, 1, 1))
		}
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
}
