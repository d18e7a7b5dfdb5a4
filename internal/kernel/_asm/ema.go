package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// The family ema holds the scans of the moving average. A kernel takes a block
// of at most 64 steps of a group of 16 channels, one register of channels (a
// strip) after the other: all of a group in AVX-512, half of it in AVX2. Within
// a strip it takes the states in tiles of as many as fit the registers, through
// all of the block's steps: the averages live in registers and nothing but the
// rows of x and y moves. The first tile reads those where they are, a row to a
// cache line, and leaves them packed in scratch memory for the other tiles.
//
// Arguments come in the structures of ema_block.go, whose offsets are below.
func init() {
	families["ema"] = func() {
		for _, s := range []emaSet{{"AVX2", Y}, {"AVX512", Z}} {
			s.emitScan()
			s.emitStep()
			s.emitGradient()
			s.emitDot()
			s.emitDecay()
		}
		emitCopy()
	}
}

// Offsets in emaScan, emaGradient and emaDot. The three begin alike.
const (
	emaSteps, emaLanes, emaPlain, emaLagged, emaHalf = 0, 8, 16, 24, 32
	emaX, emaLag                                     = 40, 80 // rows
	emaDecay, emaDrift, emaLagDecay                  = 120, 144, 168
	emaScratch                                       = 192

	emaAheadX, emaAheadY                     = 216, 224
	emaAheadLeft, emaAheadLines, emaAheadGap = 232, 240, 248

	emaFrom, emaY                 = 256, 296 // rows, of emaScan
	emaScale, emaOutput, emaState = 336, 360, 384

	emaDS                                 = 256 // rows, of emaGradient
	emaLagSlope, emaG, emaW, emaDC, emaDQ = 296, 320, 344, 368, 392

	emaDotX, emaDotDS, emaDotSum = 16, 56, 96 // of emaDot
)

// An emaSet is an instruction set: the suffix of its functions and its registers.
type emaSet struct {
	name string
	v    []VecPhysical
}

// The general registers that all kernels of the family use alike.
var (
	emaArgs  = RDI // the arguments' structure
	emaStrip = RDX // bytes from the group's first channel to the strip's
	emaTile  = R14 // bytes into the arrays [states][16] to the tile's first vector
	emaLeft  = R15 // plain or lagged states to go, the tile's included
	emaPack  = RSI // the strip in the scratch rows: one operand, and 64 bytes on the other
)

const emaPackStride = 128 // bytes between scratch rows

// bytes is the size of a register.
func (s emaSet) bytes() int { return int(s.v[0].Size()) }

// start begins a kernel over the strips of the group; next ends it.
func (s emaSet) start(name, doc string) {
	TEXT(name+s.name, NOSPLIT, "func(a *byte)")
	Pragma("noescape")
	Doc(name+s.name+" "+doc, "a points to the structure that the generic twin takes.")
	param("a", emaArgs)
	XORQ(emaStrip, emaStrip)
	Label("strip")
}

// next goes on with the next strip, or returns after the last.
func (s emaSet) next() {
	ADDQ(U8(uint8(s.bytes())), emaStrip)
	MOVQ(field(emaLanes), RAX)
	SHLQ(U8(2), RAX)
	CMPQ(emaStrip, RAX)
	JLT(LabelRef("strip"))
	VZEROUPPER()
	RET()
}

// field addresses the word at that offset of the arguments.
func field(offset int) Mem { return Mem{Base: emaArgs, Disp: offset} }

// array loads the address of the tile's first vector in an array [states][16].
func array(offset int, r GPPhysical) {
	MOVQ(field(offset), r)
	ADDQ(emaTile, r)
}

// rows loads the address of the strip in the first of some rows and the bytes
// from one row to the next.
func rows(offset int, at, stride GPPhysical) {
	MOVQ(field(offset), at)
	MOVQ(field(offset+24), stride)
	LEAQ(Mem{Base: at, Index: stride, Scale: 4}, at)
	ADDQ(emaStrip, at)
	MOVQ(field(offset+32), stride)
	SHLQ(U8(2), stride)
}

