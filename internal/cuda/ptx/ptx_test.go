package ptx

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// header begins every module.
const header = ".version 7.0\n.target sm_80\n.address_size 64\n"

// kernelText returns a module of one kernel, "k", that takes an address, [p], which
// the register %rd0 has; the thread's number is in %r0.
func kernelText(body string) string {
	return header + `
.visible .entry k(.param .u64 .ptr .align 1 p)
{
	.reg .pred %p<8>;
	.reg .b16 %rs<8>;
	.reg .b32 %r<16>;
	.reg .b64 %rd<16>;
	.shared .align 4 .b8 s[512];
	ld.param.b64 %rd0, [p];
	cvta.to.global.u64 %rd0, %rd0;
	mov.u32 %r0, %tid.x;
	mul.wide.u32 %rd1, %r0, 4;
	add.s64 %rd2, %rd0, %rd1;
	mov.b64 %rd3, s;
	add.s64 %rd4, %rd3, %rd1;
` + body + "}\n"
}

// runText runs kernel "k" on words of memory, which it returns.
func runText(t *testing.T, text string, l Launch, words []uint32) ([]uint32, error) {
	t.Helper()
	m, err := Parse(text)
	if err != nil {
		return nil, err
	}
	memory := NewMemory()
	at := memory.Alloc(4 * len(words))
	data := make([]byte, 4*len(words))
	for i, w := range words {
		binary.LittleEndian.PutUint32(data[4*i:], w)
	}
	if err := memory.Write(at, data); err != nil {
		t.Fatal(err)
	}
	if err := m.Kernel("k").Run(memory, l, at); err != nil {
		return nil, err
	}
	if err := memory.Read(data, at); err != nil {
		return nil, err
	}
	out := make([]uint32, len(words))
	for i := range out {
		out[i] = binary.LittleEndian.Uint32(data[4*i:])
	}
	return out, nil
}

// compute returns what an instruction of the table makes of some numbers.
func compute(t *testing.T, name string, args ...uint64) uint64 {
	t.Helper()
	f, known := functions[name]
	if !known || len(args) != len(f.from) {
		t.Fatalf("no instruction %s of %d operands", name, len(args))
	}
	var a [3]uint64
	copy(a[:], args)
	r := f.compute(a[0], a[1], a[2])
	if r != cut(r, f.to) {
		t.Errorf("%s%x = %#x has more than %d bits", name, args, r, f.to)
	}
	return r
}

func fb(x float64) uint64 { return uint64(math.Float32bits(float32(x))) }

