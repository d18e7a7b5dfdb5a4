package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/ir"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/pass"
	"github.com/mmcloughlin/avo/printer"
	"github.com/mmcloughlin/avo/reg"
)

// Assembly for arm64. avo has no ARM instructions, but its functions, liveness,
// allocation of registers and stubs know no machine. So kernels for arm64 are
// built from the same parts in a context of their own, and the descriptions of
// vector kernels serve all three instruction sets. This file adds what is
// missing: the instructions, as far as kernels use them, and a printer.
//
// That is shorter than intrinsics in C, whose compiler everyone who changes a
// kernel would need, in one version, and whose output nobody would review.
//
// avo's general registers become R0 to R15, except that SP, which it never
// hands out, stands for R16; its vector registers Z0 to Z31 become V0 to V31.
// In Go's convention for assembly a function may change all of them.

// neon is where functions for arm64 are built.
var neon = NewContext()

// scratch is a register that holds a value over a few instructions at most.
var scratch = reg.RSP

// An armForm is an instruction that Go's assembler does not know, or not for
// these operands: it is printed as its code, with its text as a comment. Verbs
// in text stand for the numbers of the operands, which shifts puts in the code.
type armForm struct {
	code   uint32
	text   string
	shifts []int
}

// fields are where operands are in most codes: the destination and two sources.
var fields = []int{0, 5, 16}

