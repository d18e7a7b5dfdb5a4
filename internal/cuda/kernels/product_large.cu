// The product of large matrices: blocks of 128 rows and columns.

#define LARGE 128
#define SLICE 8           // words of the sums that a block takes at a time
#define PITCH (LARGE + 4) // rows of a tile in other banks
#define SHARE (LARGE * SLICE / THREADS)

// What a thread reads of a tile [LARGE, SLICE] of words of A, or of B with columns for rows:
// SHARE words, apart in memory, that begin at row and depth. A word has EACH numbers along
// the sum, and depths count numbers.
typedef struct { int row, depth, rows, depths; long apart; const float *at; } share;

// Neighbouring threads read neighbours in memory, whichever way it lies.
template <int EACH> DEVICE share shareOf(const float *x, long first, long stride, long along)
{
    share s;
    s.row = along == 1 ? threadX / SLICE : threadX % LARGE;
    s.depth = (along == 1 ? threadX % SLICE : threadX / LARGE) * EACH;
    s.rows = along == 1 ? THREADS / SLICE : 0;
    s.depths = along == 1 ? 0 : THREADS / LARGE * EACH;
    s.apart = s.rows * stride + s.depths * along;
    s.at = x + (first + s.row) * stride + s.depth * along;
    return s;
}

// The share's words of the tile at depth k0, with 0 outside of its `rows` rows and from number
// k of the sums on.
template <int EACH> DEVICE void readShare(float v[SHARE * EACH], const share *s, int rows, int k0, int k, long along)
{
    const float *at = s->at + k0 * along;
    UNROLL for (int i = 0; i < SHARE * EACH; i++) {
        int r = i / EACH, e = i % EACH;
        v[i] = s->row + r * s->rows < rows && k0 + s->depth + r * s->depths + e < k ? at[r * s->apart + e * along] : 0;
    }
}

DEVICE void writeShare(float tile[SLICE][PITCH], const float v[SHARE], const share *s)
{
    UNROLL for (int r = 0; r < SHARE; r++)
        tile[s->depth + r * s->depths][s->row + r * s->rows] = v[r];
}

// As product, whose sums it gives bit for bit. A thread computes eight rows and columns:
// four from 4 y or 4 x on, and four that are 64 further.
KERNEL __attribute__((launch_bounds(THREADS, 2))) void product_large(PRODUCT)
{
    static __attribute__((shared, aligned(16))) union {
        struct { float a[2][SLICE][PITCH], b[2][SLICE][PITCH]; } in;
        float sums[TILE][PITCH];
    } s;
    int row0 = blockX * LARGE, col0 = blockY * LARGE, y = threadX / 16 * 4, x = threadX % 16 * 4;
    share left = shareOf<1>(a + blockZ * az, row0, ai, ak), right = shareOf<1>(b + blockZ * bz, col0, bj, bk);
    float sum[8][8], nextA[SHARE], nextB[SHARE];
    UNROLL for (int i = 0; i < 8; i++)
        UNROLL for (int j = 0; j < 8; j++)
            sum[i][j] = 0;
    auto next = [&](int k0) INLINE {
        readShare<1>(nextA, &left, m - row0, k0, k, ak);
        readShare<1>(nextB, &right, n - col0, k0, k, bk);
    };
    auto keep = [&](int now) INLINE {
        writeShare(s.in.a[now], nextA, &left);
        writeShare(s.in.b[now], nextB, &right);
    };
    inSlices(k, SLICE, next, keep, [&](int now, int) INLINE {
        UNROLL for (int d = 0; d < SLICE; d++) {
            float p[8], q[8];
            readFour(p, &s.in.a[now][d][y]);
            readFour(p + 4, &s.in.a[now][d][y + 64]);
            readFour(q, &s.in.b[now][d][x]);
            readFour(q + 4, &s.in.b[now][d][x + 64]);
            UNROLL for (int i = 0; i < 8; i++)
                UNROLL for (int j = 0; j < 8; j++)
                    sum[i][j] = fma(p[i], q[j], sum[i][j]);
        }
    });
    MOVE_C;
    NOUNROLL for (int half = 0; half < 2; half++) {
        BARRIER; // what is in shared memory has been read
        UNROLL for (int i = 0; i < 8; i++)
            if (i / 4 == half) {
                writeFour(&s.sums[y + i % 4][x], sum[i]);
                writeFour(&s.sums[y + i % 4][x + 64], sum[i] + 4);
            }
        BARRIER;
        storeTile<LARGE>(c, s.sums, row0 + half * TILE, col0, m, n, ldc, GIVEN_EPILOGUE);
    }
}
