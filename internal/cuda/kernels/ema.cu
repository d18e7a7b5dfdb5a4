// The damped moving average as a scan in chunks (internal/kernel/ema.go):
//
//	g_n(t) = q_n g_n(t-1) + x(t)          x counts as 0 where mask is set
//	s(t) = sum_n c_n g_n(t) + omega x(t)
//
// A thread owns a channel of a chunk of STEPS steps. Each chunk first scans from zero
// to its end (ema_local); what it really begins with follows by the exact q^STEPS, from
// coefficients.cu, chunk after chunk (ema_carry); then it scans again from there
// (ema_emit). Averages that reach back taps steps alone, not 0, take in x(t) less
// lag_n x(t - taps), with lag = q^taps.
// q, c, power and lag are [STATES, D], with zeros for states that a model has fewer than
// STATES; x, s and ds [B, L, D]; carries [B, chunks, STATES, D]. A scan from the right
// goes through the steps the other way round.

#define STATES 16
#define STEPS 64
#define CHANNELS 64 // of a block

struct chunk {
    int d, from, to, chunks;
    long carry, row; // of the first state, and of step 0 of the sequence
};

// The channel and chunk of a thread; d is too large where there is none.
DEVICE chunk ownChunk(int length, int D)
{
    chunk k;
    k.d = blockX * CHANNELS + threadX;
    k.from = blockY * STEPS;
    k.to = k.from + STEPS < length ? k.from + STEPS : length;
    k.chunks = (length + STEPS - 1) / STEPS;
    k.carry = ((long)blockZ * k.chunks + blockY) * STATES * D + k.d;
    k.row = (long)blockZ * length;
    return k;
}

// The row of a step.
DEVICE long rowOf(const chunk &k, int t, int length, int fromRight) { return k.row + (fromRight ? length - 1 - t : t); }

// What averages take in at step t, 0 where there is no such step.
DEVICE float input(const chunk &k, const float *x, const byte *mask, int t, int length, int D, int fromRight)
{
    if (t < 0)
        return 0;
    long row = rowOf(k, t, length, fromRight);
    return mask && mask[row] ? 0 : x[row * D + k.d];
}

KERNEL __attribute__((launch_bounds(CHANNELS))) void ema_local(float *carry, const float *x, const byte *mask, const float *q, const float *lag,
    int taps, int length, int D, int fromRight)
{
    chunk k = ownChunk(length, D);
    if (k.d >= D)
        return;
    float g[STATES], r[STATES], l[STATES];
    UNROLL for (int n = 0; n < STATES; n++) {
        g[n] = 0;
        r[n] = q[(long)n * D + k.d];
        l[n] = taps ? -lag[(long)n * D + k.d] : 0;
    }
    for (int t = k.from; t < k.to; t++) {
        float v = input(k, x, mask, t, length, D, fromRight), old = taps ? input(k, x, mask, t - taps, length, D, fromRight) : 0;
        UNROLL for (int n = 0; n < STATES; n++)
            g[n] = fma(r[n], g[n], fma(l[n], old, v));
    }
    UNROLL for (int n = 0; n < STATES; n++)
        carry[k.carry + (long)n * D] = g[n];
}

// Replaces what each chunk ends with, had it begun with zero, by what it begins with.
// Block y is the state, z the sequence.
KERNEL __attribute__((launch_bounds(CHANNELS))) void ema_carry(float *carry, const float *power, int chunks, int D)
{
    int d = blockX * CHANNELS + threadX;
    if (d >= D)
        return;
    float p = power[(long)blockY * D + d], g = 0;
    for (int c = 0; c < chunks; c++) {
        long i = (((long)blockZ * chunks + c) * STATES + blockY) * D + d;
        float own = carry[i];
        carry[i] = g;
        g = fma(p, g, own);
    }
}

// s = sum_n c_n g_n + omega x, or with omega null s += sum_n c_n g_n, where with late set
// each g_n is that of the step before, 0 at first. Where mute is set,
// s gets no averages: so dx follows from ds, scanned from the other side.
KERNEL __attribute__((launch_bounds(CHANNELS))) void ema_emit(float *s, const float *x, const byte *mask, const byte *mute, const float *q, const float *c, const float *lag,
    const float *omega, const float *carry, int taps, int length, int D, int fromRight, int late)
{
    chunk k = ownChunk(length, D);
    if (k.d >= D)
        return;
    float g[STATES], r[STATES], w[STATES], l[STATES];
    UNROLL for (int n = 0; n < STATES; n++) {
        l[n] = taps ? -lag[(long)n * D + k.d] : 0;
        g[n] = carry[k.carry + (long)n * D];
        r[n] = q[(long)n * D + k.d];
        w[n] = c[(long)n * D + k.d];
    }
    for (int t = k.from; t < k.to; t++) {
        long row = rowOf(k, t, length, fromRight), i = row * D + k.d;
        float v = x[i], in = mask && mask[row] ? 0 : v, sum = 0, old = taps ? input(k, x, mask, t - taps, length, D, fromRight) : 0;
        UNROLL for (int n = 0; n < STATES; n++) {
            float before = g[n];
            g[n] = fma(r[n], g[n], fma(l[n], old, in));
            sum = fma(w[n], late ? before : g[n], sum);
        }
        if (mute && mute[row])
            sum = 0;
        s[i] = omega ? fma(omega[k.d], v, sum) : s[i] + sum;
    }
}

