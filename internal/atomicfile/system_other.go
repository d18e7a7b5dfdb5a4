//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package atomicfile

import "os"

// SyncDir does nothing: directories cannot be synced here, and a rename is as
// durable as the system makes it.
func SyncDir(string) error { return nil }

func hold(*os.File) {}

// abandoned is false: whether another process writes a file is not known here.
func abandoned(string) bool { return false }

func descriptor(string) (*os.File, error) { return nil, nil }

func sameDevice(string, string) bool { return false }
