package torchfile

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/mega-go/mega/format/dtype"
)

// callOrderedDict makes an OrderedDict, empty or (as Python 2 wrote it) of a
// list of pairs.
func callOrderedDict(m *machine, a args) (any, error) {
	d := &Dict{Ordered: true}
	pairs, err := m.items(a)
	if err != nil {
		return nil, err
	}
	for _, p := range pairs {
		pair, err := m.items(args{p})
		if err != nil {
			return nil, err
		}
		if len(pair) != 2 || !isKey(pair[0]) {
			return nil, errors.New("wants pairs of a key (a str or an int) and a value")
		}
		d.set(pair[0], pair[1])
	}
	return d, nil
}

// items returns a copy of the items of the one argument, a list, tuple or set,
// and nothing if there is no argument.
func (m *machine) items(a args) ([]any, error) {
	if err := a.count(0, 1); err != nil || len(a) == 0 {
		return nil, err
	}
	var items []any
	switch v := a[0].(type) {
	case Tuple:
		items = v
	case *List:
		items = v.Items
	case *Set:
		items = v.Items
	default:
		return nil, fmt.Errorf("the argument is %s, want list, tuple or set", TypeName(v))
	}
	return slices.Clone(items), m.charge(len(items))
}

func callSet(frozen bool) func(*machine, args) (any, error) {
	return func(m *machine, a args) (any, error) {
		items, err := m.items(a)
		return &Set{Items: items, Frozen: frozen}, err
	}
}

func callList(m *machine, a args) (any, error) {
	items, err := m.items(a)
	return &List{Items: items}, err
}

func callTuple(m *machine, a args) (any, error) {
	items, err := m.items(a)
	return Tuple(items), err
}

func callDict(_ *machine, a args) (any, error) { return &Dict{}, a.count(0, 0) }

// callBytes makes an empty bytes object, or a bytearray of bytes.
func callBytes(_ *machine, a args) (any, error) {
	if err := a.count(0, 1); err != nil || len(a) == 0 {
		return []byte{}, err
	}
	return argument[[]byte](a, 0, "bytes")
}

// callEncode makes bytes of a string whose characters stand for them, which is
// how protocol 2 writes bytes.
func callEncode(m *machine, a args) (any, error) {
	text, err := argument[string](a, 0, "str")
	if err != nil {
		return nil, err
	}
	if encoding, err := argument[string](a, 1, "str"); err != nil || encoding != "latin1" || len(a) != 2 {
		return nil, errors.New(`wants str and "latin1"`)
	}
	if err := m.charge(len(text)); err != nil {
		return nil, err
	}
	out := make([]byte, 0, len(text))
	for _, r := range text {
		if r > 0xff {
			return nil, fmt.Errorf("the character %q stands for no byte", r)
		}
		out = append(out, byte(r))
	}
	return out, nil
}

func callSize(_ *machine, a args) (any, error) {
	if err := a.count(1, 1); err != nil {
		return nil, err
	}
	return argument[Tuple](a, 0, "tuple")
}

// maxDevice bounds the bytes of a device's name.
const maxDevice = 32

// callDevice makes a device of its type and, optionally, its index.
func callDevice(_ *machine, a args) (any, error) {
	if err := a.count(1, 2); err != nil {
		return nil, err
	}
	kind, err := argument[string](a, 0, "str")
	if err == nil && len(kind) > maxDevice {
		err = fmt.Errorf("a device name of %d bytes", len(kind))
	}
	if err != nil || len(a) == 1 {
		return Device(kind), err
	}
	index, err := argument[int64](a, 1, "int")
	return Device(fmt.Sprintf("%s:%d", kind, index)), err
}

// callRebuildTensor makes a tensor of (storage, offset, size, stride,
// requires_grad, backward_hooks[, metadata]).
func callRebuildTensor(m *machine, a args) (any, error) {
	if err := a.count(6, 7); err != nil {
		return nil, err
	}
	storage, err := argument[*Storage](a, 0, "storage")
	if err != nil {
		return nil, err
	}
	offset, err := argument[int64](a, 1, "int")
	if err != nil {
		return nil, err
	}
	t := &Tensor{Storage: storage, Offset: int(offset)}
	if int64(t.Offset) != offset {
		return nil, fmt.Errorf("offset %d does not fit this machine", offset)
	}
	if t.Shape, err = m.ints(a, 2); err != nil {
		return nil, err
	}
	if t.Stride, err = m.ints(a, 3); err != nil {
		return nil, err
	}
	if t.RequiresGrad, err = argument[bool](a, 4, "bool"); err != nil {
		return nil, err
	}
	return t, t.check()
}

// ints returns argument i, a tuple of at most maxDims integers.
func (m *machine) ints(a args, i int) ([]int, error) {
	tuple, err := argument[Tuple](a, i, "tuple")
	if err != nil {
		return nil, err
	}
	if len(tuple) > maxDims {
		return nil, fmt.Errorf("argument %d: %d dimensions, want at most %d", i+1, len(tuple), maxDims)
	}
	out := make([]int, len(tuple))
	for j, v := range tuple {
		n, ok := v.(int64)
		if !ok || int64(int(n)) != n {
			return nil, fmt.Errorf("argument %d: item %d is %s, want int", i+1, j, TypeName(v))
		}
		out[j] = int(n)
	}
	return out, m.charge(len(tuple))
}

// callRebuildParameter makes a parameter of (tensor, requires_grad,
// backward_hooks).
func callRebuildParameter(_ *machine, a args) (any, error) {
	if err := a.count(3, 3); err != nil {
		return nil, err
	}
	t, err := argument[*Tensor](a, 0, "tensor")
	if err != nil {
		return nil, err
	}
	p := *t
	p.Parameter = true
	p.RequiresGrad, err = argument[bool](a, 1, "bool")
	return &p, err
}

// storageID reads a persistent ID: ("storage", class, key, location, elements)
// and in the older format a sixth item for views of other storages, which torch
// has not written since 0.4.
func storageID(id Tuple, items int) (key string, d dtype.DType, elements int, err error) {
	a := args(id)
	if len(a) == 0 || a[0] != "storage" {
		return "", 0, 0, errors.New("a persistent ID is not that of a storage: was a whole module saved? Save its state_dict()")
	}
	if err := a.count(items, items); err != nil {
		return "", 0, 0, err
	}
	c, err := argument[*class](a, 1, "storage class")
	if err != nil {
		return "", 0, 0, err
	}
	key, err = argument[string](a, 2, "str")
	if err != nil {
		return "", 0, 0, err
	}
	n, err := argument[int64](a, 4, "int")
	switch {
	case err != nil:
	case c.holds == dtype.Invalid:
		err = fmt.Errorf("%s is not a storage class", c.name)
	case n < 0 || n > maxElements(c.holds):
		err = fmt.Errorf("a storage of %d elements", n)
	case len(a) > 5 && a[5] != nil:
		err = errors.New("the storage is a view of another, as torch before 0.4 wrote them")
	}
	return key, c.holds, int(n), err
}

// maxElements is how many elements of a type can be addressed.
func maxElements(d dtype.DType) int64 { return math.MaxInt / int64(d.Size()) }
