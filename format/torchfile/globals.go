package torchfile

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mega-go/mega/format/dtype"
)

// A class stands for a class or function that a pickle names. Nothing of Python
// is behind it: call and create build values of this package.
type class struct {
	name   string                                // module.name
	call   func(m *machine, a args) (any, error) // applies it to arguments; nil if that never happens
	create func() any                            // makes an empty instance; nil if that never happens
	holds  dtype.DType                           // of a storage class, else Invalid
}

// placeholders are the classes of which only the data matters: fairseq 0.9 and
// before saved its meters as they were.
var placeholders = []string{
	"fairseq.meters.AverageMeter",
	"fairseq.meters.StopwatchMeter",
	"fairseq.meters.TimeMeter",
	"fairseq.logging.meters.AverageMeter",
	"fairseq.logging.meters.StopwatchMeter",
	"fairseq.logging.meters.TimeMeter",
}

// storageClasses and torchTypes are torch's names for element types.
var (
	storageClasses = map[dtype.DType]string{
		dtype.F32: "FloatStorage", dtype.F64: "DoubleStorage", dtype.F16: "HalfStorage", dtype.BF16: "BFloat16Storage",
		dtype.I64: "LongStorage", dtype.I32: "IntStorage", dtype.I16: "ShortStorage", dtype.I8: "CharStorage",
		dtype.U8: "ByteStorage", dtype.Bool: "BoolStorage",
	}
	torchTypes = map[dtype.DType]string{
		dtype.F32: "float32", dtype.F64: "float64", dtype.F16: "float16", dtype.BF16: "bfloat16",
		dtype.I64: "int64", dtype.I32: "int32", dtype.I16: "int16", dtype.I8: "int8",
		dtype.U8: "uint8", dtype.Bool: "bool",
	}
)

// known is the closed list of what a pickle may name: classes, and the torch
// data types, which are values.
var known = makeKnown()

func makeKnown() map[string]any {
	known := make(map[string]any)
	add := func(c class, modules ...string) {
		for _, module := range modules {
			c := c
			c.name = module + "." + c.name
			known[c.name] = &c
		}
	}
	add(class{name: "Namespace", create: func() any { return &Namespace{} }}, "argparse")
	add(class{name: "OrderedDict", call: callOrderedDict}, "collections")
	add(class{name: "_rebuild_tensor_v2", call: callRebuildTensor}, "torch._utils")
	add(class{name: "_rebuild_parameter", call: callRebuildParameter}, "torch._utils")
	add(class{name: "Size", call: callSize}, "torch")
	add(class{name: "device", call: callDevice}, "torch")
	add(class{name: "encode", call: callEncode}, "_codecs")
	for name, call := range map[string]func(*machine, args) (any, error){
		"set": callSet(false), "frozenset": callSet(true), "list": callList, "tuple": callTuple,
		"dict": callDict, "bytes": callBytes, "bytearray": callBytes,
	} {
		add(class{name: name, call: call}, "builtins", "__builtin__")
	}
	add(class{name: "dtype", call: callNumPyDType}, "numpy")
	add(class{name: "ndarray"}, "numpy")
	add(class{name: "_reconstruct", call: callNumPyArray}, "numpy.core.multiarray", "numpy._core.multiarray")
	add(class{name: "scalar", call: callNumPyScalar}, "numpy.core.multiarray", "numpy._core.multiarray")
	for d, name := range storageClasses {
		add(class{name: name, holds: d}, "torch")
	}
	for d, name := range torchTypes {
		known["torch."+name] = d
	}
	for _, name := range placeholders {
		known[name] = &class{name: name, create: func() any { return &Object{Class: name} }}
	}
	for _, name := range []string{"omegaconf.dictconfig.DictConfig", "omegaconf.listconfig.ListConfig", "omegaconf.base.ContainerMetadata", "omegaconf.base.Metadata"} {
		known[name] = omegaObject(name)
	}
	for _, kind := range []string{"Any", "Integer", "Float", "Boolean", "String", "Enum"} {
		name := "omegaconf.nodes." + kind + "Node"
		known[name] = omegaObject(name)
	}
	add(class{name: "defaultdict", call: func(*machine, args) (any, error) { return &Dict{}, nil }}, "collections")
	add(class{name: "getitem", call: callType}, "_operator", "operator")
	add(class{name: "getattr", call: callEnumMember}, "builtins", "__builtin__")
	return known
}

// omegaObject is a class of OmegaConf, whose objects are the cfg of fairseq 0.10
// to 0.12.
func omegaObject(name string) *class {
	return &class{name: name, create: func() any { return &Object{Class: name} }}
}

// enums is where fairseq has its enumerations.
const enums = "fairseq.dataclass.constants"

// typeOf returns what stands for a type that a cfg mentions, and nil for other
// names. OmegaConf notes the types of its values, and an enumeration of fairseq
// is its value.
func typeOf(module, name string) any {
	c := &class{name: module + "." + name}
	switch module {
	case enums:
		c.call = func(_ *machine, a args) (any, error) { return argument[any](a, 0, "a value") }
	case "builtins", "__builtin__":
		if !slices.Contains([]string{"str", "unicode", "int", "long", "float", "bool"}, name) {
			return nil
		}
	case "typing", "fairseq.dataclass.configs":
	default:
		return nil
	}
	return c
}