// armForms holds the instructions by the names that kernels call them by: ARM's
// name and the shape of the destination.
var armForms = map[string]armForm{
	"fadd.4s":  {0x4e20d400, "fadd v%d.4s, v%d.4s, v%d.4s", fields},
	"fsub.4s":  {0x4ea0d400, "fsub v%d.4s, v%d.4s, v%d.4s", fields},
	"fmul.4s":  {0x6e20dc00, "fmul v%d.4s, v%d.4s, v%d.4s", fields},
	"fdiv.4s":  {0x6e20fc00, "fdiv v%d.4s, v%d.4s, v%d.4s", fields},
	"fmax.4s":  {0x4e20f400, "fmax v%d.4s, v%d.4s, v%d.4s", fields},
	"fmin.4s":  {0x4ea0f400, "fmin v%d.4s, v%d.4s, v%d.4s", fields},
	"fmla.4s":  {0x4e20cc00, "fmla v%d.4s, v%d.4s, v%d.4s", fields},
	"fmls.4s":  {0x4ea0cc00, "fmls v%d.4s, v%d.4s, v%d.4s", fields},
	"fmla.s0":  {0x4f801000, "fmla v%d.4s, v%d.4s, v%d.s[0]", fields},
	"fmla.s1":  {0x4fa01000, "fmla v%d.4s, v%d.4s, v%d.s[1]", fields},
	"fmla.s2":  {0x4f801800, "fmla v%d.4s, v%d.4s, v%d.s[2]", fields},
	"fmla.s3":  {0x4fa01800, "fmla v%d.4s, v%d.4s, v%d.s[3]", fields},
	"fsqrt.4s": {0x6ea1f800, "fsqrt v%d.4s, v%d.4s", fields},

	"fcmge.4s": {0x6e20e400, "fcmge v%d.4s, v%d.4s, v%d.4s", fields},
	"fcmeq.4s": {0x4e20e400, "fcmeq v%d.4s, v%d.4s, v%d.4s", fields},
	"cmhs.4s":  {0x6ea03c00, "cmhs v%d.4s, v%d.4s, v%d.4s", fields},
	"cmlt.4s":  {0x4ea0a800, "cmlt v%d.4s, v%d.4s, #0", fields},

	"and":    {0x4e201c00, "and v%d.16b, v%d.16b, v%d.16b", fields},
	"bic":    {0x4e601c00, "bic v%d.16b, v%d.16b, v%d.16b", fields},
	"orr":    {0x4ea01c00, "orr v%d.16b, v%d.16b, v%d.16b", fields},
	"eor":    {0x6e201c00, "eor v%d.16b, v%d.16b, v%d.16b", fields},
	"bsl":    {0x6e601c00, "bsl v%d.16b, v%d.16b, v%d.16b", fields},
	"add.4s": {0x4ea08400, "add v%d.4s, v%d.4s, v%d.4s", fields},
	"shl.4s": {0x4f205400, "shl v%d.4s, v%d.4s, #%d", fields},

	"umull":   {0x2ea0c000, "umull v%d.2d, v%d.2s, v%d.2s", fields},
	"umull2":  {0x6ea0c000, "umull2 v%d.2d, v%d.4s, v%d.4s", fields},
	"fadd.2d": {0x4e60d400, "fadd v%d.2d, v%d.2d, v%d.2d", fields},
	"fmla.2d": {0x4e60cc00, "fmla v%d.2d, v%d.2d, v%d.2d", fields},
	"fsub.2d": {0x4ee0d400, "fsub v%d.2d, v%d.2d, v%d.2d", fields},
	"fmul.2d": {0x6e60dc00, "fmul v%d.2d, v%d.2d, v%d.2d", fields},
	"fdiv.2d": {0x6e60fc00, "fdiv v%d.2d, v%d.2d, v%d.2d", fields},
	"fmax.2d": {0x4e60f400, "fmax v%d.2d, v%d.2d, v%d.2d", fields},
	"fmin.2d": {0x4ee0f400, "fmin v%d.2d, v%d.2d, v%d.2d", fields},
	"fmls.2d": {0x4ee0cc00, "fmls v%d.2d, v%d.2d, v%d.2d", fields},
	"shl.2d":  {0x4f405400, "shl v%d.2d, v%d.2d, #%d", fields},
	"fcvtl":   {0x0e617800, "fcvtl v%d.2d, v%d.2s", fields},
	"fcvtl2":  {0x4e617800, "fcvtl2 v%d.2d, v%d.4s", fields},

	"sxtl.8h":   {0x0f08a400, "sxtl v%d.8h, v%d.8b", fields},
	"sxtl2.8h":  {0x4f08a400, "sxtl2 v%d.8h, v%d.16b", fields},
	"saddw.4s":  {0x0e601000, "saddw v%d.4s, v%d.4s, v%d.4h", fields},
	"saddw2.4s": {0x4e601000, "saddw2 v%d.4s, v%d.4s, v%d.8h", fields},

	"bfmmla":  {0x6e40ec00, "bfmmla v%d.4s, v%d.8h, v%d.8h", fields}, // with BF16, as the next two
	"bfcvtn":  {0x0ea16800, "bfcvtn v%d.4h, v%d.4s", fields},
	"bfcvtn2": {0x4ea16800, "bfcvtn2 v%d.8h, v%d.4s", fields},

	"zero":    {0x6f00e400, "movi v%d.2d, #0000000000000000", fields},
	"mov":     {0x4ea01c00, "mov v%d.16b, v%[2]d.16b", fields}, // the source twice
	"dup.4s":  {0x4e040400, "dup v%d.4s, v%d.s[0]", fields},
	"dupw.4s": {0x4e040c00, "dup v%d.4s, w%d", fields},
	"low.s":   {0x1e204000, "fmov s%d, s%d", fields},
	"ins.s":   {0x6e040400, "mov v%d.s[0], v%d.s[0]", fields},
	"zip1.8h": {0x4e403800, "zip1 v%d.8h, v%d.8h, v%d.8h", fields},
	"zip2.8h": {0x4e407800, "zip2 v%d.8h, v%d.8h, v%d.8h", fields},
	"zip1.4s": {0x4e803800, "zip1 v%d.4s, v%d.4s, v%d.4s", fields},
	"zip2.4s": {0x4e807800, "zip2 v%d.4s, v%d.4s, v%d.4s", fields},
	"zip1.2d": {0x4ec03800, "zip1 v%d.2d, v%d.2d, v%d.2d", fields},
	"uzp1.4s": {0x4e801800, "uzp1 v%d.4s, v%d.4s, v%d.4s", fields},
	"uzp2.4s": {0x4e805800, "uzp2 v%d.4s, v%d.4s, v%d.4s", fields},
	"zip2.2d": {0x4ec07800, "zip2 v%d.2d, v%d.2d, v%d.2d", fields},
	"ext8":    {0x6e004000, "ext v%d.16b, v%d.16b, v%d.16b, #8", fields},
	"rev64":   {0x4ea00800, "rev64 v%d.4s, v%d.4s", fields},

	"ldr.s":  {0xbc606800, "ldr s%d, [x%d, x%d]", fields},
	"ldr.d":  {0xfc606800, "ldr d%d, [x%d, x%d]", fields},
	"ldr.q":  {0x3ce06800, "ldr q%d, [x%d, x%d]", fields},
	"str.s":  {0xbc206800, "str s%d, [x%d, x%d]", fields},
	"str.q":  {0x3ca06800, "str q%d, [x%d, x%d]", fields},
	"ldur.q": {0x3cc00000, "ldur q%d, [x%d, #%d]", []int{0, 5, 12}}, // see armUnscaled
}

