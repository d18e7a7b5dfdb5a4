package checkpoint

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mega-go/mega/format/filemap"
	"github.com/mega-go/mega/internal/spell"
)

// archiveSuffix ends the names of archives that hold checkpoints.
const archiveSuffix = ".zip"

// An archive is a zip file that holds checkpoints among other things, as the
// reference publishes its own. Nothing is unpacked: stored files are used where
// they lie in it, compressed ones expanded when they are opened.
type archive struct {
	file    *filemap.File
	entries map[string]*zip.File
}

// SplitArchivePath splits ARCHIVE.zip:NAME, which names a checkpoint in an
// archive. A path that exists as it is is no such thing.
func SplitArchivePath(path string) (archive, name string, ok bool) {
	if exists(path) {
		return "", "", false
	}
	at := strings.LastIndex(strings.ToLower(path), archiveSuffix+":")
	if at < 0 {
		return "", "", false
	}
	at += len(archiveSuffix)
	return path[:at], path[at+1:], true
}

// newArchive reads the list of an archive's entries.
func newArchive(file *filemap.File) (*archive, error) {
	r, err := zip.NewReader(file, file.Size())
	if err != nil {
		return nil, fmt.Errorf("%s: the zip archive has no list of entries at its end (%w): is it truncated?", file.Name(), err)
	}
	a := &archive{file, make(map[string]*zip.File)}
	for _, f := range r.File {
		name := strings.TrimSuffix(f.Name, "/")
		switch {
		case !fs.ValidPath(name):
			return nil, fmt.Errorf("%s: the archive has an entry %.200q, which is no path inside it", file.Name(), f.Name)
		case a.entries[name] != nil:
			return nil, fmt.Errorf("%s: the archive has an entry %.200q twice", file.Name(), f.Name)
		}
		a.entries[name] = f
	}
	return a, nil
}

// torch reports whether the archive is a file of torch.save, which is a zip
// archive itself.
func (a *archive) torch() bool {
	for name := range a.entries {
		if ok, _ := path.Match("*/data.pkl", name); ok {
			return true
		}
	}
	return false
}

// List returns the names of the checkpoints in a zip archive, as
// ARCHIVE.zip:NAME takes them, sorted. It returns nil if path is anything else
// than an archive that holds checkpoints.
func List(path string) ([]string, error) {
	if !strings.EqualFold(filepath.Ext(path), archiveSuffix) {
		return nil, nil
	}
	file, err := filemap.Open(path)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	defer file.Close()
	a, err := newArchive(file)
	if err != nil || a.torch() {
		return nil, err
	}
	return a.checkpoints(), nil
}

