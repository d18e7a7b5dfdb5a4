package autograd

import "github.com/mega-go/mega/internal/kernel"

// Implementation names the kernels in use: generic, avx2, avx512, amx or neon.
func Implementation() string { return kernel.Current().String() }

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
