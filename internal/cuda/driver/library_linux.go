//go:build cuda && (amd64 || arm64)

package driver

import "github.com/ebitengine/purego"

// libraries are where the driver is looked for, the second one being WSL's.
var libraries = []string{"libcuda.so.1", "/usr/lib/wsl/lib/libcuda.so.1"}

// openLibrary opens a file. Errors name it.
func openLibrary(name string) (uintptr, error) {
	return purego.Dlopen(name, purego.RTLD_NOW|purego.RTLD_LOCAL)
}

// find returns the address of a function, 0 if there is none.
func find(library uintptr, symbol string) uintptr {
	address, err := purego.Dlsym(library, symbol)
	if err != nil {
		return 0
	}
	return address
}
