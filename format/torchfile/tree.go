package torchfile

import (
	"errors"
	"fmt"
	"math/big"

	"github.com/mega-go/mega/format/dtype"
)

// maxDepth bounds the nesting of containers; checkpoints have less than ten.
const maxDepth = 64

// checkTree checks that a value is a tree as package torchfile describes, of
// types on its list and without cycles. Parts may be shared, but not so that
// walking the tree takes far more steps than the n bytes it was read from have.
func checkTree(v any, n int) error {
	c := treeChecker{seen: make(map[any]node), limit: 1<<16 + 8*n}
	_, err := c.value(v, 1)
	return err
}

// A node is what is known of a container that was walked.
type node struct {
	depth int // of the containers in it
	steps int // to walk it, with everything as often as it appears
	open  bool
}

type treeChecker struct {
	seen  map[any]node
	limit int
}

// value walks v, which lies in depth containers.
func (c *treeChecker) value(v any, depth int) (node, error) {
	id, err := identity(v)
	if id == nil || err != nil {
		return node{steps: 1}, err
	}
	if depth > maxDepth {
		return node{}, fmt.Errorf("values are nested more than %d deep", maxDepth)
	}
	n, ok := c.seen[id]
	switch {
	case n.open:
		return node{}, fmt.Errorf("%s contains itself", TypeName(v))
	case ok && depth+n.depth > maxDepth:
		return node{}, fmt.Errorf("values are nested more than %d deep", maxDepth)
	case ok:
		return n, nil
	}
	c.seen[id] = node{open: true}
	n = node{steps: 1}
	err = children(v, func(child any) error {
		sub, err := c.value(child, depth+1)
		n.depth = max(n.depth, 1+sub.depth)
		n.steps += sub.steps
		if err == nil && n.steps > c.limit {
			err = errors.New("values are shared so often that the tree is far larger than the file")
		}
		return err
	})
	c.seen[id] = n
	return n, err
}

// identity returns what tells a container with children from others, nil for a
// value without children, and an error for what is no value of a tree.
func identity(v any) (any, error) {
	switch v := v.(type) {
	case nil, bool, int, int64, *big.Int, float64, string, []byte, dtype.DType, Device:
		return nil, nil
	case *Tensor:
		if v.Storage == nil {
			return nil, errors.New("a numpy.ndarray without data")
		}
		return nil, nil
	case Tuple:
		if len(v) == 0 {
			return nil, nil
		}
		return &v[0], nil
	case *List:
		if len(v.Items) == 0 {
			return nil, nil
		}
		return v, nil
	case *Set:
		if len(v.Items) == 0 {
			return nil, nil
		}
		return v, nil
	case *Dict:
		if v.Len() == 0 && v.Attributes == nil {
			return nil, nil
		}
		return v, nil
	case *Namespace, *Object:
		return v, nil
	}
	return nil, fmt.Errorf("%s is not a value that is read or written", TypeName(v))
}

// children calls use for every value in a container.
func children(v any, use func(any) error) error {
	switch v := v.(type) {
	case Tuple:
		return each(v, use)
	case *List:
		return each(v.Items, use)
	case *Set:
		return each(v.Items, use)
	case *Namespace:
		return attributes(&v.Dict, TypeName(v), use)
	case *Object:
		return attributes(&v.State, TypeName(v), use)
	case *Dict:
		for _, e := range v.entries {
			if err := use(e.value); err != nil {
				return err
			}
		}
		if v.Attributes != nil {
			return attributes(&v.Attributes, "OrderedDict", use)
		}
	}
	return nil
}

func each(items []any, use func(any) error) error {
	for _, item := range items {
		if err := use(item); err != nil {
			return err
		}
	}
	return nil
}

// attributes uses a value's attributes, having checked that their names are
// strings. Without any Python writes none, and an empty dict stands for them.
func attributes(d **Dict, of string, use func(any) error) error {
	if *d == nil {
		*d = &Dict{}
	}
	for key := range (*d).All() {
		if _, ok := key.(string); !ok {
			return fmt.Errorf("%s has an attribute called %v, want a name", of, key)
		}
	}
	return use(*d)
}
