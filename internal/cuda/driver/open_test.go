package driver

import (
	"reflect"
	"strings"
	"testing"

	"github.com/mega-go/mega/internal/cuda/kernels"
)

// TestSymbols holds that a loader sets every function of the table.
func TestSymbols(t *testing.T) {
	all, calls := map[any]bool{}, new(table)
	for _, s := range calls.symbols() {
		all[s.function] = true
	}
	if want := reflect.TypeFor[table]().NumField(); len(all) != want {
		t.Errorf("%d of the table's %d functions have symbols", len(all), want)
	}
}

// TestRefusals holds what drivers and devices are refused for.
func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		change func(s *standin)
		index  int
		ptx    string
		want   string
	}{
		{func(s *standin) { s.version = 10020 }, 0, kernels.PTX,
			"cuda: the driver (stand-in, CUDA 10.2) is too old, want CUDA 11.0 or later: NVIDIA's driver 450 and later have it"},
		{func(s *standin) { s.devices = 0 }, 0, kernels.PTX,
			"cuda: starting the driver: cuInit returned 100 (CUDA_ERROR_NO_DEVICE: what is meant by CUDA_ERROR_NO_DEVICE); stand-in, CUDA 12.4; the driver sees no GPU: CUDA_VISIBLE_DEVICES may hide it, or a container was started without it"},
		{func(s *standin) { s.capability = [2]int32{7, 5} }, 0, kernels.PTX,
			"cuda: cuda:0 (Stand-in) has compute capability 7.5, want 8.0 or later"},
		{func(s *standin) {}, 1, kernels.PTX, "cuda: no device cuda:1: there is cuda:0 alone"},
		{func(s *standin) { s.devices = 3 }, 3, kernels.PTX, "cuda: no device cuda:3: there are cuda:0 to cuda:2"},
		{func(s *standin) {}, -1, kernels.PTX, "cuda: no device cuda:-1: there is cuda:0 alone"},
		{func(s *standin) {}, 0, "nonsense", "cuda: the kernels' PTX has no .target sm_NN"},
		{func(s *standin) {}, 0, ".version 7.0\n.target sm_80\n.address_size 64\n.nonsense",
			"cuda: cuda:0 (Stand-in): loading the kernels: cuModuleLoadDataEx returned 218 (CUDA_ERROR_INVALID_PTX: what is meant by CUDA_ERROR_INVALID_PTX); stand-in, CUDA 12.4; the driver's log: ptx: line 4: unknown directive \".nonsense\""},
	} {
		s := newStandin()
		c.change(s)
		d, err := newDriver(s.table, "stand-in")
		if err == nil {
			_, err = d.Open(c.index, c.ptx)
		}
		if err == nil || err.Error() != c.want {
			t.Errorf("the error is %v, want %s", err, c.want)
		}
		if left := s.left(); left != nil {
			t.Errorf("after %q there are %q", c.want, left)
		}
	}
}

func TestDevices(t *testing.T) {
	s := newStandin()
	s.devices = 2
	d, err := newDriver(s.table, "stand-in")
	if err != nil {
		t.Fatal(err)
	}
	all, err := d.Devices()
	if err != nil || len(all) != 2 || all[1] != (Info{Index: 1, Name: "Stand-in", Major: 9, Minor: 0, Memory: 1 << 30, device: 1}) {
		t.Errorf("devices are %+v, %v", all, err)
	}
}

// TestLoad holds what is said where there is no driver.
func TestLoad(t *testing.T) {
	t.Setenv(LibraryVariable, "/nowhere/libcuda.so")
	_, _, err := open()
	want := []string{"without CUDA", "-tags cuda"}
	if Built {
		want = []string{"no driver: /nowhere/libcuda.so: ", "NVIDIA's driver 450", LibraryVariable}
	}
	for _, words := range want {
		if err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("the error is %v, want one with %q", err, words)
		}
	}
}
