package kernel

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// An Implementation is one of the instruction sets that the kernels are
// written for. All compute the same functions; they differ by rounding only.
type Implementation int

const (
	Generic Implementation = iota // portable Go
	AVX2                          // amd64 with AVX2 and FMA
	AVX512                        // amd64 with AVX-512 F, BW, DQ and VL
	NEON                          // arm64
	AMX                           // AVX512 with products of float32 numbers in tiles
)

// String returns the name that MEGA_KERNEL takes.
func (i Implementation) String() string {
	return [...]string{"generic", "avx2", "avx512", "neon", "amx"}[i]
}

// chosen is the implementation in use, and current the one that kernels dispatch on, products
// in tiles aside.
var (
	chosen  = fromEnvironment(os.Getenv("MEGA_KERNEL"))
	current = chosen.vectors()
)

// vectors returns the implementation of what i does not compute in tiles.
func (i Implementation) vectors() Implementation {
	if i == AMX {
		return AVX512
	}
	return i
}

// Current returns the implementation in use.
func Current() Implementation { return chosen }

// Available lists the implementations that this machine can run, slowest first.
func Available() []Implementation {
	return append([]Implementation{Generic}, native()...)
}

// Use makes every kernel run implementation i from here on. It is for start-up
// and tests: it must not be called while kernels run. It reports an error when
// this machine cannot run i.
func Use(i Implementation) error {
	if !slices.Contains(Available(), i) {
		return fmt.Errorf("kernel: this machine cannot run the %v kernels, only %v", i, Available())
	}
	chosen, current = i, i.vectors()
	return nil
}

// fromEnvironment picks the fastest available implementation unless name
// (the environment variable MEGA_KERNEL) asks for another. AMX is for those who ask: it is
// slower than AVX512 where another thread uses the same core. A name that
// cannot be honoured falls back to generic and is reported by CheckEnvironment.
func fromEnvironment(name string) Implementation {
	all := Available()
	if name == "" {
		return all[len(all)-1].vectors()
	}
	for _, i := range all {
		if i.String() == name {
			return i
		}
	}
	return Generic
}

// CheckEnvironment returns an error if MEGA_KERNEL names no implementation
// that this machine can run.
func CheckEnvironment() error {
	name := os.Getenv("MEGA_KERNEL")
	if name == "" || chosen.String() == name {
		return nil
	}
	var names []string
	for _, i := range Available() {
		names = append(names, i.String())
	}
	return fmt.Errorf("MEGA_KERNEL=%s: this machine can run %s", name, strings.Join(names, ", "))
}
