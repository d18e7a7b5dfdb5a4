package ptx

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Limits of a module, so that a hostile one cannot take all memory.
const (
	maxRegisters = 1 << 14
	maxShared    = 227 << 10 // bytes, the most of any device with the ISA's target
	maxParams    = 4096      // bytes
	maxThreads   = 1024      // of a block
	maxDepth     = 8         // of braces in braces
)

// A Module is a text of PTX.
type Module struct {
	Version string // of the ISA, such as "7.0"
	Target  string // such as "sm_80"

	kernels map[string]*Kernel
	shared  map[string]variable
}

// A Kernel is a function that the host can launch.
type Kernel struct {
	Name       string
	Params     []Param
	MaxThreads int // of a block, as the kernel was compiled for
	Shared     int // bytes of shared memory of a block

	registers map[string]int // to index
	classes   []int          // bits of each register: 1, 16, 32 or 64
	shared    map[string]int // to address
	labels    map[string]int // to index in code
	code      []instruction
	paramSize int
	module    *Module
}

// A Param is what a kernel takes.
type Param struct {
	Name   string
	Size   int // bytes
	offset int
}

// A variable is an array in shared memory.
type variable struct{ align, size int }

// Kernel returns the kernel of a name, nil if there is none.
func (m *Module) Kernel(name string) *Kernel { return m.kernels[name] }

// Names returns the names of all kernels in order.
func (m *Module) Names() []string { return slices.Sorted(maps.Keys(m.kernels)) }

// Parse reads a module and readies its kernels to run. An error names the line and
// what is not known there.
func Parse(text string) (*Module, error) {
	tokens, err := scan(text)
	if err != nil {
		return nil, err
	}
	p := &parser{tokens: tokens, module: &Module{kernels: make(map[string]*Kernel), shared: make(map[string]variable)}}
	for p.err == nil && p.peek() != "" {
		p.directive()
	}
	if p.err != nil {
		return nil, p.err
	}
	return p.module, nil
}

// A parser goes through tokens until the first error, after which it finds nothing.
type parser struct {
	tokens []token
	at     int
	module *Module
	kernel *Kernel
	depth  int // of braces in a kernel's own
	err    error
}

// peek returns the next token, "" at the end or after an error.
func (p *parser) peek() string {
	if p.err != nil || p.at >= len(p.tokens) {
		return ""
	}
	return p.tokens[p.at].text
}

// next returns the next token and goes past it.
func (p *parser) next() string {
	t := p.peek()
	if t != "" {
		p.at++
	}
	return t
}

// line returns the line of the next token, or of the last one.
func (p *parser) line() int {
	if len(p.tokens) == 0 {
		return 1
	}
	return p.tokens[min(p.at, len(p.tokens)-1)].line
}

// fail keeps the first error.
func (p *parser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf("ptx: line %d: %s", p.line(), fmt.Sprintf(format, args...))
	}
}

// accept goes past a token if it is next.
func (p *parser) accept(want string) bool {
	if p.peek() != want {
		return false
	}
	p.at++
	return true
}

// expect goes past a token that must be next.
func (p *parser) expect(want string) {
	if !p.accept(want) {
		p.fail("want %q, found %q", want, p.peek())
	}
}

// number reads a number from 0 to most.
func (p *parser) number(most int) int {
	n, err := strconv.Atoi(p.peek())
	if err != nil || n < 0 || n > most {
		p.fail("want a number of at most %d, found %q", most, p.peek())
		return 0
	}
	p.at++
	return n
}

// name reads the name of something new.
func (p *parser) name() string {
	s := p.peek()
	if s == "" || !isWord(s[0]) || isDigit(s[0]) || s[0] == '.' {
		p.fail("want a name, found %q", s)
		return ""
	}
	p.at++
	return s
}

// directive reads what stands outside of functions.
func (p *parser) directive() {
	switch word := p.peek(); word {
	case ".version":
		p.at++
		p.module.Version = p.next()
	case ".target":
		p.at++
		p.module.Target = p.next()
	case ".address_size":
		p.at++
		p.expect("64")
	case ".shared":
		name, v := p.array()
		if _, again := p.module.shared[name]; again {
			p.fail("%s is declared twice", name)
		}
		p.module.shared[name] = v
	case ".visible":
		p.at++
		p.expect(".entry")
		p.entry()
	default:
		p.fail("unknown directive %q", word)
	}
}

