// The moving average of ema.cu in one pass over memory, for batches whose sequences and
// channels keep a device busy by themselves: a block has SCAN_CHANNELS channels of a
// sequence, reads each x once and writes each s once. Averages reach back for ever.
//
// A block takes SCAN_WARPS SCAN_STEPS steps at a time. Each of its warps has SCAN_STEPS of
// them, in registers, and scans them from zero. What they begin with follows in shared
// memory by the exact q^SCAN_STEPS, warp after warp, and then they scan again from there.
// A thread has half the averages of a channel; the other half is in the lane 16 further.
// Between the barriers around what goes from warp to warp, and nowhere else, threads use what others
// have in shared memory.

#define SCAN_CHANNELS 16
#define SCAN_STEPS 16 // of a warp at a time
#define SCAN_WARPS 8
#define HALF (STATES / 2)

// Where a thread is: its channel, of which there may be too many, its first average, and
// its first step of those that the block takes now.
struct scanner {
    int d, inside, first, t;
    long row; // of step 0 of the sequence
};

DEVICE scanner ownScan(int length, int D)
{
    scanner k;
    k.d = blockX * SCAN_CHANNELS + LANE % SCAN_CHANNELS;
    k.inside = k.d < D;
    k.first = LANE / SCAN_CHANNELS * HALF;
    k.t = threadX / 32 * SCAN_STEPS;
    k.row = (long)blockZ * length;
    return k;
}

DEVICE long scanRow(const scanner &k, int t, int length, int fromRight) { return k.row + (fromRight ? length - 1 - t : t); }

// The numbers of a thread's steps, 0 beyond the end. Bit i of hidden says that the mask is
// set at step i.
DEVICE word readSteps(float v[SCAN_STEPS], const scanner &k, const float *x, const byte *mask, int length, int D, int fromRight)
{
    word hidden = 0;
    UNROLL for (int i = 0; i < SCAN_STEPS; i++) {
        bool real = k.inside && k.t + i < length;
        long row = scanRow(k, k.t + i, length, fromRight);
        v[i] = real ? x[row * D + k.d] : 0;
        if (real && mask && mask[row])
            hidden |= 1u << i;
    }
    return hidden;
}

// Replaces what warps end with, had they begun with zero, by what they begin with. A thread
// does so for one average of a channel, whose value at the end of all it returns.
DEVICE float carryOver(float ends[SCAN_WARPS][STATES][SCAN_CHANNELS], float g, float power)
{
    UNROLL for (int w = 0; w < SCAN_WARPS; w++) {
        float *at = &ends[w][threadX / SCAN_CHANNELS][threadX % SCAN_CHANNELS];
        float own = *at;
        *at = g;
        g = fma(power, g, own);
    }
    return g;
}

// The number of the channel whose average a thread carries over, 0 where there is none.
DEVICE float ofCarried(const float *numbers, int D)
{
    int d = blockX * SCAN_CHANNELS + threadX % SCAN_CHANNELS;
    return d < D ? numbers[(long)(threadX / SCAN_CHANNELS) * D + d] : 0;
}

DEVICE void readHalf(float v[HALF], const scanner &k, const float *numbers, int D)
{
    UNROLL for (int n = 0; n < HALF; n++)
        v[n] = k.inside ? numbers[(long)(k.first + n) * D + k.d] : 0;
}

// As ema_local, ema_carry and ema_emit with taps 0, power being q^SCAN_STEPS.
KERNEL BOUNDS void ema_scan(float *s, const float *x, const byte *mask, const byte *mute, const float *q, const float *c,
    const float *power, const float *omega, int length, int D, int fromRight, int late)
{
    SHARED float ends[SCAN_WARPS][STATES][SCAN_CHANNELS];
    scanner k = ownScan(length, D);
    float r[HALF], w[HALF], p = ofCarried(power, D), carried = 0, direct = omega && k.inside ? omega[k.d] : 0;
    int warp = threadX / 32, channel = LANE % SCAN_CHANNELS, lower = LANE < SCAN_CHANNELS;
    readHalf(r, k, q, D);
    readHalf(w, k, c, D);
    for (int from = 0; from < length; from += SCAN_WARPS * SCAN_STEPS) {
        float v[SCAN_STEPS], g[HALF];
        word hidden = readSteps(v, k, x, mask, length, D, fromRight);
        UNROLL for (int n = 0; n < HALF; n++)
            g[n] = 0;
        UNROLL for (int i = 0; i < SCAN_STEPS; i++)
            UNROLL for (int n = 0; n < HALF; n++)
                g[n] = fma(r[n], g[n], hidden >> i & 1 ? 0 : v[i]);
        UNROLL for (int n = 0; n < HALF; n++)
            ends[warp][k.first + n][channel] = g[n];
        BARRIER;
        carried = carryOver(ends, carried, p);
        BARRIER;
        UNROLL for (int n = 0; n < HALF; n++)
            g[n] = ends[warp][k.first + n][channel];
        UNROLL for (int i = 0; i < SCAN_STEPS; i += 2) {
            float sum[2] = {0, 0};
            UNROLL for (int j = 0; j < 2; j++) {
                float in = hidden >> (i + j) & 1 ? 0 : v[i + j];
                UNROLL for (int n = 0; n < HALF; n++) {
                    float before = g[n];
                    g[n] = fma(r[n], g[n], in);
                    sum[j] = fma(w[n], late ? before : g[n], sum[j]);
                }
            }
            // The lower lanes write step i and the upper ones step i + 1, which each has
            // half of the other's sum for.
            float other = __nvvm_shfl_sync_bfly_f32(0xffffffff, lower ? sum[1] : sum[0], SCAN_CHANNELS, 31);
            float total = (lower ? sum[0] : sum[1]) + other, own = lower ? v[i] : v[i + 1];
            int t = k.t + i + !lower;
            if (!k.inside || t >= length)
                continue;
            long row = scanRow(k, t, length, fromRight);
            if (mute && mute[row])
                total = 0;
            s[row * D + k.d] = omega ? fma(direct, own, total) : s[row * D + k.d] + total;
        }
        k.t += SCAN_WARPS * SCAN_STEPS;
    }
}

