package main

import (
	"encoding/binary"
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

func init() {
	families["gemm_amx"] = func() {
		for _, rows := range []int{16, 32} {
			newTileKernel(rows, 1).emit()
			newTileKernel(rows, splitParts).emit()
		}
		emitPeakTiles()
		emitSplitRows()
		emitSplitPairs()
	}
}

// A tile is one of AMX's eight registers of 16 rows of 64 bytes.
type tile byte

// The tiles of a kernel: of C up to two by two, of A one for 16 rows, of B one for 16 columns.
var (
	tileC = [2][2]tile{{0, 1}, {2, 3}}
	tileA = [2]tile{4, 5}
	tileB = [2]tile{6, 7}
)

// splitParts is the number of parts of a float32 number.
const splitParts = 3

// Sizes in bytes.
const (
	tileRow    = 64            // a row of a tile: 32 terms of a row of A, or 16 pairs or sums
	panelRow   = 2 * tileRow   // a row of a panel of B
	panelTile  = 16 * panelRow // the rows of a panel that are two tiles
	sumsTile   = 16 * panelRow // 16 rows of sums
	tilesTotal = 8             // of the processor
	tileConfig = "tileConfig"  // the name of the configuration in the file
)

// A tileKernel emits the product of up to 16 or 32 rows of A and the packed panels of B in
// AMX's tiles. A block of 32 terms is one tile of each 16 rows of A, 16 pairs wide, and two
// of B, of 16 rows of pairs.
//
// With three parts, numbers are sums of three of bfloat16, of which each has 8 bits:
// a = a₀ + a₁ + a₂ exactly, |a₁| ≤ 2⁻⁸|a₀|, |a₂| ≤ 2⁻¹⁶|a₀|, and
//
//	a·b ≈ a₂b₀ + a₁b₀ + a₁b₁ + a₀b₁ + a₀b₂ + a₀b₀
//
// which leaves out less than 2⁻²³|a·b|. The five small products of all blocks are added
// first, so that they are not rounded to the last bit of the large sums, and then a₀b₀.
type tileKernel struct {
	rows, parts int
	left        GPPhysical    // blocks still to come
	a           [2]GPPhysical // rows 0 to 15 and 16 to 31 of A
	aBlock      [2]GPPhysical // the block of them
	aStride     GPPhysical
	bPanel      GPPhysical
	bBlock      GPPhysical
	bRow        GPPhysical // holds panelRow
	c           GPPhysical
	cStride     GPPhysical
	columns     GPPhysical // still to come
	bias        GPPhysical
	sums        GPPhysical // memory for tiles of C
}

func newTileKernel(rows, parts int) *tileKernel {
	return &tileKernel{
		rows: rows, parts: parts, left: RSI, a: [2]GPPhysical{RAX, R15}, aBlock: [2]GPPhysical{R11, RCX}, aStride: RDX,
		bPanel: RBX, bBlock: R12, bRow: R10, c: RDI, cStride: R8, columns: R9, bias: R13, sums: R14,
	}
}

// high is the number of tiles one above the other.
func (s *tileKernel) high() int { return s.rows / 16 }

// emit emits the kernel.
func (s *tileKernel) emit() {
	name := fmt.Sprintf("gemmAMX%dx%d", s.parts, s.rows)
	TEXT(name, NOSPLIT, "func(blocks int, a *float32, as int, b *float32, bs int, c *float32, ldc, n, m int, bias *float32, add uint64, sums *float32)")
	Pragma("noescape")
	Doc(fmt.Sprintf("%s computes a strip of m <= %d rows from blocks > 0 of 32 terms, whose numbers are sums of %d;", name, s.rows, s.parts),
		"as, bs and ldc are in bytes, and sums is memory for 32 rows of 32 numbers.")
	configureTiles(RSI)
	param("a", s.a[0])
	param("as", s.aStride)
	MOVQ(s.aStride, s.a[1])
	SHLQ(Imm(4), s.a[1])
	ADDQ(s.a[0], s.a[1])
	param("b", s.bPanel)
	param("c", s.c)
	param("ldc", s.cStride)
	param("n", s.columns)
	param("bias", s.bias)
	param("sums", s.sums)
	MOVQ(U64(panelRow), s.bRow)
	Label("panel")
	s.multiply()
	s.store()
	ADDQ(Load(Param("bs"), s.left), s.bPanel)
	ADDQ(U32(panelRow), s.c)
	SUBQ(Imm(32), s.columns)
	JG(LabelRef("panel"))
	tileRelease()
	VZEROUPPER()
	RET()
}

// multiply sets the tiles of C to the products with a panel of B.
func (s *tileKernel) multiply() {
	for i := range s.high() {
		for j := range 2 {
			tileZero(tileC[i][j])
		}
	}
	if s.parts == 1 {
		s.pass("terms", [][2]int{{0, 0}})
		return
	}
	// Each product shares a factor with the one before, which stays in its tiles.
	s.pass("small", [][2]int{{2, 0}, {1, 0}, {1, 1}, {0, 1}, {0, 2}})
	s.pass("large", [][2]int{{0, 0}})
}

// pass adds the products of some parts of A with some of B for all blocks.
func (s *tileKernel) pass(label string, products [][2]int) {
	for i := range s.high() {
		MOVQ(s.a[i], s.aBlock[i])
	}
	MOVQ(s.bPanel, s.bBlock)
	param("blocks", s.left)
	Label(label)
	inA, inB := -1, -1
	for _, p := range products {
		for i := range s.high() {
			if p[0] != inA {
				tileLoad(tileA[i], s.aBlock[i], s.aStride, tileRow*p[0])
			}
			for j := range 2 {
				if i == 0 && p[1] != inB {
					tileLoad(tileB[j], s.bBlock, s.bRow, panelTile*p[1]+tileRow*j)
				}
				tdpbf16ps(tileC[i][j], tileA[i], tileB[j])
			}
		}
		inA, inB = p[0], p[1]
	}
	for i := range s.high() {
		ADDQ(U32(uint32(tileRow*s.parts)), s.aBlock[i])
	}
	ADDQ(U32(uint32(panelTile*s.parts)), s.bBlock)
	DECQ(s.left)
	JNZ(LabelRef(label))
}

// store writes the tiles to C: straight on where they are whole and nothing is added.
func (s *tileKernel) store() {
	MOVQ(argument("add"), s.left)
	ORQ(s.bias, s.left)
	JNZ(LabelRef("rows"))
	CMPQ(s.columns, Imm(32))
	JLT(LabelRef("rows"))
	CMPQ(argument("m"), Imm(uint64(s.rows)))
	JLT(LabelRef("rows"))
	MOVQ(s.cStride, s.left)
	SHLQ(Imm(4), s.left)
	ADDQ(s.c, s.left)
	for i, base := range []GPPhysical{s.c, s.left}[:s.high()] {
		for j := range 2 {
			tileStore(tileC[i][j], base, s.cStride, tileRow*j)
		}
	}
	JMP(LabelRef("stored"))
	Label("rows")
	s.storeRows()
	Label("stored")
}

// storeRows adds the bias and what C holds to the sums, row by row.
func (s *tileKernel) storeRows() {
	for i := range s.high() {
		for j := range 2 {
			tileStore(tileC[i][j], s.sums, s.bRow, sumsTile*i+tileRow*j)
		}
	}
	s.masks()
	for h := range 2 { // −0, which changes no sum: +0 would change one of −0
		VPBROADCASTD(shared("negativeZero", U32(1<<31)), Z[2+h])
	}
	TESTQ(s.bias, s.bias)
	JZ(LabelRef("unbiased"))
	for h := range 2 {
		VMOVUPS_Z(Mem{Base: s.bias, Disp: tileRow * h}, masks[1+h], Z[2+h])
	}
	ADDQ(U32(panelRow), s.bias)
	Label("unbiased")
	from, to, rows := s.aBlock[0], s.aBlock[1], s.left
	MOVQ(s.sums, from)
	MOVQ(s.c, to)
	param("m", rows)
	Label("row")
	for h := range 2 {
		VADDPS(Mem{Base: from, Disp: tileRow * h}, Z[2+h], Z[h])
		VADDPS(Mem{Base: to, Disp: tileRow * h}, Z[h], masks[3+h], Z[h])
		VMOVUPS(Z[h], masks[1+h], Mem{Base: to, Disp: tileRow * h})
	}
	ADDQ(U32(panelRow), from)
	ADDQ(s.cStride, to)
	DECQ(rows)
	JNZ(LabelRef("row"))
}

// masks sets K1 and K2 to the panel's columns, 16 each, and K3 and K4 to those to which C is
// added.
func (s *tileKernel) masks() {
	count, tmp := s.left, s.aBlock[0]
	for h := range 2 {
		MOVQ(s.columns, count)
		SUBQ(Imm(uint64(16*h)), count)
		XORQ(tmp, tmp)
		TESTQ(count, count)
		CMOVQLT(tmp, count)
		MOVQ(U64(16), tmp)
		CMPQ(count, tmp)
		CMOVQGT(tmp, count)
		tailMaskZ(count, tmp, masks[1+h])
	}
	param("add", count)
	NEGQ(count)
	KMOVW(count.As32(), K5)
	for h := range 2 {
		KANDW(masks[1+h], K5, masks[3+h])
	}
}

// emitPeakTiles emits a loop of products in tiles.
func emitPeakTiles() {
	TEXT("peakAMX", NOSPLIT, "func(turns int)")
	Doc("peakAMX multiplies tiles, four times in each of turns > 0.")
	configureTiles(RAX)
	for t := range tile(tilesTotal) {
		tileZero(t)
	}
	param("turns", RCX)
	Label("turn")
	for i := range 2 {
		for j := range 2 {
			tdpbf16ps(tileC[i][j], tileA[i], tileB[j])
		}
	}
	DECQ(RCX)
	JNZ(LabelRef("turn"))
	tileRelease()
	RET()
}

// A splitting cuts numbers into parts. Of each 32 terms the pairs are the first and the
// seventeenth, the second and the eighteenth and so on, which takes the fewest instructions.
type splitting struct{ half, mask VecPhysical }

// newSplitting loads the constants.
func newSplitting() splitting {
	s := splitting{half: Z8, mask: Z9}
	VPBROADCASTD(shared("splitHalf", U32(0x8000)), s.half)
	VPBROADCASTD(shared("splitMask", U32(0xffff0000)), s.mask)
	return s
}

// cut sets part to the bfloat16 numbers nearest to x, halves away from zero, and takes them
// away from x.
func (s splitting) cut(x, part VecPhysical) {
	VPADDD(s.half, x, part)
	VPANDD(s.mask, part, part)
	VSUBPS(part, x, x)
}

// pairs stores the parts of the pairs of Z0's and Z1's numbers, apart bytes from each other.
func (s splitting) pairs(to Mem, apart int) {
	for part := range splitParts {
		low, high := Z2, Z3
		if part < splitParts-1 {
			s.cut(Z0, low)
			s.cut(Z1, high)
		} else { // what is left has no more bits than a bfloat16 number
			low, high = Z0, Z1
			VPANDD(s.mask, high, high)
		}
		VPSRLD(Imm(16), low, low)
		VPORD(high, low, low)
		VMOVUPS(low, to.Offset(apart*part))
	}
}

// emitSplitRows emits the cutting of rows in which neighbours are terms.
func emitSplitRows() {
	var s splitting
	emitRows("splitRowsAMX", []string{
		"splitRowsAMX cuts n > 0 numbers from each of rows > 0 rows into three parts of bfloat16: of each 32, with zeros after",
		"the last, the pairs of the first parts, then of the second, then of the third; stride and pitch are in bytes.",
	}, U32(splitParts*tileRow), func() { s = newSplitting() }, func(to Mem) { s.pairs(to, tileRow) })
}

// emitSplitPairs emits the cutting of rows that are terms, which go to panels of B.
func emitSplitPairs() {
	TEXT("splitPairsAMX", NOSPLIT, "func(terms int, src *float32, stride int, dst *float32, panel, n int)")
	Pragma("noescape")
	Doc("splitPairsAMX cuts n > 0 numbers from each of terms > 0 rows into three parts and makes pairs of rows in panels of",
		"32 columns: of each 32 rows, with zeros after the last, 16 rows of pairs of the first parts, as many of the",
		"second and of the third; stride, between rows, and panel, between panels, are in bytes.")
	terms, source, stride := param("terms", RCX), param("src", RSI), param("stride", RDX)
	dst, panel := param("dst", RDI), param("panel", R8)
	left, from, second, to, pairs, half := RAX, RBX, R11, R10, R12, R9
	lastMasks(param("n", left), half, from)
	s := newSplitting()
	// Masks of the two halves of the first rows and the second ones, whole panels and the last.
	wholeFirst, wholeSecond := [2]OpmaskPhysical{K5, K5}, [2]OpmaskPhysical{K6, K6}
	lastFirst, lastSecond := [2]OpmaskPhysical{K1, K2}, [2]OpmaskPhysical{K3, K4}
	KXNORW(K5, K5, K5)
	KXNORW(K6, K6, K6)
	KMOVW(K1, K3)
	KMOVW(K2, K4)
	none := func(of ...OpmaskPhysical) {
		for _, k := range of {
			KXORW(k, k, k)
		}
	}
	MOVQ(stride, half) // from a pair's first row to its second
	SHLQ(Imm(4), half)
	Label("block")
	MOVQ(U64(16), pairs)
	Label("pair") // terms counts those from the first row of the pair on
	CMPQ(terms, Imm(16))
	JG(LabelRef("two"))
	none(K3, K4, K6)
	CMPQ(terms, Imm(0))
	JG(LabelRef("two"))
	none(K1, K2, K5)
	Label("two")
	MOVQ(source, from)
	LEAQ(Mem{Base: source, Index: half, Scale: 1}, second)
	MOVQ(dst, to)
	param("n", left)
	both := func(first, other [2]OpmaskPhysical) {
		for h := range 2 {
			at := tileRow * h
			VMOVUPS_Z(Mem{Base: from, Disp: at}, first[h], Z0)
			VMOVUPS_Z(Mem{Base: second, Disp: at}, other[h], Z1)
			s.pairs(Mem{Base: to, Disp: at}, panelTile)
		}
	}
	SUBQ(Imm(32), left)
	JLE(LabelRef("last"))
	Label("whole")
	both(wholeFirst, wholeSecond)
	ADDQ(U32(128), from)
	ADDQ(U32(128), second)
	ADDQ(panel, to)
	SUBQ(Imm(32), left)
	JG(LabelRef("whole"))
	Label("last")
	both(lastFirst, lastSecond)
	ADDQ(stride, source)
	ADDQ(U32(panelRow), dst)
	DECQ(terms)
	DECQ(pairs)
	JNZ(LabelRef("pair"))
	ADDQ(half, source)
	ADDQ(U32((splitParts-1)*panelTile), dst)
	SUBQ(Imm(16), terms)
	JG(LabelRef("block"))
	VZEROUPPER()
	RET()
}

// configureTiles makes all tiles 16 rows of 64 bytes. tmp is lost.
func configureTiles(tmp GPPhysical) {
	table, ok := floats[tileConfig]
	if !ok {
		table = GLOBL(tileConfig, RODATA|NOPTR)
		bytes := make([]byte, 64)
		bytes[0] = 1 // palette
		for t := range tilesTotal {
			bytes[16+2*t], bytes[48+t] = tileRow, 16
		}
		for i, b := range bytes {
			DATA(i, U8(b))
		}
		floats[tileConfig] = table
	}
	LEAQ(table, tmp)
	vexMemory(prefixNone, 0x49, 0, tmp, nil, 0)
}

// prefixNone is no mandatory prefix.
const prefixNone = 0

func tileRelease()    { vex(prefixNone, 0x49, 15, 3<<6) }
func tileZero(t tile) { vex(prefixF2, 0x49, 15, 3<<6|byte(t)<<3) }

// tileLoad and tileStore move a tile from and to rows that are stride bytes apart.
func tileLoad(t tile, base, stride GPPhysical, disp int) {
	vexMemory(prefixF2, 0x4b, byte(t), base, stride, disp)
}

func tileStore(t tile, base, stride GPPhysical, disp int) {
	vexMemory(prefixF3, 0x4b, byte(t), base, stride, disp)
}

// tdpbf16ps adds the products of the pairs of a's rows and b's columns to sum.
func tdpbf16ps(sum, a, b tile) { vex(prefixF3, 0x5c, ^byte(b)&15, 3<<6|byte(sum)<<3|byte(a)) }

// vex emits an instruction of map 0F38 on tiles; v is the second source, inverted. Neither
// Go's assembler nor avo knows AMX.
func vex(prefix, opcode, v, modrm byte) {
	rawBytes(0xc4, 0xe2, v<<3|prefix, opcode, modrm)
}

// vexMemory emits one of map 0F38 on a tile and memory at base + disp, in rows that are index
// bytes apart; without index there are none.
func vexMemory(prefix, opcode, t byte, base, index GPPhysical, disp int) {
	b, x, i := byte(base.PhysicalIndex()), byte(4), byte(0)
	if index != nil {
		x = byte(index.PhysicalIndex())
		i = x >> 3
	}
	d := uint32(disp)
	rawBytes(0xc4, 1<<7|(^i&1)<<6|(^(b>>3)&1)<<5|2, 15<<3|prefix, opcode,
		2<<6|t<<3|4, x&7<<3|b&7, byte(d), byte(d>>8), byte(d>>16), byte(d>>24))
}

// rawBytes emits bytes.
func rawBytes(bytes ...byte) {
	for ; len(bytes) >= 4; bytes = bytes[4:] {
		raw("LONG", U32(binary.LittleEndian.Uint32(bytes)))
	}
	if len(bytes) >= 2 {
		raw("WORD", U16(binary.LittleEndian.Uint16(bytes)))
		bytes = bytes[2:]
	}
	for _, b := range bytes {
		raw("BYTE", U8(b))
	}
}
