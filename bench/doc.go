// Package bench measures training and inference on the workloads of the
// PyTorch yardstick: the reference's published presets, at the same shapes and
// batch, with the same step (forward, backward, clip, AdamW).
package bench
