package main

import (
	"fmt"
	"math"
	"reflect"
	"runtime"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
)

// A span is the numbers that a flag takes, its ends among them. Every flag that
// takes numbers has one, so that what follows can multiply two of them, and no
// number alone decides how much memory is used.
type span struct{ low, high float64 }

// most is the greatest whole number of a flag that does not say otherwise.
const most = math.MaxInt32

// Usual spans.
var (
	anyWhole  = span{-most, most}
	counts    = span{0, most}
	positive  = span{1, most}
	made      = span{1, 10_000_000}                 // samples, or numbers of one, that are kept in memory
	lengths   = span{0, 1 << 53}                    // or words of a text
	unbounded = span{math.MinInt64, math.MaxUint64} // what the number is changes no result
	anyFinite = span{-math.MaxFloat64, math.MaxFloat64}
)

// spanOf returns the span of a struct's field: its tag range:"low,high", of which
// either may be left out, or the one of all numbers of its type.
func spanOf(field reflect.StructField) (span, error) {
	s := anyWhole
	kind := field.Type
	if kind.Kind() == reflect.Slice || kind.Kind() == reflect.Array {
		kind = kind.Elem()
	}
	switch kind.Kind() {
	case reflect.Uint64:
		s = unbounded
	case reflect.Float64:
		s = anyFinite
	}
	low, high, _ := strings.Cut(field.Tag.Get("range"), ",")
	for text, end := range map[string]*float64{low: &s.low, high: &s.high} {
		if text != "" {
			var err error
			if *end, err = strconv.ParseFloat(text, 64); err != nil {
				return s, err
			}
		}
	}
	return s, nil
}

// check reports a number that is not in the span; what says what is wanted.
func (s span) check(x float64, what string) error {
	switch {
	case x >= s.low && x <= s.high:
		return nil
	case s.low > -most && s.high < most:
		return fmt.Errorf("want %s from %s to %s", what, plain(s.low), plain(s.high))
	case x < s.low && s.low > -math.MaxFloat64:
		return fmt.Errorf("want %s, %s or more", what, plain(s.low))
	case x > s.high && s.high < math.MaxFloat64:
		return fmt.Errorf("want %s, at most %s", what, plain(s.high))
	}
	return fmt.Errorf("want %s, not NaN or infinity", what)
}

func plain(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) }

// number adds a flag that takes a number, or several with commas between.
func number[T int | int64 | uint64 | []int](flags *pflag.FlagSet, p *T, name string, value T, s span, usage string) {
	*p = value
	target := reflect.ValueOf(p).Elem()
	flags.VarP(&fieldValue{formatField(target), target.Type(), s, target}, name, shorthands[name], usage)
}

// A threadCount is how many threads work side by side. No result depends on it, so
// that every number will do; more than can run at once are not begun.
type threadCount struct{ fieldValue }

func (v *threadCount) Set(text string) error {
	err := v.fieldValue.Set(text)
	v.target.SetInt(min(v.target.Int(), int64(max(64, runtime.GOMAXPROCS(0)))))
	return err
}

// threads adds a flag that says how many threads work side by side, 0 for as many
// as there are cores.
func threads(flags *pflag.FlagSet, p *int, name, usage string) {
	target := reflect.ValueOf(p).Elem()
	flags.Var(&threadCount{fieldValue{formatField(target), target.Type(), unbounded, target}}, name, usage)
}