func TestFunctions(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	for _, c := range []struct {
		name string
		args []uint64
		want uint64
	}{
		{"add.s32", []uint64{0xffffffff, 1}, 0},
		{"sub.s16", []uint64{0, 1}, 0xffff},
		{"mul.lo.s32", []uint64{0xffffffff, 3}, 0xfffffffd},
		{"mul.hi.u32", []uint64{0xffffffff, 0xffffffff}, 0xfffffffe},
		{"mul.hi.s32", []uint64{0xffffffff, 5}, 0xffffffff},
		{"mul.hi.u64", []uint64{1 << 63, 6}, 3},
		{"mul.hi.s64", []uint64{math.MaxUint64, 5}, math.MaxUint64},
		{"mul.wide.s32", []uint64{0xffffffff, 2}, math.MaxUint64 - 1},
		{"mul.wide.u32", []uint64{0xffffffff, 2}, 0x1fffffffe},
		{"mad.lo.s32", []uint64{5, 7, 0xffffffff}, 34},
		{"div.s32", []uint64{0xfffffff9, 2}, 0xfffffffd}, // -7/2 = -3
		{"rem.s32", []uint64{0xfffffff9, 2}, 0xffffffff},
		{"div.s32", []uint64{0x80000000, 0xffffffff}, 0x80000000},
		{"min.s32", []uint64{0xffffffff, 1}, 0xffffffff},
		{"min.u32", []uint64{0xffffffff, 1}, 1},
		{"max.s64", []uint64{math.MaxUint64, 1}, 1},
		{"abs.s32", []uint64{0xfffffffe}, 2},
		{"shl.b32", []uint64{1, 32}, 0},
		{"shl.b32", []uint64{3, 31}, 0x80000000},
		{"shr.u32", []uint64{1 << 31, 40}, 0},
		{"shr.s32", []uint64{1 << 31, 40}, 0xffffffff},
		{"shr.s64", []uint64{1 << 63, 64}, math.MaxUint64},
		{"setp.lt.s32", []uint64{0xffffffff, 0}, 1},
		{"setp.lt.u32", []uint64{0xffffffff, 0}, 0},
		{"setp.ge.s16", []uint64{0xffff, 0}, 0},
		{"bfe.u32", []uint64{0xabcd, 4, 8}, 0xbc},
		{"prmt.b32", []uint64{0x33221100, 0x77665544, 0x5410}, 0x55441100},
		{"prmt.b32", []uint64{0x00000080, 0, 0x8880}, 0xffffff80},
		{"shf.l.wrap.b32", []uint64{0x80000000, 1, 1}, 3},
		{"shf.r.wrap.b32", []uint64{2, 1, 1}, 0x80000001},
		{"cvt.u16.u32", []uint64{0x12345}, 0x2345},
		{"cvt.s64.s32", []uint64{0xffffffff}, math.MaxUint64},
		{"cvt.u64.u32", []uint64{0xffffffff}, 0xffffffff},
		{"cvt.s32.s8", []uint64{0x80}, 0xffffff80},
		{"cvt.rn.bf16x2.f32", []uint64{fb(1), fb(-2)}, 0x3f80c000},
		{"cvt.u32.u8", []uint64{0x1ff}, 0xff},
		{"add.rn.f32", []uint64{fb(1), fb(math.Ldexp(1, -24))}, fb(1)},
		{"add.rn.f32", []uint64{fb(inf), fb(-inf)}, nan32},
		{"mul.rn.f32", []uint64{fb(math.Ldexp(1, -100)), fb(math.Ldexp(3, -48))}, 6}, // denormal
		{"div.rn.f32", []uint64{fb(1), fb(3)}, fb(1. / 3)},
		{"sqrt.rn.f32", []uint64{fb(-1)}, nan32},
		{"sqrt.rn.f32", []uint64{fb(2)}, fb(math.Sqrt2)},
		{"rcp.rn.f32", []uint64{1 << 31}, fb(-inf)},
		{"neg.f32", []uint64{fb(0)}, 1 << 31},
		{"abs.f32", []uint64{0xffc00001}, nan32},
		{"min.f32", []uint64{fb(nan), fb(3)}, fb(3)},
		{"max.f32", []uint64{fb(nan), fb(nan)}, nan32},
		{"min.f32", []uint64{0, 1 << 31}, 1 << 31},
		{"max.f32", []uint64{1 << 31, 0}, 0},
		{"copysign.f32", []uint64{fb(-1), fb(5)}, fb(-5)},
		{"setp.lt.f32", []uint64{fb(nan), fb(1)}, 0},
		{"setp.ltu.f32", []uint64{fb(nan), fb(1)}, 1},
		{"setp.ne.f32", []uint64{fb(nan), fb(1)}, 0},
		{"setp.neu.f32", []uint64{fb(nan), fb(1)}, 1},
		{"setp.nan.f32", []uint64{fb(1), fb(nan)}, 1},
		{"setp.num.f32", []uint64{fb(1), fb(nan)}, 0},
		{"cvt.rzi.s32.f32", []uint64{fb(-2.7)}, 0xfffffffe},
		{"cvt.rzi.s32.f32", []uint64{fb(3e9)}, 0x7fffffff},
		{"cvt.rzi.s32.f32", []uint64{fb(-3e9)}, 0x80000000},
		{"cvt.rzi.s32.f32", []uint64{fb(nan)}, 0},
		{"cvt.rzi.u32.f32", []uint64{fb(-1)}, 0},
		{"cvt.rzi.u64.f64", []uint64{math.Float64bits(1 << 63)}, 1 << 63},
		{"cvt.rni.f32.f32", []uint64{fb(2.5)}, fb(2)},
		{"cvt.rmi.f32.f32", []uint64{fb(-2.5)}, fb(-3)},
		{"cvt.rpi.f32.f32", []uint64{fb(2.1)}, fb(3)},
		{"cvt.rn.f32.s32", []uint64{0xffffffff}, fb(-1)},
		{"cvt.rn.f32.u32", []uint64{0xffffffff}, fb(1 << 32)},
		{"cvt.rn.f32.s64", []uint64{1<<62 + 1<<38 + 1}, fb(1<<62 + 1<<39)},
		{"cvt.rn.bf16.f32", []uint64{0x3f808000}, 0x3f80}, // a tie goes to even
		{"cvt.rn.bf16.f32", []uint64{0x3f818000}, 0x3f82},
		{"cvt.rn.bf16.f32", []uint64{0x7f7fffff}, 0x7f80},
		{"cvt.rn.bf16.f32", []uint64{fb(nan)}, 0x7fff},
		{"cvt.rna.tf32.f32", []uint64{0x3f800fff}, 0x3f800000},
		{"cvt.rna.tf32.f32", []uint64{0x3f801000}, 0x3f802000}, // a tie goes away from 0
		{"cvt.rna.tf32.f32", []uint64{0xbf801000}, 0xbf802000},
		{"cvt.rna.tf32.f32", []uint64{0x00001000}, 0x00002000}, // denormal
		{"cvt.rna.tf32.f32", []uint64{0x7f7fffff}, fb(inf)},
		{"cvt.rna.tf32.f32", []uint64{fb(-inf)}, fb(-inf)},
		{"cvt.rna.tf32.f32", []uint64{fb(inf)}, fb(inf)},
		{"cvt.rna.tf32.f32", []uint64{nan32}, 0x7fffe000},
		{"cvt.rna.tf32.f32", []uint64{0x7f800001}, 0x7fffe000}, // a NaN of low bits alone
		{"cvt.rna.tf32.f32", []uint64{0xff801fff}, 0x7fffe000},
		{"cvt.rna.tf32.f32", []uint64{0xffc00000}, 0x7fffe000},
		{"fma.rn.f32", []uint64{fb(0), fb(inf), fb(1)}, nan32},
		{"selp.b32", []uint64{7, 9, 0}, 9},
		{"not.pred", []uint64{1}, 0},
	} {
		if got := compute(t, c.name, c.args...); got != c.want {
			t.Errorf("%s%#x = %#x, want %#x", c.name, c.args, got, c.want)
		}
	}
}