// ahead asks for the line at each address, of the rows that the task takes next,
// and moves on to the line after it; left counts what is left of the row. Rows
// come from memory too slowly unless they are asked for early, and in the order
// of memory. Of two strips the first asks.
func (s emaSet) ahead(label string, left GPPhysical, addresses ...GPPhysical) {
	if s.bytes() < 64 {
		TESTQ(emaStrip, emaStrip)
		JNZ(LabelRef(label))
	}
	for _, at := range addresses {
		PREFETCHT1(Mem{Base: at})
		ADDQ(U8(64), at)
	}
	DECQ(left)
	JNZ(LabelRef(label))
	for _, at := range addresses {
		ADDQ(field(emaAheadGap), at)
	}
	MOVQ(field(emaAheadLines), left)
	Label(label)
}

// packed loads the address of the strip in the scratch rows.
func packed() {
	MOVQ(field(emaScratch), emaPack)
	ADDQ(emaStrip, emaPack)
}

// loop runs body for each step and moves the pointers on by their strides.
func loop(label string, body func(), pointers ...[2]GPPhysical) {
	Label(label)
	body()
	for _, p := range pointers {
		ADDQ(p[1], p[0])
	}
	ADDQ(U32(emaPackStride), emaPack)
	DECQ(RCX)
	JNZ(LabelRef(label))
}

// tiles runs the tile of the largest of the sizes that is not above emaLeft
// until none is left: tile(k) emits one of k states.
func tiles(prefix string, sizes []int, tile func(k int)) {
	Label(prefix)
	for _, k := range sizes {
		CMPQ(emaLeft, U8(uint8(k)))
		JGE(LabelRef(fmt.Sprint(prefix, k)))
	}
	JMP(LabelRef(prefix + "0"))
	for _, k := range sizes {
		Label(fmt.Sprint(prefix, k))
		tile(k)
		advance(k)
		JMP(LabelRef(prefix))
	}
	Label(prefix + "0")
}

// advance moves on by a tile of k states.
func advance(k int) {
	ADDQ(U32(64*k), emaTile)
	SUBQ(U8(uint8(k)), emaLeft)
}

// drift multiplies each average by 1 + h·drift, h half the number of steps:
// once before a block and once after, it makes up for what rounding the decay
// to float32 loses. offset is the array of drifts, r a free register.
func (s emaSet) drift(averages []VecPhysical, half, r VecPhysical) {
	array(emaDrift, RBX)
	VBROADCASTSS(field(emaHalf), half)
	for i, g := range averages {
		VMULPS(Mem{Base: RBX, Disp: 64 * i}, half, r)
		VFMADD231PS(r, g, g)
	}
}

// load reads a tile's averages from an array and corrects half their drift.
func (s emaSet) load(offset int, averages []VecPhysical, half, r VecPhysical) {
	array(offset, RAX)
	for i, g := range averages {
		VMOVUPS(Mem{Base: RAX, Disp: 64 * i}, g)
	}
	s.drift(averages, half, r)
}

// save corrects the other half, clears averages so small that they would soon
// be denormal, which is slow, and writes them.
func (s emaSet) save(offset int, averages []VecPhysical, half, r VecPhysical) {
	array(offset, RAX)
	s.drift(averages, half, r)
	VBROADCASTSS(float("emaTiny", 0x1p-80), r)
	for i, g := range averages {
		VADDPS(r, g, g)
		VSUBPS(r, g, g)
		VMOVUPS(g, Mem{Base: RAX, Disp: 64 * i})
	}
}

// A tileMode says where a tile's operands come from.
type tileMode int

const (
	firstTile  tileMode = iota // the rows, which it packs
	packedTile                 // the scratch rows
	laggedTile                 // the scratch rows, and the rows a truncation earlier
)

func (s emaSet) emitScan() {
	s.start("emaScan", "runs a block of steps of some averages and adds up their outputs.")
	saved := AllocLocal(16)
	MOVQ(emaStrip, emaTile)
	MOVQ(field(emaPlain), emaLeft)
	sizes := []int{8, 4, 2, 1}
	for _, k := range sizes {
		CMPQ(emaLeft, U8(uint8(k)))
		JGE(LabelRef(fmt.Sprint("first", k)))
	}
	sizes = append([]int{0}, sizes...)
	for _, k := range sizes {
		Label(fmt.Sprint("first", k))
		s.scanTile(k, firstTile, saved)
		advance(k)
		JMP(LabelRef("plain"))
	}
	tiles("plain", sizes[1:], func(k int) { s.scanTile(k, packedTile, saved) })
	MOVQ(field(emaLagged), emaLeft)
	tiles("lagged", []int{4, 1}, func(k int) { s.scanTile(k, laggedTile, saved) })
	s.next()
}

