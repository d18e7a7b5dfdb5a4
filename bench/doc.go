// Package bench measures training, inference and decoding on fixed workloads: the
// reference's published presets, at the shapes, batches and steps (forward, backward,
// clip, AdamW) of the PyTorch scripts in bench/torch. docs/performance.md compares them.
//
// Training and inference are timed one workload a process, since the peak memory that
// is reported is the process's.
package bench
