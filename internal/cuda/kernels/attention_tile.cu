// Attention without a matrix of scores in memory. Each of four kernels computes rows
//
//	y[r] = sum over o of w(r, o) x[o]
//
// where a block owns 64 rows r, goes through the others, o, 64 at a time, and makes the
// tile of weights w anew in shared memory:
//
//	          own      others   w              x     y
//	forward   queries  keys     P, dropped     v     out
//	values    keys     queries  P, dropped     dout  dv
//	queries   queries  keys     dS             k     dq
//	keys      keys     queries  scale dS       q     dk
//
// with S = scale q k + bias and P = f(S). For dS there is a second product, dP = dout v.
// Segments and own tiles are blocks along x. Along y are blocks of up to 256 columns of y,
// each of which makes the weights for itself.
//
// Every sum is in the order of keys or of queries, so that equal runs give equal bits.
// What computes products is a type E: Float32 (attention_f32.cu) or
// TensorCores (attention_mma.cu). Hidden pairs have the weight 0. So a value that is not finite makes
// NaN of rows in its tile that do not see it; tiles that a causal order hides are skipped.

#define CHUNK 64            // columns of y
#define CHUNKS 4            // of a block, at most

enum { SOFTMAX, BY_RELU2, BY_LAPLACE }; // as internal/kernel numbers functions

// A tile of numbers [other][own].
typedef float square[TILE][TILE_PITCH];

// What is the same for all tiles of a block.
typedef struct {
    const float *bias;    // of equal positions, or null
    const byte *mask;     // [segments, keys], not 0 at padding, or null
    const float *lengths; // [segments], what relu2 and laplace divide by, or null for the number of visible keys
    float *logs;          // [segments, queries], the logarithm of the softmax's divisor, or null
    const float *deltas;  // [segments, queries], the sum of P dP
    int queries, keys, function, causal;
    float scale;
    const unsigned long *seed; // of dropout
    word threshold;            // 0 for no dropout
    float factor;              // of weights that are kept
} setting;

// What rows of a tile have: queries of their own. The softmax's maximum and sum are those
// of the tiles so far, and turn from one place to the other with every tile.
typedef struct {
    float largest[2][TILE], sum[2][TILE], shrink[TILE];
    float delta[TILE], scale[TILE];
} tileRows;

#define NONE (-__builtin_inff())

// The number of keys that a query sees, padding aside.
DEVICE int visible(int query, int queries, int keys, int causal)
{
    int n = causal ? query + 1 + keys - queries : keys;
    return n < 0 ? 0 : n;
}

// The larger number of the sixteen lanes of a query. NaN wins.
DEVICE float larger(float v, float other) { return v != v || v > other ? v : other; }
DEVICE float largestOfHalf(float v)
{
    UNROLL for (int m = 8; m > 0; m /= 2)
        v = larger(v, __nvvm_shfl_sync_bfly_f32(0xffffffff, v, m, 31));
    return v;
}
DEVICE float sumOfHalf(float v)
{
    UNROLL for (int m = 8; m > 0; m /= 2)
        v += __nvvm_shfl_sync_bfly_f32(0xffffffff, v, m, 31);
    return v;
}

// A number that the compiler takes for a new one, so that what comes of it is computed again
// and not kept in registers, of which there are few.
DEVICE int anew(int v)
{
    asm volatile("" : "+r"(v));
    return v;
}

// The thread's number, anew.
DEVICE int threadAnew()
{
    int t = anew(threadX);
    __builtin_assume(t >= 0 && t < THREADS);
    return t;
}

// Which of the weights number at, at + 16, at + 32 and at + 48 drop out.
DEVICE void dropped(bool drop[4], const setting &s, unsigned long at)
{
    word c[4], next[4], w = at / 16 % 4;
    unsigned long counter = at / 64 * 16 + at % 16;
    philox(c, counter, *s.seed);
    philox(next, counter + 16, *s.seed);
    UNROLL for (word i = 0; i < 4; i++) {
        word here = pick(c, w + i), there = pick(next, w + i);
        drop[i] = (w + i < 4 ? here : there) < s.threshold;
    }
}