// TestFMA compares with exact arithmetic, at exponents that make the sum a tie or
// denormal.
func TestFMA(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	number := func(spread int) float32 {
		m := r.Uint32()&0x7fffff | 0x800000
		if r.IntN(2) == 0 {
			m &= 0xfff000 // short, for ties
		}
		return float32(math.Ldexp(float64(m), r.IntN(spread)-spread/2-23)) * float32(1-2*r.IntN(2))
	}
	for range 50_000 {
		a, b, c := number(40), number(40), number(100)
		if r.IntN(4) == 0 {
			a, b, c = a*0x1p-60, b*0x1p-60, c*0x1p-126
		}
		exact := new(big.Float).SetPrec(2000).Mul(big.NewFloat(float64(a)), big.NewFloat(float64(b)))
		want, _ := exact.Add(exact, big.NewFloat(float64(c))).Float32()
		if got := fma32(a, b, c); got != want {
			t.Fatalf("%x·%x+%x = %x, want %x", a, b, c, got, want)
		}
	}
	// In float64 the sum is a tie of float32, which it is not quite.
	a, b, c := float32(1+0x1p-12), float32(1-0x1p-12), float32(0x1p-24)
	if got, want := fma32(a, b, float32(-0x1p-80)), math.Nextafter32(1, 0); got != want {
		t.Errorf("1 - 2^-24 - 2^-80 = %x, want %x", got, want)
	}
	if got := fma32(a, a, c); got != float32(1+0x1p-11+0x1p-23) {
		t.Errorf("%x", got)
	}
}

