package main

import (
	"encoding/binary"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/ir"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

func init() {
	families["gemm_bf16"] = func() {
		for rows := 1; rows <= 14; rows++ {
			newPairKernel(rows).emit()
		}
		emitPairRows()
		emitPackPairs()
		emitPackPairRuns()
	}
}

// newPairKernel returns the strip kernel for numbers that are pairs of bfloat16
// ones: what it takes for a row of B is two rows, and for a term two terms.
func newPairKernel(rows int) *stripKernel {
	s := newStripKernel("AVX512", rows)
	s.isa, s.pairs = "BF16", true
	return s
}

// vdpbf16ps adds to sum the products of the numbers of a's pairs and b's, lane
// by lane.
func vdpbf16ps(a, b, sum VecPhysical) { evexZ(prefixF3, 0x52, a, b, sum) }

// vcvtne2ps2bf16 rounds 32 numbers to nearest, ties to even: low's to the lower
// half of dst, high's to the upper.
func vcvtne2ps2bf16(low, high, dst VecPhysical) { evexZ(prefixF2, 0x72, low, high, dst) }

// The mandatory prefixes F3 and F2 as an EVEX prefix has them.
const (
	prefixF3 = 2
	prefixF2 = 3
)

// evexZ emits the bytes of an instruction of map 0F38 on three Z registers, in
// the order of Go's assembler: Intel's third operand first. Neither that
// assembler nor avo knows AVX512_BF16.
func evexZ(prefix, opcode byte, third, second, first VecPhysical) {
	rm, v, r := byte(third.PhysicalIndex()), byte(second.PhysicalIndex()), byte(first.PhysicalIndex())
	not := func(n byte, bit int) byte { return ^n >> bit & 1 }
	raw("LONG", U32(binary.LittleEndian.Uint32([]byte{
		0x62,
		not(r, 3)<<7 | not(rm, 4)<<6 | not(rm, 3)<<5 | not(r, 4)<<4 | 2, // the map
		^v&15<<3 | 1<<2 | prefix,
		2<<5 | not(v, 4)<<3, // 512 bits, no mask
	})))
	raw("WORD", U16(binary.LittleEndian.Uint16([]byte{opcode, 3<<6 | r&7<<3 | rm&7})))
}

// raw emits bytes: a LONG or a WORD of them.
func raw(directive string, bytes Op) {
	Instruction(&ir.Instruction{Opcode: directive, Operands: []Op{bytes}})
}

// pairOrder loads the order that puts the halves of vcvtne2ps2bf16's result
// side by side: 0, 16, 1, 17 and so on.
func pairOrder(r VecPhysical) VecPhysical {
	table, ok := floats["pairOrder"]
	if !ok {
		table = GLOBL("pairOrder", RODATA|NOPTR)
		for i := range uint32(16) {
			DATA(4*int(i), U32(i|(16+i)<<16))
		}
		floats["pairOrder"] = table
	}
	VMOVUPS(table, r)
	return r
}

// pairUp makes pairs of the numbers of two rows, in low's register.
func pairUp(low, high, order VecPhysical) {
	vcvtne2ps2bf16(low, high, low)
	VPERMW(low, order, low)
}

// lastMasks sets K1 and K2 to what there is of the last 32 of n > 0 numbers,
// sixteen each. n and the temporaries are lost.
func lastMasks(n, count, tmp GPPhysical) {
	DECQ(n)
	ANDQ(Imm(31), n)
	INCQ(n)
	MOVQ(U64(16), count)
	CMPQ(n, count)
	CMOVQLT(n, count)
	SUBQ(count, n)
	tailMaskZ(count, tmp, K1)
	tailMaskZ(n, tmp, K2)
}

// emitPairRows emits the rounding of rows in which neighbours are pairs.
func emitPairRows() {
	emitRows("pairRowsBF16", []string{
		"pairRowsBF16 makes pairs of n > 0 numbers from each of rows > 0 rows, with zeros up to a multiple of 32;",
		"stride and pitch are in bytes.",
	}, Imm(64), func() {}, func(to Mem) {
		vcvtne2ps2bf16(Z0, Z1, Z0)
		VMOVUPS(Z0, to)
	})
}

// emitRows emits a kernel that makes so many bytes of each 32 numbers of some rows, with zeros
// after the last. convert makes them of Z0 and Z1; start loads what it needs.
func emitRows(name string, doc []string, size Constant, start func(), convert func(to Mem)) {
	TEXT(name, NOSPLIT, "func(rows int, src *float32, stride int, dst *float32, pitch, n int)")
	Pragma("noescape")
	Doc(doc...)
	rows, source, stride := param("rows", RCX), param("src", RSI), param("stride", RDX)
	dst, pitch, n := param("dst", RDI), param("pitch", R8), R9
	left, from, to := RAX, RBX, R10
	lastMasks(param("n", n), left, from)
	param("n", n)
	start()
	Label("row")
	MOVQ(source, from)
	MOVQ(dst, to)
	MOVQ(n, left)
	SUBQ(Imm(32), left)
	JLE(LabelRef("last"))
	Label("whole")
	VMOVUPS(Mem{Base: from}, Z0)
	VMOVUPS(Mem{Base: from, Disp: 64}, Z1)
	convert(Mem{Base: to})
	ADDQ(U32(128), from)
	ADDQ(size, to)
	SUBQ(Imm(32), left)
	JG(LabelRef("whole"))
	Label("last")
	VMOVUPS_Z(Mem{Base: from}, K1, Z0)
	VMOVUPS_Z(Mem{Base: from, Disp: 64}, K2, Z1)
	convert(Mem{Base: to})
	ADDQ(stride, source)
	ADDQ(pitch, dst)
	DECQ(rows)
	JNZ(LabelRef("row"))
	VZEROUPPER()
	RET()
}

// emitPackPairs emits the distribution of rows, two and two, over panels of 32
// pairs. A last row that is alone has zeros for partners.
func emitPackPairs() {
	TEXT("packPairsBF16", NOSPLIT, "func(terms int, src *float32, stride int, dst *float32, panel, n int)")
	Pragma("noescape")
	Doc("packPairsBF16 makes pairs of n > 0 numbers from terms > 0 rows, two and two, in panels of 32 columns, with zeros after",
		"the last; stride, between rows, and panel, between panels, are in bytes.")
	terms, source, stride := param("terms", RCX), param("src", RSI), param("stride", RDX)
	dst, panel, n := param("dst", RDI), param("panel", R8), R9
	left, from, next, to := RAX, RBX, R11, R10
	order := pairOrder(Z4)
	lastMasks(param("n", n), left, from)
	param("n", n)
	KXNORW(K5, K5, K5) // of the second rows: whole panels, and as K1 and K2
	KMOVW(K1, K3)
	KMOVW(K2, K4)
	Label("pair")
	CMPQ(terms, Imm(1))
	JNE(LabelRef("two"))
	for _, k := range []OpmaskPhysical{K3, K4, K5} {
		KXORW(k, k, k)
	}
	Label("two")
	MOVQ(source, from)
	LEAQ(Mem{Base: source, Index: stride, Scale: 1}, next)
	MOVQ(dst, to)
	MOVQ(n, left)
	// both makes a row of a panel under masks of the two halves, 0 for none.
	both := func(first, second [2]OpmaskPhysical) {
		for h := range 2 {
			at := 64 * h
			if first[h] == K0 {
				VMOVUPS(Mem{Base: from, Disp: at}, Z[2*h])
			} else {
				VMOVUPS_Z(Mem{Base: from, Disp: at}, first[h], Z[2*h])
			}
			VMOVUPS_Z(Mem{Base: next, Disp: at}, second[h], Z[2*h+1])
		}
		for h := range 2 {
			pairUp(Z[2*h], Z[2*h+1], order)
			VMOVUPS(Z[2*h], Mem{Base: to, Disp: 64 * h})
		}
	}
	SUBQ(Imm(32), left)
	JLE(LabelRef("last"))
	Label("whole")
	both([2]OpmaskPhysical{K0, K0}, [2]OpmaskPhysical{K5, K5})
	ADDQ(U32(128), from)
	ADDQ(U32(128), next)
	ADDQ(panel, to)
	SUBQ(Imm(32), left)
	JG(LabelRef("whole"))
	Label("last")
	both([2]OpmaskPhysical{K1, K2}, [2]OpmaskPhysical{K3, K4})
	LEAQ(Mem{Base: source, Index: stride, Scale: 2}, source)
	ADDQ(U32(128), dst)
	SUBQ(Imm(2), terms)
	JG(LabelRef("pair"))
	VZEROUPPER()
	RET()
}

// emitPackPairRuns emits the packing of columns of A, which lie together, to
// panels as high as the tile.
func emitPackPairRuns() {
	TEXT("packPairRunsBF16", NOSPLIT, "func(pairs int, src *float32, stride int, dst *float32, pitch, panel int, starts *int, n int)")
	Pragma("noescape")
	Doc("packPairRunsBF16 makes pairs of n > 0 runs of 16 numbers from pairs > 0 times two rows, in as many panels;",
		"stride, between rows, pitch, between a panel's rows, panel, between panels, and starts, of runs in a row, are in bytes.")
	pairs, source, stride := param("pairs", RCX), param("src", RSI), param("stride", RDX)
	dst, pitch, panel := param("dst", RDI), param("pitch", R8), param("panel", R9)
	starts, n := param("starts", R10), param("n", R11)
	to, run, at, next := RAX, RBX, R12, R13
	order := pairOrder(Z4)
	Label("pair")
	LEAQ(Mem{Base: source, Index: stride, Scale: 1}, next)
	MOVQ(dst, to)
	XORQ(run, run)
	Label("run")
	MOVQ(Mem{Base: starts, Index: run, Scale: 8}, at)
	VMOVUPS(Mem{Base: source, Index: at, Scale: 1}, Z0)
	VMOVUPS(Mem{Base: next, Index: at, Scale: 1}, Z1)
	pairUp(Z0, Z1, order)
	VMOVUPS(Z0, Mem{Base: to})
	ADDQ(panel, to)
	INCQ(run)
	CMPQ(run, n)
	JLT(LabelRef("run"))
	LEAQ(Mem{Base: source, Index: stride, Scale: 2}, source)
	ADDQ(pitch, dst)
	DECQ(pairs)
	JNZ(LabelRef("pair"))
	VZEROUPPER()
	RET()
}
