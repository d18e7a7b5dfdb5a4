package torchfile

import (
	"archive/zip"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/mega-go/mega/format/dtype"
	"github.com/mega-go/mega/format/filemap"
)

// An archive's entries, all below one folder, are
//
//	data.pkl   a pickle, in which storages are named by key
//	data/KEY   the bytes of a storage
//	version    the format's version as decimal digits
//	byteorder  "little" or "big", since torch 2.1
//
// and others without meaning here.
const (
	pickleEntry  = "data.pkl"
	storageEntry = "data/"
	versionEntry = "version"
	orderEntry   = "byteorder"
	scriptEntry  = "constants.pkl"
)

// oldestVersion and newestVersion delimit the format versions that torch reads.
const oldestVersion, newestVersion = 1, 10

// readArchive reads the zip format of torch.save.
func readArchive(file *filemap.File) (any, error) {
	sections, err := listArchive(file)
	if err != nil {
		return nil, fmt.Errorf("the zip archive: %w", err)
	}
	if _, ok := sections[scriptEntry]; ok {
		return nil, errors.New("a TorchScript archive of torch.jit.save, which is a program: save the model's state_dict() with torch.save")
	}
	if err := checkVersion(sections); err != nil {
		return nil, err
	}
	storages := make(map[string]*Storage)
	var root any
	err = sections[pickleEntry].view(func(in []byte) error {
		value, end, err := runPickle(in, 0, func(id Tuple) (*Storage, error) {
			return findStorage(id, sections, storages)
		})
		if err == nil && end != len(in) {
			err = fmt.Errorf("%d bytes follow the pickle's end at byte %d", len(in)-end, end)
		}
		root = value
		return err
	})
	return root, err
}

// findStorage returns the storage of a persistent ID, the same one for the same
// key.
func findStorage(id Tuple, sections map[string]*section, storages map[string]*Storage) (*Storage, error) {
	key, d, elements, err := storageID(id, 5)
	if err != nil {
		return nil, err
	}
	if s, ok := storages[key]; ok {
		return s, s.is(d, elements, key)
	}
	sec, ok := sections[storageEntry+key]
	if !ok {
		return nil, fmt.Errorf("the archive has no entry %.*q", maxGlobal, storageEntry+key)
	}
	if want := int64(elements) * int64(d.Size()); sec.size != want {
		return nil, fmt.Errorf("the entry %s has %d bytes, want %d for %d elements of %v", sec.name, sec.size, want, elements, d)
	}
	s := &Storage{d, elements, sec}
	storages[key] = s
	return s, nil
}

// is checks that a storage that is named again is named in the same way.
func (s *Storage) is(d dtype.DType, elements int, key string) error {
	if s.DType != d || s.Elements != elements {
		return fmt.Errorf("storage %.*q is %d elements of %v here and %d of %v before", maxGlobal, key, elements, d, s.Elements, s.DType)
	}
	return nil
}

// checkVersion reads the entries that say how to read the others.
func checkVersion(sections map[string]*section) error {
	version, ok := sections[versionEntry]
	if !ok {
		return errors.New("the archive has no entry " + versionEntry)
	}
	err := version.view(func(b []byte) error {
		text := strings.TrimSpace(string(b[:min(len(b), 20)]))
		if v, err := strconv.Atoi(text); err != nil || v < oldestVersion || v > newestVersion {
			return fmt.Errorf("format version %q, want %d to %d", text, oldestVersion, newestVersion)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if order, ok := sections[orderEntry]; ok {
		return order.view(func(b []byte) error {
			if string(b) != "little" {
				return fmt.Errorf("byte order %.20q, want \"little\"", b)
			}
			return nil
		})
	}
	return nil
}

// listArchive returns the archive's entries by their name within its folder.
func listArchive(file *filemap.File) (map[string]*section, error) {
	r, err := zip.NewReader(file, file.Size())
	if err != nil {
		return nil, fmt.Errorf("no list of entries at the end (%w): is the file truncated?", err)
	}
	folder, err := archiveFolder(r.File)
	if err != nil {
		return nil, err
	}
	sections := make(map[string]*section)
	for _, f := range r.File {
		s, err := newSection(file, f)
		if err != nil {
			return nil, fmt.Errorf("entry %.*q: %w", maxGlobal, f.Name, err)
		}
		name, ok := strings.CutPrefix(f.Name, folder+"/")
		if !ok || !fs.ValidPath(f.Name) {
			return nil, fmt.Errorf("entry %.*q: not a name below %q", maxGlobal, f.Name, folder)
		}
		if sections[name] != nil {
			return nil, fmt.Errorf("entry %.*q: the name comes twice", maxGlobal, f.Name)
		}
		sections[name] = s
	}
	return sections, checkOverlap(sections)
}

// archiveFolder finds the folder that has a data.pkl.
func archiveFolder(files []*zip.File) (string, error) {
	for _, f := range files {
		folder, ok := strings.CutSuffix(f.Name, "/"+pickleEntry)
		if ok && len(folder) <= maxGlobal && !strings.Contains(folder, "/") {
			return folder, nil
		}
	}
	return "", fmt.Errorf("no entry FOLDER/%s: not a file of torch.save", pickleEntry)
}

// newSection finds an entry's bytes, which must be stored as they are.
func newSection(file *filemap.File, f *zip.File) (*section, error) {
	const encrypted = 1
	switch {
	case f.Flags&encrypted != 0:
		return nil, errors.New("it is encrypted")
	case f.Method != zip.Store || f.CompressedSize64 != f.UncompressedSize64:
		return nil, fmt.Errorf("it is compressed (method %d), want it stored as torch.save does", f.Method)
	case f.UncompressedSize64 > math.MaxInt64:
		return nil, fmt.Errorf("it claims %d bytes", f.UncompressedSize64)
	}
	off, err := f.DataOffset()
	if err != nil {
		return nil, err
	}
	size := int64(f.UncompressedSize64)
	if off < 0 || off > file.Size() || size > file.Size()-off {
		return nil, fmt.Errorf("it claims %d bytes at %d of a file of %d", size, off, file.Size())
	}
	return &section{name: f.Name, file: file, off: off, size: size, crc: f.CRC32}, nil
}

// checkOverlap refuses entries that share bytes: a small file could claim to be
// a large one.
func checkOverlap(sections map[string]*section) error {
	sorted := make([]*section, 0, len(sections))
	for _, s := range sections {
		if s.size > 0 {
			sorted = append(sorted, s)
		}
	}
	slices.SortFunc(sorted, func(a, b *section) int { return cmp.Compare(a.off, b.off) })
	for i := 1; i < len(sorted); i++ {
		if a, b := sorted[i-1], sorted[i]; a.off+a.size > b.off {
			return fmt.Errorf("entries %.*q and %.*q overlap", maxGlobal, a.name, maxGlobal, b.name)
		}
	}
	return nil
}
