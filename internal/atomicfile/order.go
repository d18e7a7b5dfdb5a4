package atomicfile

import "os"

// Observe gets each step on whose order durability depends: "sync" or "rename", and
// the path that it makes durable. Tests replace it.
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
