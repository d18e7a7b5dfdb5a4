package ptx

import "math"

// matrixProduct is the one instruction for matrices that is known: D = A B + C by a warp,
// for A [16, 16] and B [16, 8] in bfloat16, two numbers a register (9.7.13.4.8).
const matrixProduct = "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32"

// product builds matrixProduct. With g = lane / 4 and t = lane % 4, a lane has
//
//	of A:       rows g and g + 8 of columns 2t and 2t + 1, then of columns 2t + 8 and 2t + 9
//	of B:       column g of rows 2t and 2t + 1, then of rows 2t + 8 and 2t + 9
//	of C and D: row g of columns 2t and 2t + 1, then row g + 8
//
// Devices add in an order and with roundings of their own. Here the sum of an element is
// exact but for float64's rounding, and is rounded once to float32.
func (p *parser) product(in *instruction, opcode string, operands []operand) func(w *warp, on uint32) {
	if opcode != matrixProduct || len(operands) != 4 {
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
		var a [16][16]float64
		var b [16][8]float64
		var d [4]vector
		for l := range lanes {
			g, t := l/4, l%4
			for i := range 4 {
				low, high := pair(sources[0][i].of(w)[l])
				row, col := g+i%2*8, 2*t+i/2*8
				a[row][col], a[row][col+1] = low, high
			}
			for i := range 2 {
				low, high := pair(sources[1][i].of(w)[l])
				row := 2*t + i*8
				b[row][g], b[row+1][g] = low, high
			}
		}
		for l := range lanes {
			for i := range d {
				row, col := l/4+i/2*8, 2*(l%4)+i%2
				sum := float64(f32(sources[2][i].of(w)[l]))
				for k := range 16 {
					sum += a[row][k] * b[k][col]
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
func pair(v uint64) (low, high float64) {
	return float64(math.Float32frombits(uint32(v) << 16)), float64(math.Float32frombits(uint32(v) &^ 0xffff))
}
