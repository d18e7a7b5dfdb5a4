package ptx

import (
	"strconv"
	"strings"
)

// A source is where an instruction's operand comes from.
type source struct {
	register int     // -1 for what is the same always
	constant *vector // of all lanes
	special  string  // a special register
}

// of returns the operand's values in a warp.
func (s *source) of(w *warp) *vector {
	if s.register >= 0 {
		return &w.registers[s.register]
	}
	if s.special == "" {
		return s.constant
	}
	return w.special(s.special)
}

// special returns a special register (section 10).
func (w *warp) special(name string) *vector {
	axis := int(name[len(name)-1] - 'x')
	if strings.HasPrefix(name, "%tid") {
		return &w.thread[axis]
	}
	v, b := 0, w.block
	switch name[:len(name)-2] {
	case "%ntid":
		v = b.extent[0][axis]
	case "%ctaid":
		v = b.index[axis]
	default:
		v = b.extent[1][axis]
	}
	return same(uint64(v))
}

// same returns a vector of equal numbers.
func same(v uint64) *vector {
	var r vector
	for l := range r {
		r[l] = v
	}
	return &r
}

// source turns an operand into one of so many bits.
func (p *parser) source(o operand, width int) source {
	word := o.word
	if o.list != nil || o.memory || word == "" {
		p.fail("want a register or a number")
		return source{}
	}
	if word[0] == '%' {
		if name, axis, _ := strings.Cut(word, "."); width == 32 && (axis == "x" || axis == "y" || axis == "z") {
			switch name {
			case "%tid", "%ntid", "%ctaid", "%nctaid":
				return source{register: -1, special: word}
			}
		}
		return source{register: p.registerOf(word, width)}
	}
	if _, known := p.kernel.registers[word]; known {
		return source{register: p.registerOf(word, width)}
	}
	return source{register: -1, constant: same(p.constant(word, width))}
}

// constant reads a number, or the address of a shared variable.
func (p *parser) constant(word string, width int) uint64 {
	if v, known := p.address(word); known && width >= 32 {
		return v
	}
	if strings.HasPrefix(word, "0f") || strings.HasPrefix(word, "0F") {
		if v, err := strconv.ParseUint(word[2:], 16, 32); err == nil && len(word) == 10 && width == 32 {
			return v
		}
	} else if strings.HasPrefix(word, "0d") || strings.HasPrefix(word, "0D") {
		if v, err := strconv.ParseUint(word[2:], 16, 64); err == nil && len(word) == 18 && width == 64 {
			return v
		}
	} else if v, err := strconv.ParseInt(word, 0, 64); err == nil {
		if width == 64 || v >= -(1<<(width-1)) && v < 1<<width {
			return cut(uint64(v), width)
		}
	} else if v, err := strconv.ParseUint(word, 0, 64); err == nil && width == 64 {
		return v
	}
	p.fail("%q is no operand of %d bits", word, width)
	return 0
}

// address returns where a shared variable is. One of the module gets its place in
// the kernel when the kernel first names it.
func (p *parser) address(name string) (uint64, bool) {
	if at, known := p.kernel.shared[name]; known {
		return uint64(at), true
	}
	if v, known := p.module.shared[name]; known {
		return uint64(p.place(name, v)), true
	}
	return 0, false
}

// build readies an instruction to run.
func (p *parser) build(in *instruction, opcode string, operands []operand) {
	family, _, _ := strings.Cut(opcode, ".")
	if f, known := functions[opcode]; known && !strings.HasPrefix(opcode, "mov.b") {
		in.run = p.function(f, operands)
		return
	}
	switch family {
	case "mov":
		in.run = p.move(opcode, operands)
	case "cvta":
		if opcode != "cvta.to.global.u64" {
			p.fail("unknown instruction %q", opcode)
			return
		}
		in.run = p.function(functions["mov.u64"], operands)
	case "ld", "st":
		in.run = p.transfer(opcode, operands)
	case "shfl":
		in.kind = collective
		in.run = p.shuffle(in, opcode, operands)
	case "mma":
		in.kind = collective
		in.run = p.product(in, opcode, operands)
	case "bra":
		p.branch(in, opcode, operands)
	case "ret":
		in.kind = exit
		p.want(opcode == "ret" && len(operands) == 0, opcode)
	case "bar", "barrier":
		in.kind = barrier
		known := opcode == "bar.sync" || opcode == "barrier.sync" || opcode == "barrier.sync.aligned"
		p.want(known && len(operands) == 1 && operands[0].word == "0", opcode)
	default:
		p.unknown(opcode)
	}
}

