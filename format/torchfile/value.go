package torchfile

import (
	"fmt"
	"iter"
	"math/big"
	"strconv"
	"strings"

	"github.com/mega-go/mega/format/dtype"
)

// A Tuple is a Python tuple, or a torch.Size.
type Tuple []any

// A List is a Python list.
type List struct {
	Items []any
}

// A Set is a Python set or frozenset, its items in the order of the file.
type Set struct {
	Items  []any
	Frozen bool
}

// A Namespace is an argparse.Namespace: attributes by name. Its keys are
// strings.
type Namespace struct {
	*Dict
}

// An Object is an instance of a class that matters only for its data; see
// placeholders for the list.
type Object struct {
	Class string // module and name, such as "fairseq.meters.AverageMeter"
	State *Dict  // its attributes, keys are strings
}

// omegaValues are the attributes that an object of OmegaConf keeps its value in.
var omegaValues = []string{"_content", "_val"}

// keepValue drops all of an object of OmegaConf but its value: the rest is types
// and the object that contains it.
func (o *Object) keepValue() {
	if !strings.HasPrefix(o.Class, "omegaconf.") {
		return
	}
	kept := &Dict{}
	for _, name := range omegaValues {
		if value, ok := o.State.Get(name); ok {
			kept.Set(name, value)
		}
	}
	o.State = kept
}

// plain is Plain for an object: its attributes, or the value of one of OmegaConf.
func (o *Object) plain() any {
	if strings.HasPrefix(o.Class, "omegaconf.") {
		for _, value := range o.State.All() {
			return Plain(value)
		}
		return nil
	}
	return Plain(o.State)
}

// A Device is a torch.device, such as "cpu" or "cuda:0".
type Device string

// A Dict is a Python dict or OrderedDict: values by key in order of insertion.
// Keys are strings or int64. The zero value is an empty dict.
type Dict struct {
	// Ordered marks a collections.OrderedDict.
	Ordered bool
	// Attributes are what Python code set on an OrderedDict beside its items,
	// such as the _metadata of a state_dict; nil if nothing.
	Attributes *Dict

	entries []entry
	index   map[any]int // from key to entry, made when there are many
}

type entry struct {
	key, value any
}

// indexFrom is the number of entries from which a search by index is worth the
// index's memory.
const indexFrom = 9

// Len returns the number of entries.
func (d *Dict) Len() int { return len(d.entries) }

// All iterates over keys and values in order.
func (d *Dict) All() iter.Seq2[any, any] {
	return func(yield func(any, any) bool) {
		for _, e := range d.entries {
			if !yield(e.key, e.value) {
				return
			}
		}
	}
}

// Get returns the value of a key, and false if there is none.
func (d *Dict) Get(key any) (any, bool) {
	if i := d.find(normal(key)); i >= 0 {
		return d.entries[i].value, true
	}
	return nil, false
}

// Set adds a key with its value, or gives a key that is there a new value. It
// panics if key is not a string, an int or an int64.
func (d *Dict) Set(key, value any) {
	key = normal(key)
	if !isKey(key) {
		panic(fmt.Sprintf("torchfile: a dict key of type %T", key))
	}
	d.set(key, value)
}

func (d *Dict) set(key, value any) {
	if i := d.find(key); i >= 0 {
		d.entries[i].value = value
		return
	}
	d.entries = append(d.entries, entry{key, value})
	switch {
	case d.index != nil:
		d.index[key] = len(d.entries) - 1
	case len(d.entries) == indexFrom:
		d.index = make(map[any]int)
		for i, e := range d.entries {
			d.index[e.key] = i
		}
	}
}

func (d *Dict) find(key any) int {
	if d.index != nil {
		if i, ok := d.index[key]; ok {
			return i
		}
		return -1
	}
	for i, e := range d.entries {
		if e.key == key {
			return i
		}
	}
	return -1
}

// isKey reports whether v may be a dict's key.
func isKey(v any) bool {
	switch v.(type) {
	case string, int64:
		return true
	}
	return false
}

// normal turns an int, for which callers write constants, into an int64.
func normal(v any) any {
	if i, ok := v.(int); ok {
		return int64(i)
	}
	return v
}

// Plain turns a value into the Go types of decoded JSON where it has them:
// dicts, namespaces and objects become map[string]any (with integer keys in
// decimal), lists, tuples and sets []any; other values stay as they are. An
// object of OmegaConf becomes the value that it wraps.
func Plain(v any) any {
	switch v := v.(type) {
	case Tuple:
		return plainItems(v)
	case *List:
		return plainItems(v.Items)
	case *Set:
		return plainItems(v.Items)
	case *Namespace:
		return Plain(v.Dict)
	case *Object:
		return v.plain()
	case *Dict:
		m := make(map[string]any, v.Len())
		for key, value := range v.All() {
			name, ok := key.(string)
			if !ok {
				name = strconv.FormatInt(key.(int64), 10)
			}
			m[name] = Plain(value)
		}
		return m
	}
	return v
}

func plainItems(items []any) []any {
	out := make([]any, len(items))
	for i, item := range items {
		out[i] = Plain(item)
	}
	return out
}

// TypeName names a value's type as Python does, for errors.
func TypeName(v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case bool:
		return "bool"
	case int64, *big.Int:
		return "int"
	case float64:
		return "float"
	case string:
		return "str"
	case []byte:
		return "bytes"
	case Tuple:
		return "tuple"
	case *List:
		return "list"
	case *Set:
		return "set"
	case *Dict:
		return "dict"
	case *Namespace:
		return "argparse.Namespace"
	case *Object:
		return v.Class
	case *Tensor:
		return "tensor"
	case *Storage:
		return "storage"
	case dtype.DType:
		return "torch.dtype"
	case Device:
		return "torch.device"
	case *numPyType:
		return "numpy.dtype"
	case *class:
		return "class " + v.name
	}
	return fmt.Sprintf("%T", v)
}