// The gradients by q and c need g_n and its derivative by q_n,
//
//	w_n(t) = q_n w_n(t-1) + g_n(t-1) - lagSlope_n x(t - taps),
//
// with lagSlope = taps q^(taps-1), by the same three steps: dc_n = sum_t ds(t) g_n(t), dq_n = sum_t ds(t) w_n(t). Carries
// of w follow those of g, [2, B, chunks, STATES, D].
KERNEL __attribute__((launch_bounds(CHANNELS))) void ema_grad_local(float *carry, const float *x, const byte *mask, const float *q, const float *lag, const float *lagSlope,
    int taps, int batch, int length, int D, int fromRight)
{
    chunk k = ownChunk(length, D);
    if (k.d >= D)
        return;
    float g[STATES], w[STATES], r[STATES], l[STATES], e[STATES];
    UNROLL for (int n = 0; n < STATES; n++) {
        g[n] = w[n] = 0;
        r[n] = q[(long)n * D + k.d];
        l[n] = taps ? -lag[(long)n * D + k.d] : 0;
        e[n] = taps ? -lagSlope[(long)n * D + k.d] : 0;
    }
    for (int t = k.from; t < k.to; t++) {
        float v = input(k, x, mask, t, length, D, fromRight), old = taps ? input(k, x, mask, t - taps, length, D, fromRight) : 0;
        UNROLL for (int n = 0; n < STATES; n++) {
            w[n] = fma(r[n], w[n], fma(e[n], old, g[n]));
            g[n] = fma(r[n], g[n], fma(l[n], old, v));
        }
    }
    long half = (long)batch * k.chunks * STATES * D;
    UNROLL for (int n = 0; n < STATES; n++) {
        carry[k.carry + (long)n * D] = g[n];
        carry[half + k.carry + (long)n * D] = w[n];
    }
}

// slope is STEPS q^(STEPS-1): w after a chunk has it times the g it began with.
KERNEL __attribute__((launch_bounds(CHANNELS))) void ema_grad_carry(float *carry, const float *power, const float *slope, int batch, int chunks, int D)
{
    int d = blockX * CHANNELS + threadX;
    if (d >= D)
        return;
    float p = power[(long)blockY * D + d], e = slope[(long)blockY * D + d], g = 0, w = 0;
    long half = (long)batch * chunks * STATES * D;
    for (int c = 0; c < chunks; c++) {
        long i = (((long)blockZ * chunks + c) * STATES + blockY) * D + d;
        float ownG = carry[i], ownW = carry[half + i];
        carry[i] = g;
        carry[half + i] = w;
        w = fma(p, w, fma(e, g, ownW));
        g = fma(p, g, ownG);
    }
}

// Overwrites the carries of a chunk by what it adds to dc and dq, which sum_parts adds up.
KERNEL __attribute__((launch_bounds(CHANNELS))) void ema_grad_emit(float *carry, const float *ds, const float *x, const byte *mask, const float *q, const float *lag, const float *lagSlope,
    int taps, int batch, int length, int D, int fromRight, int late)
{
    chunk k = ownChunk(length, D);
    if (k.d >= D)
        return;
    long half = (long)batch * k.chunks * STATES * D;
    // Four states at a time: all sixteen with their sums would not fit into registers.
    for (int first = 0; first < STATES; first += 4) {
        float g[4], w[4], r[4], l[4], e[4], dc[4], dq[4];
        long at = k.carry + (long)first * D;
        UNROLL for (int n = 0; n < 4; n++) {
            g[n] = carry[at + (long)n * D];
            w[n] = carry[half + at + (long)n * D];
            r[n] = q[(long)(first + n) * D + k.d];
            l[n] = taps ? -lag[(long)(first + n) * D + k.d] : 0;
            e[n] = taps ? -lagSlope[(long)(first + n) * D + k.d] : 0;
            dc[n] = dq[n] = 0;
        }
        for (int t = k.from; t < k.to; t++) {
            float v = input(k, x, mask, t, length, D, fromRight), d = ds[rowOf(k, t, length, fromRight) * D + k.d];
            float old = taps ? input(k, x, mask, t - taps, length, D, fromRight) : 0;
            UNROLL for (int n = 0; n < 4; n++) {
                float beforeW = w[n], beforeG = g[n];
                w[n] = fma(r[n], w[n], fma(e[n], old, g[n]));
                g[n] = fma(r[n], g[n], fma(l[n], old, v));
                dc[n] = fma(d, late ? beforeG : g[n], dc[n]);
                dq[n] = fma(d, late ? beforeW : w[n], dq[n]);
            }
        }
        UNROLL for (int n = 0; n < 4; n++) {
            carry[at + (long)n * D] = dc[n];
            carry[half + at + (long)n * D] = dq[n];
        }
    }
}
