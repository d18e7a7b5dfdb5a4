package driver

import (
	"fmt"
	"math"
	"runtime"
	"strings"
	"sync/atomic"
	"unsafe"

	"github.com/mega-go/mega/internal/cuda/device"
)

// maxArguments is how many arguments a kernel has at most.
const maxArguments = 32

// A Stream is the work of a device: what is given to it runs one after the other. It is
// for the function that Run gives it to.
type Stream struct {
	device.Arithmetic
	driver *Driver
	calls  *table
	info   Info
	module *module
	inside atomic.Bool // whether a function of Run has it

	current   bool // whether the device's context is the thread's
	retained  bool
	loaded    uintptr // the module's handle
	stream    uintptr
	functions map[string]*function
	arguments *arguments
	pinned    runtime.Pinner
	last      string // the kernel that was launched last

	pool      pool
	capturing bool
	graphs    map[*Graph]bool
}

// A function is a kernel that can be launched.
type function struct {
	handle     uintptr
	parameters []int // their sizes in bytes
}

// arguments are those of a launch as the driver takes them: pointers to values. They are
// pinned as long as the stream lives.
type arguments struct {
	values   [maxArguments]uint64
	pointers [maxArguments]unsafe.Pointer
}

// String names the device.
func (s *Stream) String() string { return s.info.String() }

const nonBlocking = 1 // CU_STREAM_NON_BLOCKING

// openStream makes the calling thread the device's.
func openStream(d *Driver, info Info, m *module) (*Stream, error) {
	s := &Stream{driver: d, calls: d.calls, info: info, module: m, functions: make(map[string]*function),
		arguments: new(arguments), pool: newPool(), graphs: make(map[*Graph]bool)}
	s.pinned.Pin(s.arguments)
	for i := range s.arguments.pointers {
		s.arguments.pointers[i] = unsafe.Pointer(&s.arguments.values[i])
	}
	err := s.open()
	if err != nil {
		s.close() // of whose errors err is the cause
		return nil, err
	}
	return s, nil
}

func (s *Stream) open() error {
	const step = "making the device ready"
	var context uintptr
	if r := s.calls.retainContext(&context, s.info.device); r != success {
		return s.fail(step, "cuDevicePrimaryCtxRetain", r)
	}
	s.retained = true
	if r := s.calls.setContext(context); r != success {
		return s.fail(step, "cuCtxSetCurrent", r)
	}
	s.current = true
	if err := s.load(); err != nil {
		return err
	}
	return s.fail(step, "cuStreamCreate", s.calls.createStream(&s.stream, nonBlocking))
}

// Options of loading (CUjit_option).
const (
	errorLog     = 5
	errorLogSize = 6
)

// load has the driver compile the module.
func (s *Stream) load() error {
	text := append([]byte(s.module.text), 0)
	log := make([]byte, 16<<10)
	var pinned runtime.Pinner
	defer pinned.Unpin()
	pinned.Pin(&log[0])
	options := [2]int32{errorLog, errorLogSize}
	values := [2]uintptr{uintptr(unsafe.Pointer(&log[0])), uintptr(len(log))}
	r := s.calls.loadModule(&s.loaded, &text[0], uint32(len(options)), &options[0], &values[0])
	if r == success {
		return nil
	}
	detail := advice[r]
	if words := strings.Join(strings.Fields(textOf(log)), " "); words != "" {
		detail = "the driver's log: " + words
	}
	return s.driver.fail(s.info.String(), "loading the kernels", "cuModuleLoadDataEx", r, detail)
}

func textOf(log []byte) string { return strings.ToValidUTF8(text(log), "?") }

// close gives back what open and all calls since then have taken. It goes on after an
// error, and returns the first.
func (s *Stream) close() error {
	const step = "closing the device"
	var first error
	keep := func(call string, r result) {
		if err := s.fail(step, call, r); first == nil {
			first = err
		}
	}
	if s.stream != 0 {
		keep("cuStreamSynchronize", s.calls.wait(s.stream))
	}
	for g := range s.graphs {
		keep("cuGraphExecDestroy", s.calls.dropReplay(g.executable))
	}
	clear(s.graphs)
	for _, block := range s.pool.all() {
		keep("cuMemFree_v2", s.calls.free(block))
	}
	s.pool = newPool()
	if s.stream != 0 {
		keep("cuStreamDestroy_v2", s.calls.destroyStream(s.stream))
	}
	if s.loaded != 0 {
		keep("cuModuleUnload", s.calls.unloadModule(s.loaded))
	}
	if s.current {
		keep("cuCtxSetCurrent", s.calls.setContext(0))
	}
	if s.retained {
		keep("cuDevicePrimaryCtxRelease_v2", s.calls.releaseContext(s.info.device))
	}
	s.stream, s.loaded, s.current, s.retained = 0, 0, false, false
	s.pinned.Unpin()
	return first
}

// fail returns the error of a call, nil for success.
func (s *Stream) fail(step, call string, r result) error {
	detail := ""
	switch r {
	case success:
		return nil
	case illegalAddress, timedOut, launchFailed:
		if s.last != "" {
			detail = fmt.Sprintf("a kernel has failed, the last that was launched being %s (CUDA_LAUNCH_BLOCKING=1 finds it); the device must be closed", s.last)
		}
	}
	return s.driver.fail(s.info.String(), step, call, r, detail)
}

// ready refuses work outside of Run.
func (s *Stream) ready() error {
	if !s.inside.Load() {
		return fmt.Errorf("cuda: the stream of %v is used outside of Run", s.info)
	}
	return nil
}

// atRest refuses what cannot be captured.
func (s *Stream) atRest(step string) error {
	if err := s.ready(); err != nil {
		return err
	}
	if s.capturing {
		return fmt.Errorf("cuda: %v: %s cannot be part of a graph", s.info, step)
	}
	return nil
}

