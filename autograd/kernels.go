package autograd

import "github.com/mega-go/mega/internal/kernel"

// Implementation names the kernels in use: generic, avx2, avx512, amx or neon.
func Implementation() string { return kernel.Current().String() }

// KernelsOf names the kernels that round the results of a computation: those in use and, with
// products in bfloat16, the instructions that multiply.
func KernelsOf(bf16 bool) string {
	if by := kernel.BF16Instructions(); bf16 && by != "" {
		return Implementation() + " and " + by
	}
	return Implementation()
}

// DescribeKernels says which kernels are in use, and what multiplies in bfloat16 if anything
// does.
func DescribeKernels() string {
	words := Implementation() + " kernels"
	if by := kernel.BF16Instructions(); by != "" {
		words += ", bfloat16 by " + by
	}
	return words
}

// CheckEnvironment returns an error if MEGA_KERNEL names no kernels that this
// machine can run.
func CheckEnvironment() error { return kernel.CheckEnvironment() }