// TestKernels runs whole kernels: shuffles, branches, loops and barriers.
func TestKernels(t *testing.T) {
	iota64 := make([]uint32, 64)
	for i := range iota64 {
		iota64[i] = uint32(i)
	}
	for _, c := range []struct {
		name, body string
		want       func(i int) uint32
	}{
		{"sum of a warp", `
	ld.global.b32 %r1, [%rd2];
	shfl.sync.bfly.b32 %r2, %r1, 16, 31, -1; add.s32 %r1, %r1, %r2;
	shfl.sync.bfly.b32 %r2, %r1, 8, 31, -1; add.s32 %r1, %r1, %r2;
	shfl.sync.bfly.b32 %r2, %r1, 4, 31, -1; add.s32 %r1, %r1, %r2;
	shfl.sync.bfly.b32 %r2, %r1, 2, 31, -1; add.s32 %r1, %r1, %r2;
	shfl.sync.bfly.b32 %r2, %r1, 1, 31, -1; add.s32 %r1, %r1, %r2;
	st.global.b32 [%rd2], %r1;
	ret;
`, func(i int) uint32 { return uint32(496 + i/32*1024) }},
		{"neighbours", `
	shfl.sync.up.b32 %r1, %r0, 1, 0, -1;
	shfl.sync.down.b32 %r2, %r0, 1, 31, 0xffffffff;
	shfl.sync.idx.b32 %r3, %r0, 5, 31, -1;
	add.s32 %r1, %r1, %r2;
	add.s32 %r1, %r1, %r3;
	st.global.b32 [%rd2], %r1;
	ret;
`, func(i int) uint32 { return uint32(max(i%32-1, 0) + min(i%32+1, 31) + 5 + i/32*96) }},
		{"a loop of as many rounds as the thread's number", `
	mov.b32 %r1, 0; mov.b32 %r2, 0;
L:	setp.ge.u32 %p0, %r1, %r0;
	@%p0 bra E;
	add.s32 %r1, %r1, 1; add.s32 %r2, %r2, %r1;
	bra.uni L;
E:	shfl.sync.bfly.b32 %r3, %r2, 1, 31, -1;
	st.global.b32 [%rd2], %r3;
	ret;
`, func(i int) uint32 { i ^= 1; return uint32(i * (i + 1) / 2) }},
		{"a shuffle that some lanes reach over a longer way", `
	and.b32 %r1, %r0, 1; setp.eq.b32 %p1, %r1, 0; mov.b32 %r2, 7;
	@%p1 bra FAR;
BACK:	shfl.sync.bfly.b32 %r3, %r2, 1, 31, -1;
	st.global.b32 [%rd2], %r3;
	ret;
FAR:	mov.b32 %r2, 9;
	bra BACK;
`, func(i int) uint32 { return uint32(9 - 2*(1-i%2)) }},
		{"reversed through shared memory", `
	st.shared.b32 [%rd4], %r0;
	bar.sync 0;
	sub.s32 %r1, 63, %r0;
	mul.wide.u32 %rd5, %r1, 4; add.s64 %rd5, %rd3, %rd5;
	ld.shared.b32 %r2, [%rd5];
	st.global.b32 [%rd2], %r2;
	ret;
`, func(i int) uint32 { return uint32(63 - i) }},
		{"halves joined and parted, vectors and bytes", `
	cvt.u16.u32 %rs0, %r0; mov.u16 %rs1, 3;
	mov.b32 %r1, {%rs0, %rs1};
	mov.b32 {%rs2, %rs3}, %r1;
	{ .reg .b32 tmp; mov.b64 {tmp, %r9}, %rd2; }
	{ .reg .b64 tmp; mov.b64 tmp, {%r1, %r0}; mov.b64 %rd5, tmp; }
	mov.b64 {%r2, %r3}, %rd5;
	cvt.u32.u16 %r4, %rs3;
	st.shared.b8 [%rd4], %r3; st.shared.b8 [%rd4+1], %rs2;
	ld.shared.b8 %rs4, [%rd4+1]; ld.shared.b8 %r6, [%rd4];
	st.shared.b32 [%rd4], -1; ld.shared.s32 %rd6, [%rd4]; ld.shared.s8 %r7, [%rd4+2]; ld.shared.u16 %rd7, [%rd4+2];
	add.s64 %rd6, %rd6, %rd7; cvt.u32.u64 %r8, %rd6; add.s32 %r8, %r8, %r7; sub.s32 %r8, %r8, 65533;
	cvt.u32.u16 %r5, %rs4;
	add.s32 %r4, %r4, %r5; add.s32 %r4, %r4, %r6; add.s32 %r4, %r4, %r8;
	st.global.b32 [%rd2], %r4;
	ret;
`, func(i int) uint32 { return uint32(2*i + 3) }},
		{"conversions of wider registers", `
	cvt.u64.u32 %rd5, %r0; shl.b64 %rd6, %rd5, 40; or.b64 %rd5, %rd5, %rd6; sub.s64 %rd5, %rd5, 3;
	cvt.s64.s32 %rd6, %rd5; cvt.u32.u64 %r1, %rd6; cvt.s32.s8 %r2, %r1; cvt.u32.u8 %r3, %rd5;
	sub.s32 %r4, %r1, %r2; add.s32 %r4, %r4, %r3;
	shr.s64 %rd6, %rd6, 32; cvt.u32.u64 %r5, %rd6; add.s32 %r4, %r4, %r5;
	st.global.b32 [%rd2], %r4;
	ret;
`, func(i int) uint32 {
			if i < 3 {
				return uint32(255 + i - 2 - 1)
			}
			return uint32(i - 3)
		}},
		{"guards", `
	setp.lt.u32 %p1, %r0, 10;
	mov.b32 %r1, 1;
	@%p1 mov.b32 %r1, 2;
	@!%p1 add.s32 %r1, %r1, %r0;
	st.global.b32 [%rd2], %r1;
	@%p1 ret;
	st.global.b32 [%rd2], %r0;
	ret;
`, func(i int) uint32 {
			if i < 10 {
				return 2
			}
			return uint32(i)
		}},
	} {
		got, err := runText(t, kernelText(c.body), Launch{Block: [3]int{64}, Seed: 5}, slices.Clone(iota64))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		for i, v := range got {
			if v != c.want(i) {
				t.Errorf("%s: thread %d: %d, want %d", c.name, i, v, c.want(i))
				break
			}
		}
	}
}

