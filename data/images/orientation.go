package images

import (
	"bytes"
	"encoding/binary"
)

// orientation returns the EXIF orientation of a JPEG file, 1 to 8, 1 where it
// says none: the tag 0x0112 of the first directory in segment APP1 (EXIF 2.3,
// sections 4.5.4 and 4.6.2).
func orientation(file []byte) int {
	if len(file) < 2 || file[0] != 0xff || file[1] != 0xd8 {
		return 1
	}
	for b := file[2:]; len(b) >= 4 && b[0] == 0xff; {
		length := 2 + int(binary.BigEndian.Uint16(b[2:]))
		if b[1] == 0xda || length > len(b) { // the picture itself begins
			break
		}
		if tiff, ok := bytes.CutPrefix(b[4:max(4, length)], []byte("Exif\x00\x00")); ok && b[1] == 0xe1 {
			return tiffOrientation(tiff)
		}
		b = b[length:]
	}
	return 1
}

// tiffOrientation looks for the orientation in a TIFF header's first directory.
func tiffOrientation(b []byte) int {
	if len(b) < 8 {
		return 1
	}
	var order binary.ByteOrder = binary.BigEndian
	if b[0] == 'I' {
		order = binary.LittleEndian
	}
	const entry = 12 // bytes: tag, type, count, value
	at := uint64(order.Uint32(b[4:]))
	if at+2 > uint64(len(b)) {
		return 1
	}
	entries := b[at+2:]
	for range order.Uint16(b[at:]) {
		if len(entries) < entry {
			break
		}
		if value := int(order.Uint16(entries[8:])); order.Uint16(entries) == 0x0112 && value >= 1 && value <= 8 {
			return value
		}
		entries = entries[entry:]
	}
	return 1
}

// oriented turns a stored picture upright. Orientations from 5 on exchange rows
// and columns; 2, 3, 7 and 8 mirror the stored columns, 3, 4, 6 and 7 the rows.
func (p *Picture) oriented(orientation int) *Picture {
	if orientation == 1 {
		return p
	}
	out := &Picture{Width: p.Width, Height: p.Height, Pix: make([]byte, len(p.Pix))}
	exchanged := orientation >= 5
	if exchanged {
		out.Width, out.Height = p.Height, p.Width
	}
	for y := range out.Height {
		for x := range out.Width {
			fromX, fromY := x, y
			if exchanged {
				fromX, fromY = y, x
			}
			switch orientation {
			case 2, 3, 7, 8:
				fromX = p.Width - 1 - fromX
			}
			switch orientation {
			case 3, 4, 6, 7:
				fromY = p.Height - 1 - fromY
			}
			copy(out.at(x, y), p.at(fromX, fromY))
		}
	}
	return out
}
