package driver

import (
	"fmt"
	"reflect"
	"slices"
	"sync"
	"unsafe"

	"github.com/mega-go/mega/internal/cuda/kernels"
	"github.com/mega-go/mega/internal/cuda/ptx"
)

// A standin takes the place of the driver's library. Its device is the interpreter. It
// does as late as it may what the driver need not do at once, such as copies and kernels,
// and complains of what a driver would not report: wrong threads and handles, memory that
// is freed while it is in use, and what is left at the end.
type standin struct {
	*table
	version       int32
	devices       int
	capability    [2]int32
	name          string
	capacity      uintptr
	loadLog       string // what loading fails with
	memory        *ptx.Memory
	blocks        map[uint64]uintptr
	next          uintptr         // handle
	modules       map[uintptr]any // *ptx.Module
	functions     map[uintptr]*ptx.Kernel
	streams       map[uintptr]*standinStream
	graphs, execs map[uintptr][]func() error
	retained      int
	current       map[int]uintptr // context of each thread
	sticky        result
	fault         error
	seed          uint64

	log        []string // calls
	failAt     int      // number of the call that fails, from 1 on
	failCall   string   // name of a function whose calls fail
	failed     string   // its name
	complaints []string
	texts      map[string][]byte
}

type standinStream struct {
	queue     []func() error
	capturing bool
	captured  []func() error
}

const (
	standinContext = 0xc0
	invalidValue   = 1
	badContext     = 201
	badHandle      = 400
	notInCapture   = 900
	injected       = 999
)

func newStandin() *standin {
	s := &standin{version: 12040, devices: 1, capability: [2]int32{9, 0}, name: "Stand-in", capacity: 1 << 30, memory: ptx.NewMemory(),
		blocks: make(map[uint64]uintptr), next: 0x100, modules: make(map[uintptr]any), functions: make(map[uintptr]*ptx.Kernel),
		streams: make(map[uintptr]*standinStream), graphs: make(map[uintptr][]func() error), execs: make(map[uintptr][]func() error),
		current: make(map[int]uintptr), texts: make(map[string][]byte)}
	s.table = s.functionsOfDriver()
	s.watch()
	return s
}

func (s *standin) complain(format string, args ...any) {
	s.complaints = append(s.complaints, fmt.Sprintf(format, args...))
}

// releases are what gives back or ends something. They do so even when they fail.
var releases = []string{"cuModuleUnload", "cuMemFree_v2", "cuStreamDestroy_v2", "cuDevicePrimaryCtxRelease_v2", "cuGraphExecDestroy", "cuGraphDestroy", "cuStreamEndCapture", "cuStreamSynchronize"}

// watch has each call noted, and one fail.
func (s *standin) watch() {
	for _, f := range s.symbols() {
		if f.name == "cuGetErrorName" || f.name == "cuGetErrorString" {
			continue
		}
		field := reflect.ValueOf(f.function).Elem()
		inner := reflect.ValueOf(field.Interface())
		field.Set(reflect.MakeFunc(field.Type(), func(args []reflect.Value) []reflect.Value {
			s.log = append(s.log, f.name)
			failing := len(s.log) == s.failAt || f.name == s.failCall
			ending := f.name == "cuCtxSetCurrent" && args[0].Uint() == 0
			if failing {
				s.failed = f.name
			}
			if failing && !ending && !slices.Contains(releases, f.name) {
				return []reflect.Value{reflect.ValueOf(result(injected))}
			}
			out := inner.Call(args)
			if failing {
				return []reflect.Value{reflect.ValueOf(result(injected))}
			}
			return out
		}))
	}
}

// handle returns a new one.
func (s *standin) handle() uintptr {
	s.next += 0x10
	return s.next
}

// cText returns a text as C has it.
func (s *standin) cText(text string) *byte {
	if s.texts[text] == nil {
		s.texts[text] = append([]byte(text), 0)
	}
	return &s.texts[text][0]
}

func goText(p *byte) string {
	n := 0
	for *(*byte)(unsafe.Add(unsafe.Pointer(p), n)) != 0 {
		n++
	}
	return string(unsafe.Slice(p, n))
}

