//go:build !unix

package atomicfile

// syncDir does nothing: directories cannot be synced here, and the rename is as
// durable as the system makes it.
func syncDir(string) error { return nil }
