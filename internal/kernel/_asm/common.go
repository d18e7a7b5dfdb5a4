package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Register tables, so that loops can number what they use.
var (
	X = []VecPhysical{X0, X1, X2, X3, X4, X5, X6, X7, X8, X9, X10, X11, X12, X13, X14, X15}
	Y = []VecPhysical{Y0, Y1, Y2, Y3, Y4, Y5, Y6, Y7, Y8, Y9, Y10, Y11, Y12, Y13, Y14, Y15}
	Z = []VecPhysical{
		Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7, Z8, Z9, Z10, Z11, Z12, Z13, Z14, Z15,
		Z16, Z17, Z18, Z19, Z20, Z21, Z22, Z23, Z24, Z25, Z26, Z27, Z28, Z29, Z30, Z31,
	}
	masks = []OpmaskPhysical{K0, K1, K2, K3, K4, K5, K6, K7}
)

// param loads the named parameter into the given general register.
func param(name string, r GPPhysical) GPPhysical {
	return Load(Param(name), r).(GPPhysical)
}

// argument returns where the named parameter is, for instructions that read or write it
// in memory.
func argument(name string) Mem {
	basic, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	return basic.Addr
}

// floats holds the constants that this file of assembly has so far.
var floats = map[string]Mem{}

// float returns the address of a four-byte constant of that name and value,
// which it adds to the file on first use. Kernels broadcast it from there.
func float(name string, v float32) Mem { return shared(name, F32(v)) }

// shared returns the address of a constant of that name and value, which it adds
// to the file on first use.
func shared(name string, v Constant) Mem {
	m, ok := floats[name]
	if !ok {
		m = ConstData(name, v)
		floats[name] = m
	}
	return m
}

// tailTable is the address of eight words of ones followed by eight of zeros,
// added to the file on first use.
func tailTable() Mem {
	m, ok := floats["tail8"]
	if !ok {
		m = GLOBL("tail8", RODATA|NOPTR)
		for i := range 16 {
			ones := uint32(0)
			if i < 8 {
				ones = 0xffffffff
			}
			DATA(4*i, U32(ones))
		}
		floats["tail8"] = m
	}
	return m
}

// tailMaskY sets the first n of mask's eight lanes to ones and the rest to
// zeros, for VMASKMOVPS; n is a register that holds 0 to 8. tmp and n are lost.
func tailMaskY(n, tmp GPPhysical, mask VecPhysical) {
	LEAQ(tailTable().Offset(32), tmp)
	NEGQ(n)
	VMOVUPS(Mem{Base: tmp, Index: n, Scale: 4}, mask)
}

// tailMaskZ sets the lowest n bits of the 16-bit mask k; n is a register that
// holds 0 to 16. tmp is lost.
func tailMaskZ(n, tmp GPPhysical, k OpmaskPhysical) {
	m, ok := floats["tail16"]
	if !ok {
		m = GLOBL("tail16", RODATA|NOPTR)
		for i := range 17 {
			DATA(2*i, U16(uint16(uint32(1)<<i-1)))
		}
		floats["tail16"] = m
	}
	LEAQ(m, tmp)
	KMOVW(Mem{Base: tmp, Index: n, Scale: 2}, k)
}

// A rowSet addresses equally spaced rows of a matrix in memory with few
// registers: seven rows from one base, as many again from a second.
type rowSet struct {
	base   [2]GPPhysical // rows 0 to 6 and 7 to 13; the second may be nil
	stride GPPhysical    // bytes between rows
	times3 GPPhysical
	times5 GPPhysical // nil where fewer than six rows are addressed
}

// newRowSet emits the code that sets up the registers for n rows from base,
// stride bytes apart. second is needed for more than seven rows, times3 for
// more than three, times5 for more than five.
func newRowSet(n int, base, second, stride, times3, times5 GPPhysical) rowSet {
	if n > 14 {
		panic(fmt.Sprintf("%d rows are more than the 14 that two bases address", n))
	}
	if n > 3 {
		LEAQ(Mem{Base: stride, Index: stride, Scale: 2}, times3)
	}
	if n > 5 {
		LEAQ(Mem{Base: stride, Index: stride, Scale: 4}, times5)
	}
	if n > 7 {
		LEAQ(Mem{Base: base, Index: times3, Scale: 2}, second)
		ADDQ(stride, second)
	}
	return rowSet{base: [2]GPPhysical{base, second}, stride: stride, times3: times3, times5: times5}
}

// at returns the address disp bytes into row i.
func (r rowSet) at(i, disp int) Mem {
	m := Mem{Base: r.base[i/7], Disp: disp}
	switch i % 7 {
	case 1:
		m.Index, m.Scale = r.stride, 1
	case 2:
		m.Index, m.Scale = r.stride, 2
	case 3:
		m.Index, m.Scale = r.times3, 1
	case 4:
		m.Index, m.Scale = r.stride, 4
	case 5:
		m.Index, m.Scale = r.times5, 1
	case 6:
		m.Index, m.Scale = r.times3, 2
	}
	return m
}
