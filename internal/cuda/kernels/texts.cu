// Texts that are read piece by piece, side by side: each has memory of its own for the
// keys and values that its next queries meet.

// Copies matrices to others, each by blocks of one y; blocks of all x share its numbers.
struct piece {
    GLOBAL float *dst;
    const GLOBAL float *src;
    int rows, cols, ldd, lds;
};
KERNEL BOUNDS void copy_pieces(const piece *pieces, int across)
{
    piece p = pieces[blockY];
    for (long i = ELEMENT; i < (long)p.rows * p.cols; i += (long)across * THREADS) {
        long r = i / p.cols, c = i % p.cols;
        p.dst[r * p.ldd + c] = p.src[r * p.lds + c];
    }
}

// The keys [n, Z] and values [n, H] that length queries of a text meet: if they are
// causal, query i the first n - length + i + 1 of them. Query i and key j have the bias
// of number offset + j - i.
struct text {
    const GLOBAL float *keys, *values;
    int n, offset;
};
DEVICE int seen(const text &t, long row, int length, int causal)
{
    int n = causal ? t.n - length + 1 + (int)(row % length) : t.n;
    return n < 0 ? 0 : n;
}

// s[i, j] = q[row] keys[j] for row i from first on: a warp a key. s [rows, most] has
// nothing where a query sees no key.
KERNEL BOUNDS void text_scores(float *s, const float *q, const text *texts, int first, int length, int most, int z, int ldq, int causal)
{
    long row = first + blockY;
    int j = (int)ROW;
    text t = texts[row / length];
    if (j >= seen(t, row, length, causal))
        return;
    float sum = warpDot(q + row * ldq, (const float *)(t.keys + (long)j * z), z);
    if (LANE == 0)
        s[(long)blockY * most + j] = sum;
}

// Makes weights of scores, in their place: a warp a row. f is relu2 or laplace, whose
// scale is divided by the number of keys that the query sees, or -1 for softmax.
KERNEL BOUNDS void text_weights(int f, float *s, const text *texts, const float *bias, int first, int rows, int length, int most, float scale, int causal)
{
    if (ROW >= rows)
        return;
    long row = first + ROW;
    text t = texts[row / length];
    int end = seen(t, row, length, causal);
    s += ROW * most;
    if (bias)
        bias += t.offset - (int)(row % length);
    if (f >= 0) {
        scale /= end;
        for (int j = LANE; j < end; j += 32)
            s[j] = activation(f, bias ? s[j] * scale + bias[j] : s[j] * scale);
        return;
    }
    const float none = -__builtin_inff();
    float largest = none, sum = 0;
    for (int j = LANE; j < end; j += 32) {
        float v = bias ? s[j] * scale + bias[j] : s[j] * scale;
        s[j] = v;
        largest = v != v || v > largest ? v : largest;
    }
    largest = warpMaximum(largest);
    for (int j = LANE; j < end; j += 32) {
        float e = largest == none ? 0 : exponential(s[j] - largest);
        s[j] = e;
        sum += e;
    }
    sum = warpSum(sum);
    for (int j = LANE; j < end; j += 32)
        s[j] = sum != 0 ? s[j] / sum : 0;
}

// dst[row] = sum over j of s[i, j] values[j] for row i from first on: a lane a column,
// of which each warp adds up some of the keys, in an order that their number alone decides.
KERNEL BOUNDS void text_values(float *dst, const float *s, const text *texts, int first, int length, int most, int h, int ldd, int causal)
{
    SHARED float parts[WARPS][32];
    long row = first + blockY;
    int column = blockX * 32 + LANE, warp = threadX / 32;
    text t = texts[row / length];
    int end = seen(t, row, length, causal);
    float sum = 0;
    if (column < h)
        for (int j = warp; j < end; j += WARPS)
            sum = fma(s[(long)blockY * most + j], t.values[(long)j * h + column], sum);
    parts[warp][LANE] = sum;
    BARRIER;
    if (warp > 0 || column >= h)
        return;
    for (int w = 1; w < WARPS; w++)
        sum += parts[w][LANE];
    dst[row * ldd + column] = sum;
}
