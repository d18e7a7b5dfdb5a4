// The elementary functions in float32, by the polynomials of the CPU's kernels
// (internal/kernel/_asm/vec_math.go).

// n is x / ln 2 rounded, r what remains, so that e^x = 2^n e^r with |r| <= ln(2)/2.
DEVICE void reduce(float x, int *n, float *r)
{
    float shifted = fma(x, 1.44269504f, 12582912); // 1.5 2^23: the sum's last bit is 1
    float f = shifted - 12582912;
    *n = (int)(bits(shifted) - bits(12582912));
    *r = fma(f, -1.90465421e-9f, fma(f, -0.693147182f, x));
}

// q in e^r = 1 + r + r^2 q(r), to an eighteenth of the rounding.
DEVICE float expTail(float r)
{
    return fma(fma(fma(fma(0.00138142216f, r, 0.00836889911f), r, 0.0416684039f), r, 0.166665196f), r, 0.49999994f);
}

// e^x: infinity above 88.72284, 0 below -87, NaN for NaN.
DEVICE float exponential(float x)
{
    int n;
    float r;
    reduce(atMost(atLeast(x, -87.5f), 89), &n, &r);
    // 2 e^r 2^(n-1), since 2^128 would be infinite where e^x is not yet.
    float p = fma(fma(2 * expTail(r), r, 2), r, 2);
    return p * number((word)(n + 126) << 23);
}

// e^x - 1 for x <= 0, to the last bits near 0 too.
DEVICE float expMinusOne(float x)
{
    int n;
    float r;
    reduce(atLeast(x, -40), &n, &r);
    float power = number((word)(n + 127) << 23);
    return fma(fma(fma(expTail(r), r, 1), r, 0), power, power - 1);
}

DEVICE float sigmoid(float x) { return 1 / (1 + exponential(-x)); }
DEVICE float silu(float x) { return x / (1 + exponential(-x)); }

// The derivative of sigmoid, e / (1 + e)^2 with e = e^-|x|.
DEVICE float sigmoidSlope(float x)
{
    float e = exponential(-magnitude(x)), d = 1 + e;
    return e / (d * d);
}

// The derivative of silu, which is constant beyond 87.
DEVICE float siluSlope(float x)
{
    x = atMost(atLeast(x, -87), 87);
    float e = exponential(-x), s = 1 / (1 + e);
    return fma(x * s, e * s, s);
}

// tanh(x) = -sign(x) e / (e + 2) with e = e^-2|x| - 1.
DEVICE float tangent(float x)
{
    float e = expMinusOne(-2 * magnitude(x));
    return __builtin_copysignf(e / (e + 2), x);
}

// The normal distribution, precise in the lower tail too, and e^(-t^2/2). The upper
// tail is e^(-t^2/2) S(w) with w = t/4 / (1 + t/4).
DEVICE float normal(float t, float *density)
{
    float a = atMost(magnitude(t), 14), u = 0.25f * a, w = u / (u + 1);
    float s = fma(0.0978149846f, w, -0.313173443f);
    s = fma(fma(fma(s, w, 0.152094573f), w, 0.860013247f), w, -2.10488439f);
    s = fma(fma(fma(s, w, 2.40411901f), w, -1.59576643f), w, 0.5f);
    *density = exponential(a * a * -0.5f);
    float tail = s * *density;
    return t < 0 ? tail : 1 - tail;
}

// 2 sqrt(2/pi) (x + 0.044715 x^3), and its derivative: gelu by tanh is x sigmoid(u).
DEVICE float geluArgument(float x) { return fma(x * x, 0.0713548163f, 1.59576912f) * x; }
DEVICE float geluArgumentSlope(float x) { return fma(x * x, 0.214064449f, 1.59576912f); }

// The reference's constants of laplace, and 1 / (deviation sqrt(2 pi)).
#define LAPLACE_MEAN 0.707107f
#define LAPLACE_DEVIATION 0.282095f
#define LAPLACE_PEAK 1.41421252f
#define ROOT_TWO_PI 2.50662827f

// As internal/kernel numbers them.
enum { IDENTITY, SIGMOID, SILU, GELU, RELU, RELU2, TANH, LAPLACE, GELU_TANH };

// f(x) of an activation.
DEVICE float activation(int f, float x)
{
    float density;
    switch (f) {
    case SIGMOID: return sigmoid(x);
    case SILU: return silu(x);
    case GELU: return x * normal(x, &density);
    case RELU: return atLeast(x, 0);
    case RELU2: return atLeast(x, 0) * atLeast(x, 0);
    case TANH: return tangent(x);
    case LAPLACE: return normal((x - LAPLACE_MEAN) / LAPLACE_DEVIATION, &density);
    case GELU_TANH: return x / (1 + exponential(-geluArgument(x)));
    }
    return x;
}

// f'(x) of an activation: 0 at the corners of relu and relu2, at infinities the limit.
DEVICE float slope(int f, float x)
{
    float density, y = atMost(atLeast(x, -13), 13), s;
    switch (f) {
    case SIGMOID: return sigmoidSlope(x);
    case SILU: return siluSlope(x);
    case GELU:
        s = normal(y, &density);
        return fma(y * density, 1 / ROOT_TWO_PI, s);
    case RELU: return x <= 0 ? 0 : 1;
    case RELU2: return 2 * atLeast(x, 0);
    case TANH: return 4 * sigmoidSlope(2 * x);
    case LAPLACE:
        normal((x - LAPLACE_MEAN) / LAPLACE_DEVIATION, &density);
        return density * LAPLACE_PEAK;
    case GELU_TANH: {
        y = atMost(atLeast(x, -10), 10);
        float e = exponential(-geluArgument(y)), d = 1 / (1 + e);
        return fma(y * geluArgumentSlope(y) * d, e * d, d);
    }
    }
    return 1;
}
