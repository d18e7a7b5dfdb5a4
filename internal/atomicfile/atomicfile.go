// Package atomicfile replaces files so that a crash, a full disk or a kill at
// any moment leaves either the whole old content or the whole new one. It writes
// into what is not a regular file, such as a pipe, a device or standard output by
// name, as a shell does.
//
// It knows nothing of what the files hold.
package atomicfile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// bufferSize is large enough that the cost of a system call vanishes beside
// that of its data.
const bufferSize = 1 << 18

// A File is a file being written, buffered. End with Commit or Abort.
type File struct {
	*bufio.Writer
	file   *os.File
	path   string // as it was given
	target string // what a rename replaces; empty for what is written in place
}

// Create starts to write path: a temporary file beside it, which Commit puts in its
// place. Until then path stays as it was. The file is beside path because a rename is
// atomic only within a file system. Commit syncs it before the rename and the
// directory after it: otherwise a crash of the machine may leave the new name with
// none of its content.
//
// If path is a symbolic link, what it points to is replaced and the link stays. A
// pipe, a device and a descriptor (/dev/stdout, /dev/fd/N) are written into at once.
func Create(path string) (*File, error) {
	target, file, err := open(path)
	return newFile(file, path, target, err)
}

func newFile(file *os.File, path, target string, err error) (*File, error) {
	if err != nil {
		return nil, fmt.Errorf("%s: cannot create: %w", path, cause(err))
	}
	return &File{bufio.NewWriterSize(file, bufferSize), file, path, target}, nil
}

// open opens what is at path if it must be written in place, else a temporary
// file beside target.
func open(path string) (target string, file *os.File, err error) {
	target, err = follow(path)
	if err != nil {
		return "", nil, err
	}
	if file, err := descriptor(target); file != nil || err != nil {
		return "", file, err
	}
	switch info, err := os.Stat(target); {
	case err != nil || replaceable(target, info):
		file, err = create(target)
		return target, file, err
	case info.IsDir():
		return "", nil, errors.New("is a directory")
	}
	file, err = os.OpenFile(target, os.O_WRONLY|os.O_TRUNC, 0)
	return "", file, err
}

// replaceable reports whether a rename may take the place of a file: in /proc, a
// regular one is that of another process.
func replaceable(path string, info fs.FileInfo) bool {
	return info.Mode().IsRegular() && !strings.HasPrefix(path, "/proc/")
}

// Replaces reports whether a file or directory is at path that Create and Commit
// would replace, or fail to.
func Replaces(path string) bool {
	target, err := follow(path)
	if err != nil {
		return false
	}
	if file, _ := descriptor(target); file != nil {
		file.Close()
		return false
	}
	info, err := os.Stat(target)
	return err == nil && (info.IsDir() || replaceable(target, info))
}

// follow returns where the symbolic links at the end of path lead, which need not
// exist. Links in /proc are left: what they read is not where they lead.
func follow(path string) (string, error) {
	const most = 40 // as many as Linux follows
	for range most {
		dir, err := filepath.EvalSymlinks(filepath.Dir(path))
		if err != nil {
			return "", err
		}
		path = filepath.Join(dir, filepath.Base(path))
		link, err := os.Readlink(path)
		if err != nil || strings.HasPrefix(path, "/proc/") {
			return path, nil
		}
		if path = link; !filepath.IsAbs(link) {
			path = dir + string(filepath.Separator) + link // not joined: .. is to follow dir's own links
		}
	}
	return "", errors.New("too many levels of symbolic links")
}

// Commit syncs the file to disk and renames it to its place, and syncs that too.
// If anything fails the temporary file is removed and the path is as it was. A
// replaced file keeps its permissions.
func (f *File) Commit() error {
	if f.target == "" {
		err := errors.Join(f.Flush(), f.file.Close())
		return f.failed(err)
	}
	err := f.finish()
	if err != nil {
		f.file.Close()
		os.Remove(f.file.Name())
	} else {
		err = SyncDir(filepath.Dir(f.target))
	}
	return f.failed(err)
}

// failed names the path in an error of writing.
func (f *File) failed(err error) error {
	if err != nil {
		return fmt.Errorf("%s: cannot write: %w", f.path, cause(err))
	}
	return nil
}

// Abort removes what was written, but for what is written in place. After Commit
// it does nothing.
func (f *File) Abort() {
	if f.file.Close() == nil && f.target != "" {
		os.Remove(f.file.Name())
	}
}

// cause drops the temporary file's name from an error: the path's is given.
func cause(err error) error {
	switch e := err.(type) {
	case *fs.PathError:
		return e.Err
	case *os.LinkError:
		return e.Err
	}
	return err
}

// Write puts what write produces at path, whole or not at all, as Create and
// Commit do. An error of write is returned as it is and leaves path as it was.
func Write(path string, write func(io.Writer) error) error {
	f, err := Create(path)
	if err != nil {
		return err
	}
	return f.fill(write)
}

// fill writes f and commits it.
func (f *File) fill(write func(io.Writer) error) error {
	defer f.Abort()
	if err := write(f); err != nil {
		if e := (*fs.PathError)(nil); errors.As(err, &e) && e.Path == f.file.Name() {
			return f.failed(e)
		}
		return err
	}
	return f.Commit()
}

// WriteFile is Write for content that is in memory.
func WriteFile(path string, data []byte) error { return Write(path, content(data)) }

// ReplaceFile is WriteFile, but a symbolic link at path is itself replaced.
func ReplaceFile(path string, data []byte) error {
	file, err := create(path)
	f, err := newFile(file, path, path, err)
	if err != nil {
		return err
	}
	return f.fill(content(data))
}

func content(data []byte) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	}
}

// create makes a new temporary file beside path and deletes those that killed
// writers of path have left. It is not os.CreateTemp's, as a new checkpoint should
// get the permissions that the umask gives any file.
func create(path string) (*os.File, error) {
	sweep(path)
	const attempts = 100
	for i := 0; ; i++ {
		file, err := os.OpenFile(temporary(path), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		if err == nil {
			hold(file)
		}
		if err == nil || !errors.Is(err, fs.ErrExist) || i == attempts {
			return file, err
		}
	}
}

// finish writes the temporary file out and renames it.
func (f *File) finish() error {
	if err := f.Flush(); err != nil {
		return err
	}
	if old, err := os.Lstat(f.target); err == nil && old.Mode().IsRegular() {
		if err := f.file.Chmod(old.Mode().Perm()); err != nil {
			return err
		}
	}
	if err := Sync(f.file); err != nil {
		return err
	}
	if err := f.file.Close(); err != nil {
		return err
	}
	return rename(f.file.Name(), f.target)
}
