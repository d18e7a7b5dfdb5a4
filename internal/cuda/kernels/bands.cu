// Bands of a vocabulary, and dropout of whole features.

// Row index[r] of dst = scale times row r of src. No row may be named twice.
KERNEL BOUNDS void place_rows(float *dst, const float *src, const int *index, int rows, int cols, int ldd, int lds, float scale)
{
    long i = ELEMENT, r = i / cols, c = i % cols;
    if (r < rows)
        dst[(long)index[r] * ldd + c] = scale * src[r * lds + c];
}

// Row r of dst = scale times row index[r] of src: the gradient of place_rows.
KERNEL BOUNDS void take_rows(float *dst, const float *src, const int *index, int rows, int cols, int ldd, int lds, float scale)
{
    long i = ELEMENT, r = i / cols, c = i % cols;
    if (r < rows)
        dst[r * ldd + c] = scale * src[(long)index[r] * lds + c];
}

// dst = x + column, one number for each row: column[r ldc].
KERNEL BOUNDS void add_column(float *dst, const float *x, const float *column, int rows, int cols, int ldd, int ldx, int ldc)
{
    long i = ELEMENT, r = i / cols, c = i % cols;
    if (r < rows)
        dst[r * ldd + c] = x[r * ldx + c] + column[r * ldc];
}

// dst = x times 0 or factor, chosen for each column of a group of length rows as one, or
// with whole set for each group: by word number g cols + c, or g, of the seed (see dropout).
KERNEL BOUNDS void feature_dropout(float *dst, const float *x, int rows, int cols, int ldd, int ldx, int length, int whole, DROPOUT)
{
    long i = ELEMENT, r = i / cols, c = i % cols;
    if (r >= rows)
        return;
    long group = r / length, number = whole ? group : group * cols + c;
    dst[r * ldd + c] = x[r * ldx + c] * droppedAt(seed, threshold, factor, number, 1);
}