// here returns what a call returns at once: its thread has another context or none, or
// a kernel has failed.
func (s *standin) here(call string) result {
	if s.current[thread()] != standinContext {
		s.complain("%s: the calling thread has no context", call)
		return badContext
	}
	return s.sticky
}

// on returns a stream, or what a call on it returns at once.
func (s *standin) on(call string, handle uintptr) (*standinStream, result) {
	if r := s.here(call); r != success {
		return nil, r
	}
	stream := s.streams[handle]
	if stream == nil {
		s.complain("%s: no stream %#x", call, handle)
		return nil, badHandle
	}
	return stream, success
}

// add gives work to a stream.
func (s *standin) add(call string, handle uintptr, work func() error) result {
	stream, r := s.on(call, handle)
	if r != success {
		return r
	}
	if stream.capturing {
		stream.captured = append(stream.captured, work)
	} else {
		stream.queue = append(stream.queue, work)
	}
	return success
}

// inside reports whether bytes on the device are within one block.
func (s *standin) inside(address uint64, bytes uintptr) bool {
	for block, size := range s.blocks {
		if address >= block && address+uint64(bytes) <= block+uint64(size) {
			return true
		}
	}
	return false
}

// transfer gives a copy from or to the host to a stream.
func (s *standin) transfer(call string, handle uintptr, address uint64, bytes uintptr, work func() error) result {
	stream, r := s.on(call, handle)
	switch {
	case r != success:
		return r
	case stream.capturing:
		s.complain("%s while capturing", call)
		return notInCapture
	case !s.inside(address, bytes):
		return invalidValue
	}
	return s.add(call, handle, work)
}

// run runs what a stream has to do, until something fails.
func (s *standin) run(stream *standinStream) result {
	for _, work := range stream.queue {
		if err := work(); err != nil {
			s.fault, s.sticky = err, illegalAddress
			break
		}
	}
	stream.queue = nil
	return s.sticky
}

var parsedModules sync.Map

// parse reads a module, each text once.
func parse(text string) (*ptx.Module, error) {
	if m, known := parsedModules.Load(text); known {
		return m.(*ptx.Module), nil
	}
	m, err := ptx.Parse(text)
	if err == nil {
		parsedModules.Store(text, m)
	}
	return m, err
}

// load is cuModuleLoadDataEx, with the log that options ask for.
func (s *standin) load(module *uintptr, text *byte, n uint32, options *int32, values *uintptr) result {
	if r := s.here("cuModuleLoadDataEx"); r != success {
		return r
	}
	m, err := parse(goText(text))
	words := s.loadLog
	if err != nil {
		words = err.Error()
	}
	if words == "" {
		*module = s.handle()
		s.modules[*module] = m
		return success
	}
	var log *byte
	size := uintptr(0)
	for i, option := range unsafe.Slice(options, n) {
		value := unsafe.Slice(values, n)[i]
		switch option {
		case errorLog:
			log = *(**byte)(unsafe.Pointer(&value))
		case errorLogSize:
			size = value
		}
	}
	copy(unsafe.Slice(log, size), words+"\x00")
	return invalidPTX
}

// start is cuLaunchKernel: it reads arguments at once and runs the kernel later.
func (s *standin) start(function uintptr, gx, gy, gz, bx, by, bz, shared uint32, stream uintptr, arguments, extra unsafe.Pointer) result {
	k := s.functions[function]
	if k == nil || shared != 0 || extra != nil {
		s.complain("cuLaunchKernel: kernel %#x, %d bytes of shared memory", function, shared)
		return badHandle
	}
	args := make([]any, len(k.Params))
	for i, p := range k.Params {
		at := unsafe.Slice((*unsafe.Pointer)(arguments), len(k.Params))[i]
		if p.Size == 4 {
			args[i] = *(*uint32)(at)
		} else {
			args[i] = *(*uint64)(at)
		}
	}
	l := ptx.Launch{Grid: [3]int{int(gx), int(gy), int(gz)}, Block: [3]int{int(bx), int(by), int(bz)}}
	return s.add("cuLaunchKernel", stream, func() error {
		s.seed++
		l.Seed = s.seed
		return k.Run(s.memory, l, args...)
	})
}

