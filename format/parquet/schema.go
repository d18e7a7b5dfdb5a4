package parquet

import (
	"errors"
	"fmt"
	"strings"
)

// A leaf is a column of values.
type leaf struct {
	element
	path           string // names with dots between, without those of lists
	maxDef, maxRep int    // levels of a value, and of one in a list in a list …
	listDef        int    // from which on a list has an element
}

// A schema makes leaves of elements, which stand in the order of a walk.
type schema struct {
	elements []element
	leaves   []*leaf
}

// leavesOf returns the columns of values in their order.
func leavesOf(elements []element) ([]*leaf, error) {
	s := &schema{elements: elements[1:]}
	for range elements[0].children {
		if err := s.walk(leaf{}, nil, false); err != nil {
			return nil, err
		}
	}
	if len(s.elements) > 0 {
		return nil, errors.New("the schema has elements that belong to no group")
	}
	return s.leaves, nil
}

// walk takes in the next element and what is below it. Names of the elements of
// lists, which writers choose, are no part of the path.
func (s *schema) walk(l leaf, path []string, nameless bool) error {
	if len(s.elements) == 0 {
		return errors.New("the schema has fewer elements than its groups say")
	}
	if len(path) > maxDepth || l.maxDef > maxDepth {
		return errors.New("structures are nested too deeply")
	}
	e := s.elements[0]
	s.elements = s.elements[1:]
	switch e.repetition {
	case required:
	case optional:
		l.maxDef++
	case repeated:
		l.maxDef++
		l.maxRep++
		l.listDef = l.maxDef
	default:
		return fmt.Errorf("element %q has the repetition %d", e.name, e.repetition)
	}
	if !nameless {
		path = append(path[:len(path):len(path)], e.name)
	}
	if e.kind >= 0 {
		return s.leaf(l, e, path)
	}
	// The repeated group of a list or a map, and the element of a list.
	inner := e.meaning.kind == listOf || e.meaning.kind == mapOf || nameless && e.repetition == repeated && e.children == 1
	for range e.children {
		if err := s.walk(l, path, inner); err != nil {
			return err
		}
	}
	return nil
}

func (s *schema) leaf(l leaf, e element, path []string) error {
	l.element, l.path = e, strings.Join(path, ".")
	if e.kind > fixedArrays {
		return fmt.Errorf("column %q has the type %d, which there is not", l.path, e.kind)
	}
	if e.kind != fixedArrays {
		l.length = widths[e.kind]
	} else if e.length <= 0 {
		return fmt.Errorf("column %q has values of %d bytes", l.path, e.length)
	}
	s.leaves = append(s.leaves, &l)
	return nil
}
