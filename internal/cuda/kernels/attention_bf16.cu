// Tiles of attention with factors in bfloat16, on tensor cores; sums are float32, and so
// are scores and weights until they are factors. Of a tile a warp has 16 own rows and 32
// others, and of y the same rows and 32 columns of each chunk.

#define ATTEND_PAIRS 8                       // along the sums of a tile that a block takes at a time
#define ATTEND_PAIR_PITCH (ATTEND_PAIRS + 4) // rows in other banks
#define ATTEND_PAIR_SLICE 8                  // of the others
#define ATTEND_WIDE (CHUNKS * CHUNK + 8)     // pairs in other banks

typedef union {
    struct { word own[2][TILE][ATTEND_PAIR_PITCH], other[2][TILE][ATTEND_PAIR_PITCH]; } in;
    word x[2][ATTEND_PAIR_SLICE][ATTEND_WIDE];
} poolBFloat16;

typedef struct BFloat16 {
    typedef poolBFloat16 pool;

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

    // What a thread reads of rows of a side, from depth d on: a pair of each of two rows 32
    // apart.
    DEVICE void read(int thread, float v[4], const float *x, int ld, int rows, int d, int depth)
    {
        d += thread % ATTEND_PAIRS * 2;
        UNROLL for (int r = 0; r < 2; r++) {
            int row = thread / ATTEND_PAIRS + 32 * r;
            const float *from = x + row * ld + d;
            v[2 * r] = row < rows && d < depth ? from[0] : 0;
            v[2 * r + 1] = row < rows && d + 1 < depth ? from[1] : 0;
        }
    }
    DEVICE void write(int thread, word to[TILE][ATTEND_PAIR_PITCH], const float v[4])
    {
        UNROLL for (int r = 0; r < 2; r++)
            to[thread / ATTEND_PAIRS + 32 * r][thread % ATTEND_PAIRS] = bf16Pair(v[2 * r], v[2 * r + 1]);
    }

    DEVICE void multiply(float product[16], pool &p, const float *a, int lda, int rows, const float *b, int ldb, int others, int depth)
    {
        float left[4], right[4];
        int thread = threadAnew(), now = 0, t = thread % 4, row = thread / 64 * 16 + thread % 32 / 4, other = thread / 32 % 2 * 32 + thread % 32 / 4;
        UNROLL for (int i = 0; i < 16; i++)
            product[i] = 0;
        read(thread, left, a, lda, rows, 0, depth);
        read(thread, right, b, ldb, others, 0, depth);
        write(thread, p.in.own[0], left);
        write(thread, p.in.other[0], right);
        BARRIER;
        for (int d = 2 * ATTEND_PAIRS;; d += 2 * ATTEND_PAIRS) {
            if (d < depth) {
                read(thread, left, a, lda, rows, d, depth);
                read(thread, right, b, ldb, others, d, depth);
            }
            const word *from = &p.in.own[now][row][t];
            word u[4] = {from[0], from[8 * ATTEND_PAIR_PITCH], from[4], from[8 * ATTEND_PAIR_PITCH + 4]};
            UNROLL for (int j = 0; j < 4; j++) {
                from = &p.in.other[now][other + 8 * j][t];
                word v[2] = {from[0], from[4]};
                multiplyAdd(product + 4 * j, u, v);
            }
            if (d >= depth)
                return;
            now = 1 - now;
            write(thread, p.in.own[now], left);
            write(thread, p.in.other[now], right);
            BARRIER;
        }
    }

    // What a thread reads of rows of x, from o on: of each chunk two pairs of rows, eight
    // rows apart.
    DEVICE void readColumns(int thread, float v[CHUNKS][4], const float *x, int ld, int o, int others, int width, int chunks)
    {
        UNROLL for (int n = 0; n < CHUNKS; n++)
            UNROLL for (int r = 0; r < 4; r++) {
                int row = o + thread / CHUNK * 2 + r / 2 * 8 + r % 2, column = n * CHUNK + thread % CHUNK;
                v[n][r] = n < chunks && row < others && column < width ? x[row * ld + column] : 0;
            }
    }
    DEVICE void writeColumns(int thread, pool &p, int now, const float v[CHUNKS][4], int chunks)
    {
        UNROLL for (int n = 0; n < CHUNKS; n++)
            UNROLL for (int r = 0; r < 2; r++)
                if (n < chunks)
                    p.x[now][thread / CHUNK + 4 * r][n * CHUNK + thread % CHUNK] = bf16Pair(v[n][2 * r], v[n][2 * r + 1]);
    }

    DEVICE void add(float sums[CHUNKS][16], const square &tile, pool &p, const float *x, int ldx, int others, int width, int chunks)
    {
        float next[CHUNKS][4];
        int thread = threadAnew(), now = 0, t = thread % 4, row = thread / 64 * 16 + thread % 32 / 4, other = thread / 32 % 2 * 32 + thread % 32 / 4;
        readColumns(thread, next, x, ldx, 0, others, width, chunks);
        writeColumns(thread, p, 0, next, chunks);
        BARRIER;
        for (int o = 0;; o += 2 * ATTEND_PAIR_SLICE) {
            if (o + 2 * ATTEND_PAIR_SLICE < others)
                readColumns(thread, next, x, ldx, o + 2 * ATTEND_PAIR_SLICE, others, width, chunks);
            word w[4];
            UNROLL for (int i = 0; i < 4; i++) {
                const float *at = &tile[o + 2 * t + i / 2 * 8][row + i % 2 * 8];
                w[i] = bf16Pair(at[0], at[TILE_PITCH]);
            }
            UNROLL for (int n = 0; n < CHUNKS; n++)
                if (n < chunks)
                    UNROLL for (int j = 0; j < 4; j++) {
                    const word *from = &p.x[now][t][n * CHUNK + other + 8 * j];
                    word v[2] = {from[0], from[4 * ATTEND_WIDE]};
                    multiplyAdd(sums[n] + 4 * j, w, v);
                }
            if (o + 2 * ATTEND_PAIR_SLICE >= others)
                return;
            now = 1 - now;
            writeColumns(thread, p, now, next, chunks);
            BARRIER;
        }
    }
} BFloat16;

ATTENTION(attention_bf16, BFloat16, false, false)
ATTENTION(attention_bf16_values, BFloat16, true, false)
ATTENTION(attention_bf16_queries, BFloat16, false, true)
ATTENTION(attention_bf16_keys, BFloat16, true, true)