// Launch gives a kernel to the device and does not wait for it. Arguments are int32,
// uint32, int64, uint64 (for addresses too), float32 or float64, as the kernel takes them.
func (s *Stream) Launch(kernel string, grid, block [3]int, args ...any) error {
	if err := s.ready(); err != nil {
		return err
	}
	f, err := s.function(kernel)
	if err != nil {
		return err
	}
	if err := s.arguments.set(f.parameters, args); err != nil {
		return fmt.Errorf("cuda: kernel %s: %w", kernel, err)
	}
	if err := checkExtents(grid, block); err != nil {
		return fmt.Errorf("cuda: kernel %s: %w", kernel, err)
	}
	r := s.calls.launch(f.handle, uint32(grid[0]), uint32(grid[1]), uint32(grid[2]),
		uint32(block[0]), uint32(block[1]), uint32(block[2]), 0, s.stream, unsafe.Pointer(&s.arguments.pointers), nil)
	if r != success {
		return s.fail("launching "+kernel, "cuLaunchKernel", r)
	}
	s.last = kernel
	return nil
}

// function finds a kernel in the module.
func (s *Stream) function(kernel string) (*function, error) {
	if f, known := s.functions[kernel]; known {
		return f, nil
	}
	parameters, known := s.module.parameters[kernel]
	if !known {
		return nil, fmt.Errorf("cuda: the module has no kernel %s", kernel)
	}
	f := &function{parameters: parameters}
	name := append([]byte(kernel), 0)
	if r := s.calls.function(&f.handle, s.loaded, &name[0]); r != success {
		return nil, s.fail("finding the kernel "+kernel, "cuModuleGetFunction", r)
	}
	s.functions[kernel] = f
	return f, nil
}

// set lays out the arguments of a launch.
func (a *arguments) set(sizes []int, args []any) error {
	if len(args) != len(sizes) {
		return fmt.Errorf("%d arguments, want %d", len(args), len(sizes))
	}
	for i, arg := range args {
		bits, size := uint64(0), 4
		switch v := arg.(type) {
		case int32:
			bits = uint64(uint32(v))
		case uint32:
			bits = uint64(v)
		case float32:
			bits = uint64(math.Float32bits(v))
		case int64:
			bits, size = uint64(v), 8
		case uint64:
			bits, size = v, 8
		case float64:
			bits, size = math.Float64bits(v), 8
		default:
			return fmt.Errorf("argument %d is of type %T", i, v)
		}
		if size != sizes[i] {
			return fmt.Errorf("argument %d is %T of %d bytes, want %d", i, arg, size, sizes[i])
		}
		a.values[i] = bits // little-endian, so that four bytes stand first
	}
	return nil
}

// What devices of compute capability 8.0 and later take.
var (
	largestGrid  = [3]int{math.MaxInt32, 65535, 65535}
	largestBlock = [3]int{1024, 1024, 64}
)

const mostThreads = 1024 // of a block

func checkExtents(grid, block [3]int) error {
	threads := 1
	for i := range 3 {
		if grid[i] < 1 || grid[i] > largestGrid[i] {
			return fmt.Errorf("a grid of %v blocks, want 1 to %v", grid, largestGrid)
		}
		if block[i] < 1 || block[i] > largestBlock[i] {
			return fmt.Errorf("blocks of %v threads, want 1 to %v", block, largestBlock)
		}
		threads *= block[i]
	}
	if threads > mostThreads {
		return fmt.Errorf("blocks of %d threads, want %d at most", threads, mostThreads)
	}
	return nil
}

// Write copies data to an address, and returns when it is there: the caller may change
// data then.
func (s *Stream) Write(address uint64, data []byte) error {
	const step = "copying to the device"
	if err := s.atRest(step); err != nil || len(data) == 0 {
		return err
	}
	if r := s.calls.toDevice(address, unsafe.Pointer(&data[0]), uintptr(len(data)), s.stream); r != success {
		return s.fail(step, "cuMemcpyHtoDAsync_v2", r)
	}
	err := s.wait(step)
	runtime.KeepAlive(data)
	return err
}

// Read copies what is at an address to data, when all work before it is done.
func (s *Stream) Read(data []byte, address uint64) error {
	const step = "copying from the device"
	if err := s.atRest(step); err != nil || len(data) == 0 {
		return err
	}
	if r := s.calls.toHost(unsafe.Pointer(&data[0]), address, uintptr(len(data)), s.stream); r != success {
		return s.fail(step, "cuMemcpyDtoHAsync_v2", r)
	}
	err := s.wait(step)
	runtime.KeepAlive(data)
	return err
}

// Copy copies n bytes from one address of the device to another.
func (s *Stream) Copy(to, from uint64, n int) error {
	if err := s.ready(); err != nil || n == 0 {
		return err
	}
	return s.fail("copying on the device", "cuMemcpyDtoDAsync_v2", s.calls.copy(to, from, uintptr(n), s.stream))
}

// Fill sets n bytes to a value.
func (s *Stream) Fill(address uint64, value byte, n int) error {
	if err := s.ready(); err != nil || n == 0 {
		return err
	}
	return s.fail("filling memory", "cuMemsetD8Async", s.calls.fill(address, value, uintptr(n), s.stream))
}

// Wait returns when all work that was given to the stream is done.
func (s *Stream) Wait() error {
	const step = "waiting for the device"
	if err := s.atRest(step); err != nil {
		return err
	}
	return s.wait(step)
}

func (s *Stream) wait(step string) error {
	return s.fail(step, "cuStreamSynchronize", s.calls.wait(s.stream))
}
