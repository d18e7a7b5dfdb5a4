package main

import (
	. "github.com/mmcloughlin/avo/build"
)

func init() {
	families["gemm"] = func() {
		pause()
	}
}

// pause emits what a goroutine does between two looks at a word that it waits
// for: a PAUSE frees the core's other thread and the memory pipeline.
func pause() {
	TEXT("pause", NOSPLIT, "func()")
	Doc("pause passes some ten nanoseconds.")
	PAUSE()
	RET()
}