// array reads a declaration such as ".shared .align 4 .b8 part[32];".
func (p *parser) array() (string, variable) {
	v := variable{align: 1}
	p.expect(".shared")
	if p.accept(".align") {
		v.align = p.number(1 << 10)
		if v.align == 0 || v.align&(v.align-1) != 0 {
			p.fail("alignment %d is no power of two", v.align)
		}
	}
	kind := p.next()
	size, known := typeSizes[kind]
	if !known {
		p.fail("a shared variable of type %q", kind)
		return "", v
	}
	name := p.name()
	v.size = size
	v.align = max(v.align, size)
	if p.accept("[") {
		v.size *= p.number(maxShared)
		p.expect("]")
	}
	p.expect(";")
	return name, v
}

// typeSizes are the bytes of the types of variables and parameters.
var typeSizes = map[string]int{
	".b8": 1, ".u8": 1, ".s8": 1, ".b16": 2, ".u16": 2, ".s16": 2, ".b32": 4, ".u32": 4, ".s32": 4, ".f32": 4,
	".b64": 8, ".u64": 8, ".s64": 8, ".f64": 8,
}

// entry reads a kernel after the word ".entry".
func (p *parser) entry() {
	k := &Kernel{Name: p.name(), MaxThreads: maxThreads, registers: make(map[string]int), shared: make(map[string]int),
		labels: make(map[string]int), module: p.module}
	if p.module.kernels[k.Name] != nil {
		p.fail("kernel %s is there twice", k.Name)
	}
	p.kernel = k
	p.expect("(")
	for p.err == nil && !p.accept(")") {
		p.param()
		if p.peek() != ")" {
			p.expect(",")
		}
	}
	for p.err == nil && !p.accept("{") {
		p.limit()
	}
	for p.err == nil && !p.accept("}") {
		p.statement()
	}
	if len(k.code) == 0 {
		p.fail("kernel %s has no instructions", k.Name)
	}
	p.resolve()
	if p.err == nil {
		p.module.kernels[k.Name] = k
	}
}

// limit reads one of the directives before a kernel's body. Those that only advise
// the compiler of registers are passed over.
func (p *parser) limit() {
	word := p.next()
	n := p.number(1 << 16)
	switch word {
	case ".maxntid", ".reqntid":
		for p.accept(",") {
			n *= p.number(maxThreads)
			n = min(n, maxThreads)
		}
		p.kernel.MaxThreads = min(n, maxThreads)
	case ".minnctapersm", ".maxnreg":
	default:
		p.fail("unknown directive %q", word)
	}
}

// param reads a parameter such as ".param .u64 .ptr .global .align 4 name".
func (p *parser) param() {
	k := p.kernel
	p.expect(".param")
	kind := p.next()
	size, known := typeSizes[kind]
	if !known {
		p.fail("a parameter of type %q", kind)
		return
	}
	if p.accept(".ptr") {
		p.accept(".global")
		if p.accept(".align") {
			p.number(1 << 10)
		}
	}
	k.paramSize = (k.paramSize + size - 1) / size * size
	k.Params = append(k.Params, Param{p.name(), size, k.paramSize})
	if k.paramSize += size; k.paramSize > maxParams {
		p.fail("parameters of more than %d bytes", maxParams)
	}
}

// statement reads a declaration, a label or an instruction.
func (p *parser) statement() {
	switch word := p.peek(); word {
	case "":
		p.fail("kernel %s does not end", p.kernel.Name)
	case ".reg":
		p.at++
		p.register()
	case "{":
		p.at++
		p.scope()
	case ".shared":
		name, v := p.array()
		if _, again := p.kernel.shared[name]; again {
			p.fail("%s is declared twice", name)
		}
		p.place(name, v)
	case ".pragma":
		p.at++
		if advice := p.next(); advice != `"nounroll"` {
			p.fail("unknown pragma %s", advice)
		}
		p.expect(";")
	default:
		if word[0] == '.' {
			p.fail("unknown directive %q", word)
			return
		}
		if p.at+1 < len(p.tokens) && p.tokens[p.at+1].text == ":" {
			p.label()
			return
		}
		p.instruction()
	}
}

// scope reads statements in braces, whose registers nothing after them sees.
func (p *parser) scope() {
	outside := maps.Clone(p.kernel.registers)
	if p.depth++; p.depth > maxDepth {
		p.fail("braces in more than %d others", maxDepth)
	}
	for p.err == nil && !p.accept("}") {
		p.statement()
	}
	p.depth--
	p.kernel.registers = outside
}