// want fails unless an instruction has a form that is known.
func (p *parser) want(known bool, opcode string) {
	if !known {
		p.fail("unknown form of %q", opcode)
	}
}

// unknown refuses an instruction, with what to do where that is known.
func (p *parser) unknown(opcode string) {
	switch {
	case functions[strings.Replace(opcode, ".f", ".rn.f", 1)].compute != nil:
		p.fail("%q without a rounding may be fused by a driver: compile with -ffp-contract=off", opcode)
	case strings.Contains(opcode, ".approx"), strings.Contains(opcode, ".full"):
		p.fail("%q is approximate: its result is the device's choice", opcode)
	case strings.HasPrefix(opcode, "brx"):
		p.fail("%q: compile with -fno-jump-tables", opcode)
	default:
		p.fail("unknown instruction %q", opcode)
	}
}

func (p *parser) branch(in *instruction, opcode string, operands []operand) {
	in.kind = branch
	if p.want((opcode == "bra" || opcode == "bra.uni") && len(operands) == 1, opcode); p.err == nil {
		in.label = operands[0].word
	}
}

// function builds an instruction of the table.
func (p *parser) function(f function, operands []operand) func(w *warp, on uint32) {
	if len(operands) != 1+len(f.from) {
		p.fail("%d operands, want %d", len(operands), 1+len(f.from))
		return nil
	}
	to := p.registerOf(operands[0].word, f.to)
	s := [3]source{{register: -1, constant: same(0)}, {register: -1, constant: same(0)}, {register: -1, constant: same(0)}}
	for i, width := range f.from {
		if class, known := p.kernel.registers[operands[1+i].word]; known && f.wider {
			width = max(width, p.kernel.classes[class])
		}
		s[i] = p.source(operands[1+i], width)
	}
	compute := f.compute
	return func(w *warp, on uint32) {
		a, b, c, r := s[0].of(w), s[1].of(w), s[2].of(w), &w.registers[to]
		if f.divides {
			for l, d := range b {
				if on>>l&1 != 0 && d == 0 {
					w.trap(l, "an integer is divided by zero")
					return
				}
			}
		}
		if on == allLanes {
			for l := range r {
				r[l] = compute(a[l], b[l], c[l])
			}
			return
		}
		for l := range r {
			if on>>l&1 != 0 {
				r[l] = compute(a[l], b[l], c[l])
			}
		}
	}
}

// move builds mov.b32 and mov.b64, which also join registers of half the width to one
// and take one apart.
func (p *parser) move(opcode string, operands []operand) func(w *warp, on uint32) {
	f, known := functions[opcode]
	if !known || len(operands) != 2 || operands[0].list == nil && operands[1].list == nil {
		if !known {
			p.unknown(opcode)
			return nil
		}
		return p.function(f, operands)
	}
	half := f.to / 2
	if half < 16 || len(operands[0].list)+len(operands[1].list) != 2 {
		p.fail("unknown form of %q", opcode)
		return nil
	}
	if parts := operands[1].list; parts != nil {
		low, high := p.source(operand{word: parts[0]}, half), p.source(operand{word: parts[1]}, half)
		to := p.registerOf(operands[0].word, f.to)
		return func(w *warp, on uint32) {
			a, b, r := low.of(w), high.of(w), &w.registers[to]
			for l := range r {
				if on>>l&1 != 0 {
					r[l] = a[l] | b[l]<<half
				}
			}
		}
	}
	from := p.source(operands[1], f.to)
	low, high := p.registerOf(operands[0].list[0], half), p.registerOf(operands[0].list[1], half)
	return func(w *warp, on uint32) {
		v, a, b := from.of(w), &w.registers[low], &w.registers[high]
		for l, x := range v {
			if on>>l&1 != 0 {
				a[l], b[l] = cut(x, half), x>>half
			}
		}
	}
}