// arm adds an instruction that only writes its first operand and only reads the
// others.
func arm(name string, d Op, sources ...Op) { armInstruction(name, []Op{d}, sources, d, sources...) }

// armInto adds one that reads its first operand too.
func armInto(name string, d Op, sources ...Op) {
	armInstruction(name, []Op{d}, append([]Op{d}, sources...), d, sources...)
}

// armRead adds one that only reads its operands.
func armRead(name string, operands ...Op) {
	armInstruction(name, nil, operands, operands[0], operands[1:]...)
}

func armInstruction(name string, outputs, inputs []Op, first Op, rest ...Op) {
	neon.Instruction(&ir.Instruction{Opcode: name, Operands: append([]Op{first}, rest...), Outputs: outputs, Inputs: inputs})
}

// The instructions below are Go's own, in its order of operands: destinations
// come last.

// armMove adds the instruction of that name from one operand to another: a move,
// load, store or address.
func armMove(name string, from, to Op) {
	neon.Instruction(&ir.Instruction{Opcode: name, Operands: []Op{from, to}, Inputs: []Op{from}, Outputs: []Op{to}})
}

// armGP adds d = a op b for general registers; b may be a constant.
func armGP(name string, b, a, d Op) {
	neon.Instruction(&ir.Instruction{Opcode: name, Operands: []Op{b, a, d}, Inputs: []Op{a, b}, Outputs: []Op{d}})
}

// armAdd adds b to d.
func armAdd(b, d Op) { armGP("ADD", b, d, d) }

// armPair loads or stores two registers of 16 bytes at m.
func armLoadPair(m Mem, a, b Op) {
	neon.Instruction(&ir.Instruction{Opcode: "FLDPQ", Operands: []Op{m, a, b}, Inputs: []Op{m}, Outputs: []Op{a, b}})
}

func armStorePair(a, b Op, m Mem) {
	neon.Instruction(&ir.Instruction{Opcode: "FSTPQ", Operands: []Op{a, b, m}, Inputs: []Op{a, b, m}})
}

// armCompare compares a with b for a branch by condition.
func armCompare(a, b Op) {
	neon.Instruction(&ir.Instruction{Opcode: "CMP", Operands: []Op{b, a}, Inputs: []Op{a, b}})
}

// armBranch jumps to a label: always for "JMP", else on a condition of the last
// comparison, or for "CBZ" and the like on one of the operands.
func armBranch(name, label string, operands ...Op) {
	neon.Instruction(&ir.Instruction{
		Opcode: name, Operands: append([]Op{LabelRef(label)}, operands...), Inputs: operands,
		IsBranch: true, IsConditional: name != "JMP",
	})
}

func armReturn() { neon.Instruction(&ir.Instruction{Opcode: "RET", IsTerminal: true}) }

// armText begins a function.
func armText(name, signature, doc string) {
	neon.Function(name)
	neon.Attributes(attr.NOSPLIT)
	neon.SignatureExpr(strings.TrimSpace(signature))
	neon.Pragma("noescape")
	neon.Doc(strings.Split(doc, "\n")...)
}

