package torchfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/big"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/mega-go/mega/format/dtype"
)

// A pickler writes values as torch.save does, in protocol 2. What appears again
// (strings, classes, containers, tensors) is written once and then fetched from
// the memo, so that parts that are shared stay shared.
type pickler struct {
	out      bytes.Buffer
	memo     map[any]int // by string, className or pointer
	keys     map[*Storage]string
	storages []*Storage // in the order of their keys
}

// A className is the memo's key for a class.
type className string

// pickle returns the pickle of a value that checkTree accepts, and the storages
// that it names "0", "1" and so on.
func pickle(v any) ([]byte, []*Storage, error) {
	p := pickler{memo: make(map[any]int), keys: make(map[*Storage]string)}
	p.out.WriteString("\x80\x02")
	if err := p.value(v); err != nil {
		return nil, nil, err
	}
	p.op('.')
	return p.out.Bytes(), p.storages, nil
}

func (p *pickler) op(code byte) { p.out.WriteByte(code) }

// recall writes a fetch of what the memo has under key, and reports whether it
// has it.
func (p *pickler) recall(key any) bool {
	i, ok := p.memo[key]
	if ok {
		p.index('h', 'j', i)
	}
	return ok
}

// remember stores what was just written in the memo.
func (p *pickler) remember(key any) {
	p.memo[key] = len(p.memo)
	p.index('q', 'r', len(p.memo)-1)
}

// index writes an opcode with a memo index in its short or long form.
func (p *pickler) index(short, long byte, i int) {
	if i <= math.MaxUint8 {
		p.out.Write([]byte{short, byte(i)})
		return
	}
	p.op(long)
	p.out.Write(binary.LittleEndian.AppendUint32(nil, uint32(i)))
}

func (p *pickler) value(v any) error {
	switch v := v.(type) {
	case nil:
		p.op('N')
	case bool:
		p.bool(v)
	case int:
		p.int(int64(v))
	case int64:
		p.int(v)
	case *big.Int:
		return p.bigInt(v)
	case float64:
		p.op('G')
		p.out.Write(binary.BigEndian.AppendUint64(nil, math.Float64bits(v)))
	case string:
		return p.string(v)
	case []byte:
		return p.bytes(v)
	case Tuple:
		return p.tuple(v)
	case dtype.DType:
		return p.dtype(v)
	case Device:
		p.class("torch.device")
		if err := p.string(string(v)); err != nil {
			return err
		}
		p.out.WriteString("\x85R")
	default:
		if !p.recall(v) {
			return p.object(v)
		}
	}
	return nil
}

// object writes what has an identity.
func (p *pickler) object(v any) error {
	switch v := v.(type) {
	case *List:
		return p.list(v)
	case *Dict:
		return p.dict(v)
	case *Set:
		return p.set(v)
	case *Namespace:
		return p.instance(v, "argparse.Namespace", v.Dict)
	case *Object:
		if !slices.Contains(placeholders, v.Class) {
			return fmt.Errorf("an object of class %q, which is not on the list of classes that are written", v.Class)
		}
		return p.instance(v, v.Class, v.State)
	case *Tensor:
		return p.tensor(v)
	}
	return fmt.Errorf("a value of type %T cannot be saved", v)
}

func (p *pickler) bool(v bool) {
	if v {
		p.op(0x88)
	} else {
		p.op(0x89)
	}
}

func (p *pickler) int(v int64) {
	switch {
	case v >= 0 && v <= math.MaxUint8:
		p.out.Write([]byte{'K', byte(v)})
	case v >= 0 && v <= math.MaxUint16:
		p.op('M')
		p.out.Write(binary.LittleEndian.AppendUint16(nil, uint16(v)))
	case v >= math.MinInt32 && v <= math.MaxInt32:
		p.op('J')
		p.out.Write(binary.LittleEndian.AppendUint32(nil, uint32(v)))
	default:
		used := 64 - bits.LeadingZeros64(uint64(v^v>>63)) + 1 // with the sign
		n := (used + 7) / 8
		p.out.Write([]byte{0x8a, byte(n)})
		p.out.Write(binary.LittleEndian.AppendUint64(nil, uint64(v))[:n])
	}
}

// bigInt writes two's complement of as many bytes as hold the value and a sign.
func (p *pickler) bigInt(v *big.Int) error {
	n := v.BitLen()/8 + 1
	if n > maxLong {
		return fmt.Errorf("an integer of %d bytes, want at most %d", n, maxLong)
	}
	w := v
	if v.Sign() < 0 {
		w = new(big.Int).Add(v, new(big.Int).Lsh(big.NewInt(1), uint(8*n)))
	}
	digits := w.FillBytes(make([]byte, n))
	slices.Reverse(digits)
	p.out.Write([]byte{0x8a, byte(n)})
	p.out.Write(digits)
	return nil
}

func (p *pickler) string(v string) error {
	if p.recall(v) {
		return nil
	}
	if !utf8.ValidString(v) || uint64(len(v)) > math.MaxUint32 {
		return fmt.Errorf("the string %.*q is not UTF-8 or too long", maxGlobal, v)
	}
	p.op('X')
	p.out.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(v))))
	p.out.WriteString(v)
	p.remember(v)
	return nil
}

