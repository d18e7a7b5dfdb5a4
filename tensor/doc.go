// Package tensor holds shapes and storage: dense float32 tensors that are rows
// of channels, and the pool that buffers come from and return to, so that a
// training step leaves no garbage.
//
// It computes nothing and knows no model. Kernels are in internal/kernel, and the
// operations on tensors in autograd.
package tensor
