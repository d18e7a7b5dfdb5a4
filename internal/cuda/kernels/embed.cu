// Embeddings.

// dst[i] = scale table[tokens[i]], a row of cols numbers. Tokens are the host's to check.
KERNEL BOUNDS void embed(float *dst, const float *table, const int *tokens, int rows, int cols, float scale)
{
    long i = ELEMENT, r = i / cols, c = i % cols;
    if (r < rows)
        dst[i] = scale * table[(long)tokens[r] * cols + c];
}

// table[t] += scale sum of dy[i] over the i with token t, in their order. Block y is one
// of the tokens that occur, tokens[y]; its rows are order[starts[y]] to order[starts[y+1]-1].
KERNEL BOUNDS void embed_grad(float *table, const float *dy, const int *tokens, const int *starts, const int *order, int cols, float scale)
{
    long c = ELEMENT;
    if (c >= cols)
        return;
    int from = starts[blockY], to = starts[blockY + 1];
    float *w = table + (long)tokens[blockY] * cols + c, sum = *w;
    for (int i = from; i < to; i++)
        sum = fma(scale, dy[(long)order[i] * cols + c], sum);
    *w = sum;
}