// What a thread has of a query: the scores of four keys, 16 apart, and what becomes of them.
typedef struct {
    float score[4]; // NONE where the key is hidden
    bool seen[4], drop[4];
} four;

DEVICE four scoresOf(const float *at, int apart, const setting &s, long segment, int query, int key0, int end, float scale)
{
    four q;
    UNROLL for (int c = 0; c < 4; c++) {
        int key = key0 + 16 * c;
        q.drop[c] = false;
        q.seen[c] = key < end && !(s.mask && s.mask[segment * s.keys + key]);
        q.score[c] = NONE;
        if (q.seen[c])
            q.score[c] = s.bias ? at[c * apart] * scale + s.bias[key - query] : at[c * apart] * scale;
    }
    if (s.threshold)
        dropped(q.drop, s, (unsigned long)(segment * s.queries + query) * s.keys + key0);
    return q;
}

// The weights of relu2 and laplace, or for GRADIENT their derivatives.
template <bool GRADIENT> DEVICE void elementWeights(float *at, int apart, const four &q, const setting &s)
{
    UNROLL for (int c = 0; c < 4; c++) {
        float v, density;
        if (s.function == BY_RELU2) {
            v = atLeast(q.score[c], 0);
            v = GRADIENT ? 2 * v : v * v;
        } else {
            v = normal((q.score[c] - LAPLACE_MEAN) / LAPLACE_DEVIATION, &density);
            v = GRADIENT ? density * LAPLACE_PEAK : v;
        }
        v = GRADIENT ? v : v * s.factor;
        at[c * apart] = q.seen[c] && !q.drop[c] ? v : GRADIENT ? NONE : 0;
    }
}

// e^(score - top), and 0 for hidden keys. The exponentials of nothing but -Inf are 0.
DEVICE void exponentials(float p[4], const four &q, float top)
{
    UNROLL for (int c = 0; c < 4; c++)
        p[c] = q.seen[c] ? exponential(q.score[c] - (top == NONE ? 0 : top)) : 0;
}

// The exponentials of row i's scores relative to the largest so far, which the tile may
// raise: then what came before is to shrink.
DEVICE void nextWeights(float p[4], const four &q, tileRows &rows, int i, int turn, bool first)
{
    float old = rows.largest[turn][i];
    float top = larger(old, largestOfHalf(larger(larger(q.score[0], q.score[1]), larger(q.score[2], q.score[3]))));
    float shrink = top == NONE ? 0 : exponential(old - top);
    exponentials(p, q, top);
    float sum = sumOfHalf(p[0] + p[1] + (p[2] + p[3]));
    if (first) {
        rows.largest[1 - turn][i] = top;
        rows.sum[1 - turn][i] = rows.sum[turn][i] * shrink + sum;
        rows.shrink[i] = shrink;
    }
}

// Turns a tile of products q k, of queries from q0 and keys from k0 on, into weights P, or
// for GRADIENT into what scoreGradient takes. Sixteen threads have a query, and four keys
// each that are 16 apart, as words of random numbers are.
template <bool OWN_KEYS, bool GRADIENT> DEVICE void weigh(square &tile, tileRows &rows, const setting &s, long segment, int q0, int k0, int turn)
{
    const int apart = OWN_KEYS ? 16 : 16 * TILE_PITCH;
    int thread = threadAnew(), x = thread % 16;
    NOUNROLL for (int i = thread / 16; i < TILE; i += THREADS / 16) {
        float *at = OWN_KEYS ? &tile[i][x] : &tile[x][i], scale = s.scale;
        int query = q0 + i, end = query < s.queries ? visible(query, s.queries, s.keys, s.causal) : 0;
        if (s.function != SOFTMAX)
            scale /= s.lengths ? s.lengths[segment] : end > 1 ? end : 1;
        four q = scoresOf(at, apart, s, segment, query, k0 + x, end, scale);
        bool inside = s.function == SOFTMAX && query < s.queries;
        if (GRADIENT && x == 0) {
            rows.scale[i] = scale;
            rows.delta[i] = inside ? s.deltas[segment * s.queries + query] : 0;
        }
        if (s.function != SOFTMAX) {
            elementWeights<GRADIENT>(at, apart, q, s);
            continue;
        }
        float p[4];
        if (OWN_KEYS || GRADIENT)
            exponentials(p, q, inside ? s.logs[segment * s.queries + query] : 0);
        else
            nextWeights(p, q, rows, i, turn, x == 0);
        UNROLL for (int c = 0; c < 4; c++) {
            if (GRADIENT)
                at[c * apart] = q.seen[c] ? q.drop[c] ? -p[c] : p[c] : NONE;
            else
                at[c * apart] = q.drop[c] ? 0 : p[c] * s.factor;
        }
    }
}

