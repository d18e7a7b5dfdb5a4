package ptx

import (
	"fmt"
	"math/bits"
)

const (
	lanes    = 32
	allLanes = 1<<lanes - 1
	// poison is what a register holds before it is written: as float32, a NaN.
	poison = 0xffa5a5a5_ffa5a5a5
)

// A vector is one register of all lanes. Numbers of fewer than 64 bits have zeros
// above.
type vector [lanes]uint64

// A warp is 32 threads that run in step where they can.
type warp struct {
	block     *block
	first     int // number of lane 0 in the block
	thread    [3]vector
	registers []vector
	pc        [lanes]int32
	exists    uint32 // lanes that are threads of the block
	done      uint32 // those that have ended
	waiting   uint32 // those that wait at a barrier
	parked    uint32 // those that wait for others at a shuffle
}

// An instruction is ready to run.
type instruction struct {
	line    int
	text    string
	guard   int // register of the predicate, -1 if there is none
	negated bool
	kind    kind
	label   string
	target  int32                    // of a branch
	run     func(w *warp, on uint32) // of all others, for some lanes
	members uint32                   // lanes that a shuffle names
}

type kind uint8

const (
	plain kind = iota
	collective
	branch
	exit
	barrier
)

// first returns the lowest lane in a mask, -1 if there is none.
func first(mask uint32) int {
	if mask == 0 {
		return -1
	}
	return bits.TrailingZeros32(mask)
}

// live returns the lanes that have not ended.
func (w *warp) live() uint32 { return w.exists &^ w.done }

// reset readies the warp for another block.
func (w *warp) reset() {
	w.done, w.waiting, w.parked = 0, 0, 0
	clear(w.pc[:])
	for i, bits := range w.block.kernel.classes {
		v := uint64(poison)
		if bits == 1 {
			v = 1
		} else if bits < 64 {
			v &= 1<<bits - 1
		}
		r := &w.registers[i]
		for l := range r {
			r[l] = v
		}
	}
}

// trap ends the launch for what a lane did, unless something has already. The
// instruction is added by fail or advance.
func (w *warp) trap(lane int, format string, args ...any) {
	if w.block.fault != nil {
		return
	}
	f := &Fault{Kernel: w.block.kernel.Name, Block: w.block.index, Reason: fmt.Sprintf(format, args...)}
	for i := range f.Thread {
		f.Thread[i] = int(w.thread[i][lane])
	}
	w.block.fault = f
}

// fail is trap at an instruction.
func (w *warp) fail(at int32, lane int, format string, args ...any) {
	if w.block.fault == nil {
		w.trap(lane, format, args...)
		w.locate(&w.block.kernel.code[at])
	}
}

// locate adds an instruction to the fault that came from it.
func (w *warp) locate(in *instruction) {
	w.block.fault.Line, w.block.fault.Text = in.line, in.text
}

// run runs the warp until all lanes have ended or wait at a barrier. Where lanes are
// at different instructions, the first in the text goes on: so they meet again where
// branches join.
func (w *warp) run() {
	for w.block.fault == nil {
		at, on, limit := w.choose()
		if on == 0 {
			if l := first(w.parked); l >= 0 {
				w.fail(w.pc[l], l, "a shuffle names lanes that never come")
			}
			return
		}
		w.parked &^= on
		w.advance(at, on, limit)
	}
}

// choose returns the first instruction that lanes are at, which lanes, and the first
// that others are at.
func (w *warp) choose() (at int32, on uint32, limit int32) {
	const end = int32(1<<31 - 1)
	at, limit = end, end
	free := w.live() &^ w.waiting &^ w.parked
	for l := range lanes {
		if free>>l&1 != 0 {
			at = min(at, w.pc[l])
		}
	}
	if at == end {
		return at, 0, end
	}
	for l := range lanes {
		switch pc := w.pc[l]; {
		case (free|w.parked)>>l&1 == 0:
		case pc == at:
			on |= 1 << l
		case pc > at:
			limit = min(limit, pc)
		}
	}
	return at, on, limit
}

// advance runs some lanes until they part or come to where others are.
func (w *warp) advance(at int32, on uint32, limit int32) {
	b := w.block
	code := b.kernel.code
	for at < limit {
		if int(at) >= len(code) {
			w.fail(int32(len(code)-1), first(on), "the kernel goes on beyond its end")
			return
		}
		if b.limit--; b.limit < 0 {
			w.fail(at, first(on), "the launch has not ended after as many instructions as it may take")
			return
		}
		in := &code[at]
		active := on
		if in.guard >= 0 {
			active = w.guarded(in, on)
		}
		switch in.kind {
		case plain:
			if active != 0 {
				in.run(w, active)
			}
		case collective:
			if active == 0 {
				break
			}
			if in.members&^active&w.exists != 0 || active&^in.members != 0 {
				w.park(at, on, active, in)
				return
			}
			in.run(w, active)
		case branch:
			if active == on {
				at = in.target - 1
			} else if active != 0 {
				w.move(on&^active, at+1)
				w.move(active, in.target)
				return
			}
		case exit:
			w.done |= active
			if on &^= active; on == 0 {
				return
			}
		case barrier:
			if active != on {
				w.fail(at, first(on&^active), "lanes of a warp part at a barrier")
				return
			}
			w.move(on, at)
			w.waiting |= on
			return
		}
		if b.fault != nil {
			if b.fault.Line == 0 {
				w.locate(in)
			}
			return
		}
		if at++; in.kind == branch && w.parked != 0 {
			break // parked lanes may be on the way
		}
	}
	w.move(on, at)
}

// move sets where some lanes are.
func (w *warp) move(on uint32, at int32) {
	for l := range lanes {
		if on>>l&1 != 0 {
			w.pc[l] = at
		}
	}
}

// guarded returns which lanes an instruction's predicate lets through.
func (w *warp) guarded(in *instruction, on uint32) (active uint32) {
	for l, p := range &w.registers[in.guard] {
		if (p != 0) != in.negated {
			active |= 1 << l
		}
	}
	return active & on
}

// park lets lanes wait for the others that a shuffle names.
func (w *warp) park(at int32, on, active uint32, in *instruction) {
	if active != on || active&^in.members != 0 {
		w.fail(at, first(on), "a shuffle of lanes %#x is executed by lanes %#x", in.members, active)
		return
	}
	w.move(on, at)
	w.parked |= on
}
