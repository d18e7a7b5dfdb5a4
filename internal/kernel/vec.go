package kernel

import "fmt"

// checkLengths panics unless all the lengths equal the first: slices that do
// not match are a mistake of the calling package, never of a user.
func checkLengths(n int, others ...int) {
	for _, o := range others {
		if o != n {
			panic(fmt.Sprintf("kernel: slices of lengths %d and %d do not match", n, o))
		}
	}
}
