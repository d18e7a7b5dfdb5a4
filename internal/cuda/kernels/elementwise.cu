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

// dst = f(x)
KERNEL BOUNDS void activate(int f, float *dst, const float *x, long n)
{
    long i = ELEMENT;
    if (i < n)
        dst[i] = activation(f, x[i]);
}

// dx = dy f'(x)
KERNEL BOUNDS void activate_grad(int f, float *dx, const float *dy, const float *x, long n)
{
    long i = ELEMENT;
    if (i < n)
        dx[i] = dy[i] * slope(f, x[i]);
}

// Adam as the reference has it, with weight decay first:
//
//	g = gradScale grad
//	m = beta1 m + rest1 g, v = beta2 v + rest2 g^2
//	w = w - decay w - step m / (sqrt(v) + eps)
//
// numbers are gradScale, beta1, rest1, beta2, rest2, eps, step and decay, which is 0 unless
// decays is set. They are in memory so that steps launch the same.
KERNEL BOUNDS void adam(float *w, const float *grad, float *m, float *v, long n, const float *numbers, int decays)
{
    long i = ELEMENT;
    if (i >= n)
        return;
    float g = numbers[0] * grad[i], decay = decays ? numbers[7] : 0;
    float mean = numbers[1] * m[i] + numbers[2] * g, square = numbers[3] * v[i] + numbers[4] * (g * g);
    m[i] = mean;
    v[i] = square;
    w[i] = w[i] - decay * w[i] - numbers[6] * (mean / (root(square) + numbers[5]));
}
