// Batch norm in training: what is between the sums over rows (norms.cu) and the passes
// over them, a thread a column, in float64 (internal/kernel/norm_column.go).

// The mean of each column, what rounding took off it, and the variance, from the sums of
// x and x^2 over count rows, [2, cols].
KERNEL BOUNDS void column_statistics(float *mean, float *rest, float *variance, const double *sums, double count, int cols)
{
    long c = ELEMENT;
    if (c >= cols)
        return;
    double m = sums[c] / count, v = sums[cols + c] / count - m * m;
    mean[c] = (float)m;
    rest[c] = (float)(m - (double)(float)m);
    variance[c] = (float)(v < 0 ? 0 : v);
}

// running += momentum (factor value - running)
KERNEL BOUNDS void update_running(float *running, const float *value, float factor, float momentum, int n)
{
    long i = ELEMENT;
    if (i < n)
        running[i] += momentum * (factor * value[i] - running[i]);
}

// What batch_norm_grad takes, from the sums of dy and dy (x - mean) over count rows,
// [2, cols]: factor = weight rstd, meanDy = sum dy / count, slope = rstd^2 sum dy (x - mean) /
// count, and what rounding took off the mean of dx. weight may be null for 1.
KERNEL BOUNDS void batch_norm_coefficients(float *factor, float *meanDy, float *slope, float *rest, const float *weight, const float *rstd,
    const float *meanRest, const double *sums, double count, int cols)
{
    long c = ELEMENT;
    if (c >= cols)
        return;
    double s = rstd[c];
    float m = (float)(sums[c] / count), e = (float)(s * s * sums[cols + c] / count);
    factor[c] = (float)((weight ? (double)weight[c] : 1) * s);
    meanDy[c] = m;
    slope[c] = e;
    rest[c] = (float)(sums[c] / count - (double)m - (double)e * (double)meanRest[c]);
}

// dweight += rstd sum dy (x - mean), dbias += sum dy; both may be null.
KERNEL BOUNDS void batch_norm_weight_grad(float *dweight, float *dbias, const float *rstd, const double *sums, int cols)
{
    long c = ELEMENT;
    if (c >= cols)
        return;
    if (dweight)
        dweight[c] += (float)((double)rstd[c] * sums[cols + c]);
    if (dbias)
        dbias[c] += (float)sums[c];
}
