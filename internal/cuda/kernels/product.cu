// Matrix products.

#define TILE 64  // rows and columns of C that a block computes
#define DEPTH 16 // of the sums that it takes at a time
#define OWN 4    // rows and columns that a thread computes

// C = A B + bias, or C += A B, for each z: element (i, k) of A is at z az + i ai + k ak,
// (k, j) of B at z bz + k bk + j bj, (i, j) of C at z cz + i ldc + j. So a matrix may be
// transposed. bias [n] may be null. Each element is one sum in the order of k. Rows are
// blocks along x, where a grid has room for the most.
KERNEL BOUNDS void product(float *c, const float *a, const float *b, const float *bias, int m, int n, int k,
    long ai, long ak, long az, long bk, long bj, long bz, long ldc, long cz, int accumulate)
{
    SHARED float as[DEPTH][TILE + 4], bs[DEPTH][TILE + 4]; // + 4: columns in other banks
    int row0 = blockX * TILE, col0 = blockY * TILE, ty = threadX / 16 * OWN, tx = threadX % 16 * OWN;
    a += blockZ * az;
    b += blockZ * bz;
    c += blockZ * cz;
    float sum[OWN][OWN];
    UNROLL for (int i = 0; i < OWN; i++)
        UNROLL for (int j = 0; j < OWN; j++)
            sum[i][j] = 0;
    for (int k0 = 0; k0 < k; k0 += DEPTH) {
        for (int e = threadX; e < TILE * DEPTH; e += THREADS) {
            // Neighbouring threads read neighbours in memory, whichever way it lies.
            int i = ak == 1 ? e / DEPTH : e % TILE, d = ak == 1 ? e % DEPTH : e / TILE;
            as[d][i] = row0 + i < m && k0 + d < k ? a[(row0 + i) * ai + (k0 + d) * ak] : 0;
            int j = bj == 1 ? e % TILE : e / DEPTH;
            d = bj == 1 ? e / TILE : e % DEPTH;
            bs[d][j] = col0 + j < n && k0 + d < k ? b[(k0 + d) * bk + (col0 + j) * bj] : 0;
        }
        BARRIER;
        UNROLL for (int d = 0; d < DEPTH; d++)
            UNROLL for (int i = 0; i < OWN; i++)
                UNROLL for (int j = 0; j < OWN; j++)
                    sum[i][j] = fma(as[d][ty + i], bs[d][tx + j], sum[i][j]);
        BARRIER;
    }
    UNROLL for (int i = 0; i < OWN; i++)
        UNROLL for (int j = 0; j < OWN; j++) {
            int row = row0 + ty + i, col = col0 + tx + j;
            if (row >= m || col >= n)
                continue;
            float v = bias ? sum[i][j] + bias[col] : sum[i][j];
            long at = row * ldc + col;
            c[at] = accumulate ? c[at] + v : v;
        }
}

#define SMALL 16 // rows and columns of C that a block computes, and depth

// product for matrices with few rows or columns, of which the other's tiles would be
// mostly empty: a thread an element. The sums are the same, in the same order.
KERNEL BOUNDS void product_small(float *c, const float *a, const float *b, const float *bias, int m, int n, int k,
    long ai, long ak, long az, long bk, long bj, long bz, long ldc, long cz, int accumulate)
{
    SHARED float as[SMALL][SMALL + 1], bs[SMALL][SMALL + 1];
    int y = threadX / SMALL, x = threadX % SMALL, row = blockX * SMALL + y, col = blockY * SMALL + x;
    // What a thread reads, so that neighbours read neighbours in memory.
    int aRow = ak == 1 ? y : x, aDepth = ak == 1 ? x : y, bDepth = bj == 1 ? y : x, bCol = bj == 1 ? x : y;
    a += blockZ * az + (long)(blockX * SMALL + aRow) * ai;
    b += blockZ * bz + (long)(blockY * SMALL + bCol) * bj;
    bool hasA = blockX * SMALL + aRow < m, hasB = blockY * SMALL + bCol < n;
    float sum = 0;
    for (int k0 = 0; k0 < k; k0 += SMALL) {
        as[aRow][aDepth] = hasA && k0 + aDepth < k ? a[(k0 + aDepth) * ak] : 0;
        bs[bDepth][bCol] = hasB && k0 + bDepth < k ? b[(k0 + bDepth) * bk] : 0;
        BARRIER;
        UNROLL for (int d = 0; d < SMALL; d++)
            sum = fma(as[y][d], bs[d][x], sum);
        BARRIER;
    }
    if (row >= m || col >= n)
        return;
    float v = bias ? sum + bias[col] : sum;
    long at = blockZ * cz + row * ldc + col;
    c[at] = accumulate ? c[at] + v : v;
}

// C = sum over p of parts[p], or C += that, of [m, n] each.
KERNEL BOUNDS void product_sum(float *c, const float *parts, int count, int m, int n, long ldc, int accumulate)
{
    long i = ELEMENT, row = i / n, all = (long)m * n;
    if (row >= m)
        return;
    float sum = 0;
    for (int p = 0; p < count; p++)
        sum += parts[p * all + i];
    c += row * ldc + i % n;
    *c = accumulate ? *c + sum : sum;
}
