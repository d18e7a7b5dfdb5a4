// Package driver runs kernels on NVIDIA's GPUs by the CUDA driver API, which it finds in
// the library of the machine's driver (libcuda.so.1, nvcuda.dll) when it is asked for.
// Neither a build nor a run needs a CUDA toolkit or a C compiler.
//
// Only programs built with the tag cuda can open that library, since they are linked with
// libc dynamically. All else is in every build, and tests run it on a stand-in for the
// library, whose device is the interpreter of package ptx.
//
// A Device has one thread that calls the driver for it, and one stream of work. What runs
// on it is given to Run as a function, as whole as can be, since each takes a change of
// threads.
package driver
