// What all kernels share. There is no CUDA toolkit behind them: clang's own builtins
// are the whole of it.
//
// Shapes are those of the CPU's kernels, in package internal/kernel, whose plain-Go
// twins are the definitions. Kernels use no atomics, and add in an order that shapes
// alone decide, so that equal runs give equal bits. They use no instruction whose
// result is the device's choice either: what the interpreter computes, devices do.

#define KERNEL extern "C" __attribute__((global))
#define THREADS 256 // of a block, unless a kernel says otherwise
#define WARPS (THREADS / 32)
#define BOUNDS __attribute__((launch_bounds(THREADS)))
#define DEVICE static __attribute__((device, always_inline)) inline // a call would keep arrays in memory
#define SHARED static __attribute__((shared))
#define GLOBAL __attribute__((address_space(1))) // an address that a kernel reads from memory: arguments are known to be such
#define UNROLL _Pragma("unroll")
#define NOUNROLL _Pragma("nounroll")

#define threadX ((int)__nvvm_read_ptx_sreg_tid_x())
#define blockX ((int)__nvvm_read_ptx_sreg_ctaid_x())
#define blockY ((int)__nvvm_read_ptx_sreg_ctaid_y())
#define blockZ ((int)__nvvm_read_ptx_sreg_ctaid_z())
#define BARRIER __syncthreads()

// The element of a thread in a kernel of one dimension, and its row in one with a warp
// for each row.
#define ELEMENT ((long)blockX * THREADS + threadX)
#define ROW ((long)blockX * WARPS + threadX / 32)
#define LANE (threadX % 32)

typedef unsigned char byte;
typedef unsigned int word;

DEVICE float fma(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
DEVICE float root(float x) { return __builtin_sqrtf(x); }
DEVICE float magnitude(float x) { return __builtin_fabsf(x); }
DEVICE float number(word bits) { return __builtin_bit_cast(float, bits); }
DEVICE word bits(float x) { return __builtin_bit_cast(word, x); }

// Dropout by the words of a seed on the device (endings.go): those below the threshold drop
// out, and what stays is multiplied by the factor. seed null stands for none.
#define DROPOUT const unsigned long *seed, word threshold, float factor

// These keep NaN.
DEVICE float atLeast(float x, float low) { return x < low ? low : x; }
DEVICE float atMost(float x, float high) { return x > high ? high : x; }

// The sum, and the maximum, over the lanes of a warp. All lanes get it.
DEVICE float warpSum(float v)
{
    UNROLL for (int m = 16; m > 0; m /= 2)
        v += __nvvm_shfl_sync_bfly_f32(0xffffffff, v, m, 31);
    return v;
}
DEVICE float warpMaximum(float v)
{
    UNROLL for (int m = 16; m > 0; m /= 2) {
        float other = __nvvm_shfl_sync_bfly_f32(0xffffffff, v, m, 31);
        v = v != v || v > other ? v : other; // NaN wins
    }
    return v;
}

// The sum over i < n of x[i] y[i], by the lanes of a warp, which all get it.
DEVICE float warpDot(const float *x, const float *y, int n)
{
    float sum = 0;
    for (int i = LANE; i < n; i += 32)
        sum = fma(x[i], y[i], sum);
    return warpSum(sum);
}

// A sum of length terms in slices of step, of which shared memory holds two: while one is
// used, the next is on its way from memory. read takes the slice from a term on to
// registers, write puts it from there into half 0 or 1 of shared memory, and use is given a
// half and from where its slice is. All three are INLINE, as DEVICE functions are.
#define INLINE __attribute__((always_inline))
template <class Read, class Write, class Use> DEVICE void inSlices(int length, int step, Read read, Write write, Use use)
{
    int now = 0;
    read(0);
    write(now);
    BARRIER;
    for (int next = step;; next += step) {
        if (next < length)
            read(next);
        use(now, next - step);
        if (next >= length)
            return;
        now = 1 - now;
        write(now);
        BARRIER;
    }
}

// Four numbers in shared memory, by one instruction: clang would make four.
DEVICE void readFour(float v[4], const float *from)
{
    asm volatile("ld.shared.v4.f32 {%0, %1, %2, %3}, [%4];"
                 : "=f"(v[0]), "=f"(v[1]), "=f"(v[2]), "=f"(v[3])
                 : "l"((const __attribute__((address_space(3))) float *)from)
                 : "memory");
}

DEVICE void writeFour(float *to, const float v[4])
{
    asm volatile("st.shared.v4.f32 [%0], {%1, %2, %3, %4};"
                 :
                 : "l"((__attribute__((address_space(3))) float *)to), "f"(v[0]), "f"(v[1]), "f"(v[2]), "f"(v[3])
                 : "memory");
}
