// Package kernel holds the CPU kernels of mega: matrix products, vector
// maths, norms, the exponential moving average's scan and tiled attention, on
// float32 slices.
//
// Every kernel has a plain-Go twin, xxxGeneric, that defines it. Assembly for AVX2,
// AVX-512 and NEON, generated from _asm, optimises it and is chosen at run time.
// The twin is always compiled and tested, because assembly cannot be reviewed
// except against a definition. Destinations come first, buffers belong to the
// caller, and no kernel allocates on the heap in proportion to its input.
// Reductions have a fixed order, so results never depend on the number of workers.
//
// The package knows nothing of tensors, tapes or models.
package kernel
