// What is chosen among the classes of a row, and losses of soft targets: a warp a row.

// The column of each row's largest number, the first of equals. As on the CPU, a row
// that begins with NaN has column 0, and other NaN is never the largest.
KERNEL BOUNDS void argmax(int *out, const float *x, int rows, int cols, int ldx)
{
    long row = ROW;
    if (row >= rows)
        return;
    x += row * ldx;
    float best = x[0];
    int at = 0;
    for (int c = LANE; c < cols; c += 32)
        if (x[c] > best) {
            best = x[c];
            at = c;
        }
    UNROLL for (int m = 16; m > 0; m /= 2) {
        float other = __nvvm_shfl_sync_bfly_f32(0xffffffff, best, m, 31);
        int column = __nvvm_shfl_sync_bfly_i32(0xffffffff, at, m, 31);
        if (other > best || (other == best && column < at)) {
            best = other;
            at = column;
        }
    }
    if (LANE == 0)
        out[row] = at;
}

// How many numbers of each row are greater than the one of its target.
KERNEL BOUNDS void ranks(int *out, const float *x, const int *targets, int rows, int cols, int ldx)
{
    long row = ROW;
    if (row >= rows)
        return;
    x += row * ldx;
    float own = x[targets[row]];
    int n = 0;
    for (int c = LANE; c < cols; c += 32)
        n += x[c] > own;
    UNROLL for (int m = 16; m > 0; m /= 2)
        n += __nvvm_shfl_sync_bfly_i32(0xffffffff, n, m, 31);
    if (LANE == 0)
        out[row] = n;
}

DEVICE double warpSumDouble(double v)
{
    UNROLL for (int m = 16; m > 0; m /= 2) {
        unsigned long u = __builtin_bit_cast(unsigned long, v);
        word low = __nvvm_shfl_sync_bfly_i32(0xffffffff, (int)u, m, 31), high = __nvvm_shfl_sync_bfly_i32(0xffffffff, (int)(u >> 32), m, 31);
        v += __builtin_bit_cast(double, (unsigned long)high << 32 | low);
    }
    return v;
}

// Of each row, with M its largest number and t its targets: terms [rows, 3] are
// S = sum e^(x - M), P = sum t and Q = sum t (x - M), so that its loss is P ln S - Q, and
// stats [rows, 2] are M and 1 / S.
KERNEL BOUNDS void soft_cross_entropy(double *terms, float *stats, const float *x, const float *t, int rows, int cols, int ldx, int ldt)
{
    long row = ROW;
    if (row >= rows)
        return;
    x += row * ldx;
    t += row * ldt;
    float largest = -__builtin_inff();
    for (int c = LANE; c < cols; c += 32)
        largest = x[c] != x[c] || x[c] > largest ? x[c] : largest;
    largest = warpMaximum(largest);
    double sum = 0, targets = 0, product = 0;
    for (int c = LANE; c < cols; c += 32) {
        sum += (double)exponential(x[c] - largest);
        targets += (double)t[c];
        product += (double)t[c] * ((double)x[c] - (double)largest);
    }
    sum = warpSumDouble(sum);
    targets = warpSumDouble(targets);
    product = warpSumDouble(product);
    if (LANE != 0)
        return;
    terms[row * 3] = sum;
    terms[row * 3 + 1] = targets;
    terms[row * 3 + 2] = product;
    stats[row * 2] = largest;
    stats[row * 2 + 1] = (float)(1 / sum);
}

// dx = dloss (softmax(x) sum t - t)
KERNEL BOUNDS void soft_cross_entropy_grad(float *dx, const float *dloss, const double *terms, const float *stats, const float *x, const float *t,
    int rows, int cols, int lddx, int ldx, int ldt)
{
    long row = ROW;
    if (row >= rows)
        return;
    dx += row * lddx;
    x += row * ldx;
    t += row * ldt;
    float scale = *dloss, targets = (float)terms[row * 3 + 1], largest = stats[row * 2], factor = stats[row * 2 + 1];
    for (int c = LANE; c < cols; c += 32)
        dx[c] = scale * (exponential(x[c] - largest) * factor * targets - t[c]);
}
