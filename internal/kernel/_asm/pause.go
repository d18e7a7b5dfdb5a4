package main

import . "github.com/mmcloughlin/avo/build"

// The one function of the family is what a goroutine does between two looks at a
// word that it waits for: a PAUSE frees the core's other thread and the memory
// pipeline.
func init() {
	families["pause"] = func() {
		TEXT("pause", NOSPLIT, "func()")
		Doc("pause passes some ten nanoseconds.")
		PAUSE()
		RET()
	}
}
