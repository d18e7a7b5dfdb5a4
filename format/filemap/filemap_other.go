//go:build !unix

package filemap

import "os"

// attach keeps the file open to read ranges from.
func (f *File) attach(file *os.File) error {
	f.from = file
	f.free = file.Close
	return nil
}

// release has nothing to do: there are no maps.
func release([]byte) {}
