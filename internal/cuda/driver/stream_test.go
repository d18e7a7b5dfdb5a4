package driver

import (
	"bytes"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/mega-go/mega/internal/cuda/kernels"
)

// TestLaunch compares what kernels with many arguments of both sizes write to what the
// interpreter writes that is given the same.
func TestLaunch(t *testing.T) {
	const m, n, k = 5, 3, 4
	x, y, bias := make([]float32, m*k), make([]float32, k*n), []float32{1, 2, 3}
	want := make([]float32, m*n)
	for i := range x {
		x[i] = float32(i) - 3
	}
	for i := range y {
		y[i] = float32(i*i) - 7
	}
	for i := range want {
		want[i] = bias[i%n]
		for d := range k {
			want[i] += x[i/n*k+d] * y[d*n+i%n]
		}
	}
	dev := openStandin(t, newStandin())
	err := dev.Run(func(s *Stream) error {
		a, err1 := upload(s, x...)
		b, err2 := upload(s, y...)
		v, err3 := upload(s, bias...)
		c, err4 := s.Alloc(4 * m * n)
		err5 := kernels.Product(s, kernels.Float32, kernels.Matrix{At: c, Row: n, Col: 1}, kernels.Matrix{At: a, Row: k, Col: 1}, kernels.Matrix{At: b, Row: n, Col: 1}, kernels.Epilogue{Bias: v}, 1, m, n, k)
		runtime.GC() // nothing that a launch needs is only known by its address
		got, err6 := download(s, c, m*n)
		if !slices.Equal(got, want) {
			t.Errorf("the product is %v, want %v", got, want)
		}
		return errors.Join(err1, err2, err3, err4, err5, err6)
	})
	if err != nil {
		t.Error(err)
	}
}

func TestWrongLaunches(t *testing.T) {
	dev := openStandin(t, newStandin())
	one := [3]int{1, 1, 1}
	for _, c := range []struct {
		kernel      string
		grid, block [3]int
		args        []any
		want        string
	}{
		{"nothing", one, one, nil, "cuda: the module has no kernel nothing"},
		{"add", one, one, []any{uint64(0)}, "cuda: kernel add: 1 arguments, want 4"},
		{"add", one, one, []any{uint64(0), uint64(0), uint64(0), int32(1)}, "cuda: kernel add: argument 3 is int32 of 4 bytes, want 8"},
		{"add", one, one, []any{uint64(0), uint64(0), uint64(0), 1}, "cuda: kernel add: argument 3 is of type int"},
		{"add", [3]int{1, 65536, 1}, one, []any{uint64(0), uint64(0), uint64(0), int64(0)},
			"cuda: kernel add: a grid of [1 65536 1] blocks, want 1 to [2147483647 65535 65535]"},
		{"add", [3]int{0, 1, 1}, one, []any{uint64(0), uint64(0), uint64(0), int64(0)},
			"cuda: kernel add: a grid of [0 1 1] blocks, want 1 to [2147483647 65535 65535]"},
		{"add", one, [3]int{1025, 1, 1}, []any{uint64(0), uint64(0), uint64(0), int64(0)},
			"cuda: kernel add: blocks of [1025 1 1] threads, want 1 to [1024 1024 64]"},
		{"add", one, [3]int{64, 32, 1}, []any{uint64(0), uint64(0), uint64(0), int64(0)},
			"cuda: kernel add: blocks of 2048 threads, want 1024 at most"},
	} {
		err := dev.Run(func(s *Stream) error { return s.Launch(c.kernel, c.grid, c.block, c.args...) })
		if err == nil || err.Error() != c.want {
			t.Errorf("the error is %v, want %s", err, c.want)
		}
	}
}

// TestFault has a kernel write beyond its memory. The next call that waits says so, the
// device is of no use any more, and can be closed.
func TestFault(t *testing.T) {
	s := newStandin()
	dev := openUnclosed(t, s)
	err := dev.Run(func(s *Stream) error {
		at, err := s.Alloc(4)
		if err == nil {
			err = kernels.Fill(s, at+1<<20, 1, 1)
		}
		if err != nil {
			t.Error(err)
		}
		return s.Wait()
	})
	const want = "cuda:0 (Stand-in): waiting for the device: cuStreamSynchronize returned 700 (CUDA_ERROR_ILLEGAL_ADDRESS: what is meant by CUDA_ERROR_ILLEGAL_ADDRESS); stand-in, CUDA 12.4; a kernel has failed, the last that was launched being fill (CUDA_LAUNCH_BLOCKING=1 finds it); the device must be closed"
	if err == nil || err.Error() != "cuda: "+want {
		t.Errorf("the error is %v, want cuda: %s", err, want)
	}
	if s.fault == nil {
		t.Error("the kernel has not failed")
	}
	if err := dev.Run(func(s *Stream) error { _, err := s.Alloc(1 << 20); return err }); err == nil {
		t.Error("a device that has failed gives memory")
	}
	if err := dev.Close(); err == nil {
		t.Error("closing a device that has failed is no error")
	}
	if left := s.left(); left != nil {
		t.Errorf("at the end there are %q", left)
	}
}

// TestBytes copies sizes around the ends of blocks, and nothing.
func TestBytes(t *testing.T) {
	dev := openStandin(t, newStandin())
	for _, n := range []int{0, 1, 255, 256, 257, 5000} {
		data, got := make([]byte, n), make([]byte, n)
		for i := range data {
			data[i] = byte(i*7 + n)
		}
		err := dev.Run(func(s *Stream) error {
			a, err1 := s.Alloc(n)
			b, err2 := s.Alloc(n)
			return errors.Join(err1, err2, s.Write(a, data), s.Copy(b, a, n), s.Read(got, b))
		})
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("%d bytes come back as others, %v", n, err)
		}
	}
	err := dev.Run(func(s *Stream) error { return s.Write(8, make([]byte, 4)) })
	if err == nil || !strings.Contains(err.Error(), "copying to the device: cuMemcpyHtoDAsync_v2") {
		t.Errorf("memory that nobody has: %v", err)
	}
}