// end is cuStreamEndCapture.
func (s *standin) end(handle uintptr, graph *uintptr) result {
	stream, r := s.on("cuStreamEndCapture", handle)
	if r != success {
		return r
	}
	if !stream.capturing {
		s.complain("cuStreamEndCapture without a beginning")
		return invalidValue
	}
	*graph = s.handle()
	s.graphs[*graph], stream.captured, stream.capturing = stream.captured, nil, false
	return success
}

// give removes a handle of a map.
func give[V any](s *standin, call string, from map[uintptr]V, handle uintptr) result {
	r := s.here(call)
	if _, known := from[handle]; !known {
		s.complain("%s: no handle %#x", call, handle)
		return badHandle
	}
	delete(from, handle)
	return r
}

// functionsOfDriver are those that a library would have.
func (s *standin) functionsOfDriver() *table {
	names := map[result]string{outOfMemory: "CUDA_ERROR_OUT_OF_MEMORY", invalidPTX: "CUDA_ERROR_INVALID_PTX", noDevice: "CUDA_ERROR_NO_DEVICE",
		illegalAddress: "CUDA_ERROR_ILLEGAL_ADDRESS", injected: "CUDA_ERROR_UNKNOWN", notFound: "CUDA_ERROR_NOT_FOUND"}
	described := func(prefix string) func(result, **byte) result {
		return func(code result, out **byte) result {
			if names[code] == "" {
				return invalidValue
			}
			*out = s.cText(prefix + names[code])
			return success
		}
	}
	device := func(d int32) result {
		if int(d) < 0 || int(d) >= s.devices {
			s.complain("no device %d", d)
			return 101
		}
		return success
	}
	return &table{
		driverVersion: func(v *int32) result { *v = s.version; return success },
		init: func(uint32) result {
			if s.devices == 0 {
				return noDevice
			}
			return success
		},
		errorName:   described(""),
		errorText:   described("what is meant by "),
		deviceCount: func(n *int32) result { *n = int32(s.devices); return success },
		device:      func(d *int32, index int32) result { *d = index; return device(index) },
		deviceName: func(name *byte, n, d int32) result {
			copy(unsafe.Slice(name, n), s.name+"\x00")
			return device(d)
		},
		deviceAttribute: func(v *int32, attribute, d int32) result {
			*v = s.capability[attribute-capabilityMajor]
			return device(d)
		},
		deviceMemory:   func(n *uintptr, d int32) result { *n = s.capacity; return device(d) },
		retainContext:  func(c *uintptr, d int32) result { *c = standinContext; s.retained++; return device(d) },
		releaseContext: func(d int32) result { s.retained--; return s.sticky },
		setContext: func(c uintptr) result {
			if c == 0 {
				delete(s.current, thread())
				return success
			}
			s.current[thread()] = c
			return success
		},
		loadModule:   s.load,
		unloadModule: func(m uintptr) result { return give(s, "cuModuleUnload", s.modules, m) },
		function: func(f *uintptr, m uintptr, name *byte) result {
			if r := s.here("cuModuleGetFunction"); r != success {
				return r
			}
			module, _ := s.modules[m].(*ptx.Module)
			if module == nil || module.Kernel(goText(name)) == nil {
				return notFound
			}
			*f = s.handle()
			s.functions[*f] = module.Kernel(goText(name))
			return success
		},
		memory: func(free, total *uintptr) result {
			*free, *total = s.capacity-s.used(), s.capacity
			return s.here("cuMemGetInfo_v2")
		},
		alloc: func(address *uint64, n uintptr) result {
			if r := s.here("cuMemAlloc_v2"); r != success {
				return r
			}
			if n == 0 || s.used()+n > s.capacity {
				return outOfMemory
			}
			*address = s.memory.Alloc(int(n))
			s.blocks[*address] = n
			return success
		},
		free: func(address uint64) result {
			for _, stream := range s.streams {
				if len(stream.queue) > 0 && s.sticky == success {
					s.complain("cuMemFree_v2 while a stream has work")
				}
			}
			if s.blocks[address] == 0 {
				s.complain("cuMemFree_v2: no memory at %#x", address)
				return invalidValue
			}
			delete(s.blocks, address)
			if err := s.memory.Free(address); err != nil {
				s.complain("cuMemFree_v2: %v", err)
			}
			return s.here("cuMemFree_v2")
		},
		toDevice: func(to uint64, from unsafe.Pointer, n, stream uintptr) result {
			return s.transfer("cuMemcpyHtoDAsync_v2", stream, to, n, func() error { return s.memory.Write(to, unsafe.Slice((*byte)(from), n)) })
		},
		toHost: func(to unsafe.Pointer, from uint64, n, stream uintptr) result {
			return s.transfer("cuMemcpyDtoHAsync_v2", stream, from, n, func() error { return s.memory.Read(unsafe.Slice((*byte)(to), n), from) })
		},
		copy: func(to, from uint64, n, stream uintptr) result {
			if !s.inside(to, n) || !s.inside(from, n) {
				return invalidValue
			}
			return s.add("cuMemcpyDtoDAsync_v2", stream, func() error {
				b := make([]byte, n)
				if err := s.memory.Read(b, from); err != nil {
					return err
				}
				return s.memory.Write(to, b)
			})
		},
		fill: func(to uint64, v uint8, n, stream uintptr) result {
			if !s.inside(to, n) {
				return invalidValue
			}
			return s.add("cuMemsetD8Async", stream, func() error { return s.memory.Write(to, slices.Repeat([]byte{v}, int(n))) })
		},
		createStream: func(h *uintptr, flags uint32) result {
			if r := s.here("cuStreamCreate"); r != success {
				return r
			}
			*h = s.handle()
			s.streams[*h] = new(standinStream)
			return success
		},
		destroyStream: func(h uintptr) result {
			if st := s.streams[h]; st != nil && len(st.queue) > 0 && s.sticky == success {
				s.complain("cuStreamDestroy_v2 of a stream with work")
			}
			return give(s, "cuStreamDestroy_v2", s.streams, h)
		},
		wait: func(h uintptr) result {
			stream, r := s.on("cuStreamSynchronize", h)
			if r != success {
				return r
			}
			if stream.capturing {
				s.complain("cuStreamSynchronize while capturing")
				return notInCapture
			}
			return s.run(stream)
		},
		launch: s.start,
		beginCapture: func(h uintptr, mode int32) result {
			stream, r := s.on("cuStreamBeginCapture_v2", h)
			if r != success {
				return r
			}
			if stream.capturing || mode != relaxed {
				s.complain("cuStreamBeginCapture_v2 twice, or in mode %d", mode)
				return invalidValue
			}
			stream.capturing = true
			return success
		},
		endCapture: s.end,
		instantiate: func(e *uintptr, graph uintptr, flags uint64) result {
			work, known := s.graphs[graph]
			if !known {
				s.complain("no graph %#x", graph)
				return badHandle
			}
			*e = s.handle()
			s.execs[*e] = slices.Clone(work)
			return s.here("cuGraphInstantiateWithFlags")
		},
		replay: func(e, stream uintptr) result {
			work, known := s.execs[e]
			if !known {
				s.complain("no executable graph %#x", e)
				return badHandle
			}
			for _, w := range work {
				if r := s.add("cuGraphLaunch", stream, w); r != success {
					return r
				}
			}
			return s.here("cuGraphLaunch")
		},
		dropReplay: func(e uintptr) result {
			for _, stream := range s.streams {
				if len(stream.queue) > 0 && s.sticky == success {
					s.complain("cuGraphExecDestroy while a stream has work")
				}
			}
			return give(s, "cuGraphExecDestroy", s.execs, e)
		},
		dropGraph: func(g uintptr) result { return give(s, "cuGraphDestroy", s.graphs, g) },
	}
}

func (s *standin) used() (n uintptr) {
	for _, size := range s.blocks {
		n += size
	}
	return n
}

// left says what was not given back.
func (s *standin) left() []string {
	var all []string
	for name, n := range map[string]int{"contexts": s.retained, "threads with a context": len(s.current), "streams": len(s.streams), "modules": len(s.modules),
		"blocks of memory": len(s.blocks), "graphs": len(s.graphs), "executable graphs": len(s.execs)} {
		if n != 0 {
			all = append(all, fmt.Sprintf("%d %s", n, name))
		}
	}
	slices.Sort(all)
	return append(all, s.complaints...)
}

// The stream of a device launches kernels.
var _ kernels.Device = (*Stream)(nil)