// armParam loads a parameter of eight bytes.
func armParam(name string, r Op) {
	b, err := neon.Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	armMove("MOVD", b.Addr, r)
}

// armTable is the address in the middle of the first half KiB of the constants of the
// file at hand, all within reach of armUnscaled; armConstants are their offsets, of four
// words each, from the start.
var (
	armTable     Mem
	armConstants = map[[4]uint32]int{}
)

// armConstantTable returns the address that armWords counts from.
func armConstantTable() Mem {
	if armTable.Base == nil {
		armTable = neon.StaticGlobal("constants").Offset(unscaledMost + 1)
		neon.DataAttributes(attr.RODATA | attr.NOPTR)
	}
	return armTable
}

// armWords returns the address of a constant, given the register that the
// table's address is in.
func armWords(table reg.Register, words [4]uint32) Mem {
	at, ok := armConstants[words]
	if !ok {
		at = 16 * len(armConstants)
		armConstants[words] = at
		for i, w := range words {
			neon.AddDatum(at+4*i, U32(w))
		}
	}
	return Mem{Base: table, Disp: at - (unscaledMost + 1)}
}

// armWord is armWords for equal words.
func armWord(table reg.Register, bits uint32) Mem {
	return armWords(table, [4]uint32{bits, bits, bits, bits})
}

// generateNEON allocates registers and writes the files that the flags of avo
// name.
func generateNEON() {
	file, err := neon.Result()
	if err != nil {
		log.Fatal(err)
	}
	neon.ConstraintExpr("!purego")
	config := printer.NewGoRunConfig()
	config.Pkg = flag.Lookup("pkg").Value.String()
	output := func(flagged string, p printer.Printer) pass.Interface {
		w, err := os.Create(flag.Lookup(flagged).Value.String())
		if err != nil {
			log.Fatal(err)
		}
		return &pass.Output{Writer: w, Printer: p}
	}
	err = pass.Concat(
		pass.Verify,
		pass.FunctionPass(pass.PruneDanglingLabels),
		pass.FunctionPass(pass.LabelTarget),
		pass.FunctionPass(pass.CFG),
		pass.FunctionPass(pass.Liveness),
		pass.FunctionPass(dropUnusedTables),
		pass.FunctionPass(pass.AllocateRegisters),
		pass.FunctionPass(pass.BindRegisters),
		pass.FunctionPass(pass.VerifyAllocation),
		output("out", armPrinter{config}),
		output("stubs", printer.NewStubs(config)),
	).Execute(file)
	if err != nil {
		log.Fatal(err)
	}
}

// armAddress is the instruction that loads the address of a table.
const armAddress = "ADDRESS"

// dropUnusedTables leaves out addresses of tables that nothing reads.
func dropUnusedTables(fn *ir.Function) error {
	kept := fn.Nodes[:0]
	for _, node := range fn.Nodes {
		i, ok := node.(*ir.Instruction)
		if ok && i.Opcode == armAddress {
			if _, live := i.LiveOut[i.OutputRegisters()[0].ID()]; !live {
				continue
			}
		}
		kept = append(kept, node)
	}
	fn.Nodes = kept
	return nil
}

// An armPrinter prints a file for Go's assembler of arm64.
type armPrinter struct{ printer.Config }

func (p armPrinter) Print(f *ir.File) ([]byte, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "// %s\n\n//go:build !purego\n\n#include \"textflag.h\"\n", p.GeneratedWarning())
	for _, section := range f.Sections {
		switch s := section.(type) {
		case *ir.Function:
			fmt.Fprintf(&b, "\n// %s\nTEXT ·%s(SB), NOSPLIT, $0-%d\n", s.Stub(), s.Name, s.ArgumentBytes())
			for _, node := range s.Nodes {
				switch n := node.(type) {
				case ir.Label:
					fmt.Fprintf(&b, "\n%s:\n", n)
				case *ir.Instruction:
					fmt.Fprintf(&b, "\t%s\n", armLine(n))
				}
			}
		case *ir.Global:
			b.WriteByte('\n')
			for _, d := range s.Data {
				fmt.Fprintf(&b, "DATA %s/%d, %s\n", NewDataAddr(s.Symbol, d.Offset).Asm(), d.Value.Bytes(), d.Value.Asm())
			}
			fmt.Fprintf(&b, "GLOBL %s(SB), %s, $%d\n", s.Symbol, s.Attributes.Asm(), s.Size)
		}
	}
	return []byte(b.String()), nil
}

