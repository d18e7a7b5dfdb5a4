package config

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Complaints collects what is wrong with a configuration, so that its author reads
// all of it at once.
type Complaints struct{ errs []error }

// Check complains unless something holds.
func (c *Complaints) Check(ok bool, format string, args ...any) {
	if !ok {
		c.Add(fmt.Errorf(format, args...))
	}
}

// Add adds an error, if it is one.
func (c *Complaints) Add(err error) {
	if err != nil {
		c.errs = append(c.errs, err)
	}
}

// Between complains of a number that is not from low to high.
func (c *Complaints) Between(key string, got, low, high int) {
	c.Check(low <= got && got <= high, "%s is %d, want %d to %d", key, got, low, high)
}

// AtLeast complains of a number below low.
func (c *Complaints) AtLeast(key string, got, low int) {
	c.Check(got >= low, "%s is %d, want %d or more", key, got, low)
}

// NotNegative complains of a number below 0, or one that is not finite.
func (c *Complaints) NotNegative(key string, x float64) {
	c.Check(x >= 0 && !math.IsInf(x, 0), "%s is %g, want a finite number of 0 or more", key, x)
}

// Probability complains of what is no probability of dropping something.
func (c *Complaints) Probability(key string, p float64) {
	c.Check(p >= 0 && p < 1, "%s is %g, want at least 0 and less than 1", key, p)
}

// OneOf complains of a name that is not among others.
func (c *Complaints) OneOf(key, got string, want ...string) {
	c.Check(slices.Contains(want, got), "%s is %q, want one of %s", key, got, strings.Join(want, ", "))
}

// None reports whether nothing is wrong.
func (c *Complaints) None() bool { return len(c.errs) == 0 }

// Err returns the complaints as one error, nil if there are none: in one line, each
// once.
func (c *Complaints) Err() error {
	if c.None() {
		return nil
	}
	return &complaintsError{c.errs}
}

// A complaintsError is several errors in one line.
type complaintsError struct{ errs []error }

func (e *complaintsError) Error() string {
	var lines []string
	for line := range strings.Lines(errors.Join(e.errs...).Error()) {
		if line = strings.TrimSuffix(line, "\n"); !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "; ")
}

func (e *complaintsError) Unwrap() []error { return e.errs }
