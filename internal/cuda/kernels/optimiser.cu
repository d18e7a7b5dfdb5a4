// The norm of gradients, and Adam: of all parameters by one launch each. Parameters come in
// pieces of THREADS SQUARES numbers at most, which a table lists.

#define SQUARES 32 // numbers that a thread adds up
#define ADAM_SHARES 8   // blocks that update a piece

struct adamPiece {
    GLOBAL float *weights;
    const GLOBAL float *grad; // null if no gradient has reached the weights
    GLOBAL float *mean, *square;
    int n, decays;
};

// The sum of squares of a block's n numbers, in float64, by all of its threads: those of a
// thread in their order, then the threads' in the order of a tree.
DEVICE void sumOfSquares(double *sum, const float *x, long n)
{
    SHARED double sums[THREADS];
    double own = 0;
    for (int k = 0; k < SQUARES; k++) {
        long i = threadX + (long)k * THREADS;
        if (i < n)
            own += (double)x[i] * (double)x[i];
    }
    sums[threadX] = own;
    for (int half = THREADS / 2; half > 0; half /= 2) {
        BARRIER;
        if (threadX < half)
            sums[threadX] += sums[threadX + half];
    }
    if (threadX == 0)
        *sum = sums[0];
}

// Of each THREADS SQUARES of n numbers.
KERNEL BOUNDS void square_parts(double *parts, const float *x, long n)
{
    long from = (long)blockX * THREADS * SQUARES;
    sumOfSquares(parts + blockX, x + from, n - from);
}

// Of the gradient of each piece.
KERNEL BOUNDS void square_pieces(double *parts, const adamPiece *pieces)
{
    adamPiece p = pieces[blockX];
    sumOfSquares(parts + blockX, (const float *)p.grad, p.grad ? p.n : 0);
}

// Adam as the reference has it, with weight decay first:
//
//	g = gradScale grad
//	m = beta1 m + rest1 g, v = beta2 v + rest2 g^2
//	w = w - decay w - step m / (sqrt(v) + eps)
//
// numbers are gradScale, beta1, rest1, beta2, rest2, eps, step and decay, which is 0 for
// pieces that do not decay. They are in memory so that steps launch the same.
KERNEL BOUNDS void adam(const adamPiece *pieces, const float *numbers)
{
    adamPiece p = pieces[blockX / ADAM_SHARES];
    if (!p.grad)
        return;
    float decay = p.decays ? numbers[7] : 0;
    for (int i = blockX % ADAM_SHARES * THREADS + threadX; i < p.n; i += ADAM_SHARES * THREADS) {
        float g = numbers[0] * p.grad[i], w = p.weights[i];
        float mean = numbers[1] * p.mean[i] + numbers[2] * g, square = numbers[3] * p.square[i] + numbers[4] * (g * g);
        p.mean[i] = mean;
        p.square[i] = square;
        p.weights[i] = w - decay * w - numbers[6] * (mean / (root(square) + numbers[5]));
    }
}
