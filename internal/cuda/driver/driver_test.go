package driver

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/mega-go/mega/internal/cuda/kernels"
)

// openStandin opens the device of a stand-in, and closes it at the end of the test, when
// nothing may be left.
func openStandin(t *testing.T, s *standin) *Device {
	t.Helper()
	d, err := newDriver(s.table, "stand-in")
	if err != nil {
		t.Fatal(err)
	}
	dev, err := d.Open(0, kernels.PTX)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := dev.Close(); err != nil {
			t.Error(err)
		}
		if left := s.left(); left != nil {
			t.Errorf("at the end there are %q", left)
		}
	})
	return dev
}

// floats returns numbers as a device has them.
func floats(x ...float32) []byte {
	b, err := binary.Append(nil, binary.LittleEndian, x)
	if err != nil {
		panic(err)
	}
	return b
}

// upload returns the address of a copy of x.
func upload(s *Stream, x ...float32) (uint64, error) {
	at, err := s.Alloc(4 * len(x))
	if err == nil {
		err = s.Write(at, floats(x...))
	}
	return at, err
}

// download returns n numbers.
func download(s *Stream, at uint64, n int) ([]float32, error) {
	b, x := make([]byte, 4*n), make([]float32, n)
	if err := s.Read(b, at); err != nil {
		return nil, err
	}
	_, err := binary.Decode(b, binary.LittleEndian, x)
	return x, err
}

// life does with a driver everything that there is to do, once.
func life(calls *table) error {
	d, err := newDriver(calls, "stand-in")
	if err != nil {
		return err
	}
	if _, err := d.Devices(); err != nil {
		return err
	}
	dev, err := d.Open(0, kernels.PTX)
	if err != nil {
		return err
	}
	return errors.Join(dev.Run(liveOn), dev.Close())
}