// checkpoints lists what in the archive can be opened: files by their suffix,
// and directories by what they hold.
func (a *archive) checkpoints() []string {
	var names []string
	for name, f := range a.entries {
		dir, base := path.Split(name)
		dir = path.Clean(dir)
		switch {
		case f.FileInfo().IsDir() || strings.HasPrefix(dir, "__MACOSX") || strings.HasPrefix(base, "."):
		case slices.Contains(weightFiles, base) && (a.has(dir, ConfigFile) || a.has(dir, ArgsFile)):
			names = append(names, dir)
		case base == OptimizerFile, base == ModelEMAFile && a.has(dir, ConfigFile), partNames.MatchString(base) && (a.has(dir, ModelFile+indexSuffix) || a.has(dir, torchModelFile+indexSuffix)):
		case slices.Contains([]string{".pt", ".pth", ".bin", singleSuffix}, path.Ext(base)):
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (a *archive) has(dir, base string) bool { return a.entries[path.Join(dir, base)] != nil }

// choose returns the checkpoint that name means: its path in the archive, or an
// end of that path that no other has. Without a name there must be just one.
func (a *archive) choose(name string) (string, error) {
	all := a.checkpoints()
	if len(all) == 0 {
		return "", fmt.Errorf("%s: the archive holds no checkpoint (a .pt, .pth or .safetensors file, or a directory with %s)", a.file.Name(), ConfigFile)
	}
	name = path.Clean(strings.ReplaceAll(name, `\`, "/"))
	if slices.Contains(all, name) && (name != "." || len(all) == 1) {
		return name, nil
	}
	matching := slices.DeleteFunc(slices.Clone(all), func(c string) bool {
		return name != "." && !strings.HasSuffix(c, "/"+name)
	})
	switch {
	case len(matching) == 1:
		return matching[0], nil
	case len(matching) > 1 && name == ".":
		return "", fmt.Errorf("%[1]s holds %[2]d checkpoints; choose one as %[1]s:NAME from %[3]s", a.file.Name(), len(all), few(all, ", "))
	case len(matching) > 1:
		return "", fmt.Errorf("%s: %q may be %s", a.file.Name(), clip(name), few(matching, " or "))
	}
	if near := spell.Nearest(name, all); near != "" {
		return "", fmt.Errorf("%s holds no checkpoint %q, did you mean %q?", a.file.Name(), clip(name), near)
	}
	return "", fmt.Errorf("%s holds no checkpoint %q; it has %s", a.file.Name(), clip(name), few(all, ", "))
}

// few joins names for an error, the first of them if there are many.
func few(names []string, separator string) string {
	const most = 20
	var out []string
	for i, name := range names {
		if i == most {
			out = append(out, fmt.Sprintf("%d more", len(names)-most))
			break
		}
		out = append(out, clip(name))
	}
	return strings.Join(out, separator)
}

// zipFiles are the files of a folder of an archive.
type zipFiles struct {
	archive *archive
	dir     string
}

func (z zipFiles) path(name string) string {
	return z.archive.file.Name() + ":" + path.Join(z.dir, name)
}

func (z zipFiles) open(name string) (*filemap.File, error) {
	f, ok := z.archive.entries[path.Join(z.dir, name)]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: z.path(name), Err: fs.ErrNotExist}
	}
	file, err := z.archive.open(f, z.path(name))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", z.path(name), err)
	}
	return file, nil
}

// open opens an entry: where it lies, if it is stored.
func (a *archive) open(f *zip.File, name string) (*filemap.File, error) {
	const encrypted = 1
	switch {
	case f.FileInfo().IsDir():
		return nil, errors.New("a directory, want a file")
	case f.Flags&encrypted != 0:
		return nil, errors.New("the entry is encrypted")
	case f.Method == zip.Deflate:
		return expand(f, name)
	case f.Method != zip.Store || f.CompressedSize64 != f.UncompressedSize64:
		return nil, fmt.Errorf("the entry is compressed by method %d, want it stored or deflated", f.Method)
	case f.UncompressedSize64 > uint64(a.file.Size()):
		return nil, fmt.Errorf("the entry claims %d bytes of an archive of %d", f.UncompressedSize64, a.file.Size())
	}
	off, err := f.DataOffset()
	if err != nil {
		return nil, err
	}
	return a.file.Section(name, off, int64(f.UncompressedSize64))
}

const (
	// expandMemory is up to what size a compressed entry is expanded in memory;
	// beyond that it goes to a temporary file.
	expandMemory = 16 << 20
	// expandRatio bounds how much larger than itself a compressed entry may
	// become, and expandFree what any may. Weights hardly shrink at all;
	// moments that are still zero do.
	expandRatio, expandFree = 100, 64 << 20
)

// expand returns the content of a compressed entry.
func expand(f *zip.File, name string) (*filemap.File, error) {
	size := f.UncompressedSize64
	if size > expandFree && size/expandRatio > f.CompressedSize64 {
		return nil, fmt.Errorf("the entry claims to expand from %d bytes to %d, more than weights can", f.CompressedSize64, size)
	}
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if size > expandMemory {
		return expandFile(r, name)
	}
	var content bytes.Buffer
	if _, err := io.Copy(&content, r); err != nil { // the reader holds size and checksum against the list
		return nil, err
	}
	return filemap.FromBytes(name, content.Bytes()), nil
}

// expandFile writes to a temporary file, which is gone once it is closed.
func expandFile(r io.Reader, name string) (*filemap.File, error) {
	temp, err := os.CreateTemp("", "mega-*")
	if err != nil {
		return nil, err
	}
	_, err = io.Copy(temp, r)
	if err = errors.Join(err, temp.Close()); err != nil {
		return nil, errors.Join(err, os.Remove(temp.Name()))
	}
	return filemap.OpenTemporary(temp.Name(), name)
}