// callEnumMember returns the name of a member of an enumeration of fairseq.
func callEnumMember(_ *machine, a args) (any, error) {
	c, err := argument[*class](a, 0, "an enumeration")
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(c.name, enums) {
		return nil, fmt.Errorf("is wanted of %s, and only members of enumerations are read", c.name)
	}
	return argument[string](a, 1, "a name")
}

// callType stands for a type with parameters, such as Dict[str, Any].
func callType(*machine, args) (any, error) { return &class{name: "a type"}, nil }

// global pushes what a GLOBAL names: two lines, module and name.
func (m *machine) global() error {
	module, err := m.line()
	if err != nil {
		return err
	}
	name, err := m.line()
	if err != nil {
		return err
	}
	return m.pushKnown(module, name)
}

func (m *machine) line() (string, error) {
	rest := m.in[m.pos:]
	end := bytes.IndexByte(rest[:min(len(rest), maxGlobal+1)], '\n')
	if end < 0 {
		return "", fmt.Errorf("no line end within %d bytes", maxGlobal)
	}
	m.pos += end + 1
	return string(rest[:end]), nil
}

func (m *machine) stackGlobal(names []any) error {
	module, ok1 := names[0].(string)
	name, ok2 := names[1].(string)
	if !ok1 || !ok2 {
		return fmt.Errorf("finds %s and %s, want str and str", TypeName(names[0]), TypeName(names[1]))
	}
	return m.pushKnown(module, name)
}

func (m *machine) pushKnown(module, name string) error {
	v, ok := known[module+"."+name]
	if !ok {
		v = typeOf(module, name)
	}
	if v == nil {
		return fmt.Errorf("the file wants %.*q, which is not on the list of classes that are read; "+
			"only tensors and plain data are, as from torch.save(model.state_dict())", maxGlobal, module+"."+name)
	}
	return m.push(v)
}

// reduce calls a class with a tuple of arguments.
func (m *machine) reduce(pair []any) error {
	c, ok1 := pair[0].(*class)
	a, ok2 := pair[1].(Tuple)
	if !ok1 || !ok2 {
		return fmt.Errorf("finds %s and %s, want a class and a tuple", TypeName(pair[0]), TypeName(pair[1]))
	}
	if c.call == nil {
		return fmt.Errorf("%s is not called in files of torch.save", c.name)
	}
	v, err := c.call(m, args(a))
	if err != nil {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	return m.push(v)
}

// newObject creates an empty instance of a class.
func (m *machine) newObject(pair []any) error {
	c, ok1 := pair[0].(*class)
	a, ok2 := pair[1].(Tuple)
	if !ok1 || !ok2 || len(a) > 0 {
		return fmt.Errorf("finds %s and %s, want a class and an empty tuple", TypeName(pair[0]), TypeName(pair[1]))
	}
	if c.create == nil {
		return fmt.Errorf("%s is not created so in files of torch.save", c.name)
	}
	return m.push(c.create())
}

// build gives the value on the stack its state.
func (m *machine) build(states []any) error {
	v, err := top[any](m, "a value")
	if err != nil {
		return err
	}
	switch v := v.(type) {
	case *Namespace:
		return setAttributes(&v.Dict, states[0])
	case *Object:
		if err := setAttributes(&v.State, states[0]); err != nil {
			return err
		}
		v.keepValue()
		return nil
	case *numPyType:
		return v.build(states[0])
	case *Tensor:
		return m.buildNumPyArray(v, states[0])
	case *Dict:
		if v.Ordered {
			return setAttributes(&v.Attributes, states[0])
		}
	}
	return fmt.Errorf("%s takes no state", TypeName(v))
}

// setAttributes makes state, a dict with string keys, the attributes of a value
// that has none.
func setAttributes(attributes **Dict, state any) error {
	d, ok := state.(*Dict)
	if !ok || d.Ordered {
		return fmt.Errorf("the state is %s, want dict", TypeName(state))
	}
	if *attributes != nil {
		return errors.New("the value has a state already")
	}
	*attributes = d
	return nil
}

// persistentID replaces a tuple that names a storage by that storage.
func (m *machine) persistentID(ids []any) error {
	id, ok := ids[0].(Tuple)
	if !ok || m.persistent == nil {
		return fmt.Errorf("a persistent ID is %s, want a tuple that names a storage", TypeName(ids[0]))
	}
	s, err := m.persistent(id)
	if err != nil {
		return err
	}
	return m.push(s)
}

// args are the arguments of a call.
type args Tuple

// argument returns argument i, which must be a T.
func argument[T any](a args, i int, want string) (T, error) {
	var zero T
	if i >= len(a) {
		return zero, fmt.Errorf("has %d arguments, want %s as number %d", len(a), want, i+1)
	}
	v, ok := a[i].(T)
	if !ok {
		return zero, fmt.Errorf("argument %d is %s, want %s", i+1, TypeName(a[i]), want)
	}
	return v, nil
}

// count checks the number of arguments.
func (a args) count(least, most int) error {
	if len(a) < least || len(a) > most {
		return fmt.Errorf("has %d arguments, want %d to %d", len(a), least, most)
	}
	return nil
}
