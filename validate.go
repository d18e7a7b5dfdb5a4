package mega

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/mega-go/mega/internal/spell"
)

// unmarshalStrict decodes a JSON object into the struct that config points to.
// A key that the struct does not have is an error, and names the nearest.
func unmarshalStrict(data []byte, config any) error {
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(data, &keys); err != nil {
		return err
	}
	known := jsonKeys(reflect.TypeOf(config).Elem())
	v := validator{}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if slices.Contains(known, key) {
			continue
		}
		if near := spell.Nearest(key, known); near != "" {
			v.fail("unknown key %q, did you mean %q?", key, near)
		} else {
			v.fail("unknown key %q", key)
		}
	}
	if err := v.err(""); err != nil {
		return err
	}
	return json.Unmarshal(data, config)
}

// jsonKeys lists the JSON names of a struct's fields.
func jsonKeys(t reflect.Type) []string {
	var keys []string
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		keys = append(keys, name)
	}
	return keys
}

// A validator collects complaints about a configuration.
type validator struct{ errs []error }

func (v *validator) fail(format string, args ...any) {
	v.errs = append(v.errs, fmt.Errorf(format, args...))
}

func (v *validator) add(err error) {
	if err != nil {
		v.errs = append(v.errs, err)
	}
}

func (v *validator) between(key string, got, low, high int) {
	if got < low || got > high {
		v.fail("%s is %d, want %d to %d", key, got, low, high)
	}
}

func (v *validator) probability(key string, p float64) {
	if !(p >= 0 && p < 1) {
		v.fail("%s is %g, want at least 0 and less than 1", key, p)
	}
}

func (v *validator) oneOf(key, got string, want ...string) {
	if !slices.Contains(want, got) {
		v.fail("%s is %q, want one of %s", key, got, strings.Join(want, ", "))
	}
}

// size fails if there are more parameters than a machine could hold. count is
// only asked if all else is well.
func (v *validator) size(count func() int) {
	if len(v.errs) > 0 {
		return
	}
	if n := count(); n > maxParameters {
		v.fail("the model would have %d parameters, want at most %d", n, maxParameters)
	}
}

// err joins the complaints into one line, each once.
func (v *validator) err(prefix string) error {
	if len(v.errs) == 0 {
		return nil
	}
	var lines []string
	for _, e := range v.errs {
		if line := strings.ReplaceAll(e.Error(), "\n", "; "); !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	text := strings.Join(lines, "; ")
	if prefix != "" {
		text = prefix + ": " + text
	}
	return errors.New(text)
}