// dS of a pair from its dP: of softmax P (dP - delta), where a sign says that the weight has
// dropped out, and of the other functions f'(S) dP. NONE is a pair that is hidden, or
// dropped out under the other functions.
DEVICE float scoreGradient(float p, float dp, float delta, float factor)
{
    if (p == NONE)
        return 0;
    return magnitude(p) * ((bits(p) >> 31 ? 0 : dp * factor) - delta);
}

// The sums of a tile of dS over pairs with the same key minus query, for keys from k0 on:
// to[k0 + d] is that of key minus query, both counted in the tile, d - 63. What is not
// complete before the next tile waits in carry.
DEVICE void sumDiagonals(float *to, const square &tile, float carry[2][TILE], int k0, int turn)
{
    int d = threadAnew(), from = d < TILE ? TILE - 1 - d : 0, end = d < TILE ? TILE : 2 * TILE - 1 - d;
    if (d >= 2 * TILE - 1)
        return;
    float sum = d < TILE - 1 && k0 > 0 ? carry[turn][d] : 0;
    NOUNROLL for (int i = from; i < end; i++)
        sum += tile[i + d - (TILE - 1)][i];
    if (d < TILE)
        to[k0 + d] = sum;
    else
        carry[1 - turn][d - TILE] = sum;
}

