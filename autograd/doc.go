// Package autograd is the tape: operations on Variables that compute a value,
// remember what their gradient needs, and are run backwards by Backward.
//
// An operation is a method of Tape; each family has a file, with the forward
// and the backward of an operation next to each other. This package is the
// only one above the kernels that touches a tensor's numbers: models, layers
// and trainers call operations and see shapes, never storage, so that another
// device can come in underneath without an edit above.
//
// Memory. Buffers come from the tape's pool and go back to it. Scope ends the
// life of every value made inside it that the backward pass does not read, and
// of those that are cheap to compute again from others (activations, norms,
// dropout, gates): these are recomputed when the backward pass asks for them.
// A training step after the first few allocates no tensor, and a step of decoding
// nothing at all: see Tape.
//
// State. Texts that are read piece by piece, as in decoding, go through the same
// operations as whole ones: EMA and Attention take a state that carries what came
// before, and all others look at single positions. A second set of operations for
// decoding would save a few copies a layer, and each layer would be written twice.
//
// Shapes follow one alphabet: B batch, L length, D embed_dim, H hidden_dim,
// Z z_dim, N n_dim, C chunk, V vocabulary; R is B·L rows. Layout is batch
// first, channel last.
package autograd