// scanTile emits g ← q·g + x, y ← y + c·g for k states. The last tile of a
// strip writes y to its rows, the others to the scratch rows. saved is memory
// for two registers.
func (s emaSet) scanTile(k int, mode tileMode, saved Mem) {
	t := newScanTile(s.v, k, mode)
	s.load(emaState, t.g, s.v[14], s.v[15])
	rows(emaY, R12, R13)
	packed()
	t.divertY()
	switch mode {
	case firstTile:
		rows(emaX, R8, R9)
		rows(emaFrom, R10, R11)
		MOVQ(field(emaScale), RAX)
		VMOVUPS(Mem{Base: RAX, Index: emaStrip, Scale: 1}, t.scale)
	case packedTile:
		MOVQ(field(emaAheadY), R8)
		MOVQ(field(emaAheadLeft), R9)
	case laggedTile:
		rows(emaLag, R8, R9)
		array(emaLagDecay, R10)
	}
	array(emaDecay, RAX)
	array(emaOutput, RBX)
	t.loadCoefficients()
	MOVQ(field(emaSteps), RCX)
	pointers := [][2]GPPhysical{{R12, R13}, {R8, R9}, {R10, R11}}
	used := map[tileMode]int{firstTile: 3, packedTile: 1, laggedTile: 2}[mode]
	if mode == firstTile { // it needs two registers more
		MOVQ(emaTile, saved)
		MOVQ(emaLeft, saved.Offset(8))
		MOVQ(field(emaAheadX), emaTile)
		MOVQ(field(emaAheadLeft), emaLeft)
	}
	loop(fmt.Sprintf("scan%d_%d", mode, k), func() { t.step(s) }, pointers[:used]...)
	if mode == firstTile {
		MOVQ(saved, emaTile)
		MOVQ(saved.Offset(8), emaLeft)
	}
	s.save(emaState, t.g, s.v[14], s.v[15])
}

// A scanTile names the registers of a tile: averages, this step's input, one or
// two partial sums of its output, and coefficients as far as there is room.
type scanTile struct {
	k     int
	mode  tileMode
	g     []VecPhysical
	x     VecPhysical
	y     []VecPhysical
	scale VecPhysical // of what y starts from; first tile only
	lag   VecPhysical // x a truncation earlier; lagged tile only
	in    VecPhysical // x less what truncation takes off; lagged tile only
	room  []VecPhysical
	q, c  []Op
}

func newScanTile(v []VecPhysical, k int, mode tileMode) *scanTile {
	sums := 1
	if k == 8 {
		sums = 2 // one chain of eight additions is too slow
	}
	t := &scanTile{k: k, mode: mode, g: v[:k], x: v[k], y: v[k+1 : k+1+sums], room: v[k+1+sums:]}
	take := func() VecPhysical {
		r := t.room[0]
		t.room = t.room[1:]
		return r
	}
	switch mode {
	case firstTile:
		t.scale = take()
	case laggedTile:
		t.lag, t.in = take(), take()
	}
	return t
}

// divertY points y at the scratch rows unless this is the strip's last tile.
func (t *scanTile) divertY() {
	label := fmt.Sprintf("last%d_%d", t.mode, t.k)
	MOVQ(emaLeft, RAX)
	if t.mode != laggedTile {
		ADDQ(field(emaLagged), RAX)
	}
	CMPQ(RAX, U8(uint8(t.k)))
	JEQ(LabelRef(label))
	LEAQ(Mem{Base: emaPack, Disp: 64}, R12)
	MOVQ(U32(emaPackStride), R13)
	Label(label)
}

// loadCoefficients fills the remaining registers; other coefficients stay memory
// operands.
func (t *scanTile) loadCoefficients() {
	operand := func(base GPPhysical, i int) Op {
		m := Mem{Base: base, Disp: 64 * i}
		if len(t.room) == 0 {
			return m
		}
		r := t.room[0]
		t.room = t.room[1:]
		VMOVUPS(m, r)
		return r
	}
	for i := range t.k {
		t.q = append(t.q, operand(RAX, i))
		t.c = append(t.c, operand(RBX, i))
	}
}

