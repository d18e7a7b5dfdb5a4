//go:build linux

package main

import (
	"strings"
	"testing"
)

// TestPortableKernels checks that who runs models on the portable kernels is told,
// and nobody else.
func TestPortableKernels(t *testing.T) {
	t.Setenv("MEGA_KERNEL", "generic")
	for line, told := range map[string]int{"forward": 1, "version": 0, "forward --help": 0} {
		_, out := runMutant(t, t.TempDir(), line)
		if n := strings.Count(out, "portable kernels"); n != told {
			t.Errorf("%s says so %d times: %s", line, n, out)
		}
	}
}
