package main

import (
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
)

// A binding is a set of flags that stand for the fields of a struct: the field
// with the JSON key some_name is the flag --some-name, and its help tag is the
// flag's text. The struct is filled only by apply, so that the flags given can
// be laid over defaults that depend on other flags (an architecture's, say).
type binding struct {
	flags *pflag.FlagSet
	kind  reflect.Type
}

// bind adds a flag for each field of the struct that example points to, except
// the JSON keys in skip. The values of example are the documented defaults. A
// key that has a flag already, such as a seed that two structs share, keeps it.
func bind(flags *pflag.FlagSet, example any, skip ...string) *binding {
	value := reflect.ValueOf(example).Elem()
	b := &binding{flags, value.Type()}
	for name, field := range flagFields(value.Type()) {
		if slices.Contains(skip, strings.ReplaceAll(name, "-", "_")) || flags.Lookup(name) != nil {
			continue
		}
		f := flags.VarPF(newFieldValue(value.FieldByIndex(field.Index)), name, shorthands[name], field.Tag.Get("help"))
		if field.Type.Kind() == reflect.Bool {
			f.NoOptDefVal = "true"
		}
	}
	return b
}

// shorthands are the reference's one-letter flags.
var shorthands = map[string]string{"arch": "a", "source-lang": "s", "target-lang": "t"}

// flagFields yields the fields of a struct, embedded ones included, by flag
// name.
func flagFields(t reflect.Type) iter.Seq2[string, reflect.StructField] {
	return func(yield func(string, reflect.StructField) bool) {
		for _, field := range reflect.VisibleFields(t) {
			key, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			if key == "" || key == "-" {
				continue
			}
			if !yield(flagName(key), field) {
				return
			}
		}
	}
}

// flagName returns the flag for a JSON key.
func flagName(key string) string { return strings.ReplaceAll(key, "_", "-") }

// apply sets the fields of target, a pointer to the bound struct, whose flags
// were given.
func (b *binding) apply(target any) error {
	value := reflect.ValueOf(target).Elem()
	if value.Type() != b.kind {
		panic(fmt.Sprintf("flags of %v applied to %v", b.kind, value.Type()))
	}
	for name, field := range flagFields(b.kind) {
		f := b.flags.Lookup(name)
		if f == nil || !f.Changed {
			continue
		}
		if err := setField(value.FieldByIndex(field.Index), f.Value.String()); err != nil {
			return fmt.Errorf("--%s: %w", name, err)
		}
	}
	return nil
}

// A fieldValue is the text of a flag, checked against the type of its field.
type fieldValue struct {
	text string
	kind reflect.Type
}

func newFieldValue(field reflect.Value) *fieldValue {
	return &fieldValue{formatField(field), field.Type()}
}

func (v *fieldValue) String() string { return v.text }

func (v *fieldValue) Set(text string) error {
	if err := setField(reflect.New(v.kind).Elem(), text); err != nil {
		return err
	}
	v.text = text
	return nil
}

// Type names the kind of value in the help text.
func (v *fieldValue) Type() string {
	switch v.kind.Kind() {
	case reflect.Bool:
		return "bool"
	case reflect.String:
		return "name"
	case reflect.Float64:
		return "x"
	case reflect.Slice, reflect.Array:
		return "x,..."
	}
	return "n"
}

// formatField writes a field the way setField reads it.
func formatField(field reflect.Value) string {
	if k := field.Kind(); k != reflect.Slice && k != reflect.Array {
		return fmt.Sprint(field.Interface())
	}
	var items []string
	for i := range field.Len() {
		items = append(items, fmt.Sprint(field.Index(i).Interface()))
	}
	return strings.Join(items, ",")
}

// setField parses text into a field. Lists are separated by commas and may
// stand in parentheses or brackets, as Python prints them.
func setField(field reflect.Value, text string) error {
	switch field.Kind() {
	case reflect.String:
		field.SetString(text)
	case reflect.Bool:
		return parseInto(text, strconv.ParseBool, field.SetBool)
	case reflect.Int, reflect.Int64:
		return parseInto(text, parseInt, field.SetInt)
	case reflect.Uint64:
		return parseInto(text, func(s string) (uint64, error) { return strconv.ParseUint(s, 10, 64) }, field.SetUint)
	case reflect.Float64:
		return parseInto(text, func(s string) (float64, error) { return strconv.ParseFloat(s, 64) }, field.SetFloat)
	case reflect.Slice, reflect.Array:
		return setList(field, text)
	default:
		panic(fmt.Sprintf("no flag for a field of type %v", field.Type()))
	}
	return nil
}

func parseInt(s string) (int64, error) { return strconv.ParseInt(s, 10, 64) }

// parseInto parses text and hands the result to set; the error says what was
// read and what would be right.
func parseInto[T any](text string, parse func(string) (T, error), set func(T)) error {
	v, err := parse(strings.TrimSpace(text))
	if err != nil {
		return fmt.Errorf("%q is not a valid %T", text, v)
	}
	set(v)
	return nil
}

func setList(field reflect.Value, text string) error {
	text = strings.Trim(strings.TrimSpace(text), "()[]")
	var items []string
	if text != "" {
		items = strings.Split(text, ",")
	}
	if field.Kind() == reflect.Array && len(items) != field.Len() {
		return fmt.Errorf("%q has %d numbers, want %d separated by commas", text, len(items), field.Len())
	}
	if field.Kind() == reflect.Slice {
		field.Set(reflect.MakeSlice(field.Type(), len(items), len(items)))
	}
	for i, item := range items {
		if err := setField(field.Index(i), strings.TrimSpace(item)); err != nil {
			return err
		}
	}
	return nil
}
