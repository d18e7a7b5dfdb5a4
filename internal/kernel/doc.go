// Package kernel holds the CPU kernels of mega: matrix products, vector
// maths, norms, the exponential moving average's scan and tiled attention, on
// float32 slices.
//
// Every kernel has a plain-Go twin, xxxGeneric, that is its definition; AVX2
// and AVX-512 assembly, generated from _asm by avo, is an optimisation of it
// that is chosen at run time. Destinations come first, buffers belong to the
// caller, and no kernel allocates on the heap in proportion to its input.
// Results never depend on the number of workers: reductions have a fixed order.
//
// The package knows nothing of tensors, tapes or models.
package kernel