// TestGrid lets every thread of a grid in three dimensions write its number.
func TestGrid(t *testing.T) {
	text := header + `.visible .entry k(.param .u64 p) {
	.reg .b32 %r<16>; .reg .b64 %rd<4>;
	ld.param.b64 %rd0, [p];
	cvta.to.global.u64 %rd1, %rd0;
	mov.u32 %r0, %ctaid.z; mov.u32 %r1, %nctaid.y; mov.u32 %r2, %ctaid.y; mad.lo.s32 %r0, %r0, %r1, %r2;
	mov.u32 %r1, %nctaid.x; mov.u32 %r2, %ctaid.x; mad.lo.s32 %r0, %r0, %r1, %r2;
	mov.u32 %r1, %ntid.z; mov.u32 %r2, %tid.z; mad.lo.s32 %r0, %r0, %r1, %r2;
	mov.u32 %r1, %ntid.y; mov.u32 %r2, %tid.y; mad.lo.s32 %r0, %r0, %r1, %r2;
	mov.u32 %r1, %ntid.x; mov.u32 %r2, %tid.x; mad.lo.s32 %r0, %r0, %r1, %r2;
	mul.wide.u32 %rd2, %r0, 4; add.s64 %rd1, %rd1, %rd2;
	st.global.b32 [%rd1], %r0;
	ret;
}`
	for seed := range uint64(20) {
		got, err := runText(t, text, Launch{Grid: [3]int{3, 2, 2}, Block: [3]int{5, 3, 2}, Seed: seed}, make([]uint32, 360))
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range got {
			if int(v) != i {
				t.Fatalf("seed %d: %d at %d", seed, v, i)
			}
		}
	}
}

