package torchfile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/big"
	"slices"
	"unicode/utf8"
)

const (
	// maxProtocol is the newest pickle protocol.
	maxProtocol = 5
	// maxLong bounds the bytes of an integer. Python uses LONG4 beyond it only.
	maxLong = 255
	// maxGlobal bounds the names of a GLOBAL.
	maxGlobal = 256
)

// A machine runs a pickle: it reads operations, which push values to a stack and
// combine the topmost. Between marks on the stack lie the items of a container
// in the making; the memo keeps values that the pickle uses again.
//
// Every operation allocates in proportion to the bytes it reads or the stack
// it consumes, or is charged for what it copies, so that memory and time are
// linear in the pickle's length.
type machine struct {
	in  []byte
	pos int // of the next byte

	stack []any
	marks []int // lengths of the stack at the marks
	memo  map[int]any

	// persistent finds the storage of a persistent ID.
	persistent func(Tuple) (*Storage, error)
	budget     int
}

// budgetFor is how many elements the operations on a pickle within n bytes may
// copy: in real files that is less than the bytes of the pickle.
func budgetFor(n int) int { return 1<<16 + min(2*n, 1<<26) }

// runPickle reads the pickle that begins at pos of in and returns its value and
// the position behind it. Errors give positions in in.
func runPickle(in []byte, pos int, persistent func(Tuple) (*Storage, error)) (any, int, error) {
	m := machine{in: in, pos: pos, memo: make(map[int]any), persistent: persistent, budget: budgetFor(len(in) - pos)}
	if b, err := m.take(2); err != nil || b[0] != 0x80 || b[1] < 2 || b[1] > maxProtocol {
		return nil, pos, fmt.Errorf("no pickle of protocol 2 to %d begins at byte %d", maxProtocol, pos)
	}
	value, err := m.run()
	if err == nil {
		err = checkTree(value, m.pos-pos)
	}
	return value, m.pos, err
}

// run executes operations until STOP.
func (m *machine) run() (any, error) {
	for {
		at := m.pos
		if at == len(m.in) {
			return nil, fmt.Errorf("the pickle ends at byte %d without STOP: is the file truncated?", at)
		}
		op := operations[m.in[at]]
		m.pos++
		if op.name == "STOP" {
			return m.stop()
		}
		if op.name == "" {
			return nil, fmt.Errorf("byte %d: %#02x is not a pickle opcode", at, m.in[at])
		}
		err := errors.New("torch writes no such opcode here")
		if op.run != nil {
			err = op.run(m)
		}
		if err != nil {
			return nil, fmt.Errorf("%s at byte %d%s: %w", op.name, at, m.whereabouts(), err)
		}
	}
}

// whereabouts says which string was pushed last of those on the stack: while a
// tensor is read, that is its name.
func (m *machine) whereabouts() string {
	const search = 8
	for i := len(m.stack) - 1; i >= max(0, len(m.stack)-search); i-- {
		if s, ok := m.stack[i].(string); ok {
			return fmt.Sprintf(" after %.*q", maxGlobal, s)
		}
	}
	return ""
}

func (m *machine) stop() (any, error) {
	if len(m.stack) != 1 || len(m.marks) != 0 {
		return nil, fmt.Errorf("STOP at byte %d: %d values and %d marks on the stack, want one value", m.pos-1, len(m.stack), len(m.marks))
	}
	return m.stack[0], nil
}

// charge takes n from the budget of copied elements.
func (m *machine) charge(n int) error {
	if n > m.budget {
		return errors.New("the pickle copies far more than it holds")
	}
	m.budget -= n
	return nil
}

// take reads n bytes, which stay those of the file.
func (m *machine) take(n uint64) ([]byte, error) {
	if left := len(m.in) - m.pos; n > uint64(left) {
		return nil, fmt.Errorf("needs %d bytes, %d are left: is the file truncated?", n, left)
	}
	b := m.in[m.pos : m.pos+int(n)]
	m.pos += int(n)
	return b, nil
}

// uint reads an unsigned integer of width bytes.
func (m *machine) uint(width int) (uint64, error) {
	b, err := m.take(uint64(width))
	var v uint64
	for i := len(b) - 1; i >= 0; i-- {
		v = v<<8 | uint64(b[i])
	}
	return v, err
}

// block reads a length of width bytes, then as many bytes.
func (m *machine) block(width int) ([]byte, error) {
	n, err := m.uint(width)
	if err != nil {
		return nil, err
	}
	return m.take(n)
}

func (m *machine) push(v any) error {
	m.stack = append(m.stack, v)
	return nil
}

// bottom is the length of the stack at the topmost mark.
func (m *machine) bottom() int {
	if len(m.marks) == 0 {
		return 0
	}
	return m.marks[len(m.marks)-1]
}