// armLine returns the line of an instruction.
func armLine(i *ir.Instruction) string {
	i = armUnscaled(i)
	form, ok := armForms[i.Opcode]
	if !ok {
		return armGoLine(i)
	}
	code := form.code
	var numbers []any
	for _, op := range i.Operands {
		numbers = append(numbers, armNumber(op))
	}
	for k, n := range numbers {
		code |= uint32(n.(int)) & 0x1ff << form.shifts[k] // nine bits at most, which may be negative
	}
	return fmt.Sprintf("WORD $0x%08x // %s", code, fmt.Sprintf(form.text, numbers...))
}

// unscaledMost is the greatest offset that is part of an instruction as it is; the least
// is -unscaledMost-1. Others are multiples of the size of what is loaded.
const unscaledMost = 255

// armUnscaled returns the instruction, or for a load of a vector from not too far off the
// one whose offset is not scaled: what LDR does in two steps on Neoverse N1, LDUR does in
// one.
func armUnscaled(i *ir.Instruction) *ir.Instruction {
	if i.Opcode != "FMOVQ" {
		return i
	}
	m, ok := i.Operands[0].(Mem)
	if !ok || m.Base.Kind() == reg.KindPseudo || m.Disp < -unscaledMost-1 || m.Disp > unscaledMost {
		return i
	}
	return &ir.Instruction{Opcode: "ldur.q", Operands: []Op{i.Operands[1], m.Base, I16(m.Disp)}}
}

// armNumber returns the number of a register or the value of a constant.
func armNumber(op Op) int {
	switch o := op.(type) {
	case U8:
		return int(o)
	case I16:
		return int(o)
	case reg.Physical:
		if n := int(o.PhysicalIndex()); o.Kind() != reg.KindGP || n != int(scratch.PhysicalIndex()) {
			return n
		}
		return 16
	}
	panic(fmt.Sprintf("operand %v has no number", op))
}

// armGoLine returns the line of an instruction that Go's assembler knows.
func armGoLine(i *ir.Instruction) string {
	var operands []string
	for _, op := range i.Operands {
		operands = append(operands, armOperand(op))
	}
	name := i.Opcode
	switch {
	case name == armAddress:
		return fmt.Sprintf("MOVD $%s, %s", operands[0], operands[1])
	case name == "FLDPQ":
		return fmt.Sprintf("FLDPQ %s, (%s, %s)", operands[0], operands[1], operands[2])
	case name == "FSTPQ":
		return fmt.Sprintf("FSTPQ (%s, %s), %s", operands[0], operands[1], operands[2])
	case i.IsBranch: // the label is last in Go, first in avo
		operands = append(operands[1:], operands[0])
	}
	return strings.TrimSpace(name + " " + strings.Join(operands, ", "))
}

// armOperand returns an operand as Go's assembler has it.
func armOperand(op Op) string {
	switch o := op.(type) {
	case reg.Physical:
		if o.Kind() == reg.KindVector {
			return fmt.Sprintf("F%d", armNumber(o))
		}
		return fmt.Sprintf("R%d", armNumber(o))
	case Mem:
		if o.Base.Kind() == reg.KindPseudo {
			return o.Asm()
		}
		if o.Index != nil {
			panic("an index needs an instruction of its own")
		}
		return fmt.Sprintf("%d(%s)", o.Disp, armOperand(o.Base))
	case Constant:
		return strings.Replace(o.Asm(), "$+", "$", 1)
	}
	return op.Asm()
}
