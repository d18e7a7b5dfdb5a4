package ptx

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestMatrixProduct has a warp multiply matrices whose places in registers are those that
// the definition gives, number by number.
func TestMatrixProduct(t *testing.T) {
	const load = `
	mul.wide.u32 %rd5, %r0, 56;
	add.s64 %rd5, %rd0, %rd5;
	ld.global.b32 %r1, [%rd5]; ld.global.b32 %r2, [%rd5+4]; ld.global.b32 %r3, [%rd5+8]; ld.global.b32 %r4, [%rd5+12];
	ld.global.b32 %r5, [%rd5+16]; ld.global.b32 %r6, [%rd5+20];
	ld.global.b32 %r7, [%rd5+24]; ld.global.b32 %r8, [%rd5+28]; ld.global.b32 %r9, [%rd5+32]; ld.global.b32 %r10, [%rd5+36];
	`
	const store = `
	st.global.b32 [%rd5+40], %r11; st.global.b32 [%rd5+44], %r12; st.global.b32 [%rd5+48], %r13; st.global.b32 [%rd5+52], %r14;
	ret;
`
	const operands = " {%r11, %r12, %r13, %r14}, {%r1, %r2, %r3, %r4}, {%r5, %r6}, {%r7, %r8, %r9, %r10};"
	const bfloat16, tf32 = "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32" + operands, "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32" + operands
	var words []uint32
	for product, lay := range map[string]func(r *rand.Rand) ([]uint32, matrixResult){bfloat16: layBF16, tf32: layTF32} {
		in, want := lay(rand.New(rand.NewPCG(5, 6)))
		words = in
		got, err := runText(t, kernelText(load+product+store), Launch{Block: [3]int{32}}, words)
		if err != nil {
			t.Fatal(err)
		}
		for lane := range 32 {
			for i := range 4 {
				row, col := lane>>2+i/2*8, lane%4*2+i&1
				if v := valueOf(got[14*lane+10+i]); v != want[row][col] {
					t.Fatalf("%s: row %d, column %d is %v, want %v", product, row, col, v, want[row][col])
				}
			}
		}
	}
	for _, c := range []struct {
		body    string
		threads int
		want    string
	}{
		{"setp.lt.u32 %p1, %r0, 31;\n@%p1 " + bfloat16, 32, "a shuffle"},
		{bfloat16, 31, "takes all 32 lanes"},
		{strings.Replace(bfloat16, "m16n8k16", "m16n8k8", 1), 32, "unknown form"},
		{strings.Replace(tf32, "m16n8k8", "m16n8k4", 1), 32, "unknown form"},
		{strings.Replace(bfloat16, "{%r5, %r6}", "{%r5}", 1), 32, "operand 2 of"},
		{strings.Replace(bfloat16, "{%r11, %r12, %r13, %r14}", "%r11", 1), 32, "operand 0 of"},
		{"mov.b32 %r3, 0f3f801000;\n" + tf32, 32, "it has not been rounded to TF32"},
		{"mov.b32 %r6, 0f3f800001;\n" + tf32, 32, "it has not been rounded to TF32"},
	} {
		if _, err := runText(t, kernelText(load+c.body+store), Launch{Block: [3]int{c.threads}}, words); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.body, err, c.want)
		}
	}
}

// A matrixResult is what a product of matrices is to give.
type matrixResult [16][8]float64

// smallBits returns a number that is exact in either format, as are sums of its products.
func smallBits(r *rand.Rand) uint32 { return math.Float32bits(float32(r.IntN(17) - 8)) }

func valueOf(bits uint32) float64 { return float64(math.Float32frombits(bits)) }

// layMatrices returns random matrices of a depth, of which c is laid into the words of all
// lanes.
func layMatrices(r *rand.Rand, depth int) (a [16][]uint32, b [][8]uint32, words []uint32, d matrixResult) {
	words = make([]uint32, 32*14)
	b = make([][8]uint32, depth)
	for i := range 16 {
		a[i] = make([]uint32, depth)
		for k := range depth {
			a[i][k] = smallBits(r)
		}
		for j := range 8 {
			c := smallBits(r)
			words[14*(i%8*4+j/2)+6+i/8*2+j%2], d[i][j] = c, valueOf(c)
		}
	}
	for k := range depth {
		for j := range 8 {
			b[k][j] = smallBits(r)
		}
	}
	for i := range d {
		for j := range d[i] {
			for k := range depth {
				d[i][j] += valueOf(a[i][k]) * valueOf(b[k][j])
			}
		}
	}
	return a, b, words, d
}

// layBF16 lays matrices as the definition of m16n8k16 says for 16 bits.
func layBF16(r *rand.Rand) ([]uint32, matrixResult) {
	a, b, words, want := layMatrices(r, 16)
	for lane := range 32 {
		group, thread, w := lane>>2, lane%4, words[14*lane:]
		for i := range 8 {
			row, col := group, thread*2+i&1
			if !(i < 2 || i >= 4 && i < 6) {
				row += 8
			}
			if i >= 4 {
				col += 8
			}
			w[i/2] |= a[row][col] >> 16 << (16 * (i % 2))
		}
		for i := range 4 {
			row := thread*2 + i&1
			if i >= 2 {
				row += 8
			}
			w[4+i/2] |= b[row][group] >> 16 << (16 * (i % 2))
		}
	}
	return words, want
}

// layTF32 lays matrices as the definition of m16n8k8 says for TF32.
func layTF32(r *rand.Rand) ([]uint32, matrixResult) {
	a, b, words, want := layMatrices(r, 8)
	for lane := range 32 {
		group, thread, w := lane>>2, lane%4, words[14*lane:]
		for i := range 4 {
			row, col := group, thread
			if i == 1 || i == 3 {
				row += 8
			}
			if i >= 2 {
				col += 4
			}
			w[i] = a[row][col]
		}
		w[4], w[5] = b[thread][group], b[thread+4][group]
	}
	return words, want
}
