package torchfile

import (
	"fmt"
	"math/big"
	"strings"

	"github.com/mega-go/mega/format/dtype"
)

// describe writes a value as text that two values share if and only if they are
// alike, tensors' numbers, their storages' sharing and the order of dicts
// included.
func describe(v any) string {
	d := describer{storages: make(map[*Storage]int)}
	d.value(v)
	return d.out.String()
}

type describer struct {
	out      strings.Builder
	storages map[*Storage]int
}

func (d *describer) value(v any) {
	switch v := v.(type) {
	case Tuple:
		d.items("(", v, ")")
	case *List:
		d.items("[", v.Items, "]")
	case *Set:
		d.items(fmt.Sprintf("set %v {", v.Frozen), v.Items, "}")
	case *Namespace:
		d.out.WriteString("Namespace ")
		d.value(v.Dict)
	case *Object:
		d.out.WriteString(v.Class + " ")
		d.value(v.State)
	case *Dict:
		d.dict(v)
	case *Tensor:
		d.tensor(v)
	case *big.Int:
		fmt.Fprintf(&d.out, "big %v", v)
	case float64:
		fmt.Fprintf(&d.out, "float %x", v)
	case string:
		fmt.Fprintf(&d.out, "%q", v)
	default:
		fmt.Fprintf(&d.out, "%T %v", v, v)
	}
}

func (d *describer) items(open string, items []any, end string) {
	d.out.WriteString(open)
	for _, item := range items {
		d.value(item)
		d.out.WriteString(", ")
	}
	d.out.WriteString(end)
}

func (d *describer) dict(v *Dict) {
	if v.Ordered {
		d.out.WriteString("ordered ")
	}
	d.out.WriteString("{")
	for key, value := range v.All() {
		d.value(key)
		d.out.WriteString(": ")
		d.value(value)
		d.out.WriteString(",\n")
	}
	d.out.WriteString("}")
	if v.Attributes != nil {
		d.value(v.Attributes)
	}
}

func (d *describer) tensor(t *Tensor) {
	n, ok := d.storages[t.Storage]
	if !ok {
		n = len(d.storages)
		d.storages[t.Storage] = n
	}
	data, err := t.Bytes()
	fmt.Fprintf(&d.out, "tensor of storage %d (%d %v) at %d shape %v strides %v %v %v: %x %v",
		n, t.Storage.Elements, t.DType(), t.Offset, t.Shape, t.Stride, t.Parameter, t.RequiresGrad, data, err)
}

// get walks dicts by keys.
func get(v any, keys ...any) any {
	for _, key := range keys {
		switch d := v.(type) {
		case *Namespace:
			v, _ = d.Get(key)
		case *Dict:
			v, _ = d.Get(key)
		}
	}
	return v
}

func list(items ...any) *List { return &List{Items: items} }

func dict(pairs ...any) *Dict {
	d := &Dict{}
	for i := 0; i < len(pairs); i += 2 {
		d.Set(pairs[i], pairs[i+1])
	}
	return d
}

func ordered(pairs ...any) *Dict {
	d := dict(pairs...)
	d.Ordered = true
	return d
}

var bfloat16s = NewStorage(dtype.BF16, dtype.Bytes([]uint16{0x3dcd, 0x7e96}))
