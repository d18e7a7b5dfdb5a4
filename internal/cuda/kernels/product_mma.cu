// Matrix products on tensor cores. Factors are rounded to a format F; sums are float32.

// d += A B for A [16, 8 EACH] and B [8 EACH, 8], as a warp has them in registers: words with
// EACH numbers along the sum.
#define MULTIPLY_ADD(instruction)                                                         \
    DEVICE void multiplyAdd(float d[4], const word a[4], const word b[2])                 \
    {                                                                                     \
        asm(instruction " {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};" \
            : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])                              \
            : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));          \
    }

// The format of eight bits: two numbers a word, the first one in the lower half.
typedef struct BF16 {
    enum { EACH = 2 };
    DEVICE word rounded(const float v[EACH]) { return __builtin_bit_cast(word, __nvvm_ff2bf16x2_rn(v[1], v[0])); }
    MULTIPLY_ADD("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32")
} BF16;

// The format of eleven bits, with the exponents of float32: one number a word. Ties go away
// from 0.
typedef struct TF32 {
    enum { EACH = 1 };
    DEVICE word rounded(const float v[EACH]) { return (word)__nvvm_f2tf32_rna(v[0]); }
    MULTIPLY_ADD("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32")
} TF32;

// A word's numbers that lie apart in memory: 0 outside of the matrix, and from number k of
// a sum on.
template <class F> DEVICE void readWord(float v[F::EACH], const float *from, bool inside, int d, int k, long apart)
{
    UNROLL for (int e = 0; e < F::EACH; e++)
        v[e] = inside && d + e < k ? from[e * apart] : 0;
}

#define WORDS 16              // along the sums that a block takes at a time
#define WORD_PITCH (WORDS + 4) // rows in other banks

// Rows of A, and columns of B, of a tile.
typedef word wordTile[TILE][WORD_PITCH];

// As product. Warp w of a block computes rows 16 (w / 2) to 16 (w / 2) + 15 of columns
// 32 (w % 2) to 32 (w % 2) + 31.
template <class F> DEVICE void productOf(PRODUCT)
{
    static __attribute__((shared, aligned(16))) union {
        struct { wordTile a, b; } in;
        float sums[TILE][TILE_PITCH];
    } s;
    int row0 = blockX * TILE, col0 = blockY * TILE, warp = threadX / 32, g = LANE / 4, t = LANE % 4;
    a += blockZ * az;
    b += blockZ * bz;
    MOVE_C;
    float sum[4][4];
    UNROLL for (int j = 0; j < 4; j++)
        UNROLL for (int i = 0; i < 4; i++)
            sum[j][i] = 0;
    for (int k0 = 0; k0 < k; k0 += WORDS * F::EACH) {
        for (int e = threadX; e < TILE * WORDS; e += THREADS) {
            float v[F::EACH];
            // Neighbouring threads read neighbours in memory, whichever way it lies.
            int i = ak == 1 ? e / WORDS : e % TILE, w = ak == 1 ? e % WORDS : e / TILE;
            int d = k0 + F::EACH * w;
            readWord<F>(v, a + (row0 + i) * ai + d * ak, row0 + i < m, d, k, ak);
            s.in.a[i][w] = F::rounded(v);
            int j = bj == 1 ? e % TILE : e / WORDS;
            w = bj == 1 ? e / TILE : e % WORDS;
            d = k0 + F::EACH * w;
            readWord<F>(v, b + d * bk + (col0 + j) * bj, col0 + j < n, d, k, bk);
            s.in.b[j][w] = F::rounded(v);
        }
        BARRIER;
        UNROLL for (int w = 0; w < WORDS; w += 8) {
            const word *left = &s.in.a[warp / 2 * 16 + g][w + t];
            word x[4] = {left[0], left[8 * WORD_PITCH], left[4], left[8 * WORD_PITCH + 4]};
            UNROLL for (int j = 0; j < 4; j++) {
                const word *right = &s.in.b[warp % 2 * 32 + 8 * j + g][w + t];
                word y[2] = {right[0], right[4]};
                F::multiplyAdd(sum[j], x, y);
            }
        }
        BARRIER;
    }
    UNROLL for (int j = 0; j < 4; j++)
        UNROLL for (int i = 0; i < 4; i++)
            s.sums[warp / 2 * 16 + g + i / 2 * 8][warp % 2 * 32 + 8 * j + 2 * t + i % 2] = sum[j][i];
    BARRIER;
    storeTile<TILE>(c, s.sums, row0, col0, m, n, ldc, GIVEN_EPILOGUE);
}

