// Matrix products of factors in bfloat16, on tensor cores.

#define BF16_DEPTH 32                   // of the sums that a block takes at a time
#define BF16_PITCH (BF16_DEPTH / 2 + 4) // pairs from row to row: rows in other banks

// Two numbers rounded to bfloat16, the first one in the lower half.
DEVICE word bf16Pair(float low, float high) { return __builtin_bit_cast(word, __nvvm_ff2bf16x2_rn(high, low)); }

// d += A B for A [16, 16] and B [16, 8], as a warp has them in registers.
DEVICE void multiplyAdd(float d[4], const word a[4], const word b[2])
{
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// As product, of A and B rounded to bfloat16; sums are float32. Warp w of a block computes
// rows 16 (w / 2) to 16 (w / 2) + 15 of columns 32 (w % 2) to 32 (w % 2) + 31.
KERNEL BOUNDS void product_bf16(float *c, const float *a, const float *b, const float *bias, int m, int n, int k,
    long ai, long ak, long az, long bk, long bj, long bz, long ldc, long cz, int accumulate)
{
    // Rows of A, and columns of B, as pairs along k.
    SHARED word as[TILE][BF16_PITCH], bs[TILE][BF16_PITCH];
    int row0 = blockX * TILE, col0 = blockY * TILE, warp = threadX / 32, g = LANE / 4, t = LANE % 4;
    a += blockZ * az;
    b += blockZ * bz;
    c += blockZ * cz;
    float sum[4][4];
    UNROLL for (int j = 0; j < 4; j++)
        UNROLL for (int i = 0; i < 4; i++)
            sum[j][i] = 0;
    for (int k0 = 0; k0 < k; k0 += BF16_DEPTH) {
        for (int e = threadX; e < TILE * BF16_DEPTH / 2; e += THREADS) {
            // Neighbouring threads read neighbours in memory, whichever way it lies.
            int i = ak == 1 ? e / (BF16_DEPTH / 2) : e % TILE, p = ak == 1 ? e % (BF16_DEPTH / 2) : e / TILE;
            long d = k0 + 2 * p;
            const float *from = a + (row0 + i) * ai + d * ak;
            bool low = row0 + i < m && d < k, high = row0 + i < m && d + 1 < k;
            as[i][p] = bf16Pair(low ? from[0] : 0, high ? from[ak] : 0);
            int j = bj == 1 ? e % TILE : e / (BF16_DEPTH / 2);
            p = bj == 1 ? e / TILE : e % (BF16_DEPTH / 2);
            d = k0 + 2 * p;
            from = b + d * bk + (col0 + j) * bj;
            low = col0 + j < n && d < k;
            high = col0 + j < n && d + 1 < k;
            bs[j][p] = bf16Pair(low ? from[0] : 0, high ? from[bk] : 0);
        }
        BARRIER;
        UNROLL for (int p = 0; p < BF16_DEPTH / 2; p += 8) {
            const word *left = &as[warp / 2 * 16 + g][p + t];
            word x[4] = {left[0], left[8 * BF16_PITCH], left[4], left[8 * BF16_PITCH + 4]};
            UNROLL for (int j = 0; j < 4; j++) {
                const word *right = &bs[warp % 2 * 32 + 8 * j + g][p + t];
                word y[2] = {right[0], right[4]};
                multiplyAdd(sum[j], x, y);
            }
        }
        BARRIER;
    }
    UNROLL for (int j = 0; j < 4; j++)
        UNROLL for (int i = 0; i < 4; i++) {
            int row = row0 + warp / 2 * 16 + g + i / 2 * 8, col = col0 + warp % 2 * 32 + 8 * j + 2 * t + i % 2;
            if (row >= m || col >= n)
                continue;
            float v = bias ? sum[j][i] + bias[col] : sum[j][i];
            long at = row * ldc + col;
            c[at] = accumulate ? c[at] + v : v;
        }
}

#define PAIRS 8                // along k of a tile of the kernel below
#define PAIR_PITCH (PAIRS + 4) // rows in other banks
#define PAIR_SHARE (LARGE * PAIRS / THREADS)

// What a thread reads of a tile, as share has it, in pairs along k.
DEVICE share pairShareOf(const float *x, long first, long stride, long along)
{
    share s;
    s.row = along == 1 ? threadX / PAIRS : threadX % LARGE;
    s.depth = along == 1 ? threadX % PAIRS * 2 : threadX / LARGE * 2;
    s.rows = along == 1 ? THREADS / PAIRS : 0;
    s.depths = along == 1 ? 0 : THREADS / LARGE * 2;
    s.apart = s.rows * stride + s.depths * along;
    s.at = x + (first + s.row) * stride + s.depth * along;
    return s;
}

DEVICE void readPairs(float low[PAIR_SHARE], float high[PAIR_SHARE], const share *s, int rows, int k0, int k, long along)
{
    const float *at = s->at + k0 * along;
    UNROLL for (int r = 0; r < PAIR_SHARE; r++) {
        bool inside = s->row + r * s->rows < rows;
        int d = k0 + s->depth + r * s->depths;
        low[r] = inside && d < k ? at[r * s->apart] : 0;
        high[r] = inside && d + 1 < k ? at[r * s->apart + along] : 0;
    }
}

DEVICE void writePairs(word tile[LARGE][PAIR_PITCH], const float low[PAIR_SHARE], const float high[PAIR_SHARE], const share *s)
{
    UNROLL for (int r = 0; r < PAIR_SHARE; r++)
        tile[s->row + r * s->rows][(s->depth + r * s->depths) / 2] = bf16Pair(low[r], high[r]);
}

// As product_bf16, whose sums it gives bit for bit, for large matrices: a warp computes 32
// rows and 64 columns. While a tile is multiplied, the next one is on its way from memory.
KERNEL BOUNDS void product_bf16_large(float *c, const float *a, const float *b, const float *bias, int m, int n, int k,
    long ai, long ak, long az, long bk, long bj, long bz, long ldc, long cz, int accumulate)
{
    SHARED word as[2][LARGE][PAIR_PITCH], bs[2][LARGE][PAIR_PITCH];
    int row0 = blockX * LARGE, col0 = blockY * LARGE, warp = threadX / 32, g = LANE / 4, t = LANE % 4, now = 0;
    share left = pairShareOf(a + blockZ * az, row0, ai, ak), right = pairShareOf(b + blockZ * bz, col0, bj, bk);
    float sum[2][8][4], lowA[PAIR_SHARE], highA[PAIR_SHARE], lowB[PAIR_SHARE], highB[PAIR_SHARE];
    UNROLL for (int i = 0; i < 2; i++)
        UNROLL for (int j = 0; j < 8; j++)
            UNROLL for (int e = 0; e < 4; e++)
                sum[i][j][e] = 0;
    readPairs(lowA, highA, &left, m - row0, 0, k, ak);
    readPairs(lowB, highB, &right, n - col0, 0, k, bk);
    writePairs(as[0], lowA, highA, &left);
    writePairs(bs[0], lowB, highB, &right);
    BARRIER;
    for (int k0 = 2 * PAIRS;; k0 += 2 * PAIRS) {
        if (k0 < k) {
            readPairs(lowA, highA, &left, m - row0, k0, k, ak);
            readPairs(lowB, highB, &right, n - col0, k0, k, bk);
        }
        word x[2][4];
        UNROLL for (int i = 0; i < 2; i++) {
            const word *from = &as[now][warp / 2 * 32 + 16 * i + g][t];
            x[i][0] = from[0];
            x[i][1] = from[8 * PAIR_PITCH];
            x[i][2] = from[4];
            x[i][3] = from[8 * PAIR_PITCH + 4];
        }
        UNROLL for (int j = 0; j < 8; j++) {
            const word *from = &bs[now][warp % 2 * 64 + 8 * j + g][t];
            word y[2] = {from[0], from[4]};
            UNROLL for (int i = 0; i < 2; i++)
                multiplyAdd(sum[i][j], x[i], y);
        }
        if (k0 >= k)
            break;
        now = 1 - now;
        writePairs(as[now], lowA, highA, &left);
        writePairs(bs[now], lowB, highB, &right);
        BARRIER;
    }
    c += blockZ * cz;
    UNROLL for (int i = 0; i < 2; i++)
        UNROLL for (int j = 0; j < 8; j++)
            UNROLL for (int e = 0; e < 4; e++) {
                int row = row0 + warp / 2 * 32 + 16 * i + g + e / 2 * 8, col = col0 + warp % 2 * 64 + 8 * j + 2 * t + e % 2;
                if (row >= m || col >= n)
                    continue;
                float v = bias ? sum[i][j][e] + bias[col] : sum[i][j][e];
                long at = row * ldc + col;
                c[at] = accumulate ? c[at] + v : v;
            }
}
