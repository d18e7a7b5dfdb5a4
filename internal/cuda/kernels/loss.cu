// Softmax over classes and cross-entropy: a warp a row.

// ln x of a normal number, to within a rounding: x = 2^e m with m from sqrt(1/2) on, and
// ln(1 + f) = f - f^2/2 + f^3 P(f) (Cephes, logf).
DEVICE float logarithm(float x)
{
    word b = bits(x);
    int e = (int)(b >> 23) - 126;
    float m = number((b & 0x7fffff) | 0x3f000000);
    if (m < 0.707106781f) {
        e--;
        m += m;
    }
    float f = m - 1, z = f * f;
    float p = fma(fma(fma(7.0376836292e-2f, f, -1.1514610310e-1f), f, 1.1676998740e-1f), f, -1.2420140846e-1f);
    p = fma(fma(fma(p, f, 1.4249322787e-1f), f, -1.6668057665e-1f), f, 2.0000714765e-1f);
    p = fma(fma(p, f, -2.4999993993e-1f), f, 3.3333331174e-1f);
    p = fma((float)e, -2.12194440e-4f, p * f * z);
    return fma((float)e, 0.693359375f, f + fma(-0.5f, z, p));
}

// The largest number of a row, and the sum of e^(x - largest): NaN if a number is NaN.
DEVICE float rowSum(const float *x, int cols, float *largest)
{
    float top = -__builtin_inff(), sum = 0;
    for (int c = LANE; c < cols; c += 32)
        top = x[c] != x[c] || x[c] > top ? x[c] : top;
    top = warpMaximum(top);
    for (int c = LANE; c < cols; c += 32)
        sum += exponential(x[c] - top);
    *largest = top;
    return warpSum(sum);
}

// dst = x - log sum e^x
KERNEL BOUNDS void log_softmax(float *dst, const float *x, int rows, int cols, int ldd, int ldx)
{
    long row = ROW;
    if (row >= rows)
        return;
    x += row * ldx;
    dst += row * ldd;
    float top, sum = logarithm(rowSum(x, cols, &top));
    for (int c = LANE; c < cols; c += 32)
        dst[c] = x[c] - top - sum;
}

// logSums = log sum e^x of each row, and terms [rows, 5]: the largest number, the sum of
// e^(x - largest), the target's number, the sum of the row, and how many numbers win
// against the target's. Rows whose target is ignore get nothing.
KERNEL BOUNDS void cross_entropy(float *terms, float *logSums, const float *x, const int *targets, int ignore, int rows, int cols, int ldx)
{
    long row = ROW;
    if (row >= rows || targets[row] == ignore)
        return;
    x += row * ldx;
    int target = targets[row];
    float top, sum = rowSum(x, cols, &top), own = x[target], total = 0, winners = 0;
    for (int c = LANE; c < cols; c += 32) {
        total += x[c];
        winners += x[c] > own || (x[c] == own && c < target) ? 1 : 0;
    }
    total = warpSum(total);
    winners = warpSum(winners);
    if (LANE == 0) {
        logSums[row] = top + logarithm(sum);
        terms += row * 5;
        terms[0] = top;
        terms[1] = sum;
        terms[2] = own;
        terms[3] = total;
        terms[4] = winners;
    }
}

// dx = dloss (softmax(x) - keep onehot - rest), 0 in rows whose target is ignore.
KERNEL BOUNDS void cross_entropy_grad(float *dx, const float *dloss, const float *logSums, const float *x, const int *targets, int ignore,
    int rows, int cols, int lddx, int ldx, float keep, float rest)
{
    long row = ROW;
    if (row >= rows)
        return;
    int target = targets[row];
    x += row * ldx;
    dx += row * lddx;
    float scale = *dloss, sum = target == ignore ? 0 : logSums[row];
    for (int c = LANE; c < cols; c += 32) {
        float d = 0;
        if (target != ignore)
            d = scale * (exponential(x[c] - sum) - rest - (c == target ? keep : 0));
        dx[c] = d;
    }
}
