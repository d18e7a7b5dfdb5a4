// What a moving average (ema.cu) scans with, from its parameters [D, N] of a direction,
// and the gradients of these from those. All of it is float64: decays are near 1.
//
//	p = sigmoid(delta), a = sigmoid(alpha), q = 1 - p a, c = p beta gamma / sqrt(N)

// e^x, to within two roundings: Taylor's polynomial on |r| <= ln(2)/2.
DEVICE double exponential64(double x)
{
    x = x < -700 ? -700 : x > 700 ? 700 : x; // which keeps NaN
    double shifted = __builtin_fma(x, 1.4426950408889634, 6755399441055744.0); // 1.5 2^52
    double n = shifted - 6755399441055744.0;
    double r = __builtin_fma(n, -1.9082149292705877e-10, __builtin_fma(n, -0.69314718036912382, x));
    double p = 1.0 / 6227020800;
    const double inverse[13] = {1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800, 1.0 / 362880, 1.0 / 40320, 1.0 / 5040, 1.0 / 720, 1.0 / 120, 1.0 / 24, 1.0 / 6, 0.5, 1, 1};
    UNROLL for (int i = 0; i < 13; i++)
        p = __builtin_fma(p, r, inverse[i]);
    return p * __builtin_bit_cast(double, (__builtin_bit_cast(long, shifted) + 1023) << 52);
}

DEVICE double sigmoid64(double x) { return 1 / (1 + exponential64(-x)); }

// x^n
DEVICE double power64(double x, int n)
{
    double y = 1;
    for (; n > 0; n >>= 1) {
        if (n & 1)
            y *= x;
        x *= x;
    }
    return y;
}

// decay, output, power, slope, lag and lagSlope, [6, STATES, D] in this order, which
// ema.cu explains, of averages first to first + STATES - 1; chunks have so many steps. lag
// and lagSlope are 0 where averages that reach back taps steps, 0 for all, are those that
// reach back for ever to within a rounding.
KERNEL BOUNDS void ema_coefficients(float *out, const float *delta, const float *alpha, const float *beta, const float *gamma, int D, int N, int first, int steps, int taps)
{
    long i = ELEMENT, n = i / D, d = i % D, all = (long)STATES * D;
    if (n >= STATES)
        return;
    float decay = 0, output = 0, power = 0, slope = 0, lag = 0, lagSlope = 0;
    if (first + n < N) {
        long at = d * N + first + n;
        double p = sigmoid64(delta[at]), q = 1 - p * sigmoid64(alpha[at]), before = power64(q, steps - 1);
        decay = (float)q;
        output = (float)(p * (double)beta[at] * (double)gamma[at] / __builtin_sqrt((double)N));
        power = (float)(before * q);
        slope = (float)(steps * before);
        double last = taps > 0 ? power64(q, taps - 1) : 0;
        if (!(last * q < 0x1p-26)) {
            lag = (float)(last * q);
            lagSlope = (float)(taps * last);
        }
    }
    out[i] = decay;
    out[all + i] = output;
    out[2 * all + i] = power;
    out[3 * all + i] = slope;
    out[4 * all + i] = lag;
    out[5 * all + i] = lagSlope;
}

// Adds the gradients of count averages' parameters from number first on, given those of
// their c, dc [STATES, D], and dq, the sums of ds times the derivative of averages by q,
// which times c are those of q.
KERNEL BOUNDS void ema_chain(float *ddelta, float *dalpha, float *dbeta, float *dgamma, const float *dc, const float *dq,
    const float *delta, const float *alpha, const float *beta, const float *gamma, int D, int N, int first, int count)
{
    long d = ELEMENT / count, n = ELEMENT % count, at = d * N + first + n;
    if (d >= D)
        return;
    double p = sigmoid64(delta[at]), a = sigmoid64(alpha[at]), b = beta[at], g = gamma[at], root = 1 / __builtin_sqrt((double)N);
    double c = dc[n * D + d] * root, q = dq[n * D + d] * root * p * b * g;
    dbeta[at] += (float)(c * p * g);
    dgamma[at] += (float)(c * p * b);
    ddelta[at] += (float)((c * b * g - q * a) * p * (1 - p));
    dalpha[at] += (float)(-q * p * a * (1 - a));
}