// The body of all kernels. Operands begin with the first segment; each has rows ld apart.
template <class E, bool OWN_KEYS, bool GRADIENT> DEVICE void attend(float *y, const float *a, const float *b, const float *c, const float *e,
    const float *x, float *parts, const setting &s, int z, int h, int width, int chunks,
    int ldy, int lda, int ldb, int ldc, int lde, int ldx)
{
    static __attribute__((shared, aligned(16))) square tile;
    static __attribute__((shared, aligned(16))) typename E::pool pool;
    SHARED tileRows rows;
    SHARED float carry[2][TILE];
    int own = OWN_KEYS ? s.keys : s.queries, others = OWN_KEYS ? s.queries : s.keys;
    int tiles = (own + TILE - 1) / TILE, from = 0, turn = 0, segment = blockX / tiles, index = blockX % tiles;
    // Under a causal order the blocks with most to do go first.
    int r0 = (OWN_KEYS ? index : tiles - 1 - index) * TILE, c0 = blockY * chunks * CHUNK;
    int count = own - r0 < TILE ? own - r0 : TILE;
    if (s.causal && OWN_KEYS)
        from = r0 + s.queries - s.keys < 0 ? 0 : r0 + s.queries - s.keys;
    int to = OWN_KEYS ? others : visible(r0 + count - 1, s.queries, s.keys, s.causal);
    width = width - c0 < chunks * CHUNK ? width - c0 : chunks * CHUNK;
    bool adds = parts && blockY == 0;
    parts += ((long)segment * tiles + r0 / TILE) * (s.keys + TILE - 1);
    float sums[CHUNKS][16], product[16];
    UNROLL for (int n = 0; n < CHUNKS; n++)
        UNROLL for (int i = 0; i < 16; i++)
            sums[n][i] = 0;
    if (!OWN_KEYS && !GRADIENT && threadX < TILE) {
        rows.largest[0][threadX] = NONE;
        rows.sum[0][threadX] = 0;
    }
    int o = from;
    for (; o < to; o += TILE, turn = 1 - turn) {
        int n = to - o < TILE ? to - o : TILE;
        long first = anew(segment), row = first * own + r0, other = first * others + o;
        BARRIER; // the last tile has been read, and so has the pool
        E::multiply(product, pool, a + row * lda, lda, count, b + other * ldb, ldb, n, z);
        E::put(tile, product);
        BARRIER;
        weigh<OWN_KEYS, GRADIENT>(tile, rows, s, segment, OWN_KEYS ? o : r0, OWN_KEYS ? r0 : o, turn);
        if (GRADIENT) {
            E::multiply(product, pool, c + row * ldc, ldc, count, e + other * lde, lde, n, h);
            float p[16];
            E::get(p, tile);
            UNROLL for (int i = 0; i < 16; i++) {
                int query = OWN_KEYS ? E::otherOf(i) : E::ownOf(i);
                float ds = scoreGradient(p[i], product[i], rows.delta[query], s.factor);
                product[i] = OWN_KEYS ? ds * rows.scale[query] : ds;
            }
            E::put(tile, product);
            BARRIER;
            if (!OWN_KEYS && adds)
                sumDiagonals(parts, tile, carry, o, turn);
        } else if (!OWN_KEYS && s.function == SOFTMAX) {
            BARRIER;
            UNROLL for (int m = 0; m < CHUNKS; m++)
                UNROLL for (int i = 0; i < 16; i++)
                    sums[m][i] *= rows.shrink[E::rowOf(i)];
        }
        E::add(sums, tile, pool, x + other * ldx + c0, ldx, n, width, chunks);
    }
    if (!OWN_KEYS && GRADIENT && adds)
        for (int d = threadX; o + d < s.keys + TILE - 1; d += THREADS)
            parts[o + d] = o > 0 && d < TILE - 1 ? carry[turn][d] : 0;
    if (!OWN_KEYS && !GRADIENT && s.function == SOFTMAX && s.logs && blockY == 0 && threadX < count) {
        float sum = o > from ? rows.sum[turn][threadX] : 0;
        s.logs[(long)segment * s.queries + r0 + threadX] = sum == 0 ? -NONE : sum != sum ? sum : rows.largest[turn][threadX] + logarithm(sum);
    }
    y += ((long)segment * own + r0) * ldy + c0;
    UNROLL for (int i = 0; i < 16; i++) {
        int row = E::rowOf(i);
        float factor = 1;
        if (!OWN_KEYS && GRADIENT)
            factor = o > from ? rows.scale[row] : 0;
        else if (!OWN_KEYS && s.function == SOFTMAX)
            factor = o > from && rows.sum[turn][row] != 0 ? 1 / rows.sum[turn][row] : 0;
        UNROLL for (int n = 0; n < CHUNKS; n++) {
            int column = n * CHUNK + E::columnOf(i);
            if (row < count && column < width)
                y[(long)row * ldy + column] = sums[n][i] * factor;
        }
    }
}

#define ATTENTION(name, E, OWN_KEYS, GRADIENT)                                                                                   \
    KERNEL __attribute__((launch_bounds(THREADS, 2))) void name(float *y, const float *a, const float *b, const float *c, const float *e, \
        const float *x, float *logs, const float *deltas, float *parts, const float *bias, const byte *mask, const float *lengths, \
        int queries, int keys, int z, int h, int width, int chunks, int ldy, int lda, int ldb, int ldc, int lde, int ldx,        \
        float scale, int function, int causal, DROPOUT)                                                                      \
    {                                                                                                                            \
        setting s = {bias, mask, lengths, logs, deltas, queries, keys, function, causal, scale, seed, threshold, factor};              \
        attend<E, OWN_KEYS, GRADIENT>(y, a, b, c, e, x, parts, s, z, h, width, chunks, ldy, lda, ldb, ldc, lde, ldx);   \
    }
