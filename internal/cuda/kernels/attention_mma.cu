// Tiles of attention on tensor cores, with factors rounded to a format F (product_mma.cu);
// sums are float32, and so are scores and weights until they are factors. Of a tile a warp
// has 16 own rows and 32 others, and of y the same rows and 32 columns of each chunk.

#define ATTEND_WORDS 8                       // along sums that a block takes at a time
#define ATTEND_WORD_PITCH (ATTEND_WORDS + 4) // rows in other banks
#define ATTEND_WIDE (CHUNKS * CHUNK + 8)     // words in other banks

typedef word wordSide[TILE][ATTEND_WORD_PITCH];

typedef union {
    struct { wordSide own[2], other[2]; } in;
    word x[2][ATTEND_WORDS][ATTEND_WIDE];
} poolOfWords;

template <class F> struct TensorCores {
    typedef poolOfWords pool;
    enum { EACH = F::EACH, STEP = ATTEND_WORDS * EACH };

    // As Float32's; a number is where mma has it.
    DEVICE int ownOf(int i) { return threadX / 64 * 16 + LANE / 4 + i / 2 % 2 * 8; }
    DEVICE int otherOf(int i) { return threadX / 32 % 2 * 32 + i / 4 * 8 + LANE % 4 * 2 + i % 2; }
    DEVICE int rowOf(int i) { return ownOf(i); }
    DEVICE int columnOf(int i) { return otherOf(i); }

    DEVICE void get(float v[16], const square &tile)
    {
        UNROLL for (int i = 0; i < 16; i++)
            v[i] = tile[otherOf(i)][ownOf(i)];
    }
    DEVICE void put(square &tile, const float v[16])
    {
        UNROLL for (int i = 0; i < 16; i++)
            tile[otherOf(i)][ownOf(i)] = v[i];
    }

    // What a thread reads of rows of a side, from depth d on: a word of each of two rows 32
    // apart.
    DEVICE void read(int thread, float v[2][EACH], const float *x, int ld, int rows, int d, int depth)
    {
        d += thread % ATTEND_WORDS * EACH;
        UNROLL for (int r = 0; r < 2; r++) {
            int row = thread / ATTEND_WORDS + 32 * r;
            readWord<F>(v[r], x + row * ld + d, row < rows, d, depth, 1);
        }
    }
    DEVICE void write(int thread, wordSide &to, const float v[2][EACH])
    {
        UNROLL for (int r = 0; r < 2; r++)
            to[thread / ATTEND_WORDS + 32 * r][thread % ATTEND_WORDS] = F::rounded(v[r]);
    }

    DEVICE void multiply(float product[16], pool &p, const float *a, int lda, int rows, const float *b, int ldb, int others, int depth)
    {
        float left[2][EACH], right[2][EACH];
        int thread = threadAnew(), t = thread % 4, row = thread / 64 * 16 + thread % 32 / 4, other = thread / 32 % 2 * 32 + thread % 32 / 4;
        UNROLL for (int i = 0; i < 16; i++)
            product[i] = 0;
        auto next = [&](int d) INLINE {
            read(thread, left, a, lda, rows, d, depth);
            read(thread, right, b, ldb, others, d, depth);
        };
        auto keep = [&](int now) INLINE {
            write(thread, p.in.own[now], left);
            write(thread, p.in.other[now], right);
        };
        inSlices(depth, STEP, next, keep, [&](int now, int) INLINE {
            const word *from = &p.in.own[now][row][t];
            word u[4] = {from[0], from[8 * ATTEND_WORD_PITCH], from[4], from[8 * ATTEND_WORD_PITCH + 4]};
            UNROLL for (int j = 0; j < 4; j++) {
                from = &p.in.other[now][other + 8 * j][t];
                word v[2] = {from[0], from[4]};
                F::multiplyAdd(product + 4 * j, u, v);
            }
        });
    }

    // What a thread reads of rows of x, from o on: of each chunk two words of rows, four words
    // apart.
    DEVICE void readColumns(int thread, float v[CHUNKS][2][EACH], const float *x, int ld, int o, int others, int width, int chunks)
    {
        UNROLL for (int n = 0; n < CHUNKS; n++)
            UNROLL for (int r = 0; r < 2; r++) {
                int row = o + (thread / CHUNK + 4 * r) * EACH, column = n * CHUNK + thread % CHUNK;
                readWord<F>(v[n][r], x + row * ld + column, n < chunks && column < width, row, others, ld);
            }
    }
    DEVICE void writeColumns(int thread, pool &p, int now, const float v[CHUNKS][2][EACH], int chunks)
    {
        UNROLL for (int n = 0; n < CHUNKS; n++)
            UNROLL for (int r = 0; r < 2; r++)
                if (n < chunks)
                    p.x[now][thread / CHUNK + 4 * r][n * CHUNK + thread % CHUNK] = F::rounded(v[n][r]);
    }

    DEVICE void add(float sums[CHUNKS][16], const square &tile, pool &p, const float *x, int ldx, int others, int width, int chunks)
    {
        float columns[CHUNKS][2][EACH];
        int thread = threadAnew(), t = thread % 4, row = thread / 64 * 16 + thread % 32 / 4, other = thread / 32 % 2 * 32 + thread % 32 / 4;
        auto next = [&](int o) INLINE { readColumns(thread, columns, x, ldx, o, others, width, chunks); };
        auto keep = [&](int now) INLINE { writeColumns(thread, p, now, columns, chunks); };
        inSlices(others, STEP, next, keep, [&](int now, int o) INLINE {
            word w[4];
            UNROLL for (int i = 0; i < 4; i++) {
                float v[EACH];
                UNROLL for (int e = 0; e < EACH; e++)
                    v[e] = tile[o + (t + i / 2 * 4) * EACH + e][row + i % 2 * 8];
                w[i] = F::rounded(v);
            }
            UNROLL for (int n = 0; n < CHUNKS; n++)
                if (n < chunks)
                    UNROLL for (int j = 0; j < 4; j++) {
                    const word *from = &p.x[now][t][n * CHUNK + other + 8 * j];
                    word v[2] = {from[0], from[4 * ATTEND_WIDE]};
                    F::multiplyAdd(sums[n] + 4 * j, w, v);
                }
        });
    }
};

#define ATTENTION_OF(name, F)                                \
    ATTENTION(name, TensorCores<F>, false, false)            \
    ATTENTION(name##_values, TensorCores<F>, true, false)    \
    ATTENTION(name##_queries, TensorCores<F>, false, true)   \
    ATTENTION(name##_keys, TensorCores<F>, true, true)

ATTENTION_OF(attention_bf16, BF16)
ATTENTION_OF(attention_tf32, TF32)
