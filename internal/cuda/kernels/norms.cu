// Norms over rows, a warp a row, and over columns, a thread a column. Gradients of
// weights are sums over rows: blocks sum up parts, of some rows each, which sum_parts
// adds up in order. Norms over rows are followed by dropout where seed is not null: y is
// what that leaves, and dy its gradient.
#define DROPPED(i, x) droppedAt(seed, threshold, factor, i, x)

// mean = sum x / cols, rstd = 1 / sqrt(sum (x - mean)^2 / cols + eps)
// y = (x - mean) rstd weight + bias; weight and bias may both be null for 1 and 0.
KERNEL BOUNDS void layer_norm(float *y, const float *x, const float *weight, const float *bias, float *mean, float *rstd,
    int rows, int cols, int ldy, int ldx, float eps, DROPOUT)
{
    long row = ROW;
    if (row >= rows)
        return;
    x += row * ldx;
    y += row * ldy;
    float sum = 0, squares = 0;
    for (int c = LANE; c < cols; c += 32)
        sum += x[c];
    float m = warpSum(sum) / cols;
    for (int c = LANE; c < cols; c += 32)
        squares = fma(x[c] - m, x[c] - m, squares);
    float s = 1 / root(warpSum(squares) / cols + eps);
    if (LANE == 0) {
        mean[row] = m;
        rstd[row] = s;
    }
    for (int c = LANE; c < cols; c += 32) {
        float h = (x[c] - m) * s;
        y[c] = DROPPED(row * cols + c, weight ? fma(h, weight[c], bias[c]) : h);
    }
}

// With h = (x - mean) rstd and g = dy weight:
// dx = rstd (g - mean(g) - h mean(g h)), added to dx where accumulate is set.
KERNEL BOUNDS void layer_norm_grad(float *dx, const float *dy, const float *x, const float *weight, const float *mean, const float *rstd,
    int rows, int cols, int lddx, int lddy, int ldx, int accumulate, DROPOUT)
{
    long row = ROW;
    if (row >= rows)
        return;
    dx += row * lddx;
    dy += row * lddy;
    x += row * ldx;
    float m = mean[row], s = rstd[row], sumG = 0, sumGH = 0;
    for (int c = LANE; c < cols; c += 32) {
        float d = DROPPED(row * cols + c, dy[c]), g = weight ? d * weight[c] : d;
        sumG += g;
        sumGH = fma(g, (x[c] - m) * s, sumGH);
    }
    float meanG = warpSum(sumG) / cols, meanGH = warpSum(sumGH) / cols;
    for (int c = LANE; c < cols; c += 32) {
        float d = DROPPED(row * cols + c, dy[c]), g = weight ? d * weight[c] : d;
        float own = s * (g - meanG - (x[c] - m) * s * meanGH);
        dx[c] = accumulate ? dx[c] + own : own;
    }
}

// rstd = 1 / sqrt(sum x^2 / cols + eps), y = x rstd weight, where column c has the
// weight at c stride: stride is 1 for RMS norm and 0 for scale norm.
KERNEL BOUNDS void rms_norm(float *y, const float *x, const float *weight, int stride, float *rstd, int rows, int cols, int ldy, int ldx, float eps, DROPOUT)
{
    long row = ROW;
    if (row >= rows)
        return;
    x += row * ldx;
    y += row * ldy;
    float squares = 0;
    for (int c = LANE; c < cols; c += 32)
        squares = fma(x[c], x[c], squares);
    float s = 1 / root(warpSum(squares) / cols + eps);
    if (LANE == 0)
        rstd[row] = s;
    for (int c = LANE; c < cols; c += 32)
        y[c] = DROPPED(row * cols + c, x[c] * s * weight[(long)c * stride]);
}

// With h = x rstd and g = dy weight: dx = rstd (g - h mean(g h)).
KERNEL BOUNDS void rms_norm_grad(float *dx, const float *dy, const float *x, const float *weight, int stride, const float *rstd,
    int rows, int cols, int lddx, int lddy, int ldx, int accumulate, DROPOUT)
{
    long row = ROW;
    if (row >= rows)
        return;
    dx += row * lddx;
    dy += row * lddy;
    x += row * ldx;
    float s = rstd[row], sum = 0;
    for (int c = LANE; c < cols; c += 32)
        sum = fma(DROPPED(row * cols + c, dy[c]) * weight[(long)c * stride], x[c] * s, sum);
    float meanGH = warpSum(sum) / cols;
    for (int c = LANE; c < cols; c += 32) {
        float d = s * (DROPPED(row * cols + c, dy[c]) * weight[(long)c * stride] - x[c] * s * meanGH);
        dx[c] = accumulate ? dx[c] + d : d;
    }
}

