//go:build cuda && (amd64 || arm64)

package driver

import (
	"fmt"
	"runtime"
	"strings"

	"github.com/ebitengine/purego"
)

// libraries are where the driver is looked for, the second one being WSL's.
var libraries = []string{"libcuda.so.1", "/usr/lib/wsl/lib/libcuda.so.1"}

// openLibrary opens a file. Errors name it, and what is missing that it needs.
func openLibrary(name string) (uintptr, error) {
	runtime.LockOSThread() // dlerror tells a thread about its own errors
	defer runtime.UnlockOSThread()
	library, err := purego.Dlopen(name, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil && !strings.HasPrefix(err.Error(), name) {
		err = fmt.Errorf("%s: %w", name, err)
	}
	return library, err
}

// find returns the address of a function, 0 if there is none.
func find(library uintptr, symbol string) uintptr {
	address, err := purego.Dlsym(library, symbol)
	if err != nil {
		return 0
	}
	return address
}