// TestFaults holds that each kind of mistake ends a launch or is refused, with words
// that say what it was.
func TestFaults(t *testing.T) {
	for _, c := range []struct{ name, body, want string }{
		{"unknown instruction", "vadd.s32 %r1, %r0, %r0; ret;", `line 19: unknown instruction "vadd.s32"`},
		{"fusible", "add.f32 %r1, %r0, %r0; ret;", "-ffp-contract=off"},
		{"approximate", "ex2.approx.f32 %r1, %r0; ret;", "approximate"},
		{"jump table", "brx.idx %r0, L; ret;", "-fno-jump-tables"},
		{"atomic", "atom.global.add.f32 %r1, [%rd2], %r0; ret;", `unknown instruction "atom.global.add.f32"`},
		{"local memory", ".local .align 4 .b8 x[4]; ret;", `unknown directive ".local"`},
		{"unknown register", "mov.u32 %r99, %r0; ret;", `no register "%r99"`},
		{"register of a scope", "{ .reg .b32 tmp; mov.u32 tmp, 1; } mov.u32 %r1, tmp; ret;", "\"tmp\" is no operand of 32 bits"},
		{"deep scopes", strings.Repeat("{", 1_000_000), "braces in more than 8"},
		{"wrong class", "mov.u32 %r1, %rd0; ret;", "register %rd0 has 64 bits, want 32"},
		{"wide number", "mov.u32 %r1, 4294967296; ret;", "no operand of 32 bits"},
		{"unknown label", "bra X; ret;", "no label X"},
		{"label twice", "A: A: ret;", "label A is there twice"},
		{"too few operands", "add.s32 %r1, %r0; ret;", "2 operands, want 3"},
		{"generic address", "ld.b32 %r1, [%rd2]; ret;", "unknown form"},
		{"unknown parameter", "ld.param.b32 %r1, [q]; ret;", `no parameter "q"`},
		{"beyond a parameter", "ld.param.b64 %rd1, [p+4]; ret;", "offset 4 of a parameter of 8 bytes"},
		{"named barrier", "bar.sync 1; ret;", "unknown form"},
		{"no instructions after a branch", "bra E; E:", "beyond its end"},
		{"beyond an allocation", "st.global.b32 [%rd2+4], %r0; ret;", "thread [63 0 0]: 4 bytes at"},
		{"before an allocation", "add.s64 %rd2, %rd2, -4; st.global.b32 [%rd2], %r0; ret;", "thread [0 0 0]: 4 bytes at"},
		{"null pointer", "mov.b64 %rd2, 0; ld.global.b32 %r1, [%rd2]; ret;", "outside every allocation"},
		{"beyond shared memory", "st.shared.b32 [%rd4+260], %r0; ret;", "thread [63 0 0]: 4 bytes at"},
		{"not aligned", "st.global.b32 [%rd2+2], %r0; ret;", "no multiple of 4"},
		{"not aligned vector", "ld.shared.v2.b32 {%r1, %r2}, [%rd4+4]; ret;", "no multiple of 8"},
		{"unwritten", "ld.shared.b32 %r1, [%rd4]; ret;", "was never written"},
		{"removed barrier", `
	st.shared.b32 [%rd4], %r0;
	xor.b32 %r1, %r0, 63;
	mul.wide.u32 %rd5, %r1, 4; add.s64 %rd5, %rd3, %rd5;
	ld.shared.b32 %r2, [%rd5]; ret;`, "was never written"},
		{"removed second barrier", `
	st.shared.b32 [%rd4], %r0;
	bar.sync 0;
	xor.b32 %r1, %r0, 1;
	mul.wide.u32 %rd5, %r1, 4; add.s64 %rd5, %rd3, %rd5;
	ld.shared.b32 %r2, [%rd5];
	st.shared.b32 [%rd4], %r2; ret;`, "a race: thread 0 writes 0x100000, as thread 1 did"},
		{"two writers", "st.shared.b32 [%rd3], %r0; ret;", "a race: thread 1 writes 0x100000, as thread 0 did"},
		{"neighbouring bytes", "st.shared.b8 [%rd4], %r0; st.shared.b8 [%rd4+5], %r0; ret;", ""},
		{"constant cache", "st.global.b32 [%rd2], %r0; ld.global.nc.b32 %r1, [%rd2]; ret;", "a race: thread 0 reads"},
		{"barrier not for all", "setp.lt.u32 %p1, %r0, 40; @%p1 bra E; bar.sync 0; E: ret;", "the thread has ended while others"},
		{"warp parts at a barrier", "setp.lt.u32 %p1, %r0, 5; @%p1 bar.sync 0; ret;", "part at a barrier"},
		{"two barriers", "setp.lt.u32 %p1, %r0, 32; @%p1 bra A; bar.sync 0; ret; A: bar.sync 0; ret;", "others of its block at that of line"},
		{"shuffle without all", "setp.lt.u32 %p1, %r0, 5; @%p1 bra E; shfl.sync.bfly.b32 %r1, %r0, 1, 31, -1; E: ret;", "lanes that never come"},
		{"guarded shuffle", "setp.lt.u32 %p1, %r0, 5; @%p1 shfl.sync.bfly.b32 %r1, %r0, 1, 31, -1; ret;", "executed by lanes 0x1f"},
		{"shuffle from outside", "setp.lt.u32 %p1, %r0, 64; and.b32 %r2, %r0, 31; setp.ge.u32 %p2, %r2, 4; @%p2 bra E; shfl.sync.bfly.b32 %r1, %r0, 4, 31, 15; E: ret;", "lane 4, which does not take part"},
		{"division by zero", "sub.s32 %r1, %r0, 7; div.s32 %r1, %r0, %r1; ret;", "thread [7 0 0]: an integer is divided by zero"},
		{"endless", "L: bra L;", "as many instructions as it may take"},
	} {
		_, err := runText(t, kernelText(c.body), Launch{Block: [3]int{64}, Limit: 10_000}, make([]uint32, 64))
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

// TestRaceOfBlocks holds that blocks may not share what one of them writes.
func TestRaceOfBlocks(t *testing.T) {
	for _, c := range []struct{ body, want string }{
		{"st.global.b32 [%rd2], %r0; ret;", "as thread 0 of block 0 did"},
		{"ld.global.b32 %r1, [%rd2]; mov.u32 %r2, %ctaid.x; setp.eq.u32 %p1, %r2, 3; @%p1 st.global.b32 [%rd2], %r0; ret;", "as threads of several blocks did"},
		{"ld.global.b32 %r1, [%rd2]; ret;", ""},
	} {
		_, err := runText(t, kernelText(c.body), Launch{Grid: [3]int{4}, Block: [3]int{32}}, make([]uint32, 32))
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.body, err, c.want)
		}
	}
}

