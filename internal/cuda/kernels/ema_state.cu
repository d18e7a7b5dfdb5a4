// Moving averages that continue texts (ema.cu), whose state is the averages after the last
// step. A kernel has STATES of a channel: [STATES, D] from state on, and as many of the next
// text apart numbers later. A text that is read step by step decays once for each call, so
// that the rounding of q would add up: rest [STATES, D] is what it takes off.

// rest of averages first to first + STATES - 1, with zeros for those that a model of N has not.
KERNEL BOUNDS void ema_rest(float *rest, const float *delta, const float *alpha, int D, int N, int first)
{
    long i = ELEMENT, n = i / D, d = i % D;
    if (n >= STATES)
        return;
    float r = 0;
    if (first + n < N) {
        long at = d * N + first + n;
        double q = 1 - sigmoid64(delta[at]) * sigmoid64(alpha[at]);
        r = (float)(q - (double)(float)q);
    }
    rest[i] = r;
}

// ema_carry for texts that go on from a state.
KERNEL __attribute__((launch_bounds(CHANNELS))) void ema_enter(float *carry, const float *state, long apart, const float *power, int chunks, int D)
{
    int d = blockX * CHANNELS + threadX;
    if (d >= D)
        return;
    float p = power[(long)blockY * D + d], g = state[blockZ * apart + (long)blockY * D + d];
    for (int c = 0; c < chunks; c++) {
        long i = (((long)blockZ * chunks + c) * STATES + blockY) * D + d;
        float own = carry[i];
        carry[i] = g;
        g = fma(p, g, own);
    }
}

// ema_emit for texts that go on, whose state it moves on. carry is what each chunk begins
// with, null for a single chunk, which begins with state.
KERNEL __attribute__((launch_bounds(CHANNELS))) void ema_continue(float *s, float *state, long apart, const float *x, const byte *mask, const float *q, const float *rest,
    const float *c, const float *omega, const float *carry, int length, int D)
{
    chunk k = ownChunk(length, D);
    if (k.d >= D)
        return;
    state += blockZ * apart + k.d;
    const float *begin = carry ? carry + k.carry : state;
    float g[STATES], r[STATES], e[STATES], w[STATES];
    UNROLL for (int n = 0; n < STATES; n++) {
        g[n] = begin[(long)n * D];
        r[n] = q[(long)n * D + k.d];
        e[n] = rest[(long)n * D + k.d];
        w[n] = c[(long)n * D + k.d];
    }
    for (int t = k.from; t < k.to; t++) {
        long row = k.row + t, i = row * D + k.d;
        float v = x[i], in = mask && mask[row] ? 0 : v, sum = 0;
        UNROLL for (int n = 0; n < STATES; n++) {
            g[n] = fma(r[n], g[n], fma(e[n], g[n], in));
            sum = fma(w[n], g[n], sum);
        }
        s[i] = omega ? fma(omega[k.d], v, sum) : s[i] + sum;
    }
    if (k.to == length)
        UNROLL for (int n = 0; n < STATES; n++)
            state[(long)n * D] = g[n];
}
