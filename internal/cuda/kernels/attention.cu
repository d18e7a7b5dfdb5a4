// The functions that make weights of attention scores: a warp a row. Row i of segment
// s has keys scores, of which the first limit count if the rows are causal; masked keys
// get the weight 0.

// The number of keys that a query sees, padding aside.
DEVICE int visible(int query, int queries, int keys, int causal)
{
    int n = causal ? query + 1 + keys - queries : keys;
    return n < 0 ? 0 : n;
}

DEVICE bool hidden(const byte *mask, long segment, int keys, int key) { return mask && mask[segment * keys + key]; }

// P = softmax(scale S + bias[j - i]), in place of S [segments, queries, keys]; rows
// where all is hidden get 0. bias points to the one of j = i, and may be null; mask
// [segments, keys] may be null.
KERNEL BOUNDS void softmax_weights(float *s, const float *bias, const byte *mask, int segments, int queries, int keys, float scale, int causal)
{
    long row = ROW;
    if (row >= (long)segments * queries)
        return;
    int query = (int)(row % queries), end = visible(query, queries, keys, causal);
    long segment = row / queries;
    s += row * keys;
    const float none = -__builtin_inff();
    float largest = none, sum = 0;
    for (int j = LANE; j < end; j += 32) {
        float v = hidden(mask, segment, keys, j) ? none : bias ? s[j] * scale + bias[j - query] : s[j] * scale;
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
    for (int j = LANE; j < keys; j += 32)
        s[j] = j < end && sum != 0 ? s[j] / sum : 0;
}

// P = f(scale S + bias[j - i]) for f relu2 or laplace, where scale is divided by
// lengths[segment], or if that is null by the number of keys that the query sees.
KERNEL BOUNDS void element_weights(int f, float *p, const float *s, const float *bias, const byte *mask, const float *lengths,
    int segments, int queries, int keys, float scale, int causal)
{
    long row = ROW;
    if (row >= (long)segments * queries)
        return;
    int query = (int)(row % queries), end = visible(query, queries, keys, causal);
    long segment = row / queries;
    p += row * keys;
    s += row * keys;
    scale /= lengths ? lengths[segment] : end;
    for (int j = LANE; j < keys; j += 32) {
        float v = 0;
        if (j < end && !hidden(mask, segment, keys, j))
            v = activation(f, bias ? s[j] * scale + bias[j - query] : s[j] * scale);
        p[j] = v;
    }
}

// dS of softmax from P and dP, in place of dP: P (dP - sum P dP).
KERNEL BOUNDS void softmax_weights_grad(float *dp, const float *p, long rows, int keys)
{
    long row = ROW;
    if (row >= rows)
        return;
    dp += row * keys;
    p += row * keys;
    float sum = 0;
    for (int j = LANE; j < keys; j += 32)
        sum = fma(p[j], dp[j], sum);
    sum = warpSum(sum);
    for (int j = LANE; j < keys; j += 32)
        dp[j] = p[j] * (dp[j] - sum);
}

// dS of relu2 or laplace from dP and the scores S, in place of dP.
KERNEL BOUNDS void element_weights_grad(int f, float *dp, const float *s, const float *bias, const byte *mask, const float *lengths,
    int segments, int queries, int keys, float scale, int causal)
{
    long row = ROW;
    if (row >= (long)segments * queries)
        return;
    int query = (int)(row % queries), end = visible(query, queries, keys, causal);
    long segment = row / queries;
    dp += row * keys;
    s += row * keys;
    scale /= lengths ? lengths[segment] : end;
    for (int j = LANE; j < keys; j += 32) {
        float d = 0;
        if (j < end && !hidden(mask, segment, keys, j))
            d = dp[j] * slope(f, bias ? s[j] * scale + bias[j - query] : s[j] * scale);
        dp[j] = d;
    }
}

// scores *= scale, divided as element_weights divides it.
KERNEL BOUNDS void scale_scores(float *s, const float *lengths, int segments, int queries, int keys, float scale, int causal)
{
    long row = ROW;
    if (row >= (long)segments * queries)
        return;
    scale /= lengths ? lengths[row / queries] : visible((int)(row % queries), queries, keys, causal);
    for (int j = LANE; j < keys; j += 32)
        s[row * keys + j] *= scale;
}

// The part of block y of the gradients of the bias, sum of dS[s, i, j] over equal j - i:
// over height segments. Parts are [blocks, queries + keys - 1], that of j - i at
// queries - 1 + j - i.
KERNEL BOUNDS void bias_parts(float *parts, const float *ds, int segments, int queries, int keys, int height)
{
    long at = ELEMENT, all = queries + keys - 1;
    if (at >= all)
        return;
    long from = (long)blockY * height, to = from + height < segments ? from + height : segments;
    long offset = at - (queries - 1), first = offset < 0 ? -offset : 0, end = keys - offset < queries ? keys - offset : queries;
    float sum = 0;
    for (long s = from; s < to; s++)
        for (long i = first; i < end; i++)
            sum += ds[(s * queries + i) * keys + i + offset];
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