// step emits one step.
func (t *scanTile) step(s emaSet) {
	if t.mode == firstTile {
		VMOVUPS(Mem{Base: R8}, t.x)
		VMULPS(Mem{Base: R10}, t.scale, t.y[0])
		VMOVUPS(t.x, Mem{Base: emaPack})
	} else {
		VMOVUPS(Mem{Base: emaPack}, t.x)
		VMOVUPS(Mem{Base: emaPack, Disp: 64}, t.y[0])
	}
	switch t.mode {
	case firstTile:
		s.ahead(fmt.Sprint("ahead_first", t.k), emaLeft, emaTile)
	case packedTile:
		s.ahead(fmt.Sprint("ahead_packed", t.k), R9, R8)
	case laggedTile:
		VMOVUPS(Mem{Base: R8}, t.lag)
	}
	for i, g := range t.g {
		if t.mode == laggedTile {
			VMOVUPS(Mem{Base: R10, Disp: 64 * i}, t.in)
			VFNMADD213PS(t.x, t.lag, t.in) // in = x − q^K·lag
			VFMADD132PS(t.q[i], t.in, g)
			continue
		}
		VFMADD132PS(t.q[i], t.x, g)
	}
	for i, g := range t.g {
		if y := t.y[i%len(t.y)]; i == 0 || i >= len(t.y) {
			VFMADD231PS(t.c[i], g, y)
		} else {
			VMULPS(t.c[i], g, y)
		}
	}
	for _, y := range t.y[1:] {
		VADDPS(y, t.y[0], t.y[0])
	}
	VMOVUPS(t.y[0], Mem{Base: R12})
}

// emitStep emits the kernel for a few steps, where a correction of the averages
// before and after would be lost in rounding: each step adds drift·q·g to x.
// All states are plain.
func (s emaSet) emitStep() {
	s.start("emaStep", "is emaScan for a few steps without truncation.")
	rows(emaX, R8, R9)
	rows(emaFrom, R10, R11)
	rows(emaY, R12, R13)
	MOVQ(field(emaSteps), RCX)
	x, y, g, q, u := s.v[0], s.v[1], s.v[2], s.v[3], s.v[4]
	Label("step")
	MOVQ(emaStrip, emaTile)
	array(emaDecay, RAX)
	array(emaOutput, RBX)
	array(emaState, RSI)
	MOVQ(field(emaDrift), R14)
	ADDQ(emaStrip, R14)
	MOVQ(field(emaScale), R15)
	VMOVUPS(Mem{Base: R8}, x)
	VMOVUPS(Mem{Base: R15, Index: emaStrip, Scale: 1}, y)
	VMULPS(Mem{Base: R10}, y, y)
	MOVQ(field(emaPlain), R15)
	Label("state")
	VMOVUPS(Mem{Base: RSI}, g)
	VMOVUPS(Mem{Base: RAX}, q)
	VMULPS(g, q, u)
	VFMADD132PS(Mem{Base: R14}, x, u)
	VFMADD213PS(u, q, g)
	VMOVUPS(g, Mem{Base: RSI})
	VFMADD231PS(Mem{Base: RBX}, g, y)
	for _, r := range []GPPhysical{RAX, RBX, RSI, R14} {
		ADDQ(U8(64), r)
	}
	DECQ(R15)
	JNZ(LabelRef("state"))
	VMOVUPS(y, Mem{Base: R12})
	ADDQ(R9, R8)
	ADDQ(R11, R10)
	ADDQ(R13, R12)
	DECQ(RCX)
	JNZ(LabelRef("step"))
	s.next()
}

func (s emaSet) emitGradient() {
	s.start("emaGradient", "runs a block of steps of some averages and of their derivatives by the decay, and adds up their products with ds.")
	MOVQ(emaStrip, emaTile)
	MOVQ(field(emaPlain), emaLeft)
	sizes := []int{3, 2, 1}
	for _, k := range sizes {
		CMPQ(emaLeft, U8(uint8(k)))
		JGE(LabelRef(fmt.Sprint("first", k)))
	}
	sizes = append([]int{0}, sizes...)
	for _, k := range sizes {
		Label(fmt.Sprint("first", k))
		s.gradientTile(k, firstTile)
		advance(k)
		JMP(LabelRef("plain"))
	}
	tiles("plain", sizes[1:], func(k int) { s.gradientTile(k, packedTile) })
	MOVQ(field(emaLagged), emaLeft)
	tiles("lagged", []int{2, 1}, func(k int) { s.gradientTile(k, laggedTile) })
	s.next()
}

