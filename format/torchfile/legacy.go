package torchfile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"

	"github.com/mega-go/mega/format/filemap"
)

// legacyMagic and legacyProtocol are the first two pickles of the older format.
var legacyMagic, _ = new(big.Int).SetString("1950a86a20f9469cfc6c", 16)

const legacyProtocol = 1001

// readLegacy reads the format that torch.save wrote before 1.6, and still does
// with _use_new_zipfile_serialization=False: pickles of a magic number, of the
// protocol version, of facts about the machine, of the value itself and of the
// storages' keys; then for every key the number of elements and the elements.
func readLegacy(file *filemap.File) (any, error) {
	l := legacyReader{file: file, storages: make(map[string]*Storage)}
	var root any
	err := file.View(0, file.Size(), func(in []byte) (err error) {
		l.in = in
		root, err = l.read()
		return err
	})
	return root, err
}

type legacyReader struct {
	file     *filemap.File
	in       []byte
	pos      int
	storages map[string]*Storage // by key; their content is found last
}

func (l *legacyReader) read() (any, error) {
	if err := l.readHead(); err != nil {
		return nil, err
	}
	root, err := l.next("the value", l.storage)
	if err != nil {
		return nil, err
	}
	keys, err := l.next("the list of storages", nil)
	if err != nil {
		return nil, err
	}
	list, ok := keys.(*List)
	if !ok {
		return nil, fmt.Errorf("the list of storages is %s, want list", TypeName(keys))
	}
	if err := l.readStorages(list.Items); err != nil {
		return nil, err
	}
	if l.pos != len(l.in) {
		return nil, fmt.Errorf("%d bytes follow the last storage's end at byte %d", len(l.in)-l.pos, l.pos)
	}
	return root, nil
}

// next reads the next pickle.
func (l *legacyReader) next(what string, persistent func(Tuple) (*Storage, error)) (any, error) {
	v, end, err := runPickle(l.in, l.pos, persistent)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	l.pos = end
	return v, nil
}

// readHead checks the three pickles ahead of the value.
func (l *legacyReader) readHead() error {
	magic, err := l.next("the magic number", nil)
	if err != nil {
		return err
	}
	if n, ok := magic.(*big.Int); !ok || n.Cmp(legacyMagic) != 0 {
		return errors.New("a pickle, but not of torch.save: it does not begin with torch's magic number")
	}
	protocol, err := l.next("the protocol version", nil)
	if err != nil {
		return err
	}
	if protocol != int64(legacyProtocol) {
		return fmt.Errorf("the protocol version is not %d", legacyProtocol)
	}
	v, err := l.next("the facts about the machine", nil)
	if err != nil {
		return err
	}
	info, ok := v.(*Dict)
	if !ok {
		return fmt.Errorf("the facts about the machine are %s, want dict", TypeName(v))
	}
	if little, _ := info.Get("little_endian"); little != true {
		return errors.New("the file is not of a little-endian machine")
	}
	return nil
}

// storage returns the storage of a persistent ID, the same one for the same key.
func (l *legacyReader) storage(id Tuple) (*Storage, error) {
	key, d, elements, err := storageID(id, 6)
	if err != nil {
		return nil, err
	}
	if s, ok := l.storages[key]; ok {
		return s, s.is(d, elements, key)
	}
	s := &Storage{DType: d, Elements: elements}
	l.storages[key] = s
	return s, nil
}

// readStorages finds the content of every storage, in the order of keys.
func (l *legacyReader) readStorages(keys []any) error {
	for _, k := range keys {
		key, ok := k.(string)
		if !ok {
			return fmt.Errorf("the key of a storage is %s, want str", TypeName(k))
		}
		s := l.storages[key]
		switch {
		case s == nil:
			return fmt.Errorf("storage %.*q belongs to no tensor", maxGlobal, key)
		case s.content != nil:
			return fmt.Errorf("storage %.*q comes twice", maxGlobal, key)
		}
		if err := l.readStorage(s, key); err != nil {
			return fmt.Errorf("storage %.*q at byte %d: %w", maxGlobal, key, l.pos, err)
		}
	}
	for key, s := range l.storages {
		if s.content == nil {
			return fmt.Errorf("storage %.*q is missing", maxGlobal, key)
		}
	}
	return nil
}

// readStorage reads a length and passes over as many elements.
func (l *legacyReader) readStorage(s *Storage, key string) error {
	const lengthSize = 8
	left := int64(len(l.in) - l.pos - lengthSize)
	if left < 0 {
		return errors.New("its length is cut off: is the file truncated?")
	}
	if n := binary.LittleEndian.Uint64(l.in[l.pos:]); n != uint64(s.Elements) {
		return fmt.Errorf("it has %d elements, want %d", n, s.Elements)
	}
	size := int64(s.Elements) * int64(s.DType.Size())
	if size > left {
		return fmt.Errorf("it has %d bytes, %d are left: is the file truncated?", size, left)
	}
	s.content = &section{name: "storage " + key, file: l.file, off: int64(l.pos + lengthSize), size: size}
	l.pos += lengthSize + int(size)
	return nil
}
