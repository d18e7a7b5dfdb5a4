//go:build !linux && !darwin

package atomicfile

import "errors"

// exchange fails: this system cannot swap two directories in one step.
func exchange(a, b string) error { return errors.ErrUnsupported }
