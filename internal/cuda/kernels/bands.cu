// Bands of a vocabulary, dropout of whole features, and the norm of gradients.

// Row index[r] of dst = scale times row r of src. No row may be named twice.
KERNEL BOUNDS void place_rows(float *dst, const float *src, const int *index, int rows, int cols, int ldd, int lds, float scale)
{
    long i = ELEMENT, r = i / cols, c = i % cols;
    if (r < rows)
        dst[(long)index[r] * ldd + c] = scale * src[r * lds + c];
}

// Row r of dst = scale times row index[r] of src: the gradient of place_rows.
KERNEL BOUNDS void take_rows(float *dst, const float *src, const int *index, int rows, int cols, int ldd, int lds, float scale)
{
    long i = ELEMENT, r = i / cols, c = i % cols;
    if (r < rows)
        dst[r * ldd + c] = scale * src[(long)index[r] * lds + c];
}

// dst = x + column, one number for each row: column[r ldc].
KERNEL BOUNDS void add_column(float *dst, const float *x, const float *column, int rows, int cols, int ldd, int ldx, int ldc)
{
    long i = ELEMENT, r = i / cols, c = i % cols;
    if (r < rows)
        dst[r * ldd + c] = x[r * ldx + c] + column[r * ldc];
}

// dst = x times 0 or factor, chosen for each column of a group of length rows as one, or
// with whole set for each group: by word number g cols + c, or g, of the seed (see dropout).
KERNEL BOUNDS void feature_dropout(float *dst, const float *x, int rows, int cols, int ldd, int ldx, int length, int whole,
    const unsigned long *seed, word threshold, float factor)
{
    long i = ELEMENT, r = i / cols, c = i % cols;
    if (r >= rows)
        return;
    long group = r / length, number = whole ? group : group * cols + c;
    unsigned long counter = number / 64 * 16 + number % 16;
    word v[4] = {(word)counter, (word)(counter >> 32), 0, 0};
    word k0 = (word)*seed, k1 = (word)(*seed >> 32);
    UNROLL for (int round = 0; round < 7; round++) {
        philoxRound(v, k0, k1);
        k0 += 0x9e3779b9;
        k1 += 0xbb67ae85;
    }
    int w = (int)(number % 64 / 16);
    word drawn = w == 0 ? v[0] : w == 1 ? v[1] : w == 2 ? v[2] : v[3];
    dst[r * ldd + c] = x[r * ldx + c] * (drawn < threshold ? 0 : factor);
}

#define SQUARES 32 // numbers that a thread adds up

// The sum of squares of a block's numbers, in float64: those of a thread in their order,
// then the threads' in the order of a tree.
KERNEL BOUNDS void square_parts(double *parts, const float *x, long n)
{
    SHARED double sums[THREADS];
    long from = (long)blockX * THREADS * SQUARES + threadX;
    double sum = 0;
    for (int k = 0; k < SQUARES; k++) {
        long i = from + (long)k * THREADS;
        if (i < n)
            sum += (double)x[i] * (double)x[i];
    }
    sums[threadX] = sum;
    for (int half = THREADS / 2; half > 0; half /= 2) {
        BARRIER;
        if (threadX < half)
            sums[threadX] += sums[threadX + half];
    }
    if (threadX == 0)
        parts[blockX] = sums[0];
}
