package driver

import (
	"fmt"
	"regexp"
	"strconv"
	"sync"
)

// LibraryVariable is the environment variable that names the driver's library.
const LibraryVariable = "MEGA_CUDA_LIBRARY"

// oldest is the first version of CUDA whose driver reads the kernels' PTX (ISA 7.0) and
// has all functions that are not optional. NVIDIA's driver 450 has it.
const oldest Version = 11000

// A Version is one of CUDA as drivers give it: 12040 is 12.4.
type Version int

func (v Version) String() string { return fmt.Sprintf("%d.%d", v/1000, v%1000/10) }

// A Driver is the machine's CUDA driver.
type Driver struct {
	Library string // the name that it was found by
	Version Version

	calls *table
}

// String names the library and, once it is known, its version.
func (d *Driver) String() string {
	if d.Version == 0 {
		return d.Library
	}
	return fmt.Sprintf("%s, CUDA %v", d.Library, d.Version)
}

// Load finds the machine's driver. It looks once: later calls return the same.
func Load() (*Driver, error) { return loaded() }

var loaded = sync.OnceValues(func() (*Driver, error) {
	calls, library, err := open()
	if err != nil {
		return nil, err
	}
	return newDriver(calls, library)
})

// newDriver readies a library to be used.
func newDriver(calls *table, library string) (*Driver, error) {
	d := &Driver{calls: calls, Library: library}
	var version int32
	if r := calls.driverVersion(&version); r != success {
		return nil, d.fail("", "asking for the version of the driver", "cuDriverGetVersion", r, "")
	}
	d.Version = Version(version)
	if d.Version < oldest {
		return nil, fmt.Errorf("cuda: the driver (%v) is too old, want CUDA %v or later: NVIDIA's driver 450 and later have it", d, oldest)
	}
	if r := calls.init(0); r != success {
		return nil, d.fail("", "starting the driver", "cuInit", r, "")
	}
	return d, nil
}

// An Info describes a device.
type Info struct {
	Index        int
	Name         string
	Major, Minor int    // its compute capability
	Memory       uint64 // bytes

	device int32
}

func (i Info) String() string { return fmt.Sprintf("cuda:%d (%s)", i.Index, i.Name) }

// Devices describes all devices, of which there may be none.
func (d *Driver) Devices() ([]Info, error) {
	n, err := d.count()
	if err != nil {
		return nil, err
	}
	var all []Info
	for i := range n {
		info, err := d.info(i)
		if err != nil {
			return nil, err
		}
		all = append(all, info)
	}
	return all, nil
}

func (d *Driver) count() (int, error) {
	var n int32
	err := d.fail("", "counting devices", "cuDeviceGetCount", d.calls.deviceCount(&n), "")
	return int(n), err
}

// Attributes of devices (CUdevice_attribute).
const (
	capabilityMajor = 75
	capabilityMinor = 76
)

// info asks for what is known of a device.
func (d *Driver) info(index int) (Info, error) {
	i := Info{Index: index}
	name, memory := make([]byte, 256), uintptr(0)
	var major, minor int32
	for _, ask := range []struct {
		call string
		run  func() result
	}{
		{"cuDeviceGet", func() result { return d.calls.device(&i.device, int32(index)) }},
		{"cuDeviceGetName", func() result { return d.calls.deviceName(&name[0], int32(len(name)), i.device) }},
		{"cuDeviceGetAttribute", func() result { return d.calls.deviceAttribute(&major, capabilityMajor, i.device) }},
		{"cuDeviceGetAttribute", func() result { return d.calls.deviceAttribute(&minor, capabilityMinor, i.device) }},
		{"cuDeviceTotalMem_v2", func() result { return d.calls.deviceMemory(&memory, i.device) }},
	} {
		if r := ask.run(); r != success {
			return i, d.fail(fmt.Sprintf("cuda:%d", index), "asking what the device is", ask.call, r, "")
		}
	}
	i.Name, i.Major, i.Minor, i.Memory = text(name), int(major), int(minor), uint64(memory)
	return i, nil
}

// text returns what stands before the first zero.
func text(b []byte) string {
	for i, c := range b {
		if c == 0 {
			return string(b[:i])
		}
	}
	return string(b)
}

// A module is PTX with what is read from it before the driver does.
type module struct {
	text       string
	capability int              // that devices need at least, 10 major + minor
	parameters map[string][]int // of each kernel, their sizes in bytes
}

var (
	targetLine = regexp.MustCompile(`(?m)^\.target\s+sm_(\d+)`)
	entryHead  = regexp.MustCompile(`\.entry\s+(\w+)\s*\(([^)]*)\)`)
	paramType  = regexp.MustCompile(`\.param\s+\.[a-z]+(\d+)\b`)
)

// newModule reads which device PTX is for and what its kernels take. The driver cannot
// know how many arguments a launch has, and would read beyond too few.
func newModule(ptx string) (*module, error) {
	target := targetLine.FindStringSubmatch(ptx)
	if target == nil {
		return nil, fmt.Errorf("cuda: the kernels' PTX has no .target sm_NN")
	}
	m := &module{text: ptx, parameters: make(map[string][]int)}
	m.capability, _ = strconv.Atoi(target[1])
	for _, head := range entryHead.FindAllStringSubmatch(ptx, -1) {
		sizes := []int{}
		for _, p := range paramType.FindAllStringSubmatch(head[2], -1) {
			bits, _ := strconv.Atoi(p[1])
			sizes = append(sizes, bits/8)
		}
		if len(sizes) > maxArguments {
			return nil, fmt.Errorf("cuda: kernel %s takes %d arguments, want %d at most", head[1], len(sizes), maxArguments)
		}
		m.parameters[head[1]] = sizes
	}
	return m, nil
}