// place gives an array of shared memory its address. One that was not read to its end
// gets none.
func (p *parser) place(name string, v variable) int {
	if p.err != nil {
		return 0
	}
	k := p.kernel
	at := (k.Shared + v.align - 1) / v.align * v.align
	if k.Shared = at + v.size; k.Shared > maxShared {
		p.fail("more than %d bytes of shared memory", maxShared)
	}
	k.shared[name] = sharedBase + at
	return k.shared[name]
}

func (p *parser) label() {
	name := p.name()
	p.expect(":")
	if _, again := p.kernel.labels[name]; again {
		p.fail("label %s is there twice", name)
	}
	p.kernel.labels[name] = len(p.kernel.code)
}

// register reads a declaration such as ".b32 %r<10>;".
func (p *parser) register() {
	k := p.kernel
	kind := p.next()
	bits := 8 * typeSizes[kind]
	if kind == ".pred" {
		bits = 1
	} else if bits < 16 {
		p.fail("unknown register class %q", kind)
		return
	}
	name, names := p.name(), []string(nil)
	if p.accept("<") {
		for i := range p.number(maxRegisters) {
			names = append(names, name+strconv.Itoa(i))
		}
		p.expect(">")
	} else {
		names = append(names, name)
	}
	p.expect(";")
	for _, name := range names {
		if _, again := k.registers[name]; again {
			p.fail("register %s is declared twice", name)
			return
		}
		k.registers[name] = len(k.classes)
		k.classes = append(k.classes, bits)
	}
	if len(k.classes) > maxRegisters {
		p.fail("more than %d registers", maxRegisters)
	}
}

// instruction reads a guard, an opcode and its operands up to the semicolon.
func (p *parser) instruction() {
	in := instruction{line: p.line(), guard: -1, target: -1}
	start := p.at
	if p.accept("@") {
		in.negated = p.accept("!")
		in.guard = p.registerOf(p.next(), 1)
	}
	opcode := p.next()
	var operands []operand
	for p.err == nil && !p.accept(";") {
		operands = append(operands, p.operand())
		if p.peek() != ";" {
			p.expect(",")
		}
	}
	if p.err != nil {
		return
	}
	in.text = p.text(start)
	end := p.at
	p.at = start // errors name the instruction's own line
	p.build(&in, opcode, operands)
	p.at = end
	p.kernel.code = append(p.kernel.code, in)
}

// text returns the tokens from one to the present one as a line of text.
func (p *parser) text(from int) string {
	var b strings.Builder
	for i := from; i < p.at; i++ {
		t := p.tokens[i].text
		if i > from && !strings.Contains(";,]})+:", t) && !strings.Contains("[{(+@!", p.tokens[i-1].text) {
			b.WriteByte(' ')
		}
		b.WriteString(t)
	}
	return b.String()
}

// resolve turns labels into the indices of instructions.
func (p *parser) resolve() {
	k := p.kernel
	for i := range k.code {
		in := &k.code[i]
		if in.label == "" || p.err != nil {
			continue
		}
		target, known := k.labels[in.label]
		if !known {
			p.err = fmt.Errorf("ptx: line %d: %s: no label %s", in.line, in.text, in.label)
		}
		in.target = int32(target)
	}
}

// An operand as it is written: a name or number, a list of these in braces, or an
// address in brackets.
type operand struct {
	word   string
	list   []string
	memory bool
	offset int64
}

func (p *parser) operand() operand {
	switch {
	case p.accept("{"):
		o := operand{list: []string{p.next()}}
		for p.accept(",") {
			o.list = append(o.list, p.next())
		}
		p.expect("}")
		return o
	case p.accept("["):
		o := operand{word: p.next(), memory: true}
		if p.accept("+") {
			offset, err := strconv.ParseInt(p.next(), 0, 32)
			if err != nil {
				p.fail("an offset that is no number")
			}
			o.offset = offset
		}
		p.expect("]")
		return o
	}
	o := operand{word: p.peek()}
	if o.word == "" || !isWord(o.word[0]) && o.word[0] != '-' {
		p.fail("want an operand, found %q", o.word)
	}
	p.next()
	return o
}

// registerOf returns the index of a register, which must have so many bits.
func (p *parser) registerOf(name string, bits int) int {
	i, known := p.kernel.registers[name]
	switch {
	case !known:
		p.fail("no register %q", name)
		return 0
	case p.kernel.classes[i] != bits:
		p.fail("register %s has %d bits, want %d", name, p.kernel.classes[i], bits)
	}
	return i
}