// gradientTile emits w ← q·w + g, g ← q·g + x, dc ← dc + ds·g, dq ← dq + ds·w
// for k states, at most three: fifteen registers.
func (s emaSet) gradientTile(k int, mode tileMode) {
	t := &gradientTile{mode: mode, g: s.v[:k], w: s.v[k : 2*k], q: s.v[2*k : 3*k], dc: s.v[3*k : 4*k], dq: s.v[4*k : 5*k], ds: s.v[15]}
	t.lag, t.in = s.v[13], s.v[14] // lagged tiles have two states
	s.load(emaG, t.g, s.v[14], s.v[15])
	s.load(emaW, t.w, s.v[14], s.v[15])
	array(emaDecay, RAX)
	for i := range k {
		VMOVUPS(Mem{Base: RAX, Disp: 64 * i}, t.q[i])
		VXORPS(t.dc[i], t.dc[i], t.dc[i])
		VXORPS(t.dq[i], t.dq[i], t.dq[i])
	}
	packed()
	var pointers [][2]GPPhysical
	switch mode {
	case firstTile:
		rows(emaX, R8, R9)
		rows(emaDS, R10, R11)
		MOVQ(field(emaAheadX), R12)
		MOVQ(field(emaAheadY), R13)
		MOVQ(field(emaAheadLeft), RAX)
		pointers = [][2]GPPhysical{{R8, R9}, {R10, R11}}
	case laggedTile:
		rows(emaLag, R8, R9)
		array(emaLagDecay, R10)
		array(emaLagSlope, R11)
		pointers = [][2]GPPhysical{{R8, R9}}
	}
	MOVQ(field(emaSteps), RCX)
	loop(fmt.Sprintf("gradient%d_%d", mode, k), func() { t.step(s) }, pointers...)
	s.addWide(emaDC, t.dc)
	s.addWide(emaDQ, t.dq)
	s.save(emaG, t.g, s.v[14], s.v[15])
	s.save(emaW, t.w, s.v[14], s.v[15])
}

// A gradientTile names the registers of a tile of the gradient.
type gradientTile struct {
	mode            tileMode
	g, w, q, dc, dq []VecPhysical
	ds, lag, in     VecPhysical
}

// step emits one step.
func (t *gradientTile) step(s emaSet) {
	x := Mem{Base: emaPack}
	if t.mode == firstTile {
		x = Mem{Base: R8}
		VMOVUPS(x, t.ds)
		VMOVUPS(t.ds, Mem{Base: emaPack})
		VMOVUPS(Mem{Base: R10}, t.ds)
		VMOVUPS(t.ds, Mem{Base: emaPack, Disp: 64})
		s.ahead(fmt.Sprint("ahead", len(t.g)), RAX, R12, R13)
	} else {
		VMOVUPS(Mem{Base: emaPack, Disp: 64}, t.ds)
	}
	if t.mode == laggedTile {
		VMOVUPS(Mem{Base: R8}, t.lag)
	}
	for i := range t.g {
		VFMADD132PS(t.q[i], t.g[i], t.w[i])
		if t.mode == laggedTile {
			VFNMADD231PS(Mem{Base: R11, Disp: 64 * i}, t.lag, t.w[i])
			VMOVUPS(Mem{Base: R10, Disp: 64 * i}, t.in)
			VFNMADD213PS(x, t.lag, t.in)
			VFMADD132PS(t.q[i], t.in, t.g[i])
		} else {
			VFMADD213PS(x, t.q[i], t.g[i])
		}
		VFMADD231PS(t.ds, t.w[i], t.dq[i])
		VFMADD231PS(t.ds, t.g[i], t.dc[i])
	}
}

// addWide adds sums to an array [states][16] of float64. It loses the sums and
// register 15.
func (s emaSet) addWide(offset int, sums []VecPhysical) {
	MOVQ(field(offset), RAX)
	LEAQ(Mem{Base: RAX, Index: emaTile, Scale: 2}, RAX)
	for i, sum := range sums {
		s.addWideTo(Mem{Base: RAX, Disp: 128 * i}, sum, s.v[15])
	}
}