func liveOn(s *Stream) error {
	a, err := upload(s, 1, 2, 3)
	if err != nil {
		return err
	}
	b, err := s.Alloc(12)
	if err != nil {
		return err
	}
	g, err := s.Capture(func() error { return kernels.Scale(s, b, b, 2, 3) })
	if err != nil {
		return err
	}
	got, after := []float32(nil), []float32(nil)
	for _, step := range []func() error{
		func() error { return s.Fill(b, 0, 12) },
		func() error { return s.Copy(b, a, 8) },
		func() error { return kernels.Add(s, b, a, b, 3) },
		func() (err error) { got, err = download(s, b, 3); return },
		func() error { return s.Replay(g) },
		func() error { return s.Replay(g) },
		func() (err error) { after, err = download(s, b, 3); return },
		func() error { return s.Drop(g) },
		func() error { return s.Free(a) },
		s.Wait,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	if want := []float32{2, 4, 3}; !slices.Equal(got, want) {
		return errors.New("wrong sums")
	}
	if want := []float32{8, 16, 12}; !slices.Equal(after, want) {
		return errors.New("wrong products")
	}
	_, err = s.Capture(func() error { return kernels.Fill(s, b, 1, 3) }) // closing drops it
	return err
}

// TestEveryCallFails has each call of a device's life fail. The error names it, the step
// and the driver, and nothing is left behind.
func TestEveryCallFails(t *testing.T) {
	s := newStandin()
	if err := life(s.table); err != nil {
		t.Fatal(err)
	}
	if left := s.left(); left != nil {
		t.Fatalf("at the end there are %q", left)
	}
	all := s.log
	for _, f := range s.symbols() {
		unused := []string{"cuGetErrorName", "cuGetErrorString", "cuMemGetInfo_v2"} // of errors
		if !slices.Contains(all, f.name) && !slices.Contains(unused, f.name) {
			t.Errorf("%s is never called", f.name)
		}
	}
	steps := make(map[string]string)
	for i := range all {
		s := newStandin()
		s.failAt = i + 1
		err := life(s.table)
		var failure *Error
		if !errors.As(err, &failure) {
			t.Errorf("call %d, %s, fails, and the error is %v", i, all[i], err)
			continue
		}
		if failure.Call != s.failed || failure.Step == "" || failure.Code != injected || failure.Name != "CUDA_ERROR_UNKNOWN" ||
			!strings.Contains(err.Error(), "; stand-in") || !strings.Contains(err.Error(), failure.Step) {
			t.Errorf("%s fails, and the error is %v", s.failed, err)
		}
		if left := s.left(); left != nil {
			t.Errorf("after %s has failed there are %q", s.failed, left)
		}
		if steps[s.failed] == "" {
			t.Log(err)
		}
		steps[s.failed] = failure.Step
	}
}

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
		err5 := kernels.Product(s, kernels.Matrix{At: c, Row: n, Col: 1}, kernels.Matrix{At: a, Row: k, Col: 1}, kernels.Matrix{At: b, Row: n, Col: 1}, v, 1, m, n, k, false)
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
	d, err := newDriver(s.table, "stand-in")
	if err != nil {
		t.Fatal(err)
	}
	dev, err := d.Open(0, kernels.PTX)
	if err != nil {
		t.Fatal(err)
	}
	err = dev.Run(func(s *Stream) error {
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

// TestPool holds that equal steps get equal addresses, and ask the driver for no more
// memory than the first.
func TestPool(t *testing.T) {
	s := newStandin()
	dev := openStandin(t, s)
	step := func(s *Stream) (addresses []uint64) {
		take := func(n int) uint64 {
			at, err := s.Alloc(n)
			if err != nil {
				t.Fatal(err)
			}
			addresses = append(addresses, at)
			return at
		}
		a, b := take(1000), take(1000)
		c := take(5000)
		s.Free(b)
		d, e := take(1010), take(0)
		for _, at := range []uint64{a, c, d, e} {
			if err := s.Free(at); err != nil {
				t.Error(err)
			}
		}
		return addresses
	}
	err := dev.Run(func(stream *Stream) error {
		first := step(stream)
		if first[3] != first[1] || first[0]%256 != 0 {
			t.Errorf("addresses are %#x", first)
		}
		second := step(stream)
		calls := len(s.log)
		for range 3 {
			if again := step(stream); !slices.Equal(again, second) {
				t.Errorf("addresses are %#x, want %#x", again, second)
			}
		}
		if len(s.log) != calls {
			t.Errorf("the driver was called for memory that was there: %q", s.log[calls:])
		}
		if now, peak := stream.Used(); now != 0 || peak != 2*1024+5120+256 {
			t.Errorf("%d bytes are in use, and %d at most", now, peak)
		}
		if err := stream.Free(first[0]); err == nil {
			t.Error("memory can be freed twice")
		}
		if err := stream.Free(first[0] + 4); err == nil {
			t.Error("what was never allocated can be freed")
		}
		_, err := stream.Alloc(-1)
		if err == nil {
			t.Error("-1 bytes can be had")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// TestBlocks holds that blocks are large enough and waste little.
func TestBlocks(t *testing.T) {
	for _, n := range []int{0, 1, 255, 256, 257, 2048, 2049, 4095, 4096, 4097, 1 << 20, 1<<20 + 1, 3<<20 - 1, math.MaxInt32} {
		if b := block(n); b < n || b < 256 || b%256 != 0 || n > 4096 && b > n+n/8 || block(b) != b {
			t.Errorf("%d bytes get a block of %d", n, b)
		}
	}
}

// TestShortage holds that memory that was freed goes back to the driver when other is
// wanted, unless graphs may use it, and what the error says when there is none.
func TestShortage(t *testing.T) {
	s := newStandin()
	s.capacity = 96 << 10
	dev := openStandin(t, s)
	err := dev.Run(func(s *Stream) error {
		a, err := s.Alloc(64 << 10)
		if err != nil {
			return err
		}
		if err := s.Fill(a, 1, 100); err != nil { // is done before the memory goes back
			return err
		}
		if err := s.Free(a); err != nil {
			return err
		}
		if a, err = s.Alloc(96 << 10); err != nil {
			return err
		}
		const want = "; 32.0 KiB wanted, 96.0 KiB in use, 0.0 KiB kept, 0.0 KiB of the device's 96.0 KiB free"
		if _, err := s.Alloc(32 << 10); err == nil || !strings.Contains(err.Error(), "taking memory: cuMemAlloc_v2 returned 2") || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("the error is %v, want one that ends with %s", err, want)
		}
		g, err := s.Capture(func() error { return kernels.Fill(s, a, 2, 10) })
		if err != nil {
			return err
		}
		if err := s.Free(a); err != nil {
			return err
		}
		if _, err := s.Alloc(32 << 10); err == nil {
			t.Error("memory of a graph was given away")
		}
		if err := errors.Join(s.Replay(g), s.Drop(g)); err != nil {
			return err
		}
		_, err = s.Alloc(32 << 10)
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// TestGraph holds that a graph of a step that takes and frees memory can be replayed
// among other work, and what cannot be captured.
func TestGraph(t *testing.T) {
	dev := openStandin(t, newStandin())
	err := dev.Run(func(s *Stream) error {
		x, err := upload(s, 1, 2)
		if err != nil {
			return err
		}
		g, err := s.Capture(func() error { // x += 2x
			double, err := s.Alloc(8)
			if err != nil {
				return err
			}
			return errors.Join(kernels.Scale(s, double, x, 2, 2), kernels.Add(s, x, x, double, 2), s.Free(double))
		})
		if err != nil {
			return err
		}
		if got, err := download(s, x, 2); err != nil || !slices.Equal(got, []float32{1, 2}) {
			t.Errorf("capturing made %v, %v", got, err)
		}
		for range 3 {
			if err := s.Replay(g); err != nil {
				return err
			}
			other, err := upload(s, 5, 5) // takes the memory of double
			if err != nil {
				return err
			}
			if err := s.Free(other); err != nil {
				return err
			}
		}
		if got, err := download(s, x, 2); err != nil || !slices.Equal(got, []float32{27, 54}) {
			t.Errorf("three replays made %v, %v", got, err)
		}
		for name, f := range map[string]func() error{
			"reading":    func() error { return s.Read(make([]byte, 4), x) },
			"writing":    func() error { return s.Write(x, make([]byte, 4)) },
			"waiting":    s.Wait,
			"replaying":  func() error { return s.Replay(g) },
			"dropping":   func() error { return s.Drop(g) },
			"a graph":    func() error { _, err := s.Capture(s.Wait); return err },
			"an error's": func() error { return errors.New("cannot be part of a graph") },
		} {
			if _, err := s.Capture(f); err == nil || !strings.Contains(err.Error(), "cannot be part of a graph") {
				t.Errorf("%s was captured: %v", name, err)
			}
		}
		func() {
			defer func() { recover() }()
			s.Capture(func() error { panic("inside") })
		}()
		if err := s.Drop(g); err != nil {
			return err
		}
		if s.Replay(g) == nil || s.Drop(g) == nil {
			t.Error("a graph that was dropped can be replayed or dropped again")
		}
		return s.Wait()
	})
	if err != nil {
		t.Error(err)
	}
	old := newStandin()
	old.instantiate = nil
	err = openStandin(t, old).Run(func(s *Stream) error { _, err := s.Capture(s.Wait); return err })
	if err == nil || !strings.Contains(err.Error(), "graphs need CUDA 11.4 or later") {
		t.Errorf("a driver without graphs: %v", err)
	}
}

// TestThread holds that all calls on the device come from the thread with its context,
// and that the stand-in would see it if they did not.
func TestThread(t *testing.T) {
	s := newStandin()
	dev := openStandin(t, s)
	var kept *Stream
	for range 3 {
		if err := dev.Run(func(s *Stream) error { kept = s; runtime.Gosched(); return s.Wait() }); err != nil {
			t.Error(err)
		}
	}
	if err := kept.Wait(); err == nil || !strings.Contains(err.Error(), "outside of Run") {
		t.Errorf("the stream goes on outside of Run: %v", err)
	}
	if _, err := kept.Alloc(1); err == nil {
		t.Error("the stream gives memory outside of Run")
	}
	if runtime.GOOS == "linux" {
		runtime.LockOSThread()
		s.wait(kept.stream)
		runtime.UnlockOSThread()
		if len(s.complaints) != 1 {
			t.Errorf("a call of another thread: %q", s.complaints)
		}
		s.complaints = nil
	}
}

// TestPanic holds that Run panics as its function does, and the device goes on.
func TestPanic(t *testing.T) {
	dev := openStandin(t, newStandin())
	func() {
		defer func() {
			if v := recover(); v != "why" {
				t.Errorf("Run panics with %v", v)
			}
		}()
		dev.Run(func(*Stream) error { panic("why") })
		t.Error("Run returns after a panic")
	}()
	if err := dev.Run((*Stream).Wait); err != nil {
		t.Error(err)
	}
}

// TestGoexit holds that a function that ends its goroutine closes the device, and leaves
// nobody waiting.
func TestGoexit(t *testing.T) {
	s := newStandin()
	dev := openStandin(t, s)
	if err := dev.Run(func(*Stream) error { runtime.Goexit(); return nil }); err == nil {
		t.Error("no error")
	}
	if err := dev.Run((*Stream).Wait); err != ErrClosed {
		t.Errorf("the device goes on: %v", err)
	}
}

func TestClose(t *testing.T) {
	dev := openStandin(t, newStandin())
	if err := dev.Run(func(s *Stream) error { _, err := upload(s, 1, 2, 3); return err }); err != nil {
		t.Error(err)
	}
	if err := errors.Join(dev.Close(), dev.Close()); err != nil {
		t.Error(err)
	}
	if err := dev.Run((*Stream).Wait); err != ErrClosed {
		t.Errorf("a closed device works: %v", err)
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
