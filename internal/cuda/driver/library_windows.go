//go:build cuda && (amd64 || arm64)

package driver

import (
	"fmt"
	"path/filepath"

	"golang.org/x/sys/windows"
)

// libraries are where the driver is looked for.
var libraries = []string{"nvcuda.dll"}

// openLibrary looks for a mere name among the system's libraries alone. Errors name the
// file.
func openLibrary(name string) (uintptr, error) {
	from := uintptr(windows.LOAD_LIBRARY_SEARCH_SYSTEM32)
	if filepath.IsAbs(name) {
		from = windows.LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR | windows.LOAD_LIBRARY_SEARCH_SYSTEM32
	}
	library, err := windows.LoadLibraryEx(name, 0, from)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	return uintptr(library), nil
}

// find returns the address of a function, 0 if there is none.
func find(library uintptr, symbol string) uintptr {
	address, err := windows.GetProcAddress(windows.Handle(library), symbol)
	if err != nil {
		return 0
	}
	return address
}
