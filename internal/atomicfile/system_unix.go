//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package atomicfile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// SyncDir makes what was created, renamed and removed in dir last. File systems
// that cannot sync a directory say EINVAL or ENOTSUP; there is nothing more to do
// on them.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = Sync(d)
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		err = nil
	}
	return errors.Join(err, d.Close())
}

// hold marks a temporary file as being written, for as long as this process has
// it open.
func hold(f *os.File) { syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }

// abandoned reports whether no process holds a temporary file.
func abandoned(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
}

// descriptor returns a copy of this process's descriptor that path names, as
// /dev/fd/1 does, nil if it names none. Opened anew, a regular file would be
// written from its beginning, over what the descriptor has written.
func descriptor(path string) (*os.File, error) {
	dir, name := filepath.Split(path)
	own := fmt.Sprintf("/proc/%d/", os.Getpid())
	ofTask, _ := filepath.Match(own+"task/*/fd/", dir)
	number, err := strconv.Atoi(name)
	if err != nil || dir != "/dev/fd/" && dir != own+"fd/" && !ofTask {
		return nil, nil
	}
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	copied, err := syscall.Dup(number)
	if err != nil {
		return nil, err
	}
	syscall.CloseOnExec(copied)
	return os.NewFile(uintptr(copied), path), nil
}

// sameDevice reports whether what is in one directory can be renamed into the
// other.
func sameDevice(a, b string) bool {
	var at, bt syscall.Stat_t
	return syscall.Stat(a, &at) == nil && syscall.Stat(b, &bt) == nil && at.Dev == bt.Dev
}
