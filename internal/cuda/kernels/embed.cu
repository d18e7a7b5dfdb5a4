// Embeddings.

// dst[i] = scale table[tokens[i]], a row of cols numbers. Tokens are the host's to check.
KERNEL BOUNDS void embed(float *dst, const float *table, const int *tokens, int rows, int cols, float scale)
{
    long i = ELEMENT, r = i / cols, c = i % cols;
    if (r < rows)
        dst[i] = scale * table[(long)tokens[r] * cols + c];
}

// table[t] += scale sum of dy[i] over the i with token t, in their order. Block x is one
// of the tokens that occur, tokens[x], or has no rows; its rows are order[starts[x]] to
// order[starts[x+1]-1].
// (Along y a grid has room for 65535 blocks alone.)
KERNEL BOUNDS void embed_grad(float *table, const float *dy, const int *tokens, const int *starts, const int *order, int cols, float scale)
{
    int c = blockY * THREADS + threadX;
    if (c >= cols)
        return;
    int from = starts[blockX], to = starts[blockX + 1];
    if (from == to)
        return;
    float *w = table + (long)tokens[blockX] * cols + c, sum = *w;
    for (int i = from; i < to; i++)
        sum = fma(scale, dy[(long)order[i] * cols + c], sum);
    *w = sum;
}
