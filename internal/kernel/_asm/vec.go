package main

import (
	"fmt"
	"math"
	"slices"
	"strings"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// The family vec holds everything that works on vectors or on rows: sums,
// activations, softmax, norms, gates, the optimiser's step, random numbers.
// Each kernel is described once, over registers of any width, and emitted for all
// three instruction sets.
func init() {
	families["vec"] = emitVec
	families["vec_arm64"] = emitVec
}

func emitVec() {
	for _, set := range instructionSets() {
		emitArithmetic(set)
		emitActivations(set)
		emitGates(set)
		emitReductions(set)
		emitSoftmax(set)
		emitNorms(set)
		emitColumns(set)
		emitRandom(set)
	}
}

// An instructionSet has a name, the suffix of its functions, and a number of
// float32 lanes in a register.
type instructionSet struct {
	name  string
	lanes int
}

// inFlight chooses how many registers are worked on together. AVX-512 and NEON have twice as
// many as AVX2.
func (s instructionSet) inFlight(avx2, avx512, neon int) int {
	return map[string]int{"AVX2": avx2, "AVX512": avx512, "NEON": neon}[s.name]
}

// instructionSets returns those of the architecture at hand.
func instructionSets() []instructionSet {
	if onARM {
		return []instructionSet{{"NEON", 4}}
	}
	return []instructionSet{{"AVX2", 8}, {"AVX512", 16}}
}

// A vec is a run of registers that are worked on together, so that their
// latencies overlap. A vec of one register stands for the same value in each.
type vec []VecVirtual

// A kernel is the function being emitted. Its slices are addressed by one
// common offset, that of the column at hand; rows move the pointers.
type kernel struct {
	instructionSet
	pointers map[string]GPVirtual // by the parameter's name
	scalars  map[string]vec       // broadcast four-byte parameters, by name
	column   GPVirtual            // bytes from the start of the row, in float32s
	flight   int                  // registers in flight: the length of a vec
	partial  bool                 // whether the code at hand is for the row's last few lanes
	maskY    VecVirtual           // AVX2: ones in the lanes that are in use
	maskK    OpmaskVirtual        // AVX-512: the same
	table    GPVirtual            // NEON: the address of the constants
	labels   int
}

// newKernel starts a function of the given name and parameters, written as in
// Go, and loads its pointers, float32s and uint32s. doc is what it computes.
func newKernel(set instructionSet, name, params, result, doc string) *kernel {
	name += set.name
	k := &kernel{instructionSet: set, pointers: map[string]GPVirtual{}, scalars: map[string]vec{}, column: GP64()}
	signature := strings.TrimSpace("func(" + params + ") " + result)
	if onARM {
		armText(name, signature, name+" "+doc)
		k.table = GP64()
		armMove(armAddress, armConstantTable(), k.table)
	} else {
		TEXT(name, NOSPLIT, signature)
		Pragma("noescape")
		Doc(strings.Split(name+" "+doc, "\n")...)
	}
	var names []string
	for _, p := range strings.Split(params, ",") {
		name, kind, typed := strings.Cut(strings.TrimSpace(p), " ")
		names = append(names, name)
		if typed {
			for _, n := range names {
				k.loadParam(n, kind)
			}
			names = nil
		}
	}
	return k
}

// loadParam loads a parameter in the way that its type asks for. Lengths stay in
// memory, where k.param finds them.
func (k *kernel) loadParam(name, kind string) {
	switch {
	case strings.HasPrefix(kind, "*"):
		k.pointers[name] = GP64()
		loadParam(name, k.pointers[name])
	case kind == "float32", kind == "uint32":
		k.scalars[name] = k.broadcastFrom(k.param(name))
	}
}

// done ends the function.
func (k *kernel) done() {
	if onARM {
		armReturn()
		return
	}
	VZEROUPPER()
	RET()
}

// param returns the address of a parameter.
func (k *kernel) param(name string) Mem {
	component := Param
	if onARM {
		component = neon.Param
	}
	b, err := component(name).Resolve()
	if err != nil {
		panic(err)
	}
	return b.Addr
}

// label returns a new label.
func (k *kernel) label(name string) string {
	k.labels++
	return fmt.Sprintf("%s%d", name, k.labels)
}

// register returns a new register.
func (k *kernel) register() VecVirtual {
	if k.lanes == 8 {
		return YMM()
	}
	return ZMM()
}

// fresh returns a vec of new registers.
func (k *kernel) fresh() vec {
	v := make(vec, k.flight)
	for i := range v {
		v[i] = k.register()
	}
	return v
}

// each calls emit for every register in flight.
func (k *kernel) each(emit func(i int)) {
	for i := range k.flight {
		emit(i)
	}
}

// An armLanes is a constant of four bytes in all lanes of a register.
type armLanes uint32

// word returns a four-byte constant: its address or, for arm64, an armLanes.
func word(bits uint32) any {
	if onARM {
		return armLanes(bits)
	}
	return shared(fmt.Sprintf("w%08x", bits), U32(bits))
}

// constant is word for a float32 constant.
func constant(v float64) any { return word(math.Float32bits(float32(v))) }

// columns emits body for the n columns of a row, n being the name of a
// parameter: for as many registers in flight as fit, then for one at a time,
// then for what is left of the last.
func (k *kernel) columns(n string, flight int, body func()) {
	left, size := GP64(), U32(0)
	loadParam(n, left)
	clear64(k.column)
	for _, f := range slices.Compact([]int{flight, 1}) {
		k.flight, size = f, U32(uint32(f*k.lanes))
		loop, end := k.label("loop"), k.label("end")
		jumpIfLess(left, size, end)
		label(loop)
		body()
		add64(U32(4*size), k.column)
		subtract64(size, left)
		jumpUnlessLess(left, size, loop)
		label(end)
	}
	if onARM {
		k.tailARM(left, body)
		return
	}
	k.tail(left, body)
}

// tail emits body for the last left columns, fewer than a register holds.
func (k *kernel) tail(left GPVirtual, body func()) {
	end := k.label("end")
	TESTQ(left, left)
	JZ(LabelRef(end))
	if k.lanes == 8 {
		table := GP64()
		k.maskY = YMM()
		LEAQ(tailTable().Offset(32), table)
		NEGQ(left)
		VMOVUPS(Mem{Base: table, Index: left, Scale: 4}, k.maskY)
	} else {
		bits := GP32()
		k.maskK = K()
		MOVL(U32(0xffff), bits)
		BZHIL(left.As32(), bits, bits)
		KMOVW(bits, k.maskK)
	}
	k.flight, k.partial = 1, true
	body()
	k.partial = false
	Label(end)
}

// tailARM emits body for each of the last left columns, fewer than a register
// holds, in the lowest lane: there are no masks.
func (k *kernel) tailARM(left GPVirtual, body func()) {
	loop, end := k.label("loop"), k.label("end")
	armBranch("CBZ", end, left)
	label(loop)
	k.flight, k.partial = 1, true
	body()
	k.partial = false
	add64(U32(4), k.column)
	armCount(left, loop)
	label(end)
}

// rows emits body for each row of the parameter rows, and moves pointers from
// one row to the next: each by the number of bytes in the parameter it is
// paired with, or by one float32 where that is "".
func (k *kernel) rows(strides map[string]string, body func()) {
	k.rowsBy(1, strides, func(int) { body() })
}

// rowsBy is rows for a body that takes so many rows at a time: group, and one for
// each of the last fewer than that.
func (k *kernel) rowsBy(group int, strides map[string]string, body func(rows int)) {
	left := GP64()
	loadParam("rows", left)
	for _, n := range slices.Compact([]int{group, 1}) {
		loop, end := k.label("row"), k.label("end")
		jumpIfLess(left, Imm(uint64(n)), end)
		label(loop)
		body(n)
		for range n {
			k.nextRow(strides)
		}
		subtract64(Imm(uint64(n)), left)
		jumpUnlessLess(left, Imm(uint64(n)), loop)
		label(end)
	}
}

// nextRow moves the pointers by a row.
func (k *kernel) nextRow(strides map[string]string) {
	for _, name := range sortedKeys(strides) {
		switch stride := strides[name]; {
		case stride == "":
			add64(Imm(4), k.pointers[name])
		case onARM:
			armMove("MOVD", k.param(stride), scratch)
			armAdd(scratch, k.pointers[name])
		default:
			ADDQ(k.param(stride), k.pointers[name])
		}
	}
}

// times returns a new register with n times the parameter of that name.
func (k *kernel) times(name string, n int) GPVirtual {
	r := GP64()
	loadParam(name, r)
	switch {
	case n == 1:
	case onARM:
		armMove("MOVD", U8(uint8(n)), scratch)
		armGP("MUL", scratch, r, r)
	default:
		IMUL3Q(I8(int8(n)), r, r)
	}
	return r
}

// prefetch asks for what lies ahead bytes after the columns at hand of the rows
// that names point to. ARM's cores find that out by themselves.
func (k *kernel) prefetch(ahead GPVirtual, names ...string) {
	if onARM {
		return
	}
	index := GP64()
	LEAQ(Mem{Base: ahead, Index: k.column, Scale: 1}, index)
	for _, name := range names {
		for at := 0; at < 4*k.flight*k.lanes; at += 64 {
			PREFETCHT0(Mem{Base: k.pointers[name], Index: index, Scale: 1, Disp: at})
		}
	}
}

// at returns the address of register i of the row that name points to.
func (k *kernel) at(name string, i int) Mem {
	return Mem{Base: k.pointers[name], Index: k.column, Scale: 1, Disp: 4 * i * k.lanes}
}

// load reads the columns at hand from the row that name points to; lanes past
// the end read as zeros.
func (k *kernel) load(name string) vec {
	v := k.fresh()
	if onARM {
		k.loadARM(name, v)
		return v
	}
	k.each(func(i int) { k.loadAt(k.at(name, i), v[i]) })
	return v
}

func (k *kernel) loadAt(m Mem, r VecVirtual) {
	switch {
	case !k.partial:
		VMOVUPS(m, r)
	case k.lanes == 8:
		VMASKMOVPS(m, k.maskY, r)
	default:
		VMOVUPS_Z(m, k.maskK, r)
	}
}

// store writes v to the columns at hand of the row that name points to.
func (k *kernel) store(name string, v vec) {
	v = k.spread(v)
	if onARM {
		k.storeARM(name, v)
		return
	}
	k.each(func(i int) {
		switch m := k.at(name, i); {
		case !k.partial:
			VMOVUPS(v[i], m)
		case k.lanes == 8:
			VMASKMOVPS(v[i], k.maskY, m)
		default:
			VMOVUPS(v[i], k.maskK, m)
		}
	})
}

// addTo adds v to the columns at hand of the row that name points to.
func (k *kernel) addTo(name string, v vec) { k.store(name, k.add(k.load(name), v)) }