// shuffle builds shfl.sync (9.7.8.6) of whole warps.
func (p *parser) shuffle(in *instruction, opcode string, operands []operand) func(w *warp, on uint32) {
	lane, known := shuffles[strings.TrimSuffix(strings.TrimPrefix(opcode, "shfl.sync."), ".b32")]
	clamp := "31"
	if opcode == "shfl.sync.up.b32" {
		clamp = "0"
	}
	if !known || len(operands) != 5 || operands[3].word != clamp {
		p.fail("unknown form of %q", opcode)
		return nil
	}
	in.members = uint32(p.constant(operands[4].word, 32))
	to, from, by := p.registerOf(operands[0].word, 32), p.source(operands[1], 32), p.source(operands[2], 32)
	return func(w *warp, on uint32) {
		v, distance, r := *from.of(w), by.of(w), &w.registers[to]
		d := *distance
		for l := range r {
			if on>>l&1 == 0 {
				continue
			}
			other := lane(l, int(d[l]&31))
			if other < 0 || other >= lanes {
				other = l
			}
			if on>>other&1 == 0 {
				w.trap(l, "the shuffle reads lane %d, which does not take part", other)
				return
			}
			r[l] = v[other]
		}
	}
}

// shuffles are the lanes that each way of shuffling reads.
var shuffles = map[string]func(lane, by int) int{
	"bfly": func(lane, by int) int { return lane ^ by },
	"down": func(lane, by int) int { return lane + by },
	"up":   func(lane, by int) int { return lane - by },
	"idx":  func(_, by int) int { return by },
}

// A transfer is a load or a store.
type transfer struct {
	store, constant bool
	space           string
	width           int   // bytes of an element
	signed          bool  // whether a wider register gets an element's sign
	bits            int   // of the destinations
	registers       []int // destinations
	sources         []source
	base            source
	offset          uint64
}

// transfer builds a load or store of one, two or four elements (9.7.9.8, 9.7.9.11).
func (p *parser) transfer(opcode string, operands []operand) func(w *warp, on uint32) {
	parts := strings.Split(opcode, ".")
	t := transfer{store: parts[0] == "st"}
	if len(parts) < 3 || len(operands) != 2 {
		p.fail("unknown form of %q", opcode)
		return nil
	}
	t.space, parts = parts[1], parts[2:]
	if parts[0] == "nc" && t.space == "global" && !t.store {
		t.constant, parts = true, parts[1:]
	}
	count := 1
	if parts[0] == "v2" || parts[0] == "v4" {
		count, parts = int(parts[0][1]-'0'), parts[1:]
	}
	known := t.space == "global" || t.space == "shared" || t.space == "param" && !t.store && count == 1
	if known = known && len(parts) == 1; known {
		t.width, known = typeSizes["."+parts[0]]
	}
	value, address := operands[0], operands[1]
	if t.store {
		value, address = address, value
	}
	if value.list == nil && count == 1 {
		value.list = []string{value.word}
	}
	if !known || !address.memory || len(value.list) != count {
		p.fail("unknown form of %q", opcode)
		return nil
	}
	for _, word := range value.list {
		if t.store {
			t.sources = append(t.sources, p.source(operand{word: word}, p.widthFor(word, t.width)))
		} else {
			bits := p.widthFor(word, t.width)
			t.registers, t.bits = append(t.registers, p.registerOf(word, bits)), bits
		}
	}
	t.signed = parts[0][0] == 's'
	if t.space == "param" {
		return p.parameter(&t, address)
	}
	t.offset = uint64(address.offset)
	if at, shared := p.address(address.word); shared {
		t.base = source{register: -1, constant: same(at)}
	} else {
		t.base = source{register: p.registerOf(address.word, 64)}
	}
	return t.run
}

