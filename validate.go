package mega

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

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
