// Package config reads configurations: JSON objects whose keys are those of a
// struct. Its errors name the key, what it holds and what it should hold, and
// never a type of Go. It knows nothing of models.
package config

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/mega-go/mega/format/filemap"
	"github.com/mega-go/mega/internal/spell"
)

// MaxFile bounds configurations, which are read whole: 16 MiB.
const MaxFile = 16 << 20

// ReadFile decodes the regular file at path into the value that into points to.
// Errors begin with the path and wrap fs.ErrNotExist where it applies.
func ReadFile(path string, into any) error {
	text, err := filemap.Read(path, MaxFile)
	if err == nil {
		err = Wrap(path, Decode(text, into))
	}
	return err
}

// Wrap puts the name of a file, or of a part of it, before an error that does not
// hold it yet.
func Wrap(name string, err error) error {
	if err == nil || strings.Contains(err.Error(), name) {
		return err
	}
	return fmt.Errorf("%s: %w", name, err)
}

// Decode decodes one JSON value into what into points to. Keys that it does not
// have are passed over.
func Decode(text []byte, into any) error {
	err := json.Unmarshal(text, into)
	if _, ok := err.(*json.SyntaxError); !ok {
		return explain(err, text)
	}
	d := json.NewDecoder(bytes.NewReader(text)) // which tells what is cut off from what goes on
	if err := d.Decode(new(json.RawMessage)); err != nil {
		return explain(err, text)
	}
	_, _ = d.Token()
	return fmt.Errorf("more than one JSON value: something follows at byte %d", d.InputOffset())
}

// A passedOver is a value that is not looked at: it may be megabytes.
type passedOver struct{}

// UnmarshalJSON implements json.Unmarshaler.
func (*passedOver) UnmarshalJSON([]byte) error { return nil }

// Strict is Decode into a struct. A key that the struct does not have is an
// error, and names the nearest.
func Strict(text []byte, into any) error {
	known, err := Keys(reflect.TypeOf(into).Elem()), Decode(text, into)
	if err == nil && hasOnly(text, known) {
		return nil
	}
	if unknown := checkKeys(text, known); unknown != nil {
		return unknown
	}
	return err
}

// hasOnly reports whether the keys of a JSON object are among known ones, as far as
// that is seen without reading its values again, which may be megabytes: a key that
// is written with escapes counts as unknown. The text is JSON.
func hasOnly(text []byte, known []string) bool {
	depth, key := 0, false
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '{', '[':
			depth++
			key = true
		case '}', ']':
			depth--
		case ',':
			key = true
		case '"':
			n := stringLength(text[i+1:])
			if key && depth == 1 && !slices.Contains(known, string(text[i+1:][:n])) {
				return false
			}
			i, key = i+1+n, false
		}
	}
	return true
}

// stringLength returns the length of a JSON string whose opening quote is before text.
func stringLength(text []byte) int {
	for n := 0; ; n++ {
		n += bytes.IndexByte(text[n:], '"')
		escapes := 0
		for escapes < n && text[n-1-escapes] == '\\' {
			escapes++
		}
		if escapes%2 == 0 {
			return n
		}
	}
}

// checkKeys reports keys of a JSON object that are not among known ones.
func checkKeys(text []byte, known []string) error {
	var keys map[string]*passedOver
	if err := Decode(text, &keys); err != nil {
		return err
	}
	var unknown []string
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if slices.Contains(known, key) {
			continue
		}
		line := fmt.Sprintf("unknown key %q", key)
		if near := spell.Nearest(key, known); near != "" {
			line += fmt.Sprintf(", did you mean %q?", near)
		}
		unknown = append(unknown, line)
	}
	if len(unknown) > 0 {
		return errors.New(strings.Join(unknown, "; "))
	}
	return nil
}

// Keys lists the JSON keys of a struct's fields, embedded ones included.
func Keys(t reflect.Type) []string {
	var keys []string
	for _, f := range reflect.VisibleFields(t) {
		if key := Key(f); key != "" {
			keys = append(keys, key)
		}
	}
	return keys
}

// Key returns the JSON key of a struct's field, "" if it has none.
func Key(f reflect.StructField) string {
	key, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	if key == "-" {
		return ""
	}
	return key
}

// explain says what is wrong with a JSON text in words.
func explain(err error, text []byte) error {
	switch e := err.(type) { // as it is: what a type's own UnmarshalJSON wraps is in words already
	case *json.UnmarshalTypeError:
		return fmt.Errorf("%s is %s, want %s", clip(cmp.Or(e.Field, "the value")), got(e.Value), want(e.Type))
	case *json.SyntaxError:
		return fmt.Errorf("not JSON at byte %d: %w", e.Offset, err)
	}
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return fmt.Errorf("the JSON text ends at byte %d, within a value: is it cut off?", len(text))
	}
	return err
}

// got writes what encoding/json calls a value: "string", "number 1.5", "array".
func got(value string) string {
	kind, rest, ok := strings.Cut(value, " ")
	switch {
	case ok:
		return clip(rest)
	case kind == "array":
		return "a list"
	case kind == "object":
		return "an object"
	case kind == "bool":
		return "true or false"
	}
	return "a " + kind
}

// want says what a type takes.
func want(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Pointer:
		return want(t.Elem())
	case reflect.Bool:
		return "true or false"
	case reflect.Uint64:
		return "a whole number from 0 to 2^64-1"
	case reflect.Int, reflect.Int64:
		return "a whole number below 2^63"
	case reflect.Float64:
		return "a number"
	case reflect.String:
		return "a string"
	case reflect.Slice, reflect.Array:
		return "a list"
	}
	return "an object"
}

// clip shortens what a file says.
func clip(s string) string {
	const most = 100
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}
