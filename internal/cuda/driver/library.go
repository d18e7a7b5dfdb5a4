//go:build cuda && (linux || windows) && (amd64 || arm64)

package driver

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"unsafe"

	"github.com/ebitengine/purego"
)

// Built says whether the program can use a GPU.
const Built = true

// open finds the driver's library, and returns its functions and the name that it was
// found by.
func open() (*table, string, error) {
	names := libraries
	if name := os.Getenv(LibraryVariable); name != "" {
		names = []string{name}
	}
	var failures []error
	for _, name := range names {
		library, err := openLibrary(name)
		if err != nil {
			failures = append(failures, err)
			continue
		}
		calls, err := bind(library)
		if err != nil {
			return nil, "", fmt.Errorf("cuda: %s is not usable: %w", name, err)
		}
		return calls, name, nil
	}
	return nil, "", fmt.Errorf("cuda: no driver: %w; NVIDIA's driver 450 or later has the library, and %s names its file", errors.Join(failures...), LibraryVariable)
}

// bind finds the functions in an open library.
func bind(library uintptr) (*table, error) {
	t := new(table)
	var missing []string
	for _, s := range t.symbols() {
		address := find(library, s.name)
		switch {
		case address != 0 && s.function == any(&t.launch):
			t.launch = launchAt(address)
		case address != 0:
			purego.RegisterFunc(s.function, address)
		case !s.optional:
			missing = append(missing, s.name)
		}
	}
	if missing != nil {
		return nil, fmt.Errorf("it lacks %s, want a driver of CUDA %v or later", strings.Join(missing, ", "), oldest)
	}
	return t, nil
}

// launchAt calls cuLaunchKernel, the one function that is called all the time, without
// the reflection of RegisterFunc.
func launchAt(address uintptr) func(function uintptr, gridX, gridY, gridZ, blockX, blockY, blockZ, shared uint32, stream uintptr, arguments, extra unsafe.Pointer) result {
	return func(function uintptr, gridX, gridY, gridZ, blockX, blockY, blockZ, shared uint32, stream uintptr, arguments, extra unsafe.Pointer) result {
		r, _, _ := purego.SyscallN(address, function, uintptr(gridX), uintptr(gridY), uintptr(gridZ),
			uintptr(blockX), uintptr(blockY), uintptr(blockZ), uintptr(shared), stream, uintptr(arguments), uintptr(extra))
		return result(r)
	}
}