// Tiles of large matrices, in words.
template <class F> struct largeTile {
    typedef word words[LARGE][SLICE + 4]; // rows in other banks

    DEVICE void write(words &tile, const float v[SHARE * F::EACH], const share *s)
    {
        UNROLL for (int r = 0; r < SHARE; r++)
            tile[s->row + r * s->rows][(s->depth + r * s->depths) / F::EACH] = F::rounded(v + r * F::EACH);
    }
};

// As productOf, whose sums it gives bit for bit, for large matrices: a warp computes 32 rows
// and 64 columns.
template <class F> DEVICE void largeProductOf(PRODUCT)
{
    typedef largeTile<F> T;
    static __attribute__((shared, aligned(16))) union {
        struct { typename T::words a[2], b[2]; } in;
        float sums[TILE][PITCH];
    } s;
    int row0 = blockX * LARGE, col0 = blockY * LARGE, warp = threadX / 32, g = LANE / 4, t = LANE % 4;
    share left = shareOf<F::EACH>(a + blockZ * az, row0, ai, ak), right = shareOf<F::EACH>(b + blockZ * bz, col0, bj, bk);
    float sum[2][8][4], nextA[SHARE * F::EACH], nextB[SHARE * F::EACH];
    UNROLL for (int i = 0; i < 2; i++)
        UNROLL for (int j = 0; j < 8; j++)
            UNROLL for (int e = 0; e < 4; e++)
                sum[i][j][e] = 0;
    auto next = [&](int k0) INLINE {
        readShare<F::EACH>(nextA, &left, m - row0, k0, k, ak);
        readShare<F::EACH>(nextB, &right, n - col0, k0, k, bk);
    };
    auto keep = [&](int now) INLINE {
        T::write(s.in.a[now], nextA, &left);
        T::write(s.in.b[now], nextB, &right);
    };
    inSlices(k, SLICE * F::EACH, next, keep, [&](int now, int) INLINE {
        word x[2][4];
        UNROLL for (int i = 0; i < 2; i++) {
            int row = warp / 2 * 32 + 16 * i + g;
            x[i][0] = s.in.a[now][row][t];
            x[i][1] = s.in.a[now][row + 8][t];
            x[i][2] = s.in.a[now][row][t + 4];
            x[i][3] = s.in.a[now][row + 8][t + 4];
        }
        UNROLL for (int j = 0; j < 8; j++) {
            const word *from = &s.in.b[now][warp % 2 * 64 + 8 * j + g][t];
            word y[2] = {from[0], from[4]};
            UNROLL for (int i = 0; i < 2; i++)
                F::multiplyAdd(sum[i][j], x[i], y);
        }
    });
    MOVE_C;
    NOUNROLL for (int half = 0; half < 2; half++) {
        BARRIER; // what is in shared memory has been read
        if (warp / 4 == half)
            UNROLL for (int i = 0; i < 2; i++)
                UNROLL for (int j = 0; j < 8; j++)
                    UNROLL for (int e = 0; e < 4; e++)
                        s.sums[warp / 2 % 2 * 32 + 16 * i + g + e / 2 * 8][warp % 2 * 64 + 8 * j + 2 * t + e % 2] = sum[i][j][e];
        BARRIER;
        storeTile<LARGE>(c, s.sums, row0 + half * TILE, col0, m, n, ldc, GIVEN_EPILOGUE);
    }
}

#define PRODUCT_OF(name, F)                                                                                      \
    KERNEL BOUNDS void name(PRODUCT)                                                                             \
    {                                                                                                            \
        productOf<F>(c, a, b, m, n, k, ai, ak, az, bk, bj, bz, ldc, cz, GIVEN_EPILOGUE);                  \
    }                                                                                                            \
    KERNEL BOUNDS void name##_large(PRODUCT)                                                                     \
    {                                                                                                            \
        largeProductOf<F>(c, a, b, m, n, k, ai, ak, az, bk, bj, bz, ldc, cz, GIVEN_EPILOGUE);             \
    }

PRODUCT_OF(product_bf16, BF16)
PRODUCT_OF(product_tf32, TF32)
