package tfevents

import (
	"encoding/binary"
	"math"
)

// Fields of the messages.
const (
	eventTime    = 1 // Event.wall_time, in seconds
	eventStep    = 2
	eventVersion = 3 // Event.file_version
	eventSummary = 5
	eventSession = 7 // Event.session_log

	sessionStatus = 1
	sessionStart  = 1 // the value START

	summaryValue   = 1
	valueTag       = 1
	valueSimple    = 2 // Value.simple_value, a float
	valueHistogram = 5

	histogramMin    = 1 // then max, num, sum and sum_squares
	histogramLimits = 6 // HistogramProto.bucket_limit: the upper ends
	histogramCounts = 7 // HistogramProto.bucket
)

// The wire types of protocol buffers.
const (
	wireVarint = 0
	wireDouble = 1
	wireBytes  = 2
	wireFloat  = 5
)

func key(b []byte, field, wire int) []byte { return binary.AppendUvarint(b, uint64(field<<3|wire)) }

func varint(b []byte, field int, x uint64) []byte {
	return binary.AppendUvarint(key(b, field, wireVarint), x)
}

func double(b []byte, field int, x float64) []byte {
	return binary.LittleEndian.AppendUint64(key(b, field, wireDouble), math.Float64bits(x))
}

func float(b []byte, field int, x float64) []byte {
	return binary.LittleEndian.AppendUint32(key(b, field, wireFloat), math.Float32bits(float32(x)))
}

// doubles appends a packed list.
func doubles(b []byte, field int, list []float64) []byte {
	b = binary.AppendUvarint(key(b, field, wireBytes), uint64(8*len(list)))
	for _, x := range list {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(x))
	}
	return b
}

func message(b []byte, field int, inner []byte) []byte {
	return append(binary.AppendUvarint(key(b, field, wireBytes), uint64(len(inner))), inner...)
}

func text(b []byte, field int, s string) []byte { return message(b, field, []byte(s)) }
