package main

import (
	"fmt"
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// The scans of the moving average for arm64: ema.go says what they do, and how the
// arguments lie. A strip is one register of four channels.
//
// A multiply-add of ARM overwrites the number that it adds to. So g ← q·g + x begins
// with x in a new register, loaded from the first-level cache, since a move would take
// a unit that multiplies. Averages thus wander through their registers, and come
// back after a period of steps, which a turn of the loop takes; the steps that are
// left move them back one by one.
func init() {
	families["ema_arm64"] = func() {
		e := newNEONScan("emaScan", "runs a block of steps of some averages and adds up their outputs.")
		e.scan()
		e = newNEONScan("emaStep", "is emaScan for a few steps without truncation.")
		e.fewSteps()
		e = newNEONScan("emaGradient", "runs a block of steps of some averages and of their derivatives by the decay, and adds up their products with ds.")
		e.gradient()
		e = newNEONScan("emaDot", "adds Σ ds·x over a block of steps to the float64 sums of each channel.")
		e.dot()
		emitDecayNEON()
		emitCopyNEON()
	}
}

const neonStripBytes = 16 // bytes of a strip

// A neonScan emits one kernel of the family; its registers are those that all of
// them use alike.
type neonScan struct {
	args  GPVirtual // the arguments' structure
	strip GPVirtual // bytes from the group's first channel to the strip's
	tile  GPVirtual // bytes into the arrays [states][16] to the tile's first vector
	left  GPVirtual // plain or lagged states to go, the tile's included
	pack  GPVirtual // the strip in the scratch rows: one operand, and 64 bytes on the other
	steps GPVirtual // to go
}

func newNEONScan(name, doc string) *neonScan {
	name += "NEON"
	armText(name, "func(a *byte)", name+" "+doc+" a points to the structure that the generic twin takes.")
	e := &neonScan{args: GP64(), strip: GP64(), tile: GP64(), left: GP64(), pack: GP64(), steps: GP64()}
	armParam("a", e.args)
	armMove("MOVD", U8(0), e.strip)
	neon.Label("strip")
	return e
}

// next goes on with the next strip, or returns after the last.
func (e *neonScan) next() {
	lanes := e.field(emaLanes)
	armAdd(Imm(neonStripBytes), e.strip)
	armGP("LSL", Imm(2), lanes, lanes)
	armCompare(e.strip, lanes)
	armBranch("BLT", "strip")
	armReturn()
}

// load loads the word at that offset of the arguments.
func (e *neonScan) load(offset int, r Op) { armMove("MOVD", Mem{Base: e.args, Disp: offset}, r) }

func (e *neonScan) field(offset int) GPVirtual {
	r := GP64()
	e.load(offset, r)
	return r
}

// array returns the address of the tile's first vector in an array [states][16].
func (e *neonScan) array(offset int) GPVirtual {
	r := e.field(offset)
	armAdd(e.tile, r)
	return r
}

// A neonRow is where a row of the strip begins, and the bytes to the next row's.
type neonRow struct{ at, stride GPVirtual }

// rows returns the first of some rows.
func (e *neonScan) rows(offset int) neonRow {
	first, stride := e.field(offset+24), e.field(offset+32)
	r := neonRow{e.field(offset), stride}
	sum4 := GP64()
	armGP("LSL", Imm(2), first, sum4)
	armAdd(sum4, r.at)
	armAdd(e.strip, r.at)
	armGP("LSL", Imm(2), stride, stride)
	return r
}

// packed sets e.pack.
func (e *neonScan) packed() {
	e.load(emaScratch, e.pack)
	armAdd(e.strip, e.pack)
}

// loadStates loads vectors that are a state apart.
func loadStates(from GPVirtual, v []VecPhysical) {
	for i, r := range v {
		armMove("FMOVQ", Mem{Base: from, Disp: 64 * i}, r)
	}
}

// drift multiplies each average by 1 + h·drift (see emaSet.drift). t are two free
// registers.
func (e *neonScan) drift(averages []VecPhysical, t [2]VecPhysical) {
	drift := e.array(emaDrift)
	armMove("FMOVS", Mem{Base: e.args, Disp: emaHalf}, t[0])
	arm("dup.4s", t[0], t[0])
	for i, g := range averages {
		armMove("FMOVQ", Mem{Base: drift, Disp: 64 * i}, t[1])
		arm("fmul.4s", t[1], t[1], t[0])
		armInto("fmla.4s", g, t[1], g)
	}
}

// start reads a tile's averages and corrects half their drift, save corrects the
// other half, clears those soon to be denormal and writes them.
func (e *neonScan) start(offset int, averages []VecPhysical, t [2]VecPhysical) {
	loadStates(e.array(offset), averages)
	e.drift(averages, t)
}

func (e *neonScan) save(offset int, averages []VecPhysical, t [2]VecPhysical) {
	e.drift(averages, t)
	to := e.array(offset)
	armMove(armAddress, armConstantTable(), scratch)
	armMove("FMOVQ", armWord(scratch, math.Float32bits(0x1p-80)), t[0])
	for i, g := range averages {
		arm("fadd.4s", g, g, t[0])
		arm("fsub.4s", g, g, t[0])
		armMove("FMOVQ", g, Mem{Base: to, Disp: 64 * i})
	}
}

// tiles runs the tile of the largest of the sizes that is not above e.left until
// none is left: tile(k) emits one of k states.
func (e *neonScan) tiles(prefix string, sizes []int, tile func(k int)) {
	neon.Label(prefix)
	for _, k := range sizes {
		armCompare(e.left, Imm(uint64(k)))
		armBranch("BGE", fmt.Sprint(prefix, k))
	}
	armBranch("JMP", prefix+"0")
	for _, k := range sizes {
		neon.Label(fmt.Sprint(prefix, k))
		tile(k)
		e.advance(k)
		armBranch("JMP", prefix)
	}
	neon.Label(prefix + "0")
}

// advance moves on by a tile of k states.
func (e *neonScan) advance(k int) {
	armAdd(Imm(uint64(64*k)), e.tile)
	armGP("SUB", Imm(uint64(k)), e.left, e.left)
}

// states begins with a tile in mode firstTile, of one of the sizes or of none, and
// goes on with tiles of packed and of lagged states.
func (e *neonScan) states(sizes, laggedSizes []int, tile func(k int, mode tileMode)) {
	armMove("MOVD", e.strip, e.tile)
	e.load(emaPlain, e.left)
	for _, k := range sizes {
		armCompare(e.left, Imm(uint64(k)))
		armBranch("BGE", fmt.Sprint("first", k))
	}
	for _, k := range append([]int{0}, sizes...) {
		neon.Label(fmt.Sprint("first", k))
		tile(k, firstTile)
		e.advance(k)
		armBranch("JMP", "plain")
	}
	e.tiles("plain", sizes, func(k int) { tile(k, packedTile) })
	e.load(emaLagged, e.left)
	e.tiles("lagged", laggedSizes, func(k int) { tile(k, laggedTile) })
	e.next()
}

// loop runs body for each step: for a period of them a turn, numbered by s from the
// first, then for one at a time, after which home brings registers back. moves are
// advanced after each step.
func (e *neonScan) loop(label string, period int, body func(s int), home func(), moves ...neonRow) {
	e.load(emaSteps, e.steps)
	step := func(s int) {
		body(s)
		for _, r := range moves {
			armAdd(r.stride, r.at)
		}
	}
	armCompare(e.steps, Imm(uint64(period)))
	armBranch("BLT", label+"rest")
	neon.Label(label)
	for s := range period {
		step(s)
	}
	armAdd(Imm(uint64(period*emaPackStride)), e.pack)
	armGP("SUB", Imm(uint64(period)), e.steps, e.steps)
	armCompare(e.steps, Imm(uint64(period)))
	armBranch("BGE", label)
	neon.Label(label + "rest")
	armBranch("CBZ", label+"end", e.steps)
	neon.Label(label + "one")
	step(0)
	home()
	armAdd(Imm(emaPackStride), e.pack)
	armCount(e.steps, label+"one")
	neon.Label(label + "end")
}

func (e *neonScan) scan() { e.states([]int{8, 4, 2, 1}, []int{4, 1}, e.scanTile) }

// scanTile emits g ← q·g + x, y ← y + c·g for k states. The last tile of a strip
// writes y to its rows, the others to the scratch rows.
func (e *neonScan) scanTile(k int, mode tileMode) {
	// Of k+1 registers one is free: average i goes to the one that average i-1
	// leaves.
	g, q, c := Z[:k+1], Z[9:][:k], Z[17:][:k]
	y, scale, lag, lagDecay := Z[25], Z[26], Z[27], Z[28:][:min(k, 4)]
	label := fmt.Sprintf("scan%d_%d", mode, k)
	e.start(emaState, g[:k], [2]VecPhysical{Z[25], Z[26]})
	e.packed()
	to := e.outputs(k, mode)
	moves := []neonRow{to}
	var x, from neonRow
	switch mode {
	case firstTile:
		x, from = e.rows(emaX), e.rows(emaFrom)
		moves = append(moves, x, from)
		arm("ldr.q", scale, e.field(emaScale), e.strip)
	case laggedTile:
		x = e.rows(emaLag) // what is a truncation earlier
		moves = append(moves, x)
		loadStates(e.array(emaLagDecay), lagDecay)
	}
	loadStates(e.array(emaDecay), q)
	loadStates(e.array(emaOutput), c)
	period := k + 1
	body := func(s int) {
		in := Mem{Base: e.pack, Disp: emaPackStride * s}
		switch mode {
		case firstTile:
			armMove("FMOVQ", Mem{Base: from.at}, y)
			arm("fmul.4s", y, y, scale)
		case laggedTile:
			armMove("FMOVQ", Mem{Base: x.at}, lag)
			fallthrough
		default:
			armMove("FMOVQ", in.Offset(64), y)
		}
		if mode == firstTile && k == 0 { // nothing but the packing
			armMove("FMOVQ", Mem{Base: x.at}, g[0])
			armMove("FMOVQ", g[0], in)
		}
		for i := range k {
			// Before step s, average i is in register (i-s) mod period.
			now, next := g[(i-s+2*period)%period], g[(i-s-1+2*period)%period]
			if mode == firstTile {
				armMove("FMOVQ", Mem{Base: x.at}, next)
				if i == 0 {
					armMove("FMOVQ", next, in)
				}
			} else {
				armMove("FMOVQ", in, next)
			}
			if mode == laggedTile {
				armInto("fmls.4s", next, lagDecay[i], lag)
			}
			armInto("fmla.4s", next, q[i], now)
			armInto("fmla.4s", y, c[i], next)
		}
		armMove("FMOVQ", y, Mem{Base: to.at})
	}
	home := func() { // average i is in register i-1, the first in the last
		arm("mov", y, g[k], g[k])
		for i := k; i > 0; i-- {
			arm("mov", g[i], g[i-1], g[i-1])
		}
		arm("mov", g[0], y, y)
	}
	e.loop(label, period, body, home, moves...)
	e.save(emaState, g[:k], [2]VecPhysical{Z[25], Z[26]})
}

// outputs returns the rows that y goes to: the scratch rows unless this is the
// strip's last tile.
func (e *neonScan) outputs(k int, mode tileMode) neonRow {
	to := e.rows(emaY)
	label := fmt.Sprintf("last%d_%d", mode, k)
	states := GP64()
	armMove("MOVD", e.left, states)
	if mode != laggedTile {
		armAdd(e.field(emaLagged), states)
	}
	armCompare(states, Imm(uint64(k)))
	armBranch("BEQ", label)
	armGP("ADD", Imm(64), e.pack, to.at)
	armMove("MOVD", Imm(emaPackStride), to.stride)
	neon.Label(label)
	return to
}

// fewSteps emits the kernel for a few steps, where a correction of the averages
// before and after would be lost in rounding: each step adds drift·q·g to x. All
// states are plain.
func (e *neonScan) fewSteps() {
	x, from, to := e.rows(emaX), e.rows(emaFrom), e.rows(emaY)
	e.load(emaSteps, e.steps)
	y, g, q, t, next := Z[0], Z[1], Z[2], Z[3], Z[4]
	at := GP64() // bytes into the arrays [states][16]
	neon.Label("step")
	armMove("MOVD", e.strip, at)
	arm("ldr.q", t, e.field(emaScale), e.strip)
	armMove("FMOVQ", Mem{Base: from.at}, y)
	arm("fmul.4s", y, y, t)
	e.load(emaPlain, e.left)
	neon.Label("state")
	array := func(offset int, r VecPhysical) {
		e.load(offset, scratch)
		arm("ldr.q", r, scratch, at)
	}
	array(emaState, g)
	array(emaDecay, q)
	arm("fmul.4s", g, q, g)
	array(emaDrift, t)
	armMove("FMOVQ", Mem{Base: x.at}, next)
	armInto("fmla.4s", next, g, t)
	array(emaState, g)
	armInto("fmla.4s", next, q, g)
	e.load(emaState, scratch)
	armRead("str.q", next, scratch, at)
	array(emaOutput, t)
	armInto("fmla.4s", y, t, next)
	armAdd(Imm(64), at)
	armCount(e.left, "state")
	armMove("FMOVQ", y, Mem{Base: to.at})
	for _, r := range []neonRow{x, from, to} {
		armAdd(r.stride, r.at)
	}
	armCount(e.steps, "step")
	e.next()
}

func (e *neonScan) gradient() { e.states([]int{4, 2, 1}, []int{2, 1}, e.gradientTile) }

// gradientTile emits w ← q·w + g, g ← q·g + x, dc ← dc + ds·g, dq ← dq + ds·w for k
// states. An average, its derivative and a free register change places: the new g
// goes to the free one, the new w to where g was, and w's becomes free.
func (e *neonScan) gradientTile(k int, mode tileMode) {
	const period = 3
	place := func(which, s, i int) VecPhysical { // of g, w and the free register before step s
		return Z[3*i+(which-s+2*period)%period]
	}
	q, dc, dq, lagDecay, lagSlope := Z[12:][:k], Z[16:][:k], Z[20:][:k], Z[24:][:min(k, 2)], Z[26:][:min(k, 2)]
	ds, lag, t := Z[30], Z[31], [2]VecPhysical{Z[28], Z[29]}
	var g, w []VecPhysical
	for i := range k {
		g, w = append(g, place(0, 0, i)), append(w, place(1, 0, i))
	}
	e.start(emaG, g, t)
	e.start(emaW, w, t)
	loadStates(e.array(emaDecay), q)
	for i := range k {
		arm("zero", dc[i])
		arm("zero", dq[i])
	}
	e.packed()
	var moves []neonRow
	var x, rowDS neonRow
	switch mode {
	case firstTile:
		x, rowDS = e.rows(emaX), e.rows(emaDS)
		moves = []neonRow{x, rowDS}
	case laggedTile:
		x = e.rows(emaLag) // what is a truncation earlier
		moves = []neonRow{x}
		loadStates(e.array(emaLagDecay), lagDecay)
		loadStates(e.array(emaLagSlope), lagSlope)
	}
	body := func(s int) {
		in := Mem{Base: e.pack, Disp: emaPackStride * s}
		switch mode {
		case firstTile:
			armMove("FMOVQ", Mem{Base: x.at}, lag)
			armMove("FMOVQ", lag, in)
			armMove("FMOVQ", Mem{Base: rowDS.at}, ds)
			armMove("FMOVQ", ds, in.Offset(64))
		case laggedTile:
			armMove("FMOVQ", Mem{Base: x.at}, lag)
			fallthrough
		default:
			armMove("FMOVQ", in.Offset(64), ds)
		}
		for i := range k {
			g, w, next := place(0, s, i), place(1, s, i), place(2, s, i)
			if mode == firstTile {
				armMove("FMOVQ", Mem{Base: x.at}, next)
			} else {
				armMove("FMOVQ", in, next)
			}
			if mode == laggedTile {
				armInto("fmls.4s", next, lagDecay[i], lag)
			}
			armInto("fmla.4s", next, q[i], g)
			armInto("fmla.4s", g, q[i], w)
			if mode == laggedTile {
				armInto("fmls.4s", g, lagSlope[i], lag)
			}
			armInto("fmla.4s", dq[i], ds, g)
			armInto("fmla.4s", dc[i], ds, next)
		}
	}
	home := func() {
		for i := range k {
			g, w, next := place(0, 0, i), place(1, 0, i), place(2, 0, i)
			arm("mov", w, g, g)
			arm("mov", g, next, next)
		}
	}
	e.loop(fmt.Sprintf("gradient%d_%d", mode, k), period, body, home, moves...)
	e.addWide(emaDC, dc, t)
	e.addWide(emaDQ, dq, t)
	e.save(emaG, g, t)
	e.save(emaW, w, t)
}

// addWide adds sums to an array [states][16] of float64.
func (e *neonScan) addWide(offset int, sums []VecPhysical, t [2]VecPhysical) {
	to := e.field(offset)
	twice := GP64()
	armGP("LSL", Imm(1), e.tile, twice)
	armAdd(twice, to)
	for i, sum := range sums {
		addWideTo(Mem{Base: to, Disp: 128 * i}, sum, t)
	}
}

// addWideTo adds a sum to as many float64s at m.
func addWideTo(m Mem, sum VecPhysical, t [2]VecPhysical) {
	for half, widen := range []string{"fcvtl", "fcvtl2"} {
		at := m.Offset(16 * half)
		arm(widen, t[0], sum)
		armMove("FMOVQ", at, t[1])
		arm("fadd.2d", t[0], t[0], t[1])
		armMove("FMOVQ", t[0], at)
	}
}

func (e *neonScan) dot() {
	x, ds := e.rows(emaDotX), e.rows(emaDotDS)
	e.load(emaSteps, e.steps)
	sums := Z[:4] // four steps at once, so that additions need not wait
	for _, sum := range sums {
		arm("zero", sum)
	}
	step := func(sum VecPhysical) {
		armMove("FMOVQ", Mem{Base: x.at}, Z[4])
		armMove("FMOVQ", Mem{Base: ds.at}, Z[5])
		armInto("fmla.4s", sum, Z[4], Z[5])
		armAdd(x.stride, x.at)
		armAdd(ds.stride, ds.at)
	}
	armCompare(e.steps, Imm(4))
	armBranch("BLT", "rest")
	neon.Label("steps")
	for _, sum := range sums {
		step(sum)
	}
	armGP("SUB", Imm(4), e.steps, e.steps)
	armCompare(e.steps, Imm(4))
	armBranch("BGE", "steps")
	neon.Label("rest")
	armBranch("CBZ", "sum", e.steps)
	neon.Label("single")
	step(sums[0])
	armCount(e.steps, "single")
	neon.Label("sum")
	arm("fadd.4s", sums[0], sums[0], sums[1])
	arm("fadd.4s", sums[2], sums[2], sums[3])
	arm("fadd.4s", sums[0], sums[0], sums[2])
	to, twice := e.field(emaDotSum), GP64()
	armGP("LSL", Imm(1), e.strip, twice)
	armAdd(twice, to)
	addWideTo(Mem{Base: to}, sums[0], [2]VecPhysical{Z[4], Z[5]})
	e.next()
}

// emitDecayNEON emits what makes decays of parameters, as emitDecay does, for two
// numbers at once.
func emitDecayNEON() {
	armText("emaDecayNEON", "func(n int, decay, p, a *float64, delta, alpha *float32)",
		"emaDecayNEON sets p = σ(delta), a = σ(alpha) and decay = 1 − p·a, to full relative precision.\nn is a multiple of 2.")
	r := armParams("n", "decay", "p", "a", "delta", "alpha")
	n, decay, p, a, delta, alpha := r[0], r[1], r[2], r[3], r[4], r[5]
	table := GP64()
	armMove(armAddress, armConstantTable(), table)
	number := func(v float64) VecVirtual {
		bits := math.Float64bits(v)
		low, high := uint32(bits), uint32(bits>>32)
		r := ZMM()
		armMove("FMOVQ", armWords(table, [4]uint32{low, high, low, high}), r)
		return r
	}
	neon.Label("columns")
	x := []VecVirtual{ZMM(), ZMM()}
	for j, from := range []GPVirtual{delta, alpha} {
		armMove("FMOVD", Mem{Base: from}, x[j])
		arm("fcvtl", x[j], x[j])
		armAdd(Imm(8), from)
	}
	e := expNegativeNEON(x, number)
	one := number(1)
	sigmoid := []VecVirtual{ZMM(), ZMM()}
	for j := range e {
		d := ZMM()
		arm("fadd.2d", d, e[j], one)
		arm("fdiv.2d", sigmoid[j], one, d)
		arm("fmul.2d", e[j], e[j], sigmoid[j]) // 1 − σ
	}
	armInto("fmla.2d", e[0], e[1], sigmoid[0]) // 1 − p + p (1 − a)
	for _, s := range []struct {
		r  VecVirtual
		to GPVirtual
	}{{sigmoid[0], p}, {sigmoid[1], a}, {e[0], decay}} {
		armMove("FMOVQ", s.r, Mem{Base: s.to})
		armAdd(Imm(16), s.to)
	}
	armGP("SUB", Imm(2), n, n)
	armBranch("CBNZ", "columns", n)
	armReturn()
}

// expNegativeNEON is emaSet.expNegative.
func expNegativeNEON(x []VecVirtual, number func(v float64) VecVirtual) []VecVirtual {
	const degree = 13
	greatest, least := number(700), number(-700)
	shifter, log2 := number(3<<51+1023), number(math.Log2E)
	high, low := number(ln2High), number(ln2Low)
	var sums []VecVirtual
	for _, v := range x {
		n, power := number(3<<51+1023), ZMM()
		arm("fmin.2d", v, v, greatest) // NaN stays
		arm("fmax.2d", v, v, least)
		armInto("fmls.2d", n, log2, v)
		arm("shl.2d", power, n, Imm(52))
		arm("fsub.2d", n, n, shifter)
		armInto("fmla.2d", v, n, high) // −r
		armInto("fmla.2d", v, n, low)
		factorial := -6227020800. // (−1)^k k! of k = 13
		sum := number(1 / factorial)
		for k := degree; k > 0; k-- {
			factorial /= -float64(k)
			term := number(1 / factorial)
			armInto("fmla.2d", term, sum, v)
			sum = term
		}
		result := ZMM()
		arm("fmul.2d", result, sum, power)
		sums = append(sums, result)
	}
	return sums
}

// emitCopyNEON emits the copying of rows that do not fill their registers: two moves
// a row, the largest that fit, which overlap.
func emitCopyNEON() {
	armText("emaCopyNEON", "func(n, lanes int, to *float32, toStride int, from *float32, fromStride int)",
		"emaCopyNEON copies n rows of 1 to 16 lanes. Strides are in bytes.")
	r := armParams("n", "lanes", "to", "toStride", "from", "fromStride")
	n, lanes, to, toStride, from, fromStride := r[0], r[1], r[2], r[3], r[4], r[5]
	highFrom, highTo := GP64(), GP64()
	moves := []struct {
		lanes int
		name  string
	}{{8, "FMOVQ"}, {4, "FMOVQ"}, {2, "FMOVD"}, {1, "FMOVS"}}
	for _, m := range moves[:3] {
		armCompare(lanes, Imm(uint64(m.lanes)))
		armBranch("BGE", fmt.Sprint("copy", m.lanes))
	}
	for i := range moves {
		m := moves[len(moves)-1-i]
		loop := fmt.Sprint("row", m.lanes)
		neon.Label(fmt.Sprint("copy", m.lanes))
		armGP("SUB", Imm(uint64(m.lanes)), lanes, lanes)
		armGP("LSL", Imm(2), lanes, lanes)
		neon.Label(loop)
		armGP("ADD", lanes, from, highFrom)
		armGP("ADD", lanes, to, highTo)
		registers := max(1, m.lanes/4)
		for v := range registers {
			armMove(m.name, Mem{Base: from, Disp: 16 * v}, Z[v])
			armMove(m.name, Mem{Base: highFrom, Disp: 16 * v}, Z[2+v])
		}
		for v := range registers {
			armMove(m.name, Z[v], Mem{Base: to, Disp: 16 * v})
			armMove(m.name, Z[2+v], Mem{Base: highTo, Disp: 16 * v})
		}
		armAdd(fromStride, from)
		armAdd(toStride, to)
		armCount(n, loop)
		armReturn()
	}
}
