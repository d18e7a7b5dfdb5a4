// Elementwise kernels: a thread an element.

// dst = a + b
KERNEL BOUNDS void add(float *dst, const float *a, const float *b, long n)
{
    long i = ELEMENT;
    if (i < n)
        dst[i] = a[i] + b[i];
}

// dst = a b
KERNEL BOUNDS void multiply(float *dst, const float *a, const float *b, long n)
{
    long i = ELEMENT;
    if (i < n)
        dst[i] = a[i] * b[i];
}

// dst = s x
KERNEL BOUNDS void scale(float *dst, const float *x, float s, long n)
{
    long i = ELEMENT;
    if (i < n)
        dst[i] = s * x[i];
}

// dst += s x
KERNEL BOUNDS void add_scaled(float *dst, const float *x, float s, long n)
{
    long i = ELEMENT;
    if (i < n)
        dst[i] += s * x[i];
}

// dst = v
KERNEL BOUNDS void fill(float *dst, float v, long n)
{
    long i = ELEMENT;
    if (i < n)
        dst[i] = v;
}
