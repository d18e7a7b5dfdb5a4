// How the results of layers end: in an activation, in dropout, and in a gate or a sum with
// what the layer read. Each is one kernel, which gives the bits that one kernel after the
// other would. Matrices have rows of cols numbers, and where there are lds, so far apart.

// One round of Philox 4x32.
DEVICE void philoxRound(word c[4], word k0, word k1)
{
    unsigned long a = 0xd2511f53ul * c[0], b = 0xcd9e8d57ul * c[2];
    word high = (word)(b >> 32) ^ c[1] ^ k0;
    c[2] = (word)(a >> 32) ^ c[3] ^ k1;
    c[0] = high;
    c[1] = (word)b;
    c[3] = (word)a;
}

// The four words of a counter, as a seed has them (internal/kernel/random.go).
DEVICE void philox(word c[4], unsigned long counter, unsigned long seed)
{
    word k0 = (word)seed, k1 = (word)(seed >> 32);
    c[0] = (word)counter;
    c[1] = (word)(counter >> 32);
    c[2] = c[3] = 0;
    UNROLL for (int round = 0; round < 7; round++) {
        philoxRound(c, k0, k1);
        k0 += 0x9e3779b9;
        k1 += 0xbb67ae85;
    }
}

// Word i % 4 of four.
DEVICE word pick(const word c[4], word i)
{
    word low = i & 1 ? c[1] : c[0], high = i & 1 ? c[3] : c[2];
    return i & 2 ? high : low;
}

// What dropout leaves of x, number i of a matrix, in kernels whose threads have other numbers
// than the words of a counter.
DEVICE float droppedAt(DROPOUT, long i, float x)
{
    if (!seed)
        return x;
    word words[4];
    philox(words, i / 64 * 16 + i % 16, *seed);
    return pick(words, (word)(i / 16)) < threshold ? 0 : factor * x;
}

// The elements of a thread: four, 16 apart, whose words are those of counter ELEMENT of the
// seed, or without dropout one.
struct elements {
    long first;
    int count;
    word words[4];
};

DEVICE elements ownElements(const unsigned long *seed)
{
    elements e;
    e.first = seed ? ELEMENT / 16 * 64 + ELEMENT % 16 : ELEMENT;
    e.count = seed ? 4 : 1;
    e.words[0] = e.words[1] = e.words[2] = e.words[3] = 0xffffffff;
    if (seed)
        philox(e.words, ELEMENT, *seed);
    return e;
}

// What dropout leaves of element number k of a thread: 0 if its word is below the threshold,
// which is 0 where nothing drops out, and else factor x.
DEVICE float dropped(const elements &e, int k, word threshold, float factor, float x)
{
    return pick(e.words, k) < threshold ? 0 : factor * x;
}

#define EACH_ELEMENT(e, i, n) \
    NOUNROLL for (long k = 0, i = e.first; k < e.count && i < n; k++, i += 16)

// y = dropout(f(x))
KERNEL BOUNDS void activate_dropout(int f, float *y, const float *x, long n, DROPOUT)
{
    elements e = ownElements(seed);
    EACH_ELEMENT(e, i, n)
        y[i] = dropped(e, k, threshold, factor, activation(f, x[i]));
}

// dx = dropout(dy) f'(x), x being read only where f is no identity.
KERNEL BOUNDS void activate_dropout_grad(int f, float *dx, const float *dy, const float *x, long n, DROPOUT)
{
    elements e = ownElements(seed);
    EACH_ELEMENT(e, i, n) {
        float d = dropped(e, k, threshold, factor, dy[i]);
        dx[i] = f == IDENTITY ? d : d * slope(f, x[i]);
    }
}

// out = dropout(f(y)) + r
KERNEL BOUNDS void add_dropout(int f, float *out, const float *r, const float *y, long n, DROPOUT)
{
    elements e = ownElements(seed);
    EACH_ELEMENT(e, i, n)
        out[i] = dropped(e, k, threshold, factor, activation(f, y[i])) + r[i];
}

// out = r + sigmoid(u) (h - r) with h = dropout(f(y))
KERNEL BOUNDS void gated_residual(int f, float *out, const float *r, const float *u, const float *y, long n, int cols, int ldo, int ldr, int ldu, int ldy, DROPOUT)
{
    elements e = ownElements(seed);
    EACH_ELEMENT(e, i, n) {
        long row = i / cols, c = i % cols;
        float x = r[row * ldr + c], h = dropped(e, k, threshold, factor, activation(f, y[row * ldy + c]));
        out[row * ldo + c] = x + sigmoid(u[row * ldu + c]) * (h - x);
    }
}

// With s = sigmoid(u): dr = dout (1 - s), du = dout s (1 - s) (h - r), dy = dropout(dout s) f'(y).
KERNEL BOUNDS void gated_residual_grad(int f, float *dr, float *du, float *dy, const float *dout, const float *r, const float *u, const float *y, long n, int cols,
    int lddr, int lddu, int lddy, int lddo, int ldr, int ldu, int ldy, DROPOUT)
{
    elements e = ownElements(seed);
    EACH_ELEMENT(e, i, n) {
        long row = i / cols, c = i % cols;
        float d = dout[row * lddo + c], v = u[row * ldu + c], x = r[row * ldr + c], before = y[row * ldy + c];
        float s = sigmoid(v), rest = sigmoid(-v), dh = dropped(e, k, threshold, factor, d * s);
        float difference = dropped(e, k, threshold, factor, activation(f, before)) - x;
        dr[row * lddr + c] = d * rest;
        du[row * lddu + c] = d * s * rest * difference;
        dy[row * lddy + c] = f == IDENTITY ? dh : dh * slope(f, before);
    }
}

// out = silu(r) a
KERNEL BOUNDS void silu_multiply(float *out, const float *r, const float *a, long n, int cols, int ldo, int ldr, int lda)
{
    long i = ELEMENT, row = i / cols, c = i % cols;
    if (i < n)
        out[row * ldo + c] = silu(r[row * ldr + c]) * a[row * lda + c];
}

// dr = dout a silu'(r), da = dout silu(r)
KERNEL BOUNDS void silu_multiply_grad(float *dr, float *da, const float *dout, const float *r, const float *a, long n, int cols,
    int lddr, int ldda, int lddo, int ldr, int lda)
{
    long i = ELEMENT, row = i / cols, c = i % cols;
    if (i >= n)
        return;
    float d = dout[row * lddo + c], x = r[row * ldr + c], y = a[row * lda + c];
    dr[row * lddr + c] = d * y * siluSlope(x);
    da[row * ldda + c] = d * silu(x);
}
