package ptx

import "math"

// A matrixProduct is one of the two instructions for matrices that are known: D = A B + C by
// a warp, for A [16, 8 each] and B [8 each, 8]. A register of A or B has `each` numbers, which
// are neighbours along the sum.
type matrixProduct struct {
	each    int
	numbers func(register uint64) [2]float64 // of which the first `each` are used
	wrong   func(register uint64) string     // says why no register may hold this, "" if one may
}

// matrixProducts are both (9.7.13.4.7, 9.7.13.4.8).
var matrixProducts = map[string]matrixProduct{
	"mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32": {2, pair, func(uint64) string { return "" }},
	"mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32":  {1, single, notTF32},
}

// product builds a matrixProduct. With g = lane / 4 and t = lane % 4, and words of each
// numbers, a lane has
//
//	of A:       rows g and g + 8 of word t, then of word t + 4
//	of B:       column g of word t, then of word t + 4
//	of C and D: row g of columns 2t and 2t + 1, then row g + 8
//
// Devices add in an order and with roundings of their own. Here the sum of an element is
// exact but for float64's rounding, and is rounded once to float32.
func (p *parser) product(in *instruction, opcode string, operands []operand) func(w *warp, on uint32) {
	form, known := matrixProducts[opcode]
	if !known || len(operands) != 4 {
		p.fail("unknown form of %q", opcode)
		return nil
	}
	var sources [3][]source
	for i, n := range []int{4, 2, 4} {
		words := operands[1+i].list
		if len(words) != n {
			p.fail("operand %d of %q has %d registers, want %d", 1+i, opcode, len(words), n)
			return nil
		}
		for _, word := range words {
			sources[i] = append(sources[i], p.source(operand{word: word}, 32))
		}
	}
	if len(operands[0].list) != 4 {
		p.fail("operand 0 of %q has %d registers, want 4", opcode, len(operands[0].list))
		return nil
	}
	var to [4]int
	for i, word := range operands[0].list {
		to[i] = p.registerOf(word, 32)
	}
	in.members = allLanes
	return func(w *warp, on uint32) {
		if on != allLanes {
			w.trap(first(^on), "a product of matrices takes all 32 lanes")
			return
		}
		var factors [2][16][16]float64 // rows of A, and columns of B
		for f := range factors {
			for i, s := range sources[f] {
				for l, v := range s.of(w) {
					if reason := form.wrong(v); reason != "" {
						w.trap(l, "factor %#x of a product of matrices: %s", v, reason)
						return
					}
					row, word := l/4+i%2*8, l%4+i/2*4
					if f == 1 {
						row, word = l/4, l%4+i*4
					}
					numbers := form.numbers(v)
					copy(factors[f][row][word*form.each:], numbers[:form.each])
				}
			}
		}
		var d [4]vector
		for l := range lanes {
			for i := range d {
				sum := float64(f32(sources[2][i].of(w)[l]))
				for k := range 8 * form.each {
					sum += factors[0][l/4+i/2*8][k] * factors[1][2*(l%4)+i%2][k]
				}
				d[i][l] = bits32(float32(sum))
			}
		}
		for i, r := range to {
			w.registers[r] = d[i]
		}
	}
}

// pair returns the two bfloat16 numbers of a register.
func pair(v uint64) [2]float64 {
	return [2]float64{float64(math.Float32frombits(uint32(v) << 16)), float64(math.Float32frombits(uint32(v) &^ 0xffff))}
}

// single returns the one number of a register.
func single(v uint64) [2]float64 { return [2]float64{float64(f32(v))} }

// tf32Rest are the bits of a float32 that TF32 does not have.
const tf32Rest = 0x1fff

// tf32NaN is the bits of PTX's canonical NaN that TF32 has.
const tf32NaN = 0x7fffffff &^ tf32Rest

// notTF32 says why a number is none that TF32 has.
func notTF32(v uint64) string {
	if v&tf32Rest != 0 {
		return "it has not been rounded to TF32"
	}
	return ""
}

// tf32 rounds to TF32, whose ten bits are a float32's first: to nearest, ties away from 0.
// Every NaN becomes the same one, which is TF32's: bits of a NaN may be in its rest alone, and
// without them it were infinity.
func tf32(v uint64) uint64 {
	switch abs := v & 0x7fffffff; {
	case abs > 0x7f800000:
		return tf32NaN
	case abs < 0x7f800000:
		v += tf32Rest/2 + 1
	}
	return v &^ tf32Rest
}
