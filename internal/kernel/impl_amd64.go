//go:build !purego

package kernel

import (
	"github.com/klauspost/cpuid/v2"
	"golang.org/x/sys/cpu"
)

// waitsForL2 says that this CPU's AVX-512 kernels slow down where they read a
// panel of A from L2: those of Intel's do, by a third, where Zen 4 keeps up.
var waitsForL2 = cpuid.CPU.IsVendor(cpuid.Intel)

var (
	hasAVX2   = cpu.X86.HasAVX2 && cpu.X86.HasFMA
	hasAVX512 = hasAVX2 && cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512VL
)

// native lists the assembly implementations that this CPU can run.
func native() []Implementation {
	var all []Implementation
	for _, i := range []struct {
		Implementation
		here bool
	}{{AVX2, hasAVX2}, {AVX512, hasAVX512}, {AMX, hasAMX}} {
		if i.here {
			all = append(all, i.Implementation)
		}
	}
	return all
}
