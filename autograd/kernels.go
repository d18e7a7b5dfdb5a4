package autograd

import "github.com/mega-go/mega/internal/kernel"

// Implementation names the kernels in use: generic, avx2, avx512 or neon.
func Implementation() string { return kernel.Current().String() }

// CheckEnvironment returns an error if MEGA_KERNEL names no kernels that this
// machine can run.
func CheckEnvironment() error { return kernel.CheckEnvironment() }