// bytes writes what Python does for protocol 2, which has no bytes: a call that
// encodes a string of the characters 0 to 255.
func (p *pickler) bytes(v []byte) error {
	if len(v) == 0 {
		p.class("__builtin__.bytes")
		p.out.WriteString(")R")
		return nil
	}
	text := make([]rune, len(v))
	for i, b := range v {
		text[i] = rune(b)
	}
	p.class("_codecs.encode")
	if err := errors.Join(p.string(string(text)), p.string("latin1")); err != nil {
		return err
	}
	p.out.WriteString("\x86R")
	return nil
}

func (p *pickler) class(name string) {
	if p.recall(className(name)) {
		return
	}
	dot := strings.LastIndexByte(name, '.')
	fmt.Fprintf(&p.out, "c%s\n%s\n", name[:dot], name[dot+1:])
	p.remember(className(name))
}

func (p *pickler) tuple(v Tuple) error {
	if len(v) == 0 {
		p.op(')')
		return nil
	}
	if len(v) > 3 {
		p.op('(')
	}
	for _, item := range v {
		if err := p.value(item); err != nil {
			return err
		}
	}
	p.op([]byte{0x85, 0x86, 0x87, 't'}[min(len(v), 4)-1])
	return nil
}

func (p *pickler) list(v *List) error {
	p.op(']')
	p.remember(v)
	return p.items(v.Items)
}

// items appends items to the list that was just written.
func (p *pickler) items(items []any) error {
	if len(items) == 0 {
		return nil
	}
	p.op('(')
	for _, item := range items {
		if err := p.value(item); err != nil {
			return err
		}
	}
	p.op('e')
	return nil
}

func (p *pickler) set(v *Set) error {
	name := "__builtin__.set"
	if v.Frozen {
		name = "__builtin__.frozenset"
	}
	p.class(name)
	p.op(']')
	if err := p.items(v.Items); err != nil {
		return err
	}
	p.out.WriteString("\x85R")
	p.remember(v)
	return nil
}

func (p *pickler) dict(v *Dict) error {
	if v.Ordered {
		p.class("collections.OrderedDict")
		p.out.WriteString(")R")
	} else {
		p.op('}')
	}
	p.remember(v)
	if v.Len() > 0 {
		p.op('(')
		for key, value := range v.All() {
			if err := errors.Join(p.value(key), p.value(value)); err != nil {
				return fmt.Errorf("%.*s: %w", maxGlobal, fmt.Sprint(key), err)
			}
		}
		p.op('u')
	}
	if v.Ordered && v.Attributes != nil {
		return p.state(v.Attributes)
	}
	return nil
}

// instance writes an empty instance of a class, then its state.
func (p *pickler) instance(v any, name string, state *Dict) error {
	p.class(name)
	p.out.WriteString(")\x81")
	p.remember(v)
	return p.state(state)
}

func (p *pickler) state(d *Dict) error {
	if err := p.value(d); err != nil {
		return err
	}
	p.op('b')
	return nil
}

func (p *pickler) dtype(d dtype.DType) error {
	name, ok := torchTypes[d]
	if !ok {
		return fmt.Errorf("torch has no type for %v", d)
	}
	p.class("torch." + name)
	return nil
}

// tensor writes the call that rebuilds a tensor of its storage, and for a
// parameter the call that makes it one.
func (p *pickler) tensor(t *Tensor) error {
	if err := t.check(); err != nil {
		return err
	}
	if t.Parameter {
		p.class("torch._utils._rebuild_parameter")
	}
	p.class("torch._utils._rebuild_tensor_v2")
	p.op('(')
	if err := p.storage(t.Storage); err != nil {
		return err
	}
	p.int(int64(t.Offset))
	if err := errors.Join(p.tuple(intTuple(t.Shape)), p.tuple(intTuple(t.Stride))); err != nil {
		return err
	}
	p.bool(t.RequiresGrad && !t.Parameter)
	p.emptyHooks()
	p.out.WriteString("tR")
	if t.Parameter {
		p.bool(t.RequiresGrad)
		p.emptyHooks()
		p.out.WriteString("\x87R")
	}
	p.remember(t)
	return nil
}

// emptyHooks writes the empty OrderedDict of a tensor's backward hooks.
func (p *pickler) emptyHooks() {
	p.class("collections.OrderedDict")
	p.out.WriteString(")R")
}

func intTuple(v []int) Tuple {
	t := make(Tuple, len(v))
	for i, n := range v {
		t[i] = n
	}
	return t
}

// storage writes the persistent ID of a storage.
func (p *pickler) storage(s *Storage) error {
	name, ok := storageClasses[s.DType]
	if !ok {
		return fmt.Errorf("torch has no storage of %v", s.DType)
	}
	key, ok := p.keys[s]
	if !ok {
		key = strconv.Itoa(len(p.storages))
		p.keys[s] = key
		p.storages = append(p.storages, s)
	}
	p.op('(')
	if err := p.string("storage"); err != nil {
		return err
	}
	p.class("torch." + name)
	if err := errors.Join(p.string(key), p.string("cpu")); err != nil {
		return err
	}
	p.int(int64(s.Elements))
	p.out.WriteString("tQ")
	return nil
}