func TestFaultFields(t *testing.T) {
	_, err := runText(t, kernelText("setp.ne.u32 %p1, %r0, 33;\n@%p1 bra E;\nst.global.b32 [%rd0+-4], %r0;\nE: ret;"), Launch{Grid: [3]int{2, 3}, Block: [3]int{32, 2}}, make([]uint32, 64))
	var f *Fault
	if err != nil && errors.As(err, &f) {
		t.Fatalf("thread %v has x below 32: %v", f.Thread, err)
	}
	_, err = runText(t, kernelText("setp.ne.u32 %p1, %r0, 33;\n@%p1 bra E;\nst.global.b32 [%rd0+-4], %r0;\nE: ret;"), Launch{Grid: [3]int{2, 3}, Block: [3]int{34, 2}}, make([]uint32, 64))
	if !errors.As(err, &f) {
		t.Fatalf("%v is no fault", err)
	}
	if f.Kernel != "k" || f.Line != 21 || f.Block != [3]int{} || f.Thread != [3]int{33} || f.Text != "st.global.b32 [%rd0+-4], %r0;" {
		t.Errorf("%+v", f)
	}
}

func TestMemory(t *testing.T) {
	m := NewMemory()
	a, b := m.Alloc(10), m.Alloc(0)
	if a%alignment != 0 || b < a+10+alignment {
		t.Errorf("allocations at %#x and %#x", a, b)
	}
	data := make([]byte, 10)
	if err := m.Read(data, a); err == nil || !strings.Contains(err.Error(), "byte 0 of 10") {
		t.Errorf("fresh memory was read: %v", err)
	}
	for _, err := range []error{m.Write(a+1, data), m.Write(a-1, data[:1]), m.Write(0, data[:1]), m.Write(math.MaxUint64, data[:2]), m.Free(a + 1)} {
		if err == nil {
			t.Error("an address outside was taken")
		}
	}
	if err := errors.Join(m.Write(a, data), m.Read(data, a), m.Free(a)); err != nil {
		t.Error(err)
	}
	if m.Read(data, a) == nil {
		t.Error("freed memory was read")
	}
}