// widthFor returns the bits of a register that holds an element of memory, which may
// be wider than the element.
func (p *parser) widthFor(word string, size int) int {
	if i, known := p.kernel.registers[word]; known {
		return max(p.kernel.classes[i], 8*size, 16)
	}
	return max(8*size, 16)
}

// extend returns an element as a register has it.
func (t *transfer) extend(v uint64) uint64 {
	if t.signed {
		return cut(uint64(signed(v, 8*t.width)), t.bits)
	}
	return v
}

// parameter builds a load of a part of a parameter.
func (p *parser) parameter(t *transfer, address operand) func(w *warp, on uint32) {
	for _, param := range p.kernel.Params {
		if param.Name != address.word {
			continue
		}
		if address.offset < 0 || address.offset+int64(t.width) > int64(param.Size) {
			p.fail("offset %d of a parameter of %d bytes", address.offset, param.Size)
			return nil
		}
		at, to := param.offset+int(address.offset), t.registers[0]
		return func(w *warp, on uint32) {
			v, r := uint64(0), &w.registers[to]
			for i, b := range w.block.params[at : at+t.width] {
				v |= uint64(b) << (8 * i)
			}
			v = t.extend(v)
			for l := range r {
				if on>>l&1 != 0 {
					r[l] = v
				}
			}
		}
	}
	p.fail("no parameter %q", address.word)
	return nil
}

// run runs a load or store.
func (t *transfer) run(w *warp, on uint32) {
	bases := *t.base.of(w)
	size := t.width * max(len(t.registers), len(t.sources))
	for l := range bases {
		if on>>l&1 == 0 {
			continue
		}
		address := bases[l] + t.offset
		s := w.block.shared
		if t.space == "global" {
			s = w.block.memory.find(address, size)
		}
		switch {
		case s == nil || !s.holds(address, size):
			w.trap(l, "%d bytes at %#x are outside every allocation", size, address)
			return
		case address%uint64(size) != 0:
			w.trap(l, "address %#x is no multiple of %d", address, size)
			return
		}
		if t.access(w, s, address-s.base, size, l); w.block.fault != nil {
			return
		}
	}
}

// access moves one lane's bytes.
func (t *transfer) access(w *warp, s *segment, at uint64, size, lane int) {
	now := newStamp(w.block.number, w.block.epoch, w.first+lane)
	if t.store {
		if other := s.writes(at, size, now); other != 0 {
			w.race(lane, s.base+at, other, "writes")
			return
		}
		for i := range t.sources {
			s.store(at+uint64(i*t.width), t.width, t.sources[i].of(w)[lane])
		}
		return
	}
	for i, known := range s.known[at : at+uint64(size)] {
		if !known {
			w.trap(lane, "byte %d at %#x is read and was never written", i, s.base+at)
			return
		}
	}
	if other := s.reads(at, size, now, t.constant); other != 0 {
		w.race(lane, s.base+at, other, "reads")
		return
	}
	for i, r := range t.registers {
		w.registers[r][lane] = t.extend(s.load(at+uint64(i*t.width), t.width))
	}
}

// race reports two accesses that no barrier orders.
func (w *warp) race(lane int, address uint64, other stamp, does string) {
	who := "several threads"
	if t := other.thread(); t != severalThreads && other.block() != severalBlocks {
		who = "thread " + strconv.Itoa(t)
	}
	if b := other.block(); b == severalBlocks {
		who = "threads of several blocks"
	} else if b != w.block.number+1 {
		who += " of block " + strconv.Itoa(b-1)
	}
	w.trap(lane, "a race: thread %d %s %#x, as %s did with no barrier in between", w.first+lane, does, address, who)
}
