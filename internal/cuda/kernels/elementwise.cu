// Elementwise kernels: a thread an element.

// dst = a + b
KERNEL BOUNDS void add(float *dst, const float *a, const float *b, long n)
{
    long i = ELEMENT;
    if (i < n)
        dst[i] = a[i] + b[i];
}

// dst = a b
KERNEL BOUNDS void multiply(float *dst, const float *a, const float *b, long n)
{
    long i = ELEMENT;
    if (i < n)
        dst[i] = a[i] * b[i];
}

// dst = s x
KERNEL BOUNDS void scale(float *dst, const float *x, float s, long n)
{
    long i = ELEMENT;
    if (i < n)
        dst[i] = s * x[i];
}

// dst += s x
KERNEL BOUNDS void add_scaled(float *dst, const float *x, float s, long n)
{
    long i = ELEMENT;
    if (i < n)
        dst[i] += s * x[i];
}

// dst = v
KERNEL BOUNDS void fill(float *dst, float v, long n)
{
    long i = ELEMENT;
    if (i < n)
        dst[i] = v;
}

// dst = f(x)
KERNEL BOUNDS void activate(int f, float *dst, const float *x, long n)
{
    long i = ELEMENT;
    if (i < n)
        dst[i] = activation(f, x[i]);
}

// dx = dy f'(x)
KERNEL BOUNDS void activate_grad(int f, float *dx, const float *dy, const float *x, long n)
{
    long i = ELEMENT;
    if (i < n)
        dx[i] = dy[i] * slope(f, x[i]);
}

// out = r + sigmoid(u) (h - r)
KERNEL BOUNDS void gated_residual(float *out, const float *r, const float *u, const float *h, long n)
{
    long i = ELEMENT;
    if (i < n)
        out[i] = r[i] + sigmoid(u[i]) * (h[i] - r[i]);
}

// With s = sigmoid(u): dr = dout (1 - s), dh = dout s, du = dout s (1 - s) (h - r).
KERNEL BOUNDS void gated_residual_grad(float *dr, float *du, float *dh, const float *dout, const float *r, const float *u, const float *h, long n)
{
    long i = ELEMENT;
    if (i >= n)
        return;
    float d = dout[i], s = sigmoid(u[i]), rest = sigmoid(-u[i]), difference = h[i] - r[i];
    dr[i] = d * rest;
    dh[i] = d * s;
    du[i] = d * s * rest * difference;
}

// out = silu(r) a
KERNEL BOUNDS void silu_multiply(float *out, const float *r, const float *a, long n)
{
    long i = ELEMENT;
    if (i < n)
        out[i] = silu(r[i]) * a[i];
}

// dr = dout a silu'(r), da = dout silu(r)
KERNEL BOUNDS void silu_multiply_grad(float *dr, float *da, const float *dout, const float *r, const float *a, long n)
{
    long i = ELEMENT;
    if (i >= n)
        return;
    float d = dout[i], x = r[i], y = a[i];
    dr[i] = d * y * siluSlope(x);
    da[i] = d * silu(x);
}

// Adam as the reference has it, with weight decay first:
//
//	g = gradScale grad
//	m = beta1 m + rest1 g, v = beta2 v + rest2 g^2
//	w = w - decay w - step m / (sqrt(v) + eps)
//
// numbers are gradScale, beta1, rest1, beta2, rest2, eps, step and decay, which is 0 unless
// decays is set. They are in memory so that steps launch the same.
KERNEL BOUNDS void adam(float *w, const float *grad, float *m, float *v, long n, const float *numbers, int decays)
{
    long i = ELEMENT;
    if (i >= n)
        return;
    float g = numbers[0] * grad[i], decay = decays ? numbers[7] : 0;
    float mean = numbers[1] * m[i] + numbers[2] * g, square = numbers[3] * v[i] + numbers[4] * (g * g);
    m[i] = mean;
    v[i] = square;
    w[i] = w[i] - decay * w[i] - numbers[6] * (mean / (root(square) + numbers[5]));
}

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

// dst[i] = 0 where word number offset + i of the seed is less than threshold, else
// factor x[i]. A thread makes the four words of counter offset / 64 * 16 + ELEMENT,
// which are 16 apart.
KERNEL BOUNDS void dropout(float *dst, const float *x, long n, const unsigned long *seed, unsigned long offset, word threshold, float factor)
{
    unsigned long counter = offset / 64 * 16 + ELEMENT;
    word c[4];
    philox(c, counter, *seed);
    UNROLL for (int w = 0; w < 4; w++) {
        long i = (long)(counter / 16 * 64 + 16 * w + counter % 16 - offset);
        if (i >= 0 && i < n)
            dst[i] = c[w] < threshold ? 0 : factor * x[i];
    }
}