// As the kernels of ema.cu for gradients with taps 0: parts [2, B, STATES, D] are what each
// sequence adds to dc and dq, which sum_parts adds up. slope is SCAN_STEPS q^(SCAN_STEPS-1).
KERNEL __attribute__((launch_bounds(THREADS, 1))) void ema_grad_scan(float *parts, const float *ds, const float *x, const byte *mask, const float *q,
    const float *power, const float *slope, int batch, int length, int D, int fromRight, int late)
{
    SHARED float ends[2][SCAN_WARPS][STATES][SCAN_CHANNELS]; // of g, and of w
    scanner k = ownScan(length, D);
    float r[HALF], dc[HALF], dq[HALF], p = ofCarried(power, D), e = ofCarried(slope, D), carriedG = 0, carriedW = 0;
    int warp = threadX / 32, state = threadX / SCAN_CHANNELS, channel = LANE % SCAN_CHANNELS;
    readHalf(r, k, q, D);
    UNROLL for (int n = 0; n < HALF; n++)
        dc[n] = dq[n] = 0;
    for (int from = 0; from < length; from += SCAN_WARPS * SCAN_STEPS) {
        float v[SCAN_STEPS], g[HALF], w[HALF];
        word hidden = readSteps(v, k, x, mask, length, D, fromRight);
        UNROLL for (int n = 0; n < HALF; n++)
            g[n] = w[n] = 0;
        UNROLL for (int i = 0; i < SCAN_STEPS; i++) {
            v[i] = hidden >> i & 1 ? 0 : v[i];
            UNROLL for (int n = 0; n < HALF; n++) {
                w[n] = fma(r[n], w[n], g[n]);
                g[n] = fma(r[n], g[n], v[i]);
            }
        }
        UNROLL for (int n = 0; n < HALF; n++) {
            ends[0][warp][k.first + n][channel] = g[n];
            ends[1][warp][k.first + n][channel] = w[n];
        }
        BARRIER;
        UNROLL for (int i = 0; i < SCAN_WARPS; i++) {
            float *atG = &ends[0][i][state][channel], *atW = &ends[1][i][state][channel];
            float ownG = *atG, ownW = *atW;
            *atG = carriedG;
            *atW = carriedW;
            carriedW = fma(p, carriedW, fma(e, carriedG, ownW));
            carriedG = fma(p, carriedG, ownG);
        }
        BARRIER;
        UNROLL for (int n = 0; n < HALF; n++) {
            g[n] = ends[0][warp][k.first + n][channel];
            w[n] = ends[1][warp][k.first + n][channel];
        }
        UNROLL for (int i = 0; i < SCAN_STEPS; i++) {
            if (!k.inside || k.t + i >= length)
                continue;
            float d = ds[scanRow(k, k.t + i, length, fromRight) * D + k.d];
            UNROLL for (int n = 0; n < HALF; n++) {
                float beforeW = w[n], beforeG = g[n];
                w[n] = fma(r[n], w[n], g[n]);
                g[n] = fma(r[n], g[n], v[i]);
                dc[n] = fma(d, late ? beforeG : g[n], dc[n]);
                dq[n] = fma(d, late ? beforeW : w[n], dq[n]);
            }
        }
        k.t += SCAN_WARPS * SCAN_STEPS;
    }
    // What the warps have is added up in their order.
    UNROLL for (int n = 0; n < HALF; n++) {
        ends[0][warp][k.first + n][channel] = dc[n];
        ends[1][warp][k.first + n][channel] = dq[n];
    }
    BARRIER;
    int d = blockX * SCAN_CHANNELS + channel;
    if (d >= D)
        return;
    float sumC = 0, sumQ = 0;
    UNROLL for (int i = 0; i < SCAN_WARPS; i++) {
        sumC += ends[0][i][state][channel];
        sumQ += ends[1][i][state][channel];
    }
    long at = ((long)blockZ * STATES + state) * D + d;
    parts[at] = sumC;
    parts[(long)batch * STATES * D + at] = sumQ;
}
