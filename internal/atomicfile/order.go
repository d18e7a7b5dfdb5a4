package atomicfile

import "os"

// Observe is told of each step whose order makes files last: "sync" or "rename",
// and the path that it makes last. Tests replace it.
var Observe = func(step, path string) {}

// Sync makes what was written to f last.
func Sync(f *os.File) error {
	Observe("sync", f.Name())
	return f.Sync()
}

func rename(from, to string) error {
	Observe("rename", to)
	return os.Rename(from, to)
}
