// Tiles of attention in float32. A thread has four rows of a tile and four others, and of y
// the same rows and four columns of each chunk.

#define ATTEND_DEPTH 16 // of the sums of a tile that a block takes at a time
#define ATTEND_SLICE 8  // of the others

typedef union {
    struct { float own[2][ATTEND_DEPTH][TILE_PITCH], other[2][ATTEND_DEPTH][TILE_PITCH]; } in;
    float x[2][ATTEND_SLICE][CHUNKS * CHUNK];
} poolFloat32;

typedef struct Float32 {
    typedef poolFloat32 pool;

    // The own row and the other, or the row and the column of a chunk of y, of a thread's
    // number i.
    DEVICE int ownOf(int i) { return threadX / 16 * 4 + i % 4; }
    DEVICE int otherOf(int i) { return threadX % 16 + i / 4 * 16; }
    DEVICE int rowOf(int i) { return threadX / 16 * 4 + i % 4; }
    DEVICE int columnOf(int i) { return threadX % 16 * 4 + i / 4; }

    // A thread's numbers of a tile.
    DEVICE void get(float v[16], const square &tile)
    {
        UNROLL for (int j = 0; j < 4; j++)
            readFour(v + 4 * j, &tile[otherOf(4 * j)][ownOf(0)]);
    }
    DEVICE void put(square &tile, const float v[16])
    {
        UNROLL for (int j = 0; j < 4; j++)
            writeFour(&tile[otherOf(4 * j)][ownOf(0)], v + 4 * j);
    }

    // What a thread reads of rows of a side, from depth d on: of four rows 16 apart.
    DEVICE void read(int thread, float v[4], const float *x, int ld, int rows, int d, int depth)
    {
        d += thread % 16;
        UNROLL for (int r = 0; r < 4; r++) {
            int row = thread / 16 + 16 * r;
            v[r] = row < rows && d < depth ? x[row * ld + d] : 0;
        }
    }

    // Own rows lie in order, the others so that those which a thread has, 16 apart, are
    // neighbours.
    DEVICE void write(int thread, pool &p, int now, const float own[4], const float other[4])
    {
        UNROLL for (int r = 0; r < 4; r++)
            p.in.own[now][thread % 16][thread / 16 + 16 * r] = own[r];
        writeFour(&p.in.other[now][thread % 16][thread / 16 * 4], other);
    }

    // The tile of products of own rows and others.
    DEVICE void multiply(float product[16], pool &p, const float *a, int lda, int rows, const float *b, int ldb, int others, int depth)
    {
        float own[4], other[4];
        int thread = threadAnew(), y = thread / 16 * 4, x = thread % 16 * 4;
        UNROLL for (int i = 0; i < 16; i++)
            product[i] = 0;
        auto next = [&](int d) INLINE {
            read(thread, own, a, lda, rows, d, depth);
            read(thread, other, b, ldb, others, d, depth);
        };
        auto keep = [&](int now) INLINE { write(thread, p, now, own, other); };
        inSlices(depth, ATTEND_DEPTH, next, keep, [&](int now, int) INLINE {
            UNROLL for (int k = 0; k < ATTEND_DEPTH; k++) {
                float u[4], v[4];
                readFour(u, &p.in.own[now][k][y]);
                readFour(v, &p.in.other[now][k][x]);
                UNROLL for (int i = 0; i < 16; i++)
                    product[i] = fma(u[i % 4], v[i / 4], product[i]);
            }
        });
    }

    // What a thread reads of rows of x, from o on: of each chunk two, four apart.
    DEVICE void readColumns(int thread, float v[CHUNKS][2], const float *x, int ld, int o, int others, int width, int chunks)
    {
        UNROLL for (int n = 0; n < CHUNKS; n++)
            UNROLL for (int r = 0; r < 2; r++) {
                int row = o + thread / CHUNK + 4 * r, column = n * CHUNK + thread % CHUNK;
                v[n][r] = n < chunks && row < others && column < width ? x[row * ld + column] : 0;
            }
    }
    DEVICE void writeColumns(int thread, pool &p, int now, const float v[CHUNKS][2], int chunks)
    {
        UNROLL for (int n = 0; n < CHUNKS; n++)
            UNROLL for (int r = 0; r < 2; r++)
                if (n < chunks)
                    p.x[now][thread / CHUNK + 4 * r][n * CHUNK + thread % CHUNK] = v[n][r];
    }

    // Adds the tile's weights times x.
    DEVICE void add(float sums[CHUNKS][16], const square &tile, pool &p, const float *x, int ldx, int others, int width, int chunks)
    {
        float columns[CHUNKS][2];
        int thread = threadAnew(), row = thread / 16 * 4, column = thread % 16 * 4;
        auto next = [&](int o) INLINE { readColumns(thread, columns, x, ldx, o, others, width, chunks); };
        auto keep = [&](int now) INLINE { writeColumns(thread, p, now, columns, chunks); };
        inSlices(others, ATTEND_SLICE, next, keep, [&](int now, int o) INLINE {
            UNROLL for (int n = 0; n < CHUNKS; n++)
                if (n < chunks)
                    UNROLL for (int k = 0; k < ATTEND_SLICE; k++) {
                    float w[4], v[4];
                    readFour(w, &tile[o + k][row]);
                    readFour(v, &p.x[now][k][n * CHUNK + column]);
                    UNROLL for (int i = 0; i < 16; i++)
                        sums[n][i] = fma(w[i % 4], v[i / 4], sums[n][i]);
                }
        });
    }
} Float32;

ATTENTION(attention, Float32, false, false)
ATTENTION(attention_values, Float32, true, false)
ATTENTION(attention_queries, Float32, false, true)
ATTENTION(attention_keys, Float32, true, true)
