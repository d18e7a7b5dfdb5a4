package sentencepiece

import (
	"encoding/binary"
	"math"
)

// message is a protocol buffer that is being written.
type message []byte

func (m message) varint(tag int, v uint64) message {
	return message(binary.AppendUvarint(binary.AppendUvarint(m, uint64(tag)<<3), v))
}

func (m message) bytes(tag int, b []byte) message {
	m = binary.AppendUvarint(m, uint64(tag)<<3|2)
	return append(binary.AppendUvarint(m, uint64(len(b))), b...)
}

func (m message) float(tag int, f float32) message {
	m = binary.AppendUvarint(m, uint64(tag)<<3|5)
	return binary.LittleEndian.AppendUint32(m, math.Float32bits(f))
}

func (m message) piece(text string, score float32, k kind) message {
	return m.bytes(1, message(nil).bytes(1, []byte(text)).float(2, score).varint(3, uint64(k)))
}

func flag(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// encode returns the file of a model without rules of normalisation, as
// sentencepiece_model.proto has it.
func (m *Model) encode() []byte {
	var out message
	for _, p := range m.pieces {
		out = out.piece(p.text, p.score, p.kind)
	}
	out = out.bytes(2, message(nil).varint(3, uint64(m.algorithm)).varint(4, uint64(len(m.pieces))).
		varint(24, flag(m.spaceLast)).varint(35, flag(m.byteFallback)))
	n := m.normaliser
	return out.bytes(3, message(nil).bytes(1, []byte("identity")).
		varint(3, flag(n.dummyPrefix)).varint(4, flag(n.collapse)).varint(5, flag(n.escape)))
}
