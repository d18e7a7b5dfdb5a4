// Package autograd is the tape: operations on Variables that compute a value and
// remember what their gradient needs, so that Backward can run them backwards.
//
// An operation is a method of Tape. Each family of operations has a file, with the
// forward and the backward of an operation next to each other. This package is the
// only one above the kernels that touches a tensor's numbers. Models, layers and
// trainers call operations and see shapes, never storage, so that another device
// can come in underneath without an edit above.
//
// Memory. Buffers come from the tape's pool and return to it. Scope ends the life
// of every value made inside it that the backward pass does not read. It also ends
// the life of values that are cheap to compute again from others (activations,
// norms, dropout, gates); the backward pass recomputes them when it needs them.
// After the first few steps a training step allocates no tensor, and a decoding
// step allocates nothing at all (see Tape).
//
// State. Texts that are read piece by piece, as in decoding, go through the same
// operations as whole ones. EMA and Attention take a state that carries what came
// before; all other operations look at single positions. A second set of
// operations for decoding would save a few copies a layer, but each layer would
// then be written twice.
//
// Devices. A tape computes on the processor or, after SetDevice, on a CUDA device, where
// its tensors then are too. It does so through the interface operations, and is the same
// above it. What a device has no kernels for panics with a device.Failure that names it;
// nothing falls back to the processor.
//
// Shapes follow one alphabet: B batch, L length, D embed_dim, H hidden_dim,
// Z z_dim, N n_dim, C chunk, V vocabulary; R is B·L rows. Layout is batch first,
// channel last.
package autograd
