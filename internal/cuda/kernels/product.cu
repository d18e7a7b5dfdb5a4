// Matrix products.

#define TILE 64  // rows and columns of C that a block computes
#define DEPTH 16 // of the sums that it takes at a time
#define OWN 4    // rows and columns that a thread computes

#define TILE_PITCH (TILE + 4) // rows of a tile in other banks, aligned to 16 bytes

// What a product does with its sums P before it writes them (internal/kernel's Epilogue):
//
//	V = P [+ bias] [+ base],  pre = V,  C = f(V)
//
// bias [n], base, whose rows are ldbase and batches zbase apart, and pre, which is laid out
// as C, may be null. base may be C.
#define EPILOGUE const float *bias, const float *base, long ldbase, long zbase, float *pre, int f
#define GIVEN_EPILOGUE bias, base, ldbase, zbase, pre, f

// Does so with the sum of a row and column.
DEVICE void store(float *c, long row, int col, float sum, long ldc, EPILOGUE)
{
    long at = row * ldc + col;
    float v = bias ? sum + bias[col] : sum;
    if (base)
        v += base[row * ldbase + col];
    if (pre)
        pre[at] = v;
    c[at] = activation(f, v);
}

// Does so with a block's sums in shared memory, those of TILE rows from row0 on and COLS
// columns from col0 on, of an m by n C. One loop has all, since there are many activations,
// and neighbouring threads write neighbours.
template <int COLS> DEVICE void storeTile(float *c, const float sums[TILE][COLS + 4], int row0, int col0, int m, int n, long ldc, EPILOGUE)
{
    NOUNROLL for (int e = threadX; e < TILE * COLS; e += THREADS) {
        int row = row0 + e / COLS, col = col0 + e % COLS;
        if (row < m && col < n)
            store(c, row, col, sums[e / COLS][e % COLS], ldc, GIVEN_EPILOGUE);
    }
}

// The parameters of all kernels of products. They compute P = A B for each z and do with
// it what the epilogue says: element (i, k) of A is at z az + i ai + k ak, (k, j) of B at
// z bz + k bk + j bj, (i, j) of C at z cz + i ldc + j. So a matrix may be transposed.
#define PRODUCT                                                                              \
    float *c, const float *a, const float *b, int m, int n, int k, long ai, long ak, long az, \
        long bk, long bj, long bz, long ldc, long cz, EPILOGUE

// Moves C, and what is as large, to a block's z.
#define MOVE_C                 \
    c += blockZ * cz;          \
    if (base)                  \
        base += blockZ * zbase; \
    if (pre)                   \
        pre += blockZ * cz

// Each element is one sum in the order of k. Rows are blocks along x, where a grid has room
// for the most.
KERNEL BOUNDS void product(PRODUCT)
{
    static __attribute__((shared, aligned(16))) union {
        struct { float a[DEPTH][TILE_PITCH], b[DEPTH][TILE_PITCH]; } in; // pitches: columns in other banks
        float sums[TILE][TILE_PITCH];
    } s;
    int row0 = blockX * TILE, col0 = blockY * TILE, ty = threadX / 16 * OWN, tx = threadX % 16 * OWN;
    a += blockZ * az;
    b += blockZ * bz;
    MOVE_C;
    float sum[OWN][OWN];
    UNROLL for (int i = 0; i < OWN; i++)
        UNROLL for (int j = 0; j < OWN; j++)
            sum[i][j] = 0;
    for (int k0 = 0; k0 < k; k0 += DEPTH) {
        for (int e = threadX; e < TILE * DEPTH; e += THREADS) {
            // Neighbouring threads read neighbours in memory, whichever way it lies.
            int i = ak == 1 ? e / DEPTH : e % TILE, d = ak == 1 ? e % DEPTH : e / TILE;
            s.in.a[d][i] = row0 + i < m && k0 + d < k ? a[(row0 + i) * ai + (k0 + d) * ak] : 0;
            int j = bj == 1 ? e % TILE : e / DEPTH;
            d = bj == 1 ? e / TILE : e % DEPTH;
            s.in.b[d][j] = col0 + j < n && k0 + d < k ? b[(k0 + d) * bk + (col0 + j) * bj] : 0;
        }
        BARRIER;
        UNROLL for (int d = 0; d < DEPTH; d++)
            UNROLL for (int i = 0; i < OWN; i++)
                UNROLL for (int j = 0; j < OWN; j++)
                    sum[i][j] = fma(s.in.a[d][ty + i], s.in.b[d][tx + j], sum[i][j]);
        BARRIER;
    }
    UNROLL for (int i = 0; i < OWN; i++)
        writeFour(&s.sums[ty + i][tx], sum[i]);
    BARRIER;
    storeTile<TILE>(c, s.sums, row0, col0, m, n, ldc, GIVEN_EPILOGUE);
}

#define SMALL 16 // rows and columns of C that a block computes, and depth

// product for matrices with few rows or columns, of which the other's tiles would be
// mostly empty: a thread an element. The sums are the same, in the same order.
KERNEL BOUNDS void product_small(PRODUCT)
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
    MOVE_C;
    store(c, row, col, sum, ldc, GIVEN_EPILOGUE);
}

// The end of a product whose sums are of parts of k: P is the sum over p of parts[p],
// [m, n] each.
KERNEL BOUNDS void product_sum(float *c, const float *parts, int count, int m, int n, long ldc, EPILOGUE)
{
    long i = ELEMENT, row = i / n, all = (long)m * n;
    if (row >= m)
        return;
    float sum = 0;
    for (int p = 0; p < count; p++)
        sum += parts[p * all + i];
    int col = (int)(i % n);
    store(c, row, col, sum, ldc, GIVEN_EPILOGUE);
}