func TestArguments(t *testing.T) {
	m, err := Parse(header + ".visible .entry k(.param .u32 a, .param .f64 b, .param .u32 c)\n.maxntid 64\n{ ret; }")
	if err != nil {
		t.Fatal(err)
	}
	k, memory := m.Kernel("k"), NewMemory()
	if got := fmt.Sprintln(m.Names(), m.Version, m.Target, k.Params); got != "[k] 7.0 sm_80 [{a 4 0} {b 8 8} {c 4 16}]\n" {
		t.Error(got)
	}
	for _, c := range []struct {
		l    Launch
		args []any
		want string
	}{
		{Launch{}, []any{int32(1), 2.0, float32(3)}, ""},
		{Launch{Block: [3]int{32, 2}}, []any{int32(1), 2.0, float32(3)}, ""},
		{Launch{Block: [3]int{65}}, []any{int32(1), 2.0, float32(3)}, "it takes 64"},
		{Launch{Block: [3]int{1 << 40}}, []any{int32(1), 2.0, float32(3)}, "a grid of"},
		{Launch{Grid: [3]int{1 << 30, 1 << 15, 1 << 15}}, []any{int32(1), 2.0, float32(3)}, "a grid of"},
		{Launch{Grid: [3]int{1, 1 << 16, 1}}, []any{int32(1), 2.0, float32(3)}, "a grid of [1 65536 1]"},
		{Launch{Block: [3]int{1, 1, 65}}, []any{int32(1), 2.0, float32(3)}, "blocks of [1 1 65]"},
		{Launch{}, []any{int32(1), 2.0}, "takes 3 arguments, not 2"},
		{Launch{}, []any{int32(1), float32(2), int32(3)}, "has 4 bytes, b has 8"},
		{Launch{}, []any{1, 2.0, int32(3)}, "is of type int"},
	} {
		err := k.Run(memory, c.l, c.args...)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v %v: %v, want %q", c.l, c.args, err, c.want)
		}
	}
}

// FuzzParse holds that no text makes the parser or a short launch panic.
func FuzzParse(f *testing.F) {
	f.Add(kernelText("st.shared.b32 [%rd4], %r0; bar.sync 0; ld.shared.v2.b32 {%r1, %r2}, [%rd3]; ret;"))
	f.Add(kernelText("L: setp.lt.f32 %p1, %r0, 0f3f800000; @!%p1 bra L; shfl.sync.idx.b32 %r1, %r0, 5, 31, -1; ret;"))
	f.Add(header + ".shared .align 4 .b8 s[8];\n.visible .entry k(.param .u64 p) .maxntid 32, 1, 1 { .reg .b64 %d; .pragma \"nounroll\"; mov.b64 %d, s; ret; }")
	f.Fuzz(func(t *testing.T, text string) {
		m, err := Parse(text)
		if err != nil {
			return
		}
		for _, name := range m.Names() {
			memory, k := NewMemory(), m.Kernel(name)
			at := memory.Alloc(64)
			args := make([]any, len(k.Params))
			for i, p := range k.Params {
				args[i] = int32(i)
				if p.Size == 8 {
					args[i] = at
				}
			}
			k.Run(memory, Launch{Block: [3]int{3}, Limit: 1000}, args...)
		}
	})
}
