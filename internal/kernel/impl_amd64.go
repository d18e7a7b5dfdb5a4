//go:build !purego

package kernel

import "golang.org/x/sys/cpu"

// native lists the assembly implementations that this CPU can run.
func native() []Implementation {
	var all []Implementation
	if cpu.X86.HasAVX2 && cpu.X86.HasFMA {
		all = append(all, AVX2)
		if cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512VL {
			all = append(all, AVX512)
		}
	}
	return all
}
