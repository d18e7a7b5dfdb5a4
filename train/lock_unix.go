//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package train

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// lock keeps other processes from training in dir until the returned function
// is called or this process ends.
func lock(dir string) (unlock func(), err error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	switch {
	case errors.Is(err, syscall.EWOULDBLOCK):
		f.Close()
		return nil, fmt.Errorf("%s is in use: another process trains in it", dir)
	case err != nil: // a file system without locks
		f.Close()
		return func() {}, nil
	}
	return func() { f.Close() }, nil
}