// pop takes the n topmost values, which must lie above the topmost mark. They
// are valid until the next push.
func (m *machine) pop(n int) ([]any, error) {
	if have := len(m.stack) - m.bottom(); have < n {
		return nil, fmt.Errorf("needs %d values on the stack, finds %d", n, have)
	}
	top := m.stack[len(m.stack)-n:]
	m.stack = m.stack[:len(m.stack)-n]
	return top, nil
}

// popMark takes the values above the topmost mark, and the mark.
func (m *machine) popMark() ([]any, error) {
	if len(m.marks) == 0 {
		return nil, errors.New("needs a mark on the stack")
	}
	items, err := m.pop(len(m.stack) - m.bottom())
	m.marks = m.marks[:len(m.marks)-1]
	return items, err
}

// top returns the topmost value above the topmost mark, which must be a T.
func top[T any](m *machine, want string) (T, error) {
	var zero T
	if len(m.stack) == m.bottom() {
		return zero, fmt.Errorf("needs %s on the stack", want)
	}
	v := m.stack[len(m.stack)-1]
	t, ok := v.(T)
	if !ok {
		return zero, fmt.Errorf("finds %s, want %s", TypeName(v), want)
	}
	return t, nil
}

func (m *machine) frame() error {
	n, err := m.uint(8)
	if err == nil && n > uint64(len(m.in)-m.pos) {
		err = fmt.Errorf("a frame of %d bytes, %d are left: is the file truncated?", n, len(m.in)-m.pos)
	}
	return err
}

func (m *machine) mark() error {
	m.marks = append(m.marks, len(m.stack))
	return nil
}

func (m *machine) pushUint(v uint64) error { return m.push(int64(v)) }

func (m *machine) pushInt32(v uint64) error { return m.push(int64(int32(v))) }

// long pushes a little-endian two's-complement integer.
func (m *machine) long(b []byte) error {
	if len(b) > maxLong {
		return fmt.Errorf("an integer of %d bytes, want at most %d", len(b), maxLong)
	}
	if len(b) == 0 {
		return m.push(int64(0))
	}
	digits := slices.Clone(b)
	slices.Reverse(digits)
	v := new(big.Int).SetBytes(digits)
	if digits[0] >= 0x80 {
		v.Sub(v, new(big.Int).Lsh(big.NewInt(1), uint(8*len(digits))))
	}
	if v.IsInt64() {
		return m.push(v.Int64())
	}
	return m.push(v)
}

func (m *machine) binFloat() error {
	b, err := m.take(8)
	if err != nil {
		return err
	}
	return m.push(math.Float64frombits(binary.BigEndian.Uint64(b)))
}

func (m *machine) unicode(b []byte) error {
	if !utf8.Valid(b) {
		return errors.New("the string is not UTF-8")
	}
	return m.push(string(b))
}

// python2String pushes a str of Python 2, which is text or bytes: it is taken
// for text if it is ASCII.
func (m *machine) python2String(b []byte) error {
	if slices.ContainsFunc(b, func(c byte) bool { return c >= utf8.RuneSelf }) {
		return m.bytes(b)
	}
	return m.push(string(b))
}

func (m *machine) bytes(b []byte) error { return m.push(append([]byte{}, b...)) }

func (m *machine) tuple(items []any) error { return m.push(Tuple(slices.Clone(items))) }

func (m *machine) frozenSet(items []any) error {
	return m.push(&Set{Items: slices.Clone(items), Frozen: true})
}

// extend appends items to the list on the stack.
func (m *machine) extend(items []any) error {
	list, err := top[*List](m, "list")
	if err == nil {
		list.Items = append(list.Items, items...)
	}
	return err
}

// addItems is extend for a set.
func (m *machine) addItems(items []any) error {
	set, err := top[*Set](m, "set")
	if err == nil {
		set.Items = append(set.Items, items...)
	}
	return err
}

// update sets the keys and values of pairs in the dict on the stack.
func (m *machine) update(pairs []any) error {
	d, err := top[*Dict](m, "dict")
	if err != nil {
		return err
	}
	if len(pairs)%2 != 0 {
		return fmt.Errorf("finds %d keys and values, want an even number", len(pairs))
	}
	for i := 0; i < len(pairs); i += 2 {
		if !isKey(pairs[i]) {
			return fmt.Errorf("a dict key is %s, want str or int", TypeName(pairs[i]))
		}
		d.set(pairs[i], pairs[i+1])
	}
	return nil
}

func (m *machine) put(key uint64) error { return m.remember(int(key)) }

func (m *machine) memoize() error { return m.remember(len(m.memo)) }

func (m *machine) remember(key int) error {
	v, err := top[any](m, "a value")
	if err == nil {
		m.memo[key] = v
	}
	return err
}

func (m *machine) get(key uint64) error {
	v, ok := m.memo[int(key)]
	if !ok {
		return fmt.Errorf("nothing was stored as number %d", key)
	}
	return m.push(v)
}
