package checkpoint

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"reflect"
	"strconv"
	"strings"

	"github.com/mega-go/mega/internal/config"
)

// rowsOf returns the rows of a matrix that must be there.
func rowsOf(w Weights, name string) (int, error) {
	shape, ok := w.Shape(name)
	switch {
	case !ok:
		return 0, fmt.Errorf("missing: %s; the file holds %s", withNearest([]string{name}, w.Names()), withNearest(w.Names(), nil))
	case len(shape) != 2:
		return 0, fmt.Errorf("%s has shape %v, want two dimensions", name, shape)
	}
	return shape[0], nil
}

// applyArgs sets the fields of the configuration that into points to from the
// arguments of the same names. Null arguments leave a field as it is, except
// that truncation_length's null means none.
func applyArgs(into any, args map[string]any) error {
	known := make(map[string]any)
	for _, key := range config.Keys(reflect.TypeOf(into).Elem()) {
		value, ok := args[key]
		if !ok {
			continue
		}
		if value == nil && key == "truncation_length" {
			value = 0
		}
		if value != nil {
			known[key] = value
		}
	}
	data, err := json.Marshal(known)
	if err != nil {
		return fmt.Errorf("arguments: %w", err)
	}
	return config.Wrap("arguments", config.Decode(data, into))
}

// parseArgs reads arguments that are kept as JSON. Numbers are int64 where they
// are written without a fraction, as in Python, else float64.
func parseArgs(text []byte) (map[string]any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var args map[string]any
	if err := d.Decode(&args); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("more than one JSON value")
	}
	if args == nil {
		return nil, errors.New("no object of arguments")
	}
	for key, value := range args {
		number, err := fromNumbers(value)
		if err != nil {
			return nil, fmt.Errorf("%s %w", key, err)
		}
		args[key] = number
	}
	return args, nil
}

func fromNumbers(value any) (_ any, err error) {
	switch v := value.(type) {
	case json.Number:
		if i, err := v.Int64(); err == nil {
			return i, nil
		}
		f, err := v.Float64()
		if err != nil {
			return nil, fmt.Errorf("is %s, want a number that float64 holds", v)
		}
		return f, nil
	case []any:
		for i, item := range v {
			if v[i], err = fromNumbers(item); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for key, item := range v {
			if v[key], err = fromNumbers(item); err != nil {
				return nil, err
			}
		}
	}
	return value, nil
}

// formatArgs writes arguments so that parseArgs reads the same: floating-point
// numbers keep a fraction. What JSON does not have becomes null.
func formatArgs(args map[string]any) (json.RawMessage, error) {
	text, err := json.Marshal(toNumbers(args))
	if err != nil {
		return nil, fmt.Errorf("arguments: %w", err)
	}
	return text, nil
}

func toNumbers(value any) any {
	switch v := value.(type) {
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil
		}
		text := strconv.FormatFloat(v, 'g', -1, 64)
		if !strings.ContainsAny(text, ".e") {
			text += ".0"
		}
		return json.Number(text)
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = toNumbers(item)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, item := range v {
			out[key] = toNumbers(item)
		}
		return out
	case nil, bool, string, int64, *big.Int:
		return v
	}
	return nil
}
