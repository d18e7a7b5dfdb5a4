// Package naive is the executable specification of Mega (Ma et al., "Mega:
// Moving Average Equipped Gated Attention", arXiv 2209.10655): every formula of
// the model, its losses and its optimiser in float64, slow and obvious. Tests of
// the fast code compare with it, values and gradients alike; the product never
// imports it.
//
// A formula is written once, with the operations of ops.go on [Matrix]. Each
// operation remembers how to send a gradient back, so that [Backward] gives the
// exact gradient of anything computed here, and [Gradient] and
// [DirectionalDerivative] check that by finite differences.
//
// Shapes: B batch, L length, D embed_dim, H hidden_dim, Z z_dim, N n_dim, C
// chunk, V vocabulary, T taps of an EMA kernel. A batch is one matrix of B·L
// rows, the rows of a sequence together; masks[b][t] is true where position t
// of sequence b is padding.
//
// Misuse (shapes that do not fit) panics, since only tests call this package;
// [NewModel], which reads files, returns errors.
//
// References such as utils.py:455 mean a file and line of the official
// implementation, facebookresearch/mega, under fairseq/.
package naive
