package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/mega-go/mega/internal/literal"
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
		of, err := spanOf(field)
		if err != nil {
			panic(fmt.Sprintf("range of %v.%s: %v", value.Type(), field.Name, err))
		}
		shown := formatField(value.FieldByIndex(field.Index))
		f := flags.VarPF(&fieldValue{text: shown, kind: field.Type, span: of}, name, shorthands[name], field.Tag.Get("help"))
		if field.Type.Kind() == reflect.Bool {
			f.NoOptDefVal = "true"
		} else {
			f.NoOptDefVal = bareValues[name]
		}
	}
	return b
}

// shorthands are the reference's one-letter flags, and n as other programs have it.
var shorthands = map[string]string{"arch": "a", "order": "o", "source-lang": "s", "target-lang": "t", "max-len-b": "n"}

// bareValues are what flags of the reference stand for when they are given without
// a value.
var bareValues = map[string]string{"eval-bleu-remove-bpe": "@@ ", "remove-bpe": "@@ ", "replace-unk": "source"}

// flagFields yields the fields of a struct, embedded ones included, by flag
// name.
func flagFields(t reflect.Type) iter.Seq2[string, reflect.StructField] {
	return func(yield func(string, reflect.StructField) bool) {
		for _, field := range reflect.VisibleFields(t) {
			key, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			if key == "" || key == "-" || field.Type == reflect.TypeFor[[]byte]() { // bytes are not typed
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
		if err := setField(value.FieldByIndex(field.Index), f.Value.String(), unbounded); err != nil {
			return fmt.Errorf("--%s is %q, %w", name, f.Value, err)
		}
	}
	return nil
}

// A fieldValue is the text of a flag, checked against the type of its field and
// the numbers that it takes.
type fieldValue struct {
	text   string
	kind   reflect.Type
	span   span
	target reflect.Value // of a flag that is no field's: set when the flag is
}

func (v *fieldValue) String() string { return v.text }

func (v *fieldValue) Set(text string) error {
	value := reflect.New(v.kind).Elem()
	if err := setField(value, text, v.span); err != nil {
		return err
	}
	if v.text = text; v.target.IsValid() {
		v.target.Set(value)
	}
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
		if v.kind.Elem().Kind() == reflect.String {
			return "name,..."
		}
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

// setField parses text into a field, whose numbers are to be in a span. The error
// says what would be right. Lists are separated by commas and may stand in
// parentheses or brackets, as Python prints them.
func setField(field reflect.Value, text string, s span) error {
	switch field.Kind() {
	case reflect.String:
		field.SetString(text)
	case reflect.Bool:
		return setBool(field, strings.TrimSpace(text))
	case reflect.Slice, reflect.Array:
		return setList(field, text, s)
	default:
		return setNumber(field, strings.TrimSpace(text), s)
	}
	return nil
}

// setBool reads what the reference's eval_bool does.
func setBool(field reflect.Value, text string) error {
	b, err := strconv.ParseBool(text)
	if err != nil && text != "None" {
		return errors.New("want true or false")
	}
	field.SetBool(b)
	return nil
}

func setNumber(field reflect.Value, text string, s span) (err error) {
	what, x := "a whole number", 0.0
	switch field.Kind() {
	case reflect.Float64:
		what = "a number"
		x, err = strconv.ParseFloat(text, 64)
		field.SetFloat(x)
	case reflect.Uint64:
		var n uint64
		what = "a whole number, 0 or more"
		n, err = strconv.ParseUint(text, 10, 64)
		field.SetUint(n)
		x = float64(n)
	case reflect.Int, reflect.Int64:
		var n int64
		n, err = strconv.ParseInt(text, 10, 64)
		field.SetInt(n)
		x = float64(n)
	default:
		panic(fmt.Sprintf("no flag for a field of type %v", field.Type()))
	}
	if wrong := s.check(x, what); wrong != nil && !errors.Is(err, strconv.ErrSyntax) { // x is the nearest number there is
		return wrong
	}
	if err != nil {
		return fmt.Errorf("want %s", what)
	}
	return nil
}

// setList reads items with commas between, or a Python list or tuple of them.
func setList(field reflect.Value, text string, s span) error {
	items, err := listItems(text, field.Type().Elem().Kind() == reflect.String)
	if err != nil {
		return fmt.Errorf("want values with commas between: %w", err)
	}
	if field.Kind() == reflect.Array && len(items) != field.Len() {
		return fmt.Errorf("want %d numbers with commas between", field.Len())
	}
	if field.Kind() == reflect.Slice {
		field.Set(reflect.MakeSlice(field.Type(), len(items), len(items)))
	}
	for i, item := range items {
		if err := setField(field.Index(i), item, s); err != nil && len(items) > 1 {
			return fmt.Errorf("value %d: %w", i+1, err)
		} else if err != nil {
			return err
		}
	}
	return nil
}

// listItems parts a list into the texts of its items. In brackets it is Python's,
// where words are in quotes.
func listItems(text string, words bool) ([]string, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return nil, nil
	}
	if !strings.ContainsAny(text[:1], "[(") {
		return strings.Split(strings.TrimSuffix(text, ","), ","), nil
	}
	data, err := literal.JSON(text)
	if err != nil {
		return nil, err
	}
	if data[0] != '[' {
		return []string{string(data)}, nil
	}
	var values []json.RawMessage
	if err := json.Unmarshal(data, &values); err != nil {
		return nil, err
	}
	var items []string
	for _, v := range values {
		item := string(v)
		if words {
			if err := json.Unmarshal(v, &item); err != nil {
				return nil, fmt.Errorf("%s is no text in quotes", v)
			}
		}
		items = append(items, item)
	}
	return items, nil
}