// The part of block y of the gradients of weights, sum dy (x - mean) rstd, and of
// biases, sum dy, over the block's height rows. mean null stands for 0, and biases
// null for none.
KERNEL BOUNDS void norm_weight_parts(float *weights, float *biases, const float *dy, const float *x, const float *mean, const float *rstd,
    int rows, int cols, int lddy, int ldx, DROPOUT, int height)
{
    long c = ELEMENT;
    if (c >= cols)
        return;
    long from = (long)blockY * height, to = from + height < rows ? from + height : rows;
    float weight = 0, bias = 0;
    for (long r = from; r < to; r++) {
        float d = DROPPED(r * cols + c, dy[r * lddy + c]), h = x[r * ldx + c];
        weight = fma(d, (mean ? h - mean[r] : h) * rstd[r], weight);
        bias += d;
    }
    weights[(long)blockY * cols + c] = weight;
    if (biases)
        biases[(long)blockY * cols + c] = bias;
}

// The part of block y of the sums of columns.
KERNEL BOUNDS void column_parts(float *sums, const float *x, int rows, int cols, int ldx, int height)
{
    long c = ELEMENT;
    if (c >= cols)
        return;
    long from = (long)blockY * height, to = from + height < rows ? from + height : rows;
    float sum = 0;
    for (long r = from; r < to; r++)
        sum += x[r * ldx + c];
    sums[(long)blockY * cols + c] = sum;
}

// dst[i] = sum over p of parts[p apart + i], or dst[i] += that.
KERNEL BOUNDS void sum_parts(float *dst, const float *parts, int count, long n, long apart, int accumulate)
{
    long i = ELEMENT;
    if (i >= n)
        return;
    float sum = 0;
    for (int p = 0; p < count; p++)
        sum += parts[p * apart + i];
    dst[i] = accumulate ? dst[i] + sum : sum;
}

// The same in float64.
KERNEL BOUNDS void sum_parts_double(double *dst, const double *parts, int count, long n)
{
    long i = ELEMENT;
    if (i >= n)
        return;
    double sum = 0;
    for (int p = 0; p < count; p++)
        sum += parts[p * n + i];
    dst[i] += sum;
}

// Batch norm: the part of block y of the sums of x and x^2 of each column, in float64,
// since a variance is the difference of both: parts are [blocks, 2, cols].
KERNEL BOUNDS void column_moment_parts(double *parts, const float *x, int rows, int cols, int ldx, int height)
{
    long c = ELEMENT;
    if (c >= cols)
        return;
    long from = (long)blockY * height, to = from + height < rows ? from + height : rows;
    double sum = 0, squares = 0;
    for (long r = from; r < to; r++) {
        double v = x[r * ldx + c];
        sum += v;
        squares += v * v;
    }
    parts[2l * blockY * cols + c] = sum;
    parts[(2l * blockY + 1) * cols + c] = squares;
}

// The part of block y of the sums of dy and dy (x - mean): parts are [blocks, 2, cols].
KERNEL BOUNDS void batch_norm_parts(double *parts, const float *dy, const float *x, const float *mean, int rows, int cols, int lddy, int ldx, int height)
{
    long c = ELEMENT;
    if (c >= cols)
        return;
    long from = (long)blockY * height, to = from + height < rows ? from + height : rows;
    float m = mean[c];
    double sum = 0, product = 0;
    for (long r = from; r < to; r++) {
        double d = dy[r * lddy + c];
        sum += d;
        product += d * (double)(x[r * ldx + c] - m);
    }
    parts[2l * blockY * cols + c] = sum;
    parts[(2l * blockY + 1) * cols + c] = product;
}

// y = x scale + shift, of each column.
KERNEL BOUNDS void column_affine(float *y, const float *x, const float *scale, const float *shift, int rows, int cols, int ldy, int ldx)
{
    long i = ELEMENT, r = i / cols, c = i % cols;
    if (r < rows)
        y[r * ldy + c] = x[r * ldx + c] * scale[c] + shift[c];
}

// dx = factor (dy - meanDy - (x - mean) slope - rest), of each column.
KERNEL BOUNDS void batch_norm_grad(float *dx, const float *dy, const float *x, const float *mean, const float *factor, const float *meanDy,
    const float *slope, const float *rest, int rows, int cols, int lddx, int lddy, int ldx, int accumulate)
{
    long i = ELEMENT, r = i / cols, c = i % cols;
    if (r >= rows)
        return;
    float d = factor[c] * (dy[r * lddy + c] - meanDy[c] - (x[r * ldx + c] - mean[c]) * slope[c] - rest[c]);
    dx[r * lddx + c] = accumulate ? dx[r * lddx + c] + d : d;
}
