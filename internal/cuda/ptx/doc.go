// Package ptx runs kernels in PTX, the portable assembly language of CUDA devices, on
// the processor, so that every machine tests the very text that a device is given. It
// is for tests: a kernel takes some ten thousand times as long as on a device.
//
// The interpreter knows the part of the language that clang emits for this project's
// kernels, and it is stricter than any device:
//
//   - It refuses what it does not know, by name and line, before anything runs.
//   - Arithmetic is what the definition of PTX says to the last bit. Instructions
//     whose result is the device's choice (ex2.approx, or an add without a rounding,
//     which a driver may fuse with a mul) are refused, so that what is computed here
//     is what every device computes. Products of matrices alone (mma, in bfloat16 and
//     TF32) are not: their sums are rounded once here, and in a way of their own on
//     devices. Factors in TF32 must have been rounded to it.
//   - An access outside an allocation, or not aligned to its size, ends the launch,
//     and so does a read of memory that nobody has written.
//   - Two threads that access the same byte without a barrier between them, one of them
//     writing, are reported, be it in shared memory or between blocks in global memory.
//     Blocks and warps run in an order that a seed shuffles.
//   - All threads of a block must reach the same barrier, and all lanes of a shuffle
//     must be there.
//
// A Fault names the kernel, the instruction with its line, the block and the thread.
// The definitions are those of Parallel Thread Execution ISA, version 7.0.
package ptx
