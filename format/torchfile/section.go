package torchfile

import (
	"fmt"
	"hash/crc32"
	"sync/atomic"

	"github.com/mega-go/mega/format/filemap"
)

// A section is a named range of a file.
type section struct {
	name      string
	file      *filemap.File
	off, size int64
	crc       uint32 // CRC-32 of the content, 0 if the file does not say
	verified  atomic.Bool
}

// view calls use with the content, having compared it with the checksum the
// first time.
func (s *section) view(use func([]byte) error) error {
	err := s.file.View(s.off, s.size, func(b []byte) error {
		if err := s.verify(b); err != nil {
			return err
		}
		return use(b)
	})
	if err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	return nil
}

func (s *section) verify(b []byte) error {
	if s.crc == 0 || s.verified.Load() {
		return nil
	}
	if got := crc32.ChecksumIEEE(b); got != s.crc {
		return fmt.Errorf("the CRC-32 is %08x, want %08x: the file is damaged", got, s.crc)
	}
	s.verified.Store(true)
	return nil
}
