package parquet

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/mega-go/mega/format/dtype"
)

// What a value stands for beside its physical type.
const (
	plainly = iota
	text
	listOf
	mapOf
	decimal
	date
	clock
	timestamp
	unsigned
	uuid
	float16
)

// A meaning is a LogicalType, or the ConvertedType of older files.
type meaning struct {
	kind  int
	scale int           // digits after the point of a decimal
	unit  time.Duration // of a clock or timestamp
	local bool          // a timestamp of no time zone
}

// convert takes in a ConvertedType.
func (m *meaning) convert(id int) {
	if m.kind != plainly { // a LogicalType says more
		return
	}
	switch id {
	case 0, 4, 19: // UTF8, ENUM, JSON
		m.kind = text
	case 1, 2: // MAP, MAP_KEY_VALUE
		m.kind = mapOf
	case 3:
		m.kind = listOf
	case 5:
		m.kind = decimal
	case 6:
		m.kind = date
	case 7:
		m.kind, m.unit = clock, time.Millisecond
	case 8:
		m.kind, m.unit = clock, time.Microsecond
	case 9:
		m.kind, m.unit = timestamp, time.Millisecond
	case 10:
		m.kind, m.unit = timestamp, time.Microsecond
	case 11, 12, 13, 14: // UINT_8 to UINT_64
		m.kind = unsigned
	}
}

// logicalTypes are kinds by the field of the union LogicalType.
var logicalTypes = map[int]int{1: text, 2: mapOf, 3: listOf, 4: text, 5: decimal, 6: date, 7: clock, 8: timestamp, 12: text, 14: uuid, 15: float16}

// logicalType reads a LogicalType.
func (t *thrift) logicalType(m *meaning) {
	t.fields(func(id int, kind byte) {
		if kind != thriftStruct {
			return
		}
		if known := logicalTypes[id]; known != plainly {
			m.kind = known
		}
		t.fields(func(field int, kind byte) {
			switch {
			case id == 5 && field == 1:
				m.scale = int(t.int())
			case id == 7 || id == 8:
				if field == 1 {
					m.local = kind == thriftFalse
				} else if field == 2 {
					m.unit = t.timeUnit()
				}
			case id == 10 && field == 2 && kind == thriftFalse: // isSigned
				m.kind = unsigned
			}
		})
	})
}

// timeUnit reads a TimeUnit.
func (t *thrift) timeUnit() (unit time.Duration) {
	t.fields(func(id int, _ byte) {
		unit = map[int]time.Duration{1: time.Millisecond, 2: time.Microsecond, 3: time.Nanosecond}[id]
	})
	return unit
}

var errNotUTF8 = errors.New("the text is not UTF-8")

// appendText appends a value as text.
func (l *leaf) appendText(to, raw []byte) ([]byte, error) {
	switch l.kind {
	case boolean:
		return strconv.AppendBool(to, raw[0] != 0), nil
	case int32s:
		return l.appendInt(to, int64(int32(binary.LittleEndian.Uint32(raw))), uint64(binary.LittleEndian.Uint32(raw))), nil
	case int64s:
		u := binary.LittleEndian.Uint64(raw)
		return l.appendInt(to, int64(u), u), nil
	case int96s: // nanoseconds of a Julian day
		days := int64(binary.LittleEndian.Uint32(raw[8:])) - 2440588
		t := time.Unix(days*86400, int64(binary.LittleEndian.Uint64(raw)))
		return t.UTC().AppendFormat(to, localLayout), nil
	case floats:
		return strconv.AppendFloat(to, float64(math.Float32frombits(binary.LittleEndian.Uint32(raw))), 'g', -1, 32), nil
	case doubles:
		return strconv.AppendFloat(to, math.Float64frombits(binary.LittleEndian.Uint64(raw)), 'g', -1, 64), nil
	}
	return l.appendBytes(to, raw)
}

const (
	localLayout = "2006-01-02T15:04:05.999999999"
	utcLayout   = localLayout + "Z07:00"
)

// appendInt appends a whole number, of which u are the bits.
func (l *leaf) appendInt(to []byte, i int64, u uint64) []byte {
	switch m := l.meaning; m.kind {
	case unsigned:
		return strconv.AppendUint(to, u, 10)
	case decimal:
		return appendDecimal(to, big.NewInt(i), m.scale)
	case date:
		return time.Unix(i*86400, 0).UTC().AppendFormat(to, time.DateOnly)
	case clock:
		return atUnit(i, m.unit).AppendFormat(to, "15:04:05.999999999")
	case timestamp:
		layout := utcLayout
		if m.local {
			layout = localLayout
		}
		return atUnit(i, m.unit).AppendFormat(to, layout)
	}
	return strconv.AppendInt(to, i, 10)
}

// atUnit returns the time i units after 1970.
func atUnit(i int64, unit time.Duration) time.Time {
	a := int64(time.Second / max(1, unit))
	return time.Unix(i/a, i%a*int64(unit)).UTC()
}

// appendDecimal appends a number of which scale digits stand after the point.
func appendDecimal(to []byte, x *big.Int, scale int) []byte {
	if scale <= 0 || scale > 100 {
		return x.Append(to, 10)
	}
	if x.Sign() < 0 {
		to = append(to, '-')
	}
	digits := new(big.Int).Abs(x).String()
	if missing := scale + 1 - len(digits); missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	to = append(to, digits[:len(digits)-scale]...)
	return append(append(to, '.'), digits[len(digits)-scale:]...)
}

// appendBytes appends an array of bytes: base64 of what is no text.
func (l *leaf) appendBytes(to, raw []byte) ([]byte, error) {
	switch {
	case l.meaning.kind == decimal:
		x := new(big.Int).SetBytes(raw)
		if len(raw) > 0 && raw[0] >= 0x80 { // two's complement
			x.Sub(x, new(big.Int).Lsh(big.NewInt(1), uint(8*len(raw))))
		}
		return appendDecimal(to, x, l.meaning.scale), nil
	case l.meaning.kind == uuid && len(raw) == 16:
		return fmt.Appendf(to, "%x-%x-%x-%x-%x", raw[:4], raw[4:6], raw[6:8], raw[8:10], raw[10:]), nil
	case l.meaning.kind == float16 && len(raw) == 2:
		return strconv.AppendFloat(to, float64(dtype.FromHalf(binary.LittleEndian.Uint16(raw))), 'g', -1, 32), nil
	case utf8.Valid(raw):
		return append(to, raw...), nil
	case l.meaning.kind == text:
		return to, errNotUTF8
	}
	return base64.StdEncoding.AppendEncode(to, raw), nil
}

// isNumber tells whether values are numbers in JSON, or true and false.
func (l *leaf) isNumber() bool {
	switch l.meaning.kind {
	case plainly, unsigned:
		return l.kind < byteArrays && l.kind != int96s
	case decimal, float16:
		return true
	}
	return false
}

// appendJSON appends a value as JSON.
func (l *leaf) appendJSON(to, raw []byte) ([]byte, error) {
	from := len(to)
	to, err := l.appendText(to, raw)
	if err != nil || l.isNumber() {
		return to, err
	}
	quoted, err := json.Marshal(string(to[from:]))
	return append(to[:from], quoted...), err
}