// addWideTo adds a sum to as many float64s at m. It loses the sum and r.
func (s emaSet) addWideTo(m Mem, sum, r VecPhysical) {
	for half := range 2 {
		at := m.Offset(half * s.bytes())
		if s.bytes() == 64 {
			VCVTPS2PD(sum.AsY(), r)
		} else {
			VCVTPS2PD(sum.AsX(), r)
		}
		VADDPD(at, r, r)
		VMOVUPD(r, at)
		switch {
		case half == 1:
		case s.bytes() == 64:
			VEXTRACTF64X4(U8(1), sum, sum.AsY())
		default:
			VEXTRACTF128(U8(1), sum, sum.AsX())
		}
	}
}

func (s emaSet) emitDot() {
	s.start("emaDot", "adds Σ ds·x over a block of steps to the float64 sums of each channel.")
	rows(emaDotX, R8, R9)
	rows(emaDotDS, R10, R11)
	MOVQ(field(emaSteps), RCX)
	sums := s.v[:4] // four steps at once, so that additions need not wait
	for _, sum := range sums {
		VXORPS(sum, sum, sum)
	}
	step := func(sum VecPhysical) {
		VMOVUPS(Mem{Base: R8}, s.v[4])
		VFMADD231PS(Mem{Base: R10}, s.v[4], sum)
		ADDQ(R9, R8)
		ADDQ(R11, R10)
	}
	JMP(LabelRef("four"))
	Label("steps")
	for _, sum := range sums {
		step(sum)
	}
	Label("four")
	SUBQ(U8(4), RCX)
	JGE(LabelRef("steps"))
	ADDQ(U8(4), RCX)
	JZ(LabelRef("sum"))
	Label("single")
	step(sums[0])
	DECQ(RCX)
	JNZ(LabelRef("single"))
	Label("sum")
	VADDPS(sums[1], sums[0], sums[0])
	VADDPS(sums[3], sums[2], sums[2])
	VADDPS(sums[2], sums[0], sums[0])
	MOVQ(field(emaDotSum), RAX)
	LEAQ(Mem{Base: RAX, Index: emaStrip, Scale: 2}, RAX)
	s.addWideTo(Mem{Base: RAX}, sums[0], s.v[4])
	s.next()
}

// emitCopy emits the copying of rows that do not fill their registers: two moves
// a row, the largest that fit, which overlap.
func emitCopy() {
	TEXT("emaCopyAVX2", NOSPLIT, "func(n, lanes int, to *float32, toStride int, from *float32, fromStride int)")
	Pragma("noescape")
	Doc("emaCopyAVX2 copies n rows of 1 to 16 lanes. Strides are in bytes.")
	n, lanes := param("n", RCX), param("lanes", RAX)
	to, toStride := param("to", RDI), param("toStride", RDX)
	from, fromStride := param("from", RSI), param("fromStride", RBX)
	moves := []struct {
		lanes     int
		move      func(...Op)
		low, high Op
	}{{8, VMOVUPS, Y0, Y1}, {4, VMOVUPS, X0, X1}, {2, VMOVSD, X0, X1}, {1, VMOVSS, X0, X1}}
	for _, m := range moves[:3] {
		CMPQ(lanes, U8(uint8(m.lanes)))
		JGE(LabelRef(fmt.Sprint("copy", m.lanes)))
	}
	for i := range moves {
		m := moves[len(moves)-1-i]
		Label(fmt.Sprint("copy", m.lanes))
		SUBQ(U8(uint8(m.lanes)), lanes)
		SHLQ(U8(2), lanes)
		loop := fmt.Sprint("row", m.lanes)
		Label(loop)
		m.move(Mem{Base: from}, m.low)
		m.move(Mem{Base: from, Index: lanes, Scale: 1}, m.high)
		m.move(m.low, Mem{Base: to})
		m.move(m.high, Mem{Base: to, Index: lanes, Scale: 1})
		ADDQ(fromStride, from)
		ADDQ(toStride, to)
		DECQ(n)
		JNZ(LabelRef(loop))
		VZEROUPPER()
		RET()
	}
}
