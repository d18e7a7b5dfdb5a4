package driver

import "unsafe"

// A result is what the functions of the driver return (CUresult of cuda.h).
type result int32

// The results that are told apart.
const (
	success        result = 0
	outOfMemory    result = 2
	stubLibrary    result = 34
	noDevice       result = 100
	noBinary       result = 209
	invalidPTX     result = 218
	newerPTX       result = 222
	notFound       result = 500
	illegalAddress result = 700
	timedOut       result = 702
	launchFailed   result = 719
	busyDevice     result = 46
	wrongDriver    result = 803
)

// A table is the functions of the driver that are used: those of a library, or in tests
// of a stand-in. Arguments are those of cuda.h. Handles are uintptr and addresses on the
// device uint64. Memory that is passed as a number must be pinned by the caller.
type table struct {
	driverVersion func(version *int32) result
	init          func(flags uint32) result
	errorName     func(code result, text **byte) result
	errorText     func(code result, text **byte) result

	deviceCount     func(n *int32) result
	device          func(device *int32, index int32) result
	deviceName      func(name *byte, n, device int32) result
	deviceAttribute func(value *int32, attribute, device int32) result
	deviceMemory    func(bytes *uintptr, device int32) result

	retainContext  func(context *uintptr, device int32) result
	releaseContext func(device int32) result
	setContext     func(context uintptr) result

	loadModule   func(module *uintptr, text *byte, n uint32, options *int32, values *uintptr) result
	unloadModule func(module uintptr) result
	function     func(function *uintptr, module uintptr, name *byte) result

	memory   func(free, total *uintptr) result
	alloc    func(address *uint64, bytes uintptr) result
	free     func(address uint64) result
	toDevice func(to uint64, from unsafe.Pointer, bytes, stream uintptr) result
	toHost   func(to unsafe.Pointer, from uint64, bytes, stream uintptr) result
	copy     func(to, from uint64, bytes, stream uintptr) result
	fill     func(to uint64, value uint8, bytes, stream uintptr) result

	createStream  func(stream *uintptr, flags uint32) result
	destroyStream func(stream uintptr) result
	wait          func(stream uintptr) result
	launch        func(function uintptr, gridX, gridY, gridZ, blockX, blockY, blockZ, shared uint32, stream uintptr, arguments, extra unsafe.Pointer) result

	beginCapture func(stream uintptr, mode int32) result
	endCapture   func(stream uintptr, graph *uintptr) result
	instantiate  func(executable *uintptr, graph uintptr, flags uint64) result // nil before CUDA 11.4
	replay       func(executable, stream uintptr) result
	dropReplay   func(executable uintptr) result
	dropGraph    func(graph uintptr) result
}

// A symbol is a function of the driver by its name in the library.
type symbol struct {
	name     string
	function any // pointer to the table's function
	optional bool
}

// symbols returns all functions of t, which a loader sets.
func (t *table) symbols() []symbol {
	return []symbol{
		{name: "cuDriverGetVersion", function: &t.driverVersion},
		{name: "cuInit", function: &t.init},
		{name: "cuGetErrorName", function: &t.errorName},
		{name: "cuGetErrorString", function: &t.errorText},
		{name: "cuDeviceGetCount", function: &t.deviceCount},
		{name: "cuDeviceGet", function: &t.device},
		{name: "cuDeviceGetName", function: &t.deviceName},
		{name: "cuDeviceGetAttribute", function: &t.deviceAttribute},
		{name: "cuDeviceTotalMem_v2", function: &t.deviceMemory},
		{name: "cuDevicePrimaryCtxRetain", function: &t.retainContext},
		{name: "cuDevicePrimaryCtxRelease_v2", function: &t.releaseContext},
		{name: "cuCtxSetCurrent", function: &t.setContext},
		{name: "cuModuleLoadDataEx", function: &t.loadModule},
		{name: "cuModuleUnload", function: &t.unloadModule},
		{name: "cuModuleGetFunction", function: &t.function},
		{name: "cuMemGetInfo_v2", function: &t.memory},
		{name: "cuMemAlloc_v2", function: &t.alloc},
		{name: "cuMemFree_v2", function: &t.free},
		{name: "cuMemcpyHtoDAsync_v2", function: &t.toDevice},
		{name: "cuMemcpyDtoHAsync_v2", function: &t.toHost},
		{name: "cuMemcpyDtoDAsync_v2", function: &t.copy},
		{name: "cuMemsetD8Async", function: &t.fill},
		{name: "cuStreamCreate", function: &t.createStream},
		{name: "cuStreamDestroy_v2", function: &t.destroyStream},
		{name: "cuStreamSynchronize", function: &t.wait},
		{name: "cuLaunchKernel", function: &t.launch},
		{name: "cuStreamBeginCapture_v2", function: &t.beginCapture},
		{name: "cuStreamEndCapture", function: &t.endCapture},
		{name: "cuGraphInstantiateWithFlags", function: &t.instantiate, optional: true},
		{name: "cuGraphLaunch", function: &t.replay},
		{name: "cuGraphExecDestroy", function: &t.dropReplay},
		{name: "cuGraphDestroy", function: &t.dropGraph},
	}
}
