// Kernels over rows that lie apart: a thread an element, unless said otherwise.

// dst = src
KERNEL BOUNDS void copy_rows(float *dst, const float *src, int rows, int cols, int ldd, int lds)
{
    long i = ELEMENT, r = i / cols, c = i % cols;
    if (r < rows)
        dst[r * ldd + c] = src[r * lds + c];
}

// dst = src, and 0 in rows whose mask is set.
KERNEL BOUNDS void mask_rows(float *dst, const float *src, const byte *mask, int rows, int cols, int ldd, int lds)
{
    long i = ELEMENT, r = i / cols, c = i % cols;
    if (r < rows)
        dst[r * ldd + c] = mask[r] ? 0 : src[r * lds + c];
}

// dst[r] = src[index[r]]
KERNEL BOUNDS void gather_rows(float *dst, const float *src, const int *index, int rows, int cols, int ldd, int lds)
{
    long i = ELEMENT, r = i / cols, c = i % cols;
    if (r < rows)
        dst[r * ldd + c] = src[(long)index[r] * lds + c];
}

// dst[index[r]] += src[r]; no row is named twice.
KERNEL BOUNDS void scatter_rows(float *dst, const float *src, const int *index, int rows, int cols, int ldd, int lds)
{
    long i = ELEMENT, r = i / cols, c = i % cols;
    if (r < rows)
        dst[(long)index[r] * ldd + c] += src[r * lds + c];
}

// dst[b] = sum of x[b, l] over l, over lengths[b]
KERNEL BOUNDS void mean_pool(float *dst, const float *x, const float *lengths, int batch, int length, int cols, int ldx)
{
    long i = ELEMENT, b = i / cols, c = i % cols;
    if (b >= batch)
        return;
    float sum = 0;
    for (int l = 0; l < length; l++)
        sum += x[(b * length + l) * ldx + c];
    dst[i] = sum * (1 / lengths[b]);
}

// dx[b, l] = dy[b] / lengths[b]
KERNEL BOUNDS void mean_pool_grad(float *dx, const float *dy, const float *lengths, int batch, int length, int cols, int lddx)
{
    long i = ELEMENT, r = i / cols, c = i % cols, b = r / length;
    if (b < batch)
        dx[r * lddx + c] = dy[b * cols + c] * (1 / lengths[b]);
}

// dst[r] = b + sum over k of x[r, k] w[k], for rows of real numbers of some channels.
KERNEL BOUNDS void embed_reals(float *dst, const float *x, const float *w, const float *b, int rows, int channels, int cols)
{
    long i = ELEMENT, r = i / cols, c = i % cols;
    if (r >= rows)
        return;
    float sum = b[c];
    for (int k = 0; k < channels; k++)
        sum = fma(x[r * channels + k], w[(long)k * cols + c], sum);
    dst[i] = sum;
}

// s = silu(z); queries s gamma_0 + beta_0 and, n columns on, keys s gamma_1 + beta_1,
// for z [rows, n] and gamma, beta [2, n].
KERNEL BOUNDS void query_key(float *dst, const float *z, const float *gamma, const float *beta, int rows, int n, int ldd, int ldz)
{
    long i = ELEMENT, r = i / n, c = i % n;
    if (r >= rows)
        return;
    float s = silu(z[r * ldz + c]);
    dst[r * ldd + c] = fma(s, gamma[c], beta[c]);
    dst[r * ldd + n + c] = fma(s, gamma[n + c], beta[n + c]);
}

// dz of query_key from the gradients dy of queries and keys.
KERNEL BOUNDS void query_key_grad(float *dz, const float *dy, const float *z, const float *gamma, int rows, int n, int lddz, int lddy, int ldz)
{
    long i = ELEMENT, r = i / n, c = i % n;
    if (r < rows)
        dz[r * lddz + c] = fma(dy[r * lddy + c], gamma[c], dy[r * lddy + n + c] * gamma[n + c]) * siluSlope(z[r * ldz + c]);
}

// The part of block y of the gradients of gamma and beta: parts are [blocks, 2, 2, n].
KERNEL BOUNDS void query_key_parts(float *parts, const float *dy, const float *z, int rows, int n, int lddy, int ldz, int height)
{
    long c = ELEMENT;
    if (c >= n)
        return;
    long from = (long)blockY * height, to = from + height < rows ? from + height : rows;
    float gamma0 = 0, gamma1 = 0, beta0 = 0, beta1 = 0;
    for (long r = from; r < to; r++) {
        float s = silu(z[r * ldz + c]), d0 = dy[r * lddy + c], d1 = dy[r * lddy + n + c];
        gamma0 = fma(d0, s, gamma0);
        gamma1 = fma(d1, s, gamma1);
        beta0 += d0;
        beta1 += d1;
    }
    parts += 4l * blockY * n + c;
    parts[0] = gamma0;
    parts[n] = gamma1;
    parts[2l * n] = beta0;
    parts[3l * n] = beta1;
}

// The part of block y of the sums of columns of a b.
KERNEL BOUNDS void column_product_parts(float *sums, const float *a, const float *b, int rows, int cols, int lda, int ldb, int height)
{
    long c = ELEMENT;
    if (c >= cols)
        return;
    long from = (long)blockY * height, to = from + height < rows ? from + height : rows;
    float sum = 0;
    for (long r = from; r < to; r++)
        sum = fma(a[r * lda + c], b[r * ldb + c], sum);
    sums[(long)blockY * cols + c] = sum;
}

// Batch norm by statistics that are given: scale, shift and rstd, stats [3, cols], of
// the float64 rstd = 1 / sqrt(variance + eps). weight and bias may be null for 1 and 0.
KERNEL BOUNDS void batch_norm_statistics(float *stats, const float *mean, const float *variance, const float *weight, const float *bias, int cols, float eps)
{
    long c = ELEMENT;
    if (c >= cols)
        return;
    double s = 1 / __builtin_sqrt((double)variance[c] + (double)eps), w = weight ? s * (double)weight[c] : s;
    stats[c] = (float)w;
    stats[cols + c] = (float)((bias ? (double)bias[c] : 0) - (double)mean[c] * w);
    stats[2l * cols + c] = (float)s;
}
