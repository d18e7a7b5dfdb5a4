// What attention needs beside its tiles (attention_tile.cu): sums for gradients, and the
// rotary bias.

// delta[r] = sum over h of x[r, h] y[r, h]: under softmax what the gradients of a row's
// weights have in common, from its output and its gradient.
KERNEL BOUNDS void row_products(float *delta, const float *x, const float *y, int rows, int cols, int ldx, int ldy)
{
    long row = ROW;
    if (row >= rows)
        return;
    float sum = warpDot(x + row * ldx, y + row * ldy, cols);
    if (LANE == 0)
        delta[row] = sum;
}

// Part y of the gradient of the bias: the sum of rows y height to (y + 1) height - 1 of
// tiles [segments tiles, keys + 63] (attention_tile.cu). Parts are [blocks, queries + keys
// - 1], that of key minus query at queries - 1 + key - query.
KERNEL BOUNDS void attention_bias_parts(float *parts, const float *tiles, int segments, int queries, int keys, int height)
{
    long at = ELEMENT, all = queries + keys - 1;
    if (at >= all)
        return;
    int count = (queries + TILE - 1) / TILE;
    long from = (long)blockY * height, to = from + height < (long)segments * count ? from + height : (long)segments * count;
    float sum = 0;
    for (long t = from; t < to; t++) {
        long e = at - (queries - 1) + t % count * TILE + TILE - 1;
        if (e >= 0 && e < keys + TILE - 1)
            sum += tiles[t * (keys + TILE - 1) + e];
    }
    parts[blockY * all + at] = sum;
}

// The rotary bias: with w = a conj(b) as complex numbers, whose real parts come first,
// dst[r] = sum over h of table[r, h] w[h].
KERNEL BOUNDS void rotary_bias(float *dst, const float *table, const float *a, const float *b, int rows, int z)
{
    long row = ROW;
    int half = z / 2;
    if (row >= rows)
        return;
    table += row * z;
    float sum = 0;
    for (int h = LANE; h < half; h += 32) {
        sum = fma(table[h], a[h] * b[h] + a[h + half] * b[h + half], sum);
        sum = fma(table[h + half], a[h + half] * b[h] - a[h] * b[h + half], sum);
    }
    sum = warpSum(sum);
    if (LANE == 0)
        dst[row] = sum;
}

// da and db from dw [z].
KERNEL BOUNDS void rotary_bias_grad(float *da, float *db, const float *dw, const float *a, const float *b, int z)
{
    long h = ELEMENT, half = z / 2;
    if (h >= half)
        return;
    float re = dw[h], im = dw[h + half];
    da[h] = re * b[h] - im * b[h + half];
    da[h + half] = re * b[h + half] + im * b[h];
    db[h] = re * a[h] + im * a[h + half];
    db[h + half] = re * a[h + half] - im * a[h];
}
